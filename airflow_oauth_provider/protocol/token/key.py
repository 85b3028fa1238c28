"""Who may share a token: a keyed hash of everything that shapes it, never the connection id.

Two connections with equal settings share; two that differ in anything that may reach the token endpoint do
not. A changed setting is a new key, so an old token is never used for it. The content is derived by walking
the settings (:mod:`airflow_oauth_provider.protocol.leaves`).
"""

from __future__ import annotations

import hashlib
import hmac
import json

from airflow_oauth_provider.protocol.leaves import Predicate, canonical, leaves
from airflow_oauth_provider.protocol.settings import ClientSettings

_CONTEXT = b"airflow-oauth-provider/2/"


def token_key(settings: ClientSettings) -> str:
    """Return the key of the token these settings would get."""
    return _remembered(settings, "token", lambda metadata: bool(metadata.get("key", True)))


def credential_key(settings: ClientSettings) -> str:
    """Return the key of what holds for a client, however it presents itself and whatever it asks for."""
    return _remembered(settings, "credential", lambda metadata: bool(metadata.get("credential")))


def client_key(settings: ClientSettings) -> str:
    """Return the key under which a refusal of the client itself is remembered.

    What it asks for does not matter. How it presents itself does: who follows the advice to encode the secret
    in another way, or names another tenant in a parameter, is not the one that was refused.
    """
    return _remembered(
        settings, "client", lambda metadata: bool(metadata.get("credential") or metadata.get("presented"))
    )


def _remembered(settings: ClientSettings, purpose: str, keep: Predicate) -> str:
    """Compute a key once: the settings are frozen."""
    name = f"{purpose}_key"
    key = settings.__dict__.get(name)
    if key is None:
        key = settings.__dict__[name] = _keyed(settings, purpose, keep)
    return str(key)


def _keyed(settings: ClientSettings, purpose: str, keep: Predicate) -> str:
    """HMAC-SHA256 under the credential: without it nobody can find out which settings a key stands for."""
    content = {leaf.path: canonical(leaf) for leaf in leaves(settings, keep=keep)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    credential = settings.credential
    key = credential.reveal().encode(errors="surrogatepass") if credential else b"\0"
    return hmac.new(key, _CONTEXT + purpose.encode() + b"\0" + text, hashlib.sha256).hexdigest()
