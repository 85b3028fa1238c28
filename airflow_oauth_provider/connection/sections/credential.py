"""Fields of what proves the client's identity beside a secret."""

from __future__ import annotations

from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.protocol.client.algorithms import labels

_JWT = "JWT and certificate"

CREDENTIAL_FIELDS: tuple[Field, ...] = (
    Field(
        "private_key",
        _JWT,
        "Private key",
        "For private_key_jwt, mutual TLS and DPoP: PEM, JWK, or Base64 of a PKCS#12 file (certificate with "
        "key). RSA of at least 2048 bits, EC (P-256, P-384, P-521) or Ed25519.",
        Kind.SECRET_TEXT,
    ),
    Field(
        "private_key_passphrase",
        _JWT,
        "Private key passphrase",
        "Of an encrypted PEM or PKCS#12; empty if the key is not encrypted.",
        Kind.SECRET,
    ),
    Field(
        "certificate",
        _JWT,
        "Certificate",
        "For mutual TLS (tls_client_auth, self_signed_tls_client_auth) and for x5t#S256 of private_key_jwt: "
        "PEM, with those of its issuers. Left empty where it lies with the key (PEM, PKCS#12).",
        Kind.TEXT,
    ),
    Field(
        "jwt_algorithm",
        _JWT,
        "JWT algorithm",
        "One that the key fits. Left empty: HS256 for a secret, RS256 for an RSA key, and for others the "
        "one of their curve.",
        Kind.ENUM,
        None,
        MappingProxyType(labels()),
    ),
    Field(
        "key_id",
        _JWT,
        "Key ID",
        "The kid header of the JWT, where the server finds the key by it. Example: 2026-key-1",
    ),
    Field(
        "jwt_lifetime",
        _JWT,
        "JWT lifetime (seconds)",
        "Time from the JWT's issue to its expiry: up to 3600; many servers refuse more than 300.",
        Kind.SECONDS,
        60,
        minimum=1,
        maximum=3600,
    ),
    Field(
        "jwt_audience",
        _JWT,
        "JWT audience",
        "The aud claim; left empty, the access token URL (with discovery, the issuer). One not of the "
        "access token URL's host needs [oauth2] allowed_token_hosts. Example: https://idp.example",
    ),
    Field(
        "jwt_claims",
        _JWT,
        "Additional JWT claims",
        "name=value, one a line; in the extra JSON also an object. Example: tenant=emea",
        Kind.PAIRS,
    ),
    Field(
        "dpop",
        _JWT,
        "DPoP",
        "Ask for tokens that are bound to a key, and prove possession of it with each call (RFC 9449). The "
        "key is the private key above where the authentication method needs none; else a new one is made for "
        "each token.",
        Kind.BOOLEAN,
        False,
    ),
    Field(
        "assertion_file",
        _JWT,
        "Assertion file",
        "For workload_identity: the file in which a platform keeps an assertion about this workload, below "
        "one of [oauth2] assertion_folders. Example: /var/run/secrets/tokens/idp",
    ),
    Field(
        "assertion_kind",
        _JWT,
        "Kind of assertion",
        "What the assertion file holds.",
        Kind.ENUM,
        "jwt-bearer",
        MappingProxyType(
            {
                "jwt-bearer": "A JWT, of Kubernetes or another issuer (jwt-bearer)",
                "jwt-spiffe": "A SPIFFE JWT-SVID; the client ID is the SPIFFE ID (jwt-spiffe)",
            }
        ),
    ),
    Field(
        "external_credential",
        _JWT,
        "External credential",
        "The name of an entry of [oauth2] credentials in airflow.cfg: secret or private key then come from "
        "there, and their fields here stay empty.",
    ),
    Field(
        "custom_provider",
        _JWT,
        "Custom provider",
        "For custom: the name of an entry of [oauth2] custom_providers in airflow.cfg.",
    ),
)
