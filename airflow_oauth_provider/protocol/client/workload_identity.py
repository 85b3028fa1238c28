"""A platform vouches for this workload: RFC 7523 §2.2, draft-ietf-oauth-spiffe-client-auth."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_oauth_provider.protocol.client.proof import (
    ASSERTION_TYPE,
    Entropy,
    Problems,
    Proof,
    assertion_proof,
)

if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.settings import ClientSettings

ASSERTION_TYPES = MappingProxyType(
    {
        "jwt-bearer": ASSERTION_TYPE,
        "jwt-spiffe": "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe",
    }
)
"""Kinds of assertions in files, and what a request calls them."""


def workload_identity(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    """Hand on the assertion that the file held when this request was about to be made."""
    file = settings.assertion_file
    if file is None or file.content is None:
        raise ValueError(f"{settings.auth_method} needs the assertion of this request")
    return assertion_proof(settings.client_id, ASSERTION_TYPES[file.kind], file.content.reveal())


def workload_problems(settings: ClientSettings) -> Problems:
    """Check what the kind of assertion demands."""
    file = settings.assertion_file
    if file is not None and file.kind == "jwt-spiffe" and not settings.client_id.startswith("spiffe://"):
        yield "login", "must be the SPIFFE ID of this workload (spiffe://…), for assertion_kind jwt-spiffe"


def workload_advice(settings: ClientSettings) -> Iterator[str]:
    """Say what a server must know."""
    yield (
        "the server must trust the issuer of the assertion in the file, for this subject and audience; the "
        "file is not sent again until it changes, or somebody authorizes the connection"
    )
