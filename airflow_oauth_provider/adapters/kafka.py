"""Tokens for confluent-kafka (SASL/OAUTHBEARER), and by that for Airflow's Kafka hooks.

Their connection names the path of ``oauth_cb``, which ``[apache_kafka] callback_allowlist`` must list, and by
``sasl.oauthbearer.config`` (``oauth2_conn_id=…``) ours, which ``[oauth2] lent_connections`` must list.
"""

from __future__ import annotations

import logging

from airflow_oauth_provider.client.lent_tokens import LentTokens, words
from airflow_oauth_provider.exceptions import OAuthError

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
                made = LentTokens.of(words(config), stands_in="sasl.oauthbearer.config")
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
