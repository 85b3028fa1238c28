"""A secret or key that lies outside of the connection: what a connection may do with it, and what not."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from airflow_oauth_provider.connection.external import names_external
from airflow_oauth_provider.connection.resolving import Resolved, resolve
from airflow_oauth_provider.deployment.credentials import parse_credentials
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from airflow_oauth_provider.protocol.client.methods import METHODS, Method, Needs
from airflow_oauth_provider.protocol.credential_sources import ExternalSource
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import credential_key, token_key
from tests.connection.test_checks import EC_KEY, LOCKED, connection
from tests.support.confidential import assert_nothing_confidential
from tests.support.keys import KEYS, jwk
from tests.support.servers.certificates import issue_client

SECRET = "s3cr3t-that-lies-outside-of-the-connection"
PROVIDERS = {"corp": "tests.connection.test_resolving.corporate_token"}
ENTRY: dict[str, Any] = {
    "hosts": ["idp.example", "login.example"],
    "client_ids": ["my-client", "another"],
    "api_hosts": ["api.example", "*.erp.example"],
}


def policy(
    place: dict[str, str] | None = None, options: dict[str, Any] | None = None, **entry: Any
) -> Policy:
    members = {**ENTRY, **(place or {"env": "ERP_SECRET"}), **entry}
    return Policy(credentials=parse_credentials(json.dumps({"erp": members})), **(options or {}))


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERP_SECRET", SECRET)


def resolved(given: Policy | None = None, /, **changes: Any) -> Resolved:
    fields = {"password": None, "external_credential": "erp", **changes}
    return resolve(connection(**fields), given or policy())


def settings_of(given: Policy | None = None, /, **changes: Any) -> ClientSettings:
    return resolved(given, **changes).settings


def refusal(given: Policy | None = None, /, **changes: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        resolved(given, **changes)
    assert_nothing_confidential(caught.value, [SECRET])
    assert "ERP_SECRET" not in str(caught.value)
    return caught.value


def test_a_secret_from_outside_is_as_one_of_the_connection() -> None:
    outside, inside = settings_of(), resolve(connection(password=SECRET), Policy()).settings
    assert outside.client_secret == inside.client_secret
    assert outside.external == ExternalSource("erp", "env")
    assert (token_key(outside), credential_key(outside)) == (token_key(inside), credential_key(inside))
    assert SECRET in {secret.reveal() for secret in outside.secrets()}


def test_nothing_shows_it() -> None:
    settings_read = resolved()
    assert SECRET not in repr(settings_read)
    assert "ERP_SECRET" not in repr(settings_read)


def test_a_rotated_secret_is_another_client(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resolved()
    assert before.is_current()
    monkeypatch.setenv("ERP_SECRET", "r0tated-" + SECRET)
    assert not before.is_current()
    after = resolved()
    assert after.settings.client_secret != before.settings.client_secret
    assert token_key(after.settings) != token_key(before.settings)
    monkeypatch.delenv("ERP_SECRET")
    assert not after.is_current()


class TestWhereItMayGo:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"host": "https://evil.example/token"}, "host"),
            ({"host": "https://idp.example.evil.test/token"}, "host"),
            ({"host": "https://evil.example", "discovery": True}, "host"),
            ({"login": "somebody-else"}, "login"),
            ({"login": "My-Client"}, "login"),
            ({"base_url": "https://evil.example"}, "base_url"),
            ({"base_url": "https://erp.example"}, "base_url"),
            (
                {"base_url": "https://api.example", "allowed_origins": ["https://evil.test"]},
                "allowed_origins",
            ),
        ],
        ids=str,
    )
    @pytest.mark.fault("C41")
    def test_an_editor_who_names_a_place_of_his_own_is_refused(
        self, changes: dict[str, Any], field: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        assert refusal(**changes).field == field
        assert SECRET not in caplog.text

    def test_the_places_that_are_meant(self) -> None:
        settings = settings_of(
            host="https://login.example/token",
            login="another",
            base_url="https://eu.erp.example",
            allowed_origins=["https://api.example"],
        )
        assert {origin.host for origin in settings.api.origins} == {"eu.erp.example", "api.example"}
        assert settings.api.listed_hosts == ("api.example", "*.erp.example")

    def test_metadata_may_name_no_other_host(self) -> None:
        server: Any = settings_of(host="https://idp.example", discovery=True).server
        assert server.allowed_hosts == ("idp.example", "login.example")

    @pytest.mark.parametrize("option", ["token_hosts", "api_hosts"])
    def test_the_deployments_own_lists_hold_too(self, option: str) -> None:
        closed = policy(options={option: ("other.test",)})
        error = refusal(closed, base_url="https://api.example")
        assert error.field == "external_credential"
        assert "lists no host in" in str(error)

    def test_an_audience_on_another_server_is_refused(self) -> None:
        """The deployment trusts it with its assertions, and the entry does not."""
        given = policy(options={"token_hosts": ("*.example",)})
        method = {"auth_method": "client_secret_jwt"}
        assert refusal(given, **method, jwt_audience="https://sts.example").field == "jwt_audience"
        settings_of(given, **method, jwt_audience="https://login.example")

    def test_only_the_connections_that_are_listed(self) -> None:
        settings_of(policy(connections=["my_api"]))
        assert refusal(policy(connections=["other"])).field == "external_credential"


class TestTheRow:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"password": "a-secret-of-the-row"}, "password"),
            ({"private_key": "-----BEGIN PRIVATE KEY-----"}, "private_key"),
            ({"private_key_passphrase": "a-passphrase"}, "private_key_passphrase"),
            ({"proxy_url": "http://proxy.example:3128"}, "proxy_url"),
            ({"ca_certificates": "-----BEGIN CERTIFICATE-----"}, "ca_certificates"),
            ({"verify_tls": False}, "verify_tls"),
            ({"external_credential": "unknown"}, "external_credential"),
            ({"external_credential": 3}, "external_credential"),
        ],
        ids=str,
    )
    def test_it_holds_no_secret_and_opens_no_way_to_one(self, changes: dict[str, Any], field: str) -> None:
        allowed = {"proxies": ("proxy.example",), "allow_unverified_tls": True}
        assert refusal(policy(options=allowed), **changes).field == field

    def test_secrets_that_stay_in_it_are_warned_about(self) -> None:
        (warning,) = resolved(secret_params="pin=12345678", secret_headers="X-Key=abcdefgh").warnings
        assert "secrets stay in secret_params and secret_headers" in warning

    def test_a_name_in_the_row_is_no_way_to_the_list(self) -> None:
        """An editor learns no name of another's credential."""
        assert "erp" not in str(refusal(external_credential="x\x7f"))

    @pytest.mark.parametrize("empty", [None, "", "  "])
    def test_without_a_name_nothing_changes(self, empty: str | None) -> None:
        settings = resolve(connection(external_credential=empty), policy()).settings
        assert settings.external is None


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"external_credential": "erp"}, True),
        ({"external_credential": None}, False),
        ({"external_credential": ""}, True),
        ({"scope": "external_credential"}, False),
        ('{"external\\u005fcredential": "erp"}', True),
        ('{"\\u0065xternal_credential": "erp"}', True),
        ({"scope": "\u00fc\n"}, False),
        ("", False),
    ],
    ids=str,
)
def test_whether_a_text_names_one(extra: Any, named: bool) -> None:
    assert names_external(connection(extra=extra)) is named


