"""The token request of the client credentials grant (RFC 6749 §4.4.2), and requests about a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlencode

from airflow_oauth_provider.protocol.client.methods import authenticate
from airflow_oauth_provider.protocol.client.proof import Proof
from airflow_oauth_provider.protocol.confidential_values import redactor_of
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.secret import Secret
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
    form = [("grant_type", request.grant_name)]
    if request.include_scope:
        form.append(("scope", " ".join(request.scope)))
    form.append(("audience", request.audience or ""))
    form += [("resource", resource) for resource in request.resources]
    form.append(("authorization_details", request.rich_requests or ""))
    form += request.post_params
    form += [(name, value.reveal()) for name, value in request.secret_params]
    body = _BODIES[request.body_format](form, proof)
    return _post(
        _with_query(endpoint, settings), body, proof, _own_headers(settings), _redactor(settings, proof)
    )


def build_request_about_token(
    settings: ClientSettings, url: Url, token: Secret, *, now: float, entropy: Callable[[int], bytes]
) -> TokenRequest:
    """Build the request that introspection (RFC 7662 §2.1) and revocation (RFC 7009 §2.1) have in common.

    The connection's headers, which may be the key of a gateway, go to the origin of the token URL only.

    :param url: of the endpoint.
    :param now: as of :func:`build_token_request`, like *entropy*.
    """
    proof = authenticate(settings, now=now, entropy=entropy)
    form = [("token", token.reveal()), ("token_type_hint", "access_token")]
    headers = _own_headers(settings) if url.origin == settings.server.origin else []
    redactor = _redactor(settings, proof).with_values(token.reveal())
    return _post(str(url), _form_body(form, proof), proof, headers, redactor)


class _Body(NamedTuple):
    media_type: str
    content: bytes


def _form_body(parameters: list[tuple[str, str]], proof: Proof) -> _Body:
    pairs = [(name, value) for name, value in (*parameters, *proof.form) if value]
    return _Body("application/x-www-form-urlencoded", urlencode(pairs).encode())


def _json_body(parameters: list[tuple[str, str]], proof: Proof) -> _Body:
    """Return an object of texts; what may come several times becomes an array where it does."""
    members: dict[str, str | list[str]] = {}
    for name, value in (*parameters, *proof.form):
        if value:
            before = members.get(name, [])
            values = [*([before] if isinstance(before, str) else before), value]
            members[name] = values if len(values) > 1 else value
    return _Body("application/json", json.dumps(members).encode())


_BODIES = {"form": _form_body, "json": _json_body}


def _post(
    url: str, body: _Body, proof: Proof, own: list[tuple[str, str]], redactor: Redactor
) -> TokenRequest:
    headers = [
        ("Content-Type", body.media_type),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
        ("User-Agent", "airflow-oauth-provider"),
    ]
    return TokenRequest(
        url=url,
        headers=(*_replaced(headers, own), *proof.headers),
        body=body.content,
        redactor=redactor,
    )


def _own_headers(settings: ClientSettings) -> list[tuple[str, str]]:
    """Return the headers that the connection adds; a secret one replaces another of its name."""
    secret = [(name, value.reveal()) for name, value in settings.request.secret_headers]
    return _replaced(list(settings.request.headers), secret)


def _replaced(headers: list[tuple[str, str]], own: list[tuple[str, str]]) -> list[tuple[str, str]]:
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
