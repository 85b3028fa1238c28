"""Tokens of one connection for a library that asks in threads of its own and sends them where it likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from airflow_oauth_provider.client.lending import Lending, require_bearer
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.connection.checks import printable
from airflow_oauth_provider.connection.token_parameters import (
    MAX_SHOWN,
    NONE_CHOSEN,
    PARAMETER_NAMES,
    TokenParameters,
    chosen_parameters,
)
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.credentials import TOKEN_HEADER, headers_for
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.texts import cut
from airflow_oauth_provider.tokens import AccessToken

_CONN_ID = "oauth2_conn_id"
_ANY_CALL = SendCall("", "")
"""A token that is bound to no key is put on every call in the same way."""


class LentTokens:
    """Gives one connection's tokens to another library; :class:`PreparedClient` says what is read when.

    It holds the id of the connection and never a token, and travels as that.

    :param oauth2_conn_id: Airflow connection id.
    :param parameters: asked for instead of the connection's.
    """

    def __init__(self, oauth2_conn_id: str, parameters: TokenParameters = NONE_CHOSEN) -> None:
        self._client = PreparedClient(oauth2_conn_id, parameters=parameters)
        self._lending: Lending | None = Lending(oauth2_conn_id)

    @classmethod
    def of(cls, arguments: Mapping[str, Any], *, stands_in: str) -> Self:
        """Return those that another library's configuration asks for.

        :param arguments: ``oauth2_conn_id`` and the texts of :func:`chosen_parameters`, by name.
        :param stands_in: the place that a person has written them in.
        :raises ConfigurationError: for one that is not known, and where there is no connection id.
        """
        names = (_CONN_ID, *PARAMETER_NAMES)
        texts = dict(arguments)
        conn_id = texts.pop(_CONN_ID, None)
        unknown = [cut(printable(str(name)), MAX_SHOWN) for name in arguments if name not in names]
        if unknown:
            reason = f"has no {cut(', '.join(unknown), MAX_SHOWN)}, only {', '.join(names)}"
        elif not isinstance(conn_id, str) or not conn_id or not conn_id.isprintable():
            reason = f"must name a connection as {_CONN_ID}"
        else:
            return cls(conn_id, chosen_parameters(conn_id, **texts))
        raise ConfigurationError(reason, field=stands_in)

    @property
    def conn_id(self) -> str:
        """The connection's id."""
        return self._client.conn_id

    def prepare(self, *, lent: bool = True, once: bool = False) -> Self:
        """Read the connection here, where Airflow may be called.

        :param lent: the connection must be lent; false where ``airflow.cfg`` itself names it.
        :param once: as of :meth:`PreparedClient.prepare`.
        :raises ConfigurationError: when it is wrong, not lent, or not there.
        """
        if not lent:
            self._lending = None
        self._require_lent()
        self._client.prepare(once=once)
        return self

    def token(self) -> AccessToken:
        """Return a token that may be used now.

        :raises OAuthError: when there is none.
        """
        client = self._client
        token = client.held_token()
        if token is None:
            self._require_lent()
            token = client.get_token()
        return require_bearer(token, client.conn_id)

    def authorization(self) -> str:
        """Return what a library writes into the header ``Authorization``; printing it does not show it.

        :raises OAuthError: when there is no token, or the API wants it elsewhere.
        """
        token = self.token()
        api = self._client.settings.api
        headers = headers_for(token, _ANY_CALL, name=api.header_name, scheme=api.header_scheme)
        if TOKEN_HEADER not in headers:
            raise ConfigurationError(
                f"names a header that this library does not send: it only knows {TOKEN_HEADER}",
                field="header_name",
                conn_id=self.conn_id,
            )
        return headers[TOKEN_HEADER]

    def _require_lent(self) -> None:
        if self._lending is not None and self._client.may_read:
            self._lending.require()
