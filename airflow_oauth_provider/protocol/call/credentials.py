"""The one place that puts a token on a call (RFC 6750 §2.1).

From token, method and URL, since what proves that a token is the caller's own (RFC 9449) is made for
one method and one URL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.call.effects import SendCall

TOKEN_HEADER = "Authorization"
Signer = Callable[[AccessToken, SendCall], Mapping[str, str]]
"""Returns the headers that prove possession of a token for one call."""


class TokenHeader(str):
    """The value of a header that is ours; printing a request does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer ***'"


def headers_for(token: AccessToken, call: SendCall, signer: Signer | None = None) -> dict[str, str]:
    """Return the headers that put *token* on *call*; none for an origin that may see nothing of ours.

    :param signer: ``None`` for a token that whoever holds it may use.
    """
    if not call.trusted:
        return {}
    headers: dict[str, str] = {TOKEN_HEADER: TokenHeader(f"Bearer {token.value}")}
    if signer is not None:
        headers.update(signer(token, call))
    return headers
