"""Who may share a token: a keyed hash of everything that shapes it, never the connection id.

Two connections with equal settings share; two that differ in anything that reaches the token
endpoint do not. A changed setting is a new key, so an old token is never used for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from airflow_oauth_provider.protocol.settings import ClientSettings, SecretPairs

_MEMO = "token_key"
_CONTEXT = b"airflow-oauth-provider/1/"


def token_key(settings: ClientSettings) -> str:
    """Return the key of the token these settings would get; computed once, settings being frozen."""
    key = settings.__dict__.get(_MEMO)
    if key is None:
        key = settings.__dict__[_MEMO] = _token_key(settings)
    return str(key)


def _token_key(settings: ClientSettings) -> str:
    request, options, network = settings.request, settings.assertion, settings.network
    return _keyed(
        settings,
        "token",
        {
            **_client(settings),
            "scope": sorted(request.scope) if request.include_scope else None,
            "audience": request.audience,
            "resources": sorted(request.resources),
            "query": request.query_params,
            "post": request.post_params,
            "secret_params": _revealed(request.secret_params),
            "headers": request.headers,
            "secret_headers": _revealed(request.secret_headers),
            "basic_encoding": request.basic_encoding,
            "assertion": [
                options.algorithm,
                options.key_id,
                options.lifetime,
                options.audience,
                options.claims,
            ],
            "require_scopes": sorted(settings.api.require_scopes),
            "network": [
                network.ca_certificates,
                network.verify_tls,
                network.proxy_url.reveal() if network.proxy_url else None,
            ],
        },
    )


def credential_key(settings: ClientSettings) -> str:
    """Return the key under which a refusal of the client itself is remembered."""
    return _keyed(settings, "credential", _client(settings))


def _client(settings: ClientSettings) -> dict[str, Any]:
    passphrase = settings.assertion.private_key_passphrase
    return {
        "token_url": str(settings.token_url),
        "method": settings.auth_method,
        "client_id": settings.client_id,
        "passphrase": passphrase.reveal() if passphrase else None,
        "custom": settings.custom.path if settings.custom else None,
        "team": settings.team,
    }


def _revealed(pairs: SecretPairs) -> list[tuple[str, str]]:
    return [(name, value.reveal()) for name, value in pairs]


def _keyed(settings: ClientSettings, purpose: str, content: dict[str, Any]) -> str:
    """HMAC-SHA256 under the credential: without it nobody can tell which settings a key stands for."""
    credential = settings.credential
    key = credential.reveal().encode() if credential else b""
    text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(key or b"\0", _CONTEXT + purpose.encode() + b"\0" + text, hashlib.sha256).hexdigest()
