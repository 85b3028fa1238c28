"""``airflow oauth2 create --key-file``, with files as openssl makes them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509

from airflow_oauth_provider.authorizations.entered_values import MAX_KEY_FILE
from airflow_oauth_provider.cli.key_file import read_key_file
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.cli.arrangement import MARKS, SECRET, stored
from tests.cli.commands import CommandLine
from tests.support.bound_tokens import CLIENTS, SERVERS, bound_service
from tests.support.keys import RSA, jwk, pem
from tests.support.openssl import CERTIFICATE, PKCS12, needs_openssl, openssl
from tests.support.servers.certificates import issue_client
from tests.support.service import Service

PASSPHRASE = "a passphrase, with blanks"


def create(cli: CommandLine, service: Service, *more: str, env: dict[str, str] | None = None) -> Any:
    url = f"{service.server.url}/token"
    given = ("--token-url", url, "--client-id", "my-client", *more)
    return cli("oauth2", "create", "keyed", *given, env=env)


class TestReading:
    """What a field of a connection can hold."""

    @pytest.mark.parametrize("ends", ["", "\n", "\r\n"])
    @pytest.mark.parametrize("text", [pem(RSA), jwk(RSA), base64.b64encode(b"\x30\x82").decode()])
    def test_text_stays_as_it_is(self, tmp_path: Path, text: str, ends: str) -> None:
        (tmp_path / "key").write_bytes(b"\xef\xbb\xbf" + (text + ends).encode())
        assert read_key_file(str(tmp_path / "key")) == text.strip()

    @pytest.mark.parametrize("data", [b"\x30\x82\xff\x00", b"\x30\x05\x00", b"\xfe\xed\xfe\xed"])
    def test_bytes_become_base64(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "key").write_bytes(data)
        assert base64.b64decode(read_key_file(str(tmp_path / "key"))) == data

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("absent", "cannot be read: No such file"),
            ("folder", "cannot be read: Is a directory"),
            ("empty", "empty"),
            ("large", "more than"),
        ],
    )
    def test_what_is_no_key_file(self, tmp_path: Path, name: str, says: str) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "empty").touch()
        (tmp_path / "large").write_bytes(bytes(MAX_KEY_FILE + 1))
        with pytest.raises(ConfigurationError, match=says) as caught:
            read_key_file(str(tmp_path / name))
        assert caught.value.field == "--key-file"


@needs_openssl
class TestCreate:
    """The certificate with its password, as other systems ask for it."""

    pytestmark = MARKS

    def test_a_binary_pkcs12_with_its_passphrase(
        self, cli: CommandLine, service: Service, tmp_path: Path
    ) -> None:
        openssl(tmp_path, CERTIFICATE, f"{PKCS12} -passout 'pass:{PASSPHRASE}'")
        more = ("--key-file", str(tmp_path / "client.p12"), "--passphrase-env", "WORD")
        ended = create(cli, service, *more, "--set", "auth_method=private_key_jwt", env={"WORD": PASSPHRASE})
        assert ended.code == 0, ended.err
        (request,) = service.token_requests
        certificate = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
        signed = request.form["client_assertion"][0]
        public: Any = certificate.public_key()
        read = jwt.decode(signed, public, ["RS256"], audience=f"{service.server.url}/token")
        assert read["sub"] == "my-client"
        assert "x5t#S256" in jwt.get_unverified_header(signed)
        connection = stored(cli, "keyed")
        assert not connection["password"]
        data = base64.b64decode(json.loads(connection["extra"])["private_key"])
        assert data == (tmp_path / "client.p12").read_bytes()
        printed = ended.out + ended.err
        assert PASSPHRASE not in printed
        assert json.loads(connection["extra"])["private_key"][40:80] not in printed

    @pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
    def test_a_client_certificate_with_its_key(self, cli: CommandLine, tmp_path: Path, method: str) -> None:
        client = issue_client(CLIENTS)
        (tmp_path / "client.pem").write_text(client.certificate + client.key)
        more = ("--key-file", str(tmp_path / "client.pem"), "--set", f"auth_method={method}")
        with bound_service(tmp_path) as bound:
            ca = ("--set", f"ca_certificates={SERVERS.certificate}")
            ended = create(cli, bound, *more, *ca)
            assert ended.code == 0, ended.err
            (request,) = bound.token_requests
            assert request.certificate is not None
        assert not [line for line in client.key.splitlines() if line in ended.out + ended.err]
        (row,) = cli("oauth2", "list", "--json").json
        assert row["certificate_expires_at"].startswith("20")
        assert "certificate ends in 10 days" in cli("oauth2", "list").out

    def test_a_wrong_passphrase_is_neither_saved_nor_sent(
        self, cli: CommandLine, service: Service, tmp_path: Path
    ) -> None:
        openssl(tmp_path, CERTIFICATE, f"{PKCS12} -passout pass:right")
        more = ("--key-file", str(tmp_path / "client.p12"), "--passphrase-env", "WORD")
        ended = create(cli, service, *more, "--set", "auth_method=private_key_jwt", env={"WORD": "not-right"})
        assert ended.code == 1
        assert "wrong passphrase" in ended.err
        assert "not-right" not in ended.err
        assert service.server.requests == []
        assert cli("oauth2", "list", "--json").json == []

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            (("--key-file", "KEY"), "--set auth_method=private_key_jwt"),
            (("--key-file", "KEY", "--secret-env", "S"), "two client authentication methods"),
            (("--key-file", "/not/there", "--set", "auth_method=private_key_jwt"), "cannot be read"),
            (
                ("--key-file", "KEY", "--set", "auth_method=private_key_jwt", "--secret-env", "S"),
                "a second time",
            ),
            (
                ("--key-file", "KEY", "--set", "auth_method=private_key_jwt", "--set-env", "private_key=S"),
                "together with --set-env private_key",
            ),
            (
                ("--key-file", "KEY", "--set", "auth_method=private_key_jwt", "--passphrase-env", "NOT_SET"),
                "not set",
            ),
        ],
        ids=["no-method", "secret-too", "absent", "two-keys", "two-ways", "no-variable"],
    )
    def test_what_does_not_go_together(
        self, more: tuple[str, ...], says: str, cli: CommandLine, service: Service, tmp_path: Path
    ) -> None:
        (tmp_path / "key.pem").write_text(pem(RSA))
        given = [str(tmp_path / "key.pem") if word == "KEY" else word for word in more]
        ended = create(cli, service, *given, env={"S": SECRET})
        assert ended.code == 1
        assert says in ended.err
        assert service.server.requests == []