class TestSecrets:
    @pytest.mark.parametrize(
        ("content", "secret"),
        [
            (f"{SECRET}\n", SECRET),
            (f"{SECRET}\r\n", SECRET),
            (f"{SECRET}ü", f"{SECRET}ü"),
            ("a b-c-d-e", "a b-c-d-e"),
            (f"\ufeff{SECRET}\r\n", SECRET),
        ],
        ids=repr,
    )
    def test_what_editors_put_around_a_secret_is_none_of_it(
        self, content: str, secret: str, tmp_path: Path
    ) -> None:
        (tmp_path / "erp").write_text(content, newline="")
        settings_read = settings_of(policy({"file": str(tmp_path / "erp")}))
        assert settings_read.client_secret is not None
        assert settings_read.client_secret.reveal() == secret
        assert settings_read.external == ExternalSource("erp", "file")

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"one\ntwo\n", "control characters"),
            (b"***", "placeholder"),
            (b"\xff\xfe", "no text in UTF-8"),
            (b"x" * 9000, "longer than 8 KiB"),
            (b"", "its file is empty"),
            (b"\xef\xbb\xbf\n", "its file is empty"),
        ],
        ids=repr,
    )
    def test_what_is_no_secret(self, content: bytes, reason: str, tmp_path: Path) -> None:
        (tmp_path / "erp").write_bytes(content)
        error = refusal(policy({"file": str(tmp_path / "erp")}))
        assert error.field == "external_credential"
        assert reason in str(error)
        assert str(tmp_path) not in str(error)

    def test_rules_of_the_method_name_the_field(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ERP_SECRET", "too-short-for-hs256")
        assert refusal(auth_method="client_secret_jwt").field == "external_credential"

    def test_a_machine_that_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ERP_SECRET")
        assert "cannot be read on this machine" in str(refusal())


def _pkcs12(passphrase: bytes) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return serialize_key_and_certificates(b"x", key, None, None, BestAvailableEncryption(passphrase))


KEY: dict[str, Any] = {"auth_method": "private_key_jwt"}


class TestKeys:
    @pytest.fixture
    def given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Policy:
        monkeypatch.setenv("ERP_PASSPHRASE", "passphrase")
        return policy({"file": str(tmp_path / "key")}, passphrase={"env": "ERP_PASSPHRASE"})

    def test_pem(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(EC_KEY)
        settings = settings_of(policy({"file": str(tmp_path / "key")}), **KEY)
        assert settings.assertion.private_key is not None
        assert settings.assertion.private_key.reveal() == EC_KEY
        assert settings.assertion.algorithm == "ES256"
        assert settings.client_secret is None

    @pytest.mark.parametrize(
        "text", [EC_KEY.replace("\n", "\\r\\n"), jwk(KEYS[KeyKind.P256])], ids=["pem", "jwk"]
    )
    def test_one_that_windows_has_marked(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(f"\ufeff{text}\r\n")
        assert settings_of(policy({"file": str(tmp_path / "key")}), **KEY).assertion.algorithm == "ES256"

    def test_a_locked_one_with_the_passphrase_beside_it(self, given: Policy, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(LOCKED)
        assert settings_of(given, **KEY).assertion.algorithm == "ES256"

    def test_the_bytes_of_a_pkcs12_file(self, given: Policy, tmp_path: Path) -> None:
        (tmp_path / "key").write_bytes(_pkcs12(b"passphrase"))
        assert settings_of(given, **KEY).assertion.algorithm == "ES256"

    @pytest.mark.parametrize(
        "content", [_pkcs12(b"other"), b"not a key", b"\xff\xfe"], ids=["locked", "text", "bytes"]
    )
    def test_what_is_no_key(self, content: bytes, given: Policy, tmp_path: Path) -> None:
        (tmp_path / "key").write_bytes(content)
        assert refusal(given, **KEY).field == "external_credential"

    def test_a_rotated_passphrase_is_noticed(
        self, given: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "key").write_text(LOCKED)
        settings_read = resolved(given, **KEY)
        assert settings_read.is_current()
        monkeypatch.setenv("ERP_PASSPHRASE", "another")
        assert not settings_read.is_current()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_takes_it_or_refuses_it(method: Method, tmp_path: Path) -> None:
    client = issue_client()
    (tmp_path / "key").write_text(client.key + client.certificate)
    key = method.needs.secret_field == "private_key"
    options = {
        "custom_providers": PROVIDERS,
        "token_hosts": ("idp.example",),
        "assertion_folders": ("/run/tokens",),
    }
    given = policy({"file": str(tmp_path / "key")} if key else None, options=options)
    changes = {"custom_provider": "corp"} if method.function is None else {}
    if method.needs is Needs.FILE:
        changes = {"assertion_file": "/run/tokens/idp"}
    if key or method.needs is Needs.SECRET or method.function is None:
        settings = settings_of(given, auth_method=method.name, **changes)
        assert settings.credential is not None
    else:
        assert refusal(given, auth_method=method.name, **changes).field == "external_credential"
