"""The client secret itself proves the identity: RFC 6749 §2.3.1, in a header (Basic) or in the body."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_oauth_provider.protocol.client.proof import Entropy, Problems, Proof

if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.secret import Secret
    from airflow_oauth_provider.protocol.settings import ClientSettings

# RFC 3986 §2.3: what form-encoding leaves as it is.
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*\Z")


def basic_value(client_id: str, secret: Secret, encoding: str) -> str:
    """Return the value of ``Authorization`` for Basic authentication.

    RFC 6749 §2.3.1 form-encodes both parts before joining them; a space becomes ``%20``, which
    every decoder reads, and not ``+``, which some do not. *encoding* ``raw`` joins them as they are.
    """
    parts = (client_id, secret.reveal())
    if encoding == "rfc6749":
        parts = (quote(parts[0], safe=""), quote(parts[1], safe=""))
    return "Basic " + base64.b64encode(":".join(parts).encode()).decode()


def secret_of(settings: ClientSettings) -> Secret:
    """Return the client secret that a method needs.

    :raises ValueError: when there is none, which the checks of a connection rule out.
    """
    if settings.client_secret is None:
        raise ValueError(f"{settings.auth_method} needs a client secret")
    return settings.client_secret


def client_secret_basic(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    """Send id and secret in ``Authorization``."""
    value = basic_value(settings.client_id, secret_of(settings), settings.request.basic_encoding)
    return Proof(headers=(("Authorization", value),))


def basic_problems(settings: ClientSettings) -> Problems:
    """Check that the id can be told from the secret."""
    if settings.request.basic_encoding == "raw" and ":" in settings.client_id:
        yield "login", 'contains ":", which raw Basic encoding cannot carry (RFC 7617 §2)'


def basic_spellings(settings: ClientSettings) -> Iterator[str]:
    """Yield both encodings: a server may repeat what it has decoded and encoded again."""
    if settings.client_secret is not None:
        for encoding in ("rfc6749", "raw"):
            value = basic_value(settings.client_id, settings.client_secret, encoding)
            yield value.removeprefix("Basic ")


def basic_advice(settings: ClientSettings) -> Iterator[str]:
    """Yield the other encoding where it is another: many servers do not decode what RFC 6749 encodes."""
    id_and_secret = (settings.client_id, secret_of(settings).reveal())
    if any(text != text.strip() for text in id_and_secret):
        yield "id or secret begins or ends with a space: remove it, unless it is meant"
    elif not all(_UNRESERVED.match(text) for text in id_and_secret):
        other = "raw" if settings.request.basic_encoding == "rfc6749" else "rfc6749"
        yield f"id or secret has special characters: if both are right, set basic_encoding to {other}"


def client_secret_post(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    """Send id and secret as form parameters."""
    return Proof(form=(("client_id", settings.client_id), ("client_secret", secret_of(settings).reveal())))
