"""Credentials of azure-core: ``BlobServiceClient(url, credential=OAuth2Credential("my_azure"))``.

The first call reads the connection. Other threads, event loops and forked processes use what was read then,
and do not call Airflow.

Whatever names the connection can have its tokens, so ``[oauth2] lent_connections`` must list it. DAG code
that makes its own credential calls :meth:`OAuth2Hook.credential` instead, which needs no lending.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from airflow_oauth_provider.client.lent_credential import LentCredential
from airflow_oauth_provider.tokens import AccessToken as Token

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo


class OAuth2Credential(LentCredential):
    """azure-core's ``TokenCredential`` and ``SupportsTokenInfo``.

    :param oauth2_conn_id: Airflow connection id.
    :param scope: where the caller names none; like *audience*, *resource* and *tenant* asked for instead of
        the connection's.
    """

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token.

        :param scopes: asked for instead of the connection's.
        :param options: azure-core's: ``claims`` of an API that refused a token (a new one is asked for),
            ``tenant_id`` (one of the connection's tenants); others, as ``enable_cae``, make no difference.
        :raises OAuthError: when there is none; a :class:`ConfigurationError` where it is not lent.
        """
        return _token(self._credential.get_token(*scopes, **options))

    def get_token_info(self, *scopes: str, options: Mapping[str, Any] | None = None) -> AccessTokenInfo:
        """Do what :meth:`get_token` does; the result says when to ask again, too."""
        return _token_info(self._credential.get_token(*scopes, **(options or {})))

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncOAuth2Credential(LentCredential):
    """azure-core's ``AsyncTokenCredential`` and ``AsyncSupportsTokenInfo``.

    :param oauth2_conn_id: Airflow connection id.
    :param scope: as of :class:`OAuth2Credential`, like *audience*, *resource* and *tenant*.
    """

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Do what :meth:`OAuth2Credential.get_token` does without blocking the event loop."""
        return _token(await self._credential.aget_token(*scopes, **options))

    async def get_token_info(self, *scopes: str, options: Mapping[str, Any] | None = None) -> AccessTokenInfo:
        """Do what :meth:`OAuth2Credential.get_token_info` does without blocking the event loop."""
        return _token_info(await self._credential.aget_token(*scopes, **(options or {})))

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@cache
def _azure() -> Any:
    from azure.core import credentials

    return credentials


def _token(token: Token) -> AccessToken:
    made: AccessToken = _azure().AccessToken(token.value, token.expires_on)
    return made


def _token_info(token: Token) -> AccessTokenInfo:
    info: AccessTokenInfo = _azure().AccessTokenInfo(
        token.value, token.expires_on, refresh_on=int(token.advisory_at)
    )
    return info
