"""The token request of the client credentials grant (RFC 6749 §4.4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from airflow_oauth_provider.protocol.client.methods import Proof, authenticate
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor, redactor_of
from airflow_oauth_provider.protocol.settings import ClientSettings, Pairs
from airflow_oauth_provider.protocol.urls import Url

RESERVED_PARAMETERS = frozenset(
    {
        "grant_type",
        "client_id",
        "client_secret",
        "scope",
        "client_assertion",
        "client_assertion_type",
    }
)
"""Names that ``query_params``, ``post_params`` and ``secret_params`` may not set."""

RESERVED_HEADERS = frozenset(
    {
        "authorization",
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "accept-encoding",
        "connection",
        "cookie",
        "dpop",
    }
)


@dataclass(frozen=True)
class TokenRequest:
    """One HTTP POST, ready to be sent as it stands.

    :param redactor: of all that may not appear in anything shown or logged.
    """

    url: str
    headers: Pairs = field(repr=False)
    body: bytes = field(repr=False)
    redactor: Redactor = field(default=NOTHING, compare=False)


def build_token_request(
    settings: ClientSettings, endpoint: Url, *, now: float, entropy: Callable[[int], bytes]
) -> TokenRequest:
    """Build the request; renewing a token uses the same builder, so no parameter can get lost.

    :param endpoint: where it goes.
    :param now: seconds since the epoch, as the server is believed to count them.
    :param entropy: returns that many random bytes.
    """
    request = settings.request
    proof = authenticate(settings, now=now, entropy=entropy)
    form = [("grant_type", "client_credentials")]
    if request.include_scope:
        form.append(("scope", " ".join(request.scope)))
    form.append(("audience", request.audience or ""))
    form += [("resource", resource) for resource in request.resources]
    form += request.post_params
    form += [(name, value.reveal()) for name, value in request.secret_params]
    form += proof.form
    headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
        ("User-Agent", "airflow-oauth-provider"),
    ]
    headers = _replaced(headers, request.headers)
    headers = _replaced(headers, [(name, value.reveal()) for name, value in request.secret_headers])
    return TokenRequest(
        url=_with_query(endpoint, settings),
        headers=(*headers, *proof.headers),
        body=urlencode([(name, value) for name, value in form if value]).encode(),
        redactor=_redactor(settings, proof),
    )


def _replaced(headers: list[tuple[str, str]], own: Pairs | list[tuple[str, str]]) -> list[tuple[str, str]]:
    names = {name.lower() for name, _ in own}
    return [*(header for header in headers if header[0].lower() not in names), *own]


def _with_query(url: Url, settings: ClientSettings) -> str:
    """Add ``query_params`` to the query that the token URL has itself (RFC 6749 §3.2)."""
    extra = urlencode([(name, value) for name, value in settings.request.query_params if value])
    if not extra:
        return str(url)
    return f"{url}{'&' if url.query else '?'}{extra}"


def _redactor(settings: ClientSettings, proof: Proof) -> Redactor:
    proofs = [value for name, value in proof.form if name in {"client_assertion", "client_secret"}]
    proofs += [value.removeprefix("Basic ") for _, value in proof.headers]
    return redactor_of(settings, *proofs)
