"""Fields of what proves the client's identity beside a secret."""

from __future__ import annotations

from types import MappingProxyType

from airflow_oauth_provider.connection.field_kinds import Field, Kind

_JWT = "JWT and certificate"

CREDENTIAL_FIELDS: tuple[Field, ...] = (
    Field(
        "private_key",
        _JWT,
        "Private key",
        "For private_key_jwt: PEM, JWK, or Base64 of a PKCS#12 file (certificate with key). RSA of at "
        "least 2048 bits, EC P-256 or Ed25519.",
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
        "jwt_algorithm",
        _JWT,
        "JWT algorithm",
        "Left empty: HS256 for a secret, and for a key the algorithm of its type (RSA: RS256).",
        Kind.ENUM,
        None,
        MappingProxyType(
            {
                "RS256": "RS256 (RSA)",
                "PS256": "PS256 (RSA-PSS)",
                "ES256": "ES256 (EC P-256)",
                "EdDSA": "EdDSA (Ed25519)",
                "HS256": "HS256 (client secret)",
            }
        ),
    ),
    Field(
        "key_id",
        _JWT,
        "Key ID",
        "The kid header of the JWT, where the server tells keys apart by it. Example: 2026-key-1",
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
        "The aud claim; left empty, the access token URL. One that is not of the access token URL's host "
        "needs [oauth2] allowed_token_hosts. Example: https://idp.example",
    ),
    Field(
        "jwt_claims",
        _JWT,
        "Additional JWT claims",
        "name=value, one a line; in the extra JSON also an object. Example: tenant=emea",
        Kind.PAIRS,
    ),
    Field(
        "custom_provider",
        _JWT,
        "Custom provider",
        "For custom: the name of an entry of [oauth2] custom_providers in airflow.cfg.",
    ),
)
