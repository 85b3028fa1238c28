from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_oauth_provider.protocol.der import confidential_spans

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def der(key: object, form: serialization.PrivateFormat) -> bytes:
    encoding = serialization.Encoding.DER
    data: bytes = key.private_bytes(encoding, form, serialization.NoEncryption())  # type: ignore[attr-defined]
    return data


def hidden(data: bytes) -> list[bytes]:
    spans = confidential_spans(data)
    assert spans is not None
    return [data[start:end] for start, end in spans]


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
def test_of_an_rsa_key_all_numbers_but_the_public_ones(form: serialization.PrivateFormat) -> None:
    numbers = RSA.private_numbers()
    values = {int.from_bytes(part) for part in hidden(der(RSA, form))}
    assert values == {numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp}
    assert numbers.public_numbers.n not in values


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
def test_of_an_ec_key_its_number_and_not_the_point(form: serialization.PrivateFormat) -> None:
    assert EC.private_numbers().private_value.to_bytes(32) in hidden(der(EC, form))
    point = EC.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    assert not any(point in part for part in hidden(der(EC, form)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not DER at all", id="text"),
        pytest.param(der(RSA, serialization.PrivateFormat.PKCS8)[:-40], id="cut"),
        pytest.param(b"\x30\x84\xff\xff\xff\xff", id="longer-than-all-there-is"),
        pytest.param(b"\x30\x82" * 5000, id="nested-without-end"),
    ],
)
def test_what_is_no_der(data: bytes) -> None:
    assert not confidential_spans(data)
