"""Tokens of the servers that are built on Authlib, and the endpoints that are asked about them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint


@dataclass
class AuthlibToken(TokenMixin):  # type: ignore[misc]
    """One token that was granted.

    :param lifetime: seconds.
    """

    client_id: str
    scope: str
    lifetime: int
    issued_at: float = field(default_factory=time.time)
    revoked: bool = False

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return self.lifetime

    def is_expired(self) -> bool:
        return time.time() > self.issued_at + self.lifetime

    def is_revoked(self) -> bool:
        return self.revoked

    def check_client(self, client: ClientMixin) -> bool:
        return bool(client.get_client_id() == self.client_id)


Tokens = Mapping[str, AuthlibToken]


def introspection(tokens: Tokens, methods: tuple[str, ...] = ("client_secret_basic",)) -> type[Any]:
    """Return the endpoint of RFC 7662, for clients that authenticate by one of *methods*."""

    class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
        CLIENT_AUTH_METHODS = methods

        def query_token(self, token_string: str, token_type_hint: str | None) -> AuthlibToken | None:
            return tokens.get(token_string)

        def check_permission(self, token: AuthlibToken, client: ClientMixin, request: Any) -> bool:
            return token.check_client(client)

        def introspect_token(self, token: AuthlibToken) -> dict[str, Any]:
            ends = int(token.issued_at) + token.lifetime
            return {"client_id": token.client_id, "token_type": "Bearer", "scope": token.scope, "exp": ends}

    return Introspection


def revocation(tokens: Tokens, methods: tuple[str, ...] = ("client_secret_basic",)) -> type[Any]:
    """Return the endpoint of RFC 7009, for clients that authenticate by one of *methods*."""

    class Revocation(RevocationEndpoint):  # type: ignore[misc]
        CLIENT_AUTH_METHODS = methods

        def query_token(self, token_string: str, token_type_hint: str | None) -> AuthlibToken | None:
            return tokens.get(token_string)

        def revoke_token(self, token: AuthlibToken, request: Any) -> None:
            token.revoked = True

    return Revocation
