"""A token with what belongs to it and to nobody else; it travels through this package as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.dpop.proof_key import ProofKey
from airflow_oauth_provider.protocol.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateToken(AccessToken):
    """An access token with its companions; to users it is an :class:`AccessToken`.

    :param proof_key: signs the proofs of a token that is bound to a key (RFC 9449).
    :param own_key: the same private key, where it was made for this token and whoever shares the token
        needs it; ``None`` for that of the connection.
    :param instance_url: of the API that the token is for, as the token response has it.
    :param details: what was granted, as JSON text (RFC 9396).
    """

    proof_key: ProofKey | None = field(default=None, repr=False, compare=False)
    own_key: Secret | None = field(default=None, repr=False, compare=False)
    instance_url: str | None = None
    details: str | None = field(default=None, repr=False)


def accompanied(token: AccessToken, **companions: Any) -> AccessToken:
    """Return a token with these companions, beside those that it has.

    :param companions: as of :class:`PrivateToken`; a token that has none of any kind stays as it is.
    """
    if isinstance(token, PrivateToken):
        return replace(token, **companions)
    if all(companion is None for companion in companions.values()):
        return token
    return PrivateToken(**{entry.name: getattr(token, entry.name) for entry in fields(token)}, **companions)


def details_of(token: AccessToken) -> str | None:
    """Return what was granted with a token, as JSON text; ``None`` where the server does not say."""
    return token.details if isinstance(token, PrivateToken) else None
