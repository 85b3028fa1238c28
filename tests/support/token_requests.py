"""Token requests of a client, taken apart as a server does."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
)
from cryptography.x509.oid import NameOID

from airflow_oauth_provider.protocol.client.proof import ASSERTION_TYPE
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.request import TokenRequest, build_token_request
from tests.support.builders import NOW, settings


def certificate_for(key: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "my-client")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


def thumbprint(certificate: x509.Certificate) -> str:
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def build(given: ClientSettings, entropy: int = 1) -> TokenRequest:
    return build_token_request(given, given.server.url, now=NOW, entropy=lambda size: bytes([entropy]) * size)


def form(request: TokenRequest) -> dict[str, list[str]]:
    return parse_qs(request.body.decode(), keep_blank_values=True)


def header(request: TokenRequest, name: str) -> str:
    (value,) = [value for key, value in request.headers if key.lower() == name.lower()]
    return value


def key_settings(material: str, passphrase: str | None = None, **options: Any) -> ClientSettings:
    return settings(
        auth_method="private_key_jwt",
        client_secret=None,
        assertion={
            "private_key": Secret(material),
            "private_key_passphrase": Secret(passphrase) if passphrase else None,
            **options,
        },
    )


def assertion(given: ClientSettings, entropy: int = 1) -> str:
    fields = form(build(given, entropy))
    assert fields["client_id"] == ["my-client"]
    assert fields["client_assertion_type"] == [ASSERTION_TYPE]
    assert "client_secret" not in fields
    return fields["client_assertion"][0]


def claims(signed: str, key: Any, algorithm: str) -> dict[str, Any]:
    options: Any = {"verify_exp": False, "verify_iat": False}
    read: dict[str, Any] = jwt.decode(
        signed, key, [algorithm], audience="https://idp.example/token", options=options
    )
    return read
