"""The handshake proves the identity: RFC 8705 §2, by a certificate that the client presents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_oauth_provider.protocol.client.proof import Entropy, Proof

if TYPE_CHECKING:
    from airflow_oauth_provider.protocol.client.certificates import ClientCertificate
    from airflow_oauth_provider.protocol.settings import ClientSettings


def tls_client_auth(settings: ClientSettings, now: float, entropy: Entropy) -> Proof:
    """RFC 8705 §2: the handshake proves the identity, and ``client_id`` says whose it is."""
    return Proof(form=(("client_id", settings.client_id),))


def own_certificate(settings: ClientSettings) -> ClientCertificate | None:
    """Return the certificate that belongs to the private key; ``None`` where there is none."""
    from airflow_oauth_provider.protocol.client.certificates import certificate_of

    return certificate_of(settings.assertion)


def subject_advice(settings: ClientSettings) -> Iterator[str]:
    """RFC 8705 §2.1: the server knows the subject, or an alternative name, and trusts the issuer."""
    own = own_certificate(settings)
    if own is not None:
        yield (
            f'the server must know the certificate by its subject "{own.subject}" and trust its issuer, and '
            "its endpoint must ask for certificates, which often is another address: try discovery"
        )


def thumbprint_advice(settings: ClientSettings) -> Iterator[str]:
    """RFC 8705 §2.2: the server knows the very certificate."""
    own = own_certificate(settings)
    if own is not None:
        yield (
            f"the certificate itself (x5t#S256 {own.thumbprint}) must be registered with the server, and its "
            "endpoint must ask for certificates, which often is another address: try discovery"
        )
