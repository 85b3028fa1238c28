"""The one place that puts a token on a call (RFC 6750 §2.1, RFC 9449 §7.1).

From token, method and URL, since what proves that a token is the caller's own (RFC 9449) is made for
one method and one URL.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.dpop.proof import DPOP, PROOF_HEADER

TOKEN_HEADER = "Authorization"
OUR_HEADERS = (TOKEN_HEADER, PROOF_HEADER)
"""Headers of a call that nobody else may set."""
Signer = Callable[[AccessToken, SendCall], str]
"""Returns the proof of possession of a token for one call."""


class TokenHeader(str):
    """The value of a header that is ours; printing a request does not show it."""

    __slots__ = ()

    @property
    def hidden(self) -> str:
        """What may be shown of it."""
        scheme, blank, _ = self.partition(" ")
        return f"{scheme} ***" if blank else "***"

    def __repr__(self) -> str:
        return repr(self.hidden)


def headers_for(
    token: AccessToken,
    call: SendCall,
    signer: Signer | None = None,
    *,
    name: str = TOKEN_HEADER,
    scheme: str = "Bearer",
) -> dict[str, str]:
    """Return the headers that put *token* on *call*; none for an origin that may see nothing of ours.

    :param signer: is asked for a token that is bound to a key; each time the call is sent.
    :param name: of the header that the API wants the token in, with *scheme* before it; one that is bound to
        a key has a place of its own.
    """
    if not call.trusted:
        return {}
    if token.token_type != DPOP:
        return {name: TokenHeader(f"{scheme} {token.value}" if scheme else token.value)}
    if signer is None:
        raise ValueError("a token that is bound to a key needs a proof with each call")
    return {TOKEN_HEADER: TokenHeader(f"{DPOP} {token.value}"), PROOF_HEADER: proof_for(token, call, signer)}


def proof_for(token: AccessToken, call: SendCall, signer: Signer) -> str:
    """Return what changes with each call, where its other headers have been made for *token* before."""
    return TokenHeader(signer(token, call))
