from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from airflow_oauth_provider.protocol.client import certificates, keys
from airflow_oauth_provider.protocol.client.certificates import ClientCertificate, certificate_of
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import AssertionSettings
from tests.support.servers.certificates import authority, bundle, issue_client

CA = authority("Clients")
ISSUED = issue_client(CA, "orders")
OTHER = issue_client(CA, "another")
NOW = time.time()
DAY = 86_400


def settings(certificate: str | None = ISSUED.certificate, key: str = ISSUED.key) -> AssertionSettings:
    return AssertionSettings(private_key=Secret(key), certificate=certificate)


def read(given: AssertionSettings) -> ClientCertificate:
    certificate = certificate_of(given)
    assert certificate is not None
    return certificate


def test_what_is_known_of_it() -> None:
    certificate = read(settings())
    parsed = x509.load_pem_x509_certificate(ISSUED.certificate.encode())
    digest = hashlib.sha256(parsed.public_bytes(Encoding.DER)).digest()
    assert base64.urlsafe_b64decode(certificate.thumbprint + "=") == digest
    assert certificate.subject == "CN=orders"
    assert certificate.expires_at == parsed.not_valid_after_utc.timestamp()
    assert certificate.begins_at == parsed.not_valid_before_utc.timestamp()
    certificate.require_valid(NOW)


@pytest.mark.parametrize(
    "text",
    [
        ISSUED.certificate + CA.certificate,
        CA.certificate + ISSUED.certificate,
        f"subject=CN = orders\n{ISSUED.certificate}issuer=Müller\n{CA.certificate}",
        (ISSUED.certificate + CA.certificate).replace("\n", "\r\n"),
    ],
    ids=["chain", "turned-round", "with-comments", "windows"],
)
def test_the_clients_own_comes_first(text: str) -> None:
    assert read(settings(text)).chain == ISSUED.certificate + CA.certificate


@pytest.mark.parametrize("form", ["PEM", "PKCS#12"])
def test_one_that_lies_with_the_key(form: str) -> None:
    if form == "PEM":
        given = settings(None, CA.certificate + ISSUED.key + ISSUED.certificate)
    else:
        data = base64.b64encode(bundle(ISSUED, b"passphrase", CA.certificate)).decode()
        given = AssertionSettings(private_key=Secret(data), private_key_passphrase=Secret("passphrase"))
    assert read(given).chain == ISSUED.certificate + CA.certificate
    assert read(given).where == "private_key"


def test_none() -> None:
    assert certificate_of(settings(None)) is None
    assert certificate_of(AssertionSettings()) is None


@pytest.mark.fault("C47")
@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        pytest.param(settings("top-secret"), "certificate", "no certificate in PEM form", id="no-PEM"),
        pytest.param(
            settings("-----BEGIN CERTIFICATE-----\ntop-secret\n-----END CERTIFICATE-----"),
            "certificate",
            "no certificate",
            id="damaged",
        ),
        pytest.param(
            settings(base64.b64encode(bundle(ISSUED, b"x")).decode()), "certificate", "PKCS#12", id="PKCS#12"
        ),
        pytest.param(settings("x" * 65_537), "certificate", "64 KiB", id="huge"),
        pytest.param(settings(OTHER.certificate), "certificate", "CN=another", id="of-another-key"),
        pytest.param(
            settings(None, ISSUED.key + OTHER.certificate),
            "private_key",
            "not of this",
            id="beside-another-key",
        ),
    ],
)
def test_what_cannot_be_used_is_said_without_showing_it(
    given: AssertionSettings, field: str, says: str
) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        certificate_of(given)
    assert caught.value.field == field
    assert says in str(caught.value)
    assert "top-secret" not in str(caught.value)
    assert "BEGIN PRIVATE" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.fault("C48")
def test_the_dates_between_which_it_is_good() -> None:
    certificate = read(settings())
    with pytest.raises(KeyMaterialError, match=r"expired on [0-9]{4}-[0-9]{2}-[0-9]{2} .* UTC") as caught:
        certificate.require_valid(NOW + 11 * DAY)
    assert caught.value.field == "certificate"
    with pytest.raises(KeyMaterialError, match=r"not valid before [0-9]{4}-"):
        certificate.require_valid(NOW - 11 * DAY)


def test_it_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Any] = []
    for module, name in ((certificates, "_parsed"), (keys, "_pem_key")):
        monkeypatch.setattr(module, name, _counting(getattr(module, name), parsed))
    issued = issue_client(CA)
    for _ in range(5):
        assert certificate_of(settings(issued.certificate, issued.key)) is not None
    assert sorted(parsed) == ["_parsed", "_pem_key"]


def _counting(function: Any, calls: list[Any]) -> Any:
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(function.__name__)
        return function(*args, **kwargs)

    return counted


def test_a_name_that_steers_a_terminal() -> None:
    issued = issue_client(CA, "orders\x1b[31m<b>")
    assert read(settings(issued.certificate, issued.key)).subject.startswith("CN=orders")
    assert "\x1b" not in read(settings(issued.certificate, issued.key)).subject
    assert "<" not in read(settings(issued.certificate, issued.key)).subject
