"""Keys and certificates as the openssl command writes them, in each of its formats."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from airflow_oauth_provider.protocol.client.keys import KeyMaterialError, SigningKey, load_signing_key
from airflow_oauth_provider.protocol.client.signing import sign
from airflow_oauth_provider.protocol.secret import Secret
from tests.support.openssl import CERTIFICATE, PKCS12, RSA_KEY, needs_openssl, openssl

pytestmark = needs_openssl


def load(data: bytes, passphrase: str | None) -> SigningKey:
    text = (
        data.decode()
        if data.startswith(b"-----") or b"-----BEGIN" in data
        else base64.b64encode(data).decode()
    )
    return load_signing_key(Secret(text), Secret(passphrase) if passphrase else None)


@pytest.mark.parametrize(
    ("commands", "file", "passphrase", "algorithm"),
    [
        pytest.param([f"{RSA_KEY} -out key.pem"], "key.pem", None, "RS256", id="PKCS#8"),
        pytest.param(
            [f"{RSA_KEY} -aes256 -pass pass:X -out key.pem"], "key.pem", "X", "RS256", id="PKCS#8-encrypted"
        ),
        pytest.param(["genrsa -traditional -out key.pem 2048"], "key.pem", None, "RS256", id="PKCS#1"),
        pytest.param(
            ["genrsa -traditional -aes128 -passout pass:X -out key.pem 2048"],
            "key.pem",
            "X",
            "RS256",
            id="PKCS#1-encrypted",
        ),
        pytest.param(
            ["ecparam -name prime256v1 -genkey -out key.pem"],
            "key.pem",
            None,
            "ES256",
            id="SEC1",
        ),
        pytest.param(
            ["genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out key.pem"],
            "key.pem",
            None,
            "ES384",
            id="P-384",
        ),
        pytest.param(
            ["genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key.pem"],
            "key.pem",
            None,
            "ES512",
            id="P-521",
        ),
        pytest.param(["genpkey -algorithm ED25519 -out key.pem"], "key.pem", None, "EdDSA", id="Ed25519"),
    ],
)
def test_a_key(
    tmp_path: Path, commands: list[str], file: str, passphrase: str | None, algorithm: str
) -> None:
    openssl(tmp_path, *commands)
    loaded = load((tmp_path / file).read_bytes(), passphrase)
    assert loaded.algorithms[0] == algorithm
    assert sign({}, loaded.key, algorithm, {})


def test_the_error_of_a_der_key_says_what_makes_it_one_that_is_read(tmp_path: Path) -> None:
    openssl(tmp_path, f"{RSA_KEY} -outform DER -out KEY")
    with pytest.raises(KeyMaterialError) as caught:
        load((tmp_path / "KEY").read_bytes(), None)
    command = re.search(r"openssl (pkey .*) makes", str(caught.value))
    assert command is not None
    openssl(tmp_path, command[1])
    assert load((tmp_path / "KEY.pem").read_bytes(), None).algorithms[0] == "RS256"


@pytest.mark.parametrize(
    ("options", "passphrase"),
    [
        pytest.param("", "X", id="as-today"),
        pytest.param("-legacy", "X", id="legacy"),
        pytest.param("-keypbe NONE -certpbe NONE -nomac", None, id="open"),
        pytest.param("-certfile authority.pem -caname ca", "X", id="with-its-authority"),
    ],
)
def test_a_pkcs12_file(tmp_path: Path, options: str, passphrase: str | None) -> None:
    authority = CERTIFICATE.replace("cert.pem", "authority.pem").replace("key.pem", "authority-key.pem")
    out = "pass:X" if passphrase else "pass:"
    openssl(
        tmp_path,
        CERTIFICATE,
        authority,
        f"{PKCS12} -passout {out} {options}",
        "x509 -in cert.pem -outform DER -out cert.der",
    )
    loaded = load((tmp_path / "client.p12").read_bytes(), passphrase)
    digest = openssl(tmp_path, "dgst -sha256 -binary cert.der")
    own = loaded.certificates[0]
    assert own.fingerprint(hashes.SHA256()) == digest
    assert loaded.algorithms[0] == "RS256"


def test_a_pkcs12_turned_into_pem(tmp_path: Path) -> None:
    """Its bags bring lines of text of their own."""
    openssl(
        tmp_path,
        CERTIFICATE,
        f"{PKCS12} -passout pass:X",
        "pkcs12 -in client.p12 -noenc -passin pass:X -out all.pem",
    )
    data = (tmp_path / "all.pem").read_bytes()
    assert data.startswith(b"Bag Attributes")
    assert len(load(data, None).certificates) == 1
