"""A private key that is written as JSON (RFC 7517; RFC 7518 §6, RFC 8037 §2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.protocol.strict_json import JsonError, parse_value

# By kty and crv, the algorithm under which PyJWT reads such a key.
_READERS: Mapping[tuple[str | None, str | None], str] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
    ("OKP", "Ed25519"): "EdDSA",
}
_NAME = re.compile(r"[A-Za-z0-9+-]{1,32}\Z")


class JwkError(ValueError):
    """The text is no private key that signs; the message never contains any of it."""


@dataclass(frozen=True)
class Jwk:
    """What a JWK says.

    :param key: of cryptography.
    :param key_id: its ``kid``, if it has one.
    :param algorithm: the only one it is meant for (RFC 7517 §4.4); ``None`` where it does not say.
    """

    key: Any = field(repr=False)
    key_id: str | None
    algorithm: str | None


def read_jwk(text: str) -> Jwk:
    """Read the JSON of a private key.

    :raises JwkError: when it is none, or not for signing.
    """
    members = _members(text)
    if "keys" in members:
        raise JwkError('it is a set of keys: enter the one private key of it, from "{" to "}"')
    if "d" not in members:
        raise JwkError('the JWK is a public key: the private one has a member "d"')
    reader = _READERS.get((_text(members, "kty"), _curve(members)))
    if reader is None:
        raise JwkError("the JWK must be of type RSA, EC (P-256, P-384 or P-521) or OKP (Ed25519)")
    _require_signing(members)
    key = _parse(members, reader)
    if key is None:
        raise JwkError("the JWK is damaged or incomplete")
    return Jwk(key, _text(members, "kid"), _algorithm(members))


def _members(text: str) -> dict[str, Any]:
    try:
        members = parse_value(text)
    except JsonError as error:
        reason = str(error)
    else:
        if isinstance(members, dict):
            return members
        reason = "is not a JSON object"
    raise JwkError(f"it looks like a JWK, but it {reason}")


def _curve(members: dict[str, Any]) -> str | None:
    return None if members.get("kty") == "RSA" else _text(members, "crv")


def _text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None


def _require_signing(members: dict[str, Any]) -> None:
    """RFC 7517 §4.2 and §4.3: what a key is for, where it says so."""
    operations = members.get("key_ops")
    if members.get("use", "sig") != "sig" or (isinstance(operations, list) and "sign" not in operations):
        raise JwkError('the JWK is not for signing: see its "use" and "key_ops"')


def _algorithm(members: dict[str, Any]) -> str | None:
    value = members.get("alg")
    if value is None:
        return None
    if not isinstance(value, str) or not _NAME.match(value):
        raise JwkError('the JWK has an "alg" that is no name of an algorithm')
    return value


def _parse(members: dict[str, Any], reader: str) -> Any:
    """Return the key, or ``None``: errors of the libraries hold the text of the key."""
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    with suppress(PyJWTError, ValueError, TypeError, KeyError):
        return PyJWK(members, algorithm=reader).key
    return None
