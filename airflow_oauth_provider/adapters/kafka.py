"""Tokens for confluent-kafka (SASL/OAUTHBEARER), and by that for Airflow's Kafka hooks.

Their connection names the path of ``oauth_cb``, which ``[apache_kafka] callback_allowlist`` must list, and by
``sasl.oauthbearer.config`` (``oauth2_conn_id=…``) ours, which ``[oauth2] lent_connections`` must list.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow_oauth_provider.client.lent_tokens import LentTokens
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError

log = logging.getLogger(__name__)


class _Callback:
    """Return a token, and when it ends in seconds since the epoch; librdkafka calls it again before that.

    The first call reads the connection, while a client is being made, whose maker waits for the token.

    :param config: of ``sasl.oauthbearer.config``: ``oauth2_conn_id=…``; *scope*, *audience* … likewise.
    :raises OAuthError: when there is no token; confluent-kafka reports none of it, so the log has it.
    """

    def __init__(self) -> None:
        self._tokens: dict[str | None, LentTokens] = {}

    def __call__(self, config: str | None) -> tuple[str, float]:
        """Do what the class says."""
        try:
            if config not in self._tokens:
                made = LentTokens.of(_arguments(config), stands_in="sasl.oauthbearer.config")
                self._tokens[config] = made.prepare(once=True)
            token = self._tokens[config].token()
        except Exception as error:  # of which confluent-kafka says nothing
            log.error("%s", error if isinstance(error, OAuthError) else type(error).__name__)  # noqa: TRY400
            raise
        return token.value, token.expires_at

    def __reduce__(self) -> tuple[type[_Callback], tuple[()]]:
        return _Callback, ()


def __getattr__(name: str) -> _Callback:
    """Return an ``oauth_cb`` for the next client: each reads the connection anew."""
    if name != "oauth_cb":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _Callback()


def _arguments(text: str | None) -> dict[str, Any]:
    """Read ``name=value name=value …``; a name that comes again has several values.

    :raises ConfigurationError: for a word without a name, which may be anything: it is not shown.
    """
    arguments: dict[str, Any] = {}
    for name, separator, value in (word.partition("=") for word in (text or "").split()):
        if not separator:
            raise ConfigurationError("must consist of name=value, with spaces between them")
        arguments[name] = [*arguments[name], value] if name in arguments else [value]
    return {name: values[0] if len(values) == 1 else values for name, values in arguments.items()}
