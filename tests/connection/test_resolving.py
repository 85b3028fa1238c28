"""What a connection may say, in all the forms in which connections come."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS, FIELDS_BY_KEY
from airflow_oauth_provider.connection.provider_form import default_extra
from airflow_oauth_provider.connection.resolving import require_type, resolve
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client.methods import METHODS, Method, Needs, method_of
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import credential_key, token_key
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores import open_store
from tests.connection.test_checks import KEY_METHOD, connection, deep, pem
from tests.support.servers.certificates import issue_client
from tests.support.service import Service

SIGNED: dict[str, Any] = {"auth_method": "client_secret_jwt"}
RSA_KEY = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
CERTIFICATE = issue_client()
CERTIFIED = CERTIFICATE.key + CERTIFICATE.certificate
PROVIDERS = {"corp": "tests.connection.test_resolving.corporate_token"}
CREDENTIALS: dict[Needs, dict[str, Any]] = {
    Needs.SECRET: {},
    Needs.KEY: {"password": None, "private_key": RSA_KEY},
    Needs.CERTIFICATE: {"password": None, "private_key": CERTIFIED},
    Needs.FILE: {"password": None, "assertion_file": "/run/tokens/idp"},
    Needs.NOTHING: {"custom_provider": "corp"},
}


def settings_of(
    changes: Mapping[str, Any] | None = None, /, *, policy: Policy | None = None, **more: Any
) -> ClientSettings:
    """Resolve a connection that differs from the usual one by *changes*."""
    return resolve(connection(**{**(changes or {}), **more}), policy or Policy()).settings


def with_method(method: str, **changes: Any) -> ClientSettings:
    """Resolve a connection with a method and all that it needs."""
    given = {"auth_method": method, **CREDENTIALS[METHODS[method].needs], **changes}
    policy = Policy(
        custom_providers=PROVIDERS, token_hosts=("idp.example",), assertion_folders=("/run/tokens",)
    )
    return settings_of(given, policy=policy)


@pytest.mark.parametrize("entry", FIELDS, ids=lambda entry: entry.key)
@pytest.mark.parametrize("empty", [None, "", "   "], ids=["null", "empty", "blank"])
def test_null_empty_and_absent_mean_the_same(entry: Field, empty: str | None) -> None:
    assert settings_of({entry.key: empty}) == settings_of()


@pytest.mark.fault("F09")
@pytest.mark.parametrize("method", METHODS)
def test_defaults_written_or_absent_are_one_client(method: str) -> None:
    absent = with_method(method)
    needed = CREDENTIALS[METHODS[method].needs]
    written = {key: value for key, value in default_extra().items() if key not in needed}
    for given in (written, dict.fromkeys(written), {key: str(value or "") for key, value in written.items()}):
        resolved = with_method(method, **{**given, "auth_method": method})
        assert resolved == absent
        assert (token_key(resolved), credential_key(resolved)) == (token_key(absent), credential_key(absent))
        assert repr(resolved) == repr(absent), "also in the type of each number"


@pytest.mark.fault("F09")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [60.0, " 60 ", "60.0"], ids=repr)
@pytest.mark.parametrize(
    "entry", [entry for entry in FIELDS if entry.kind is Kind.SECONDS], ids=lambda entry: entry.key
)
def test_one_number_in_every_spelling(method: str, entry: Field, value: Any) -> None:
    assert repr(with_method(method, **{entry.key: value})) == repr(with_method(method, **{entry.key: 60}))


@pytest.mark.fault("F09")
@pytest.mark.parametrize(
    "field, value, uses",
    [
        ("basic_encoding", "raw", lambda method: method.encodes),
        ("jwt_lifetime", 120, lambda method: method.signs),
        ("jwt_claims", ["a=b"], lambda method: method.signs),
        ("key_id", "7", lambda method: method.signs),
        ("jwt_audience", "https://idp.example/", lambda method: method.signs),
        ("private_key_passphrase", "of the past", lambda method: method.needs.secret_field == "private_key"),
        ("certificate", CERTIFICATE.certificate, lambda method: method.needs is Needs.CERTIFICATE),
        ("custom_provider", "corp", lambda _: False),
    ],
)
@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_what_a_method_does_not_use_tells_no_clients_apart(
    method: Method, field: str, value: Any, uses: Callable[[Method], bool]
) -> None:
    plain = with_method(method.name)
    if method.needs is Needs.KEY and field == "certificate":
        with pytest.raises(ConfigurationError, match="not of this private key"):
            with_method(method.name, **{field: value})
        return
    if field == "private_key_passphrase" and method.needs.secret_field == "private_key":
        with pytest.raises(ConfigurationError, match="not encrypted"):
            with_method(method.name, **{field: value})
        return
    changed = with_method(method.name, **{field: value})
    is_used = uses(method) or (method.function is None and field != "custom_provider")
    assert (changed != plain) is is_used
    assert (token_key(changed) != token_key(plain)) is is_used


@pytest.mark.fault("F09")
def test_the_algorithm_of_a_secret_written_or_absent() -> None:
    written = with_method("client_secret_jwt", jwt_algorithm="HS256")
    assert written == with_method("client_secret_jwt")
    assert written.assertion.algorithm == "HS256"


@pytest.mark.fault("F18")
@pytest.mark.parametrize("method", METHODS)
def test_settings_and_table_have_the_same_defaults(method: str) -> None:
    """Settings that somebody makes without a connection mean what an empty form means."""
    resolved = with_method(method)
    resolved = replace(resolved, network=replace(resolved.network, token_host_listed=False))
    bare = ClientSettings(resolved.server, resolved.client_id, method)
    for group in ("request", "retry", "api"):
        assert repr(getattr(resolved, group)) == repr(getattr(bare, group))
    assert repr(resolved.network.elsewhere) == repr(bare.network)
    if not method_of(resolved).signs:
        assert repr(resolved.assertion) == repr(bare.assertion)
    assert resolved.assertion.lifetime == bare.assertion.lifetime
    assert ClientSettings.auth_method == FIELDS_BY_KEY["auth_method"].default


@pytest.mark.fault("F25")
@pytest.mark.parametrize(
    "audience, hosts",
    [
        ("https://idp.example", ()),
        ("https://IDP.example:8443/other", ()),
        ("http://idp.example/adfs/services/trust", ()),
        ("idp.example", ()),
        ("idp.example/token", ()),
        ("https://sts.example/issuer", ("idp.example", "sts.example")),
        ("sts.example", ("idp.example", "sts.example")),
        ("sts.example:8443/x", ("idp.example", "sts.example:8443")),
        ("urn:example:server", ("idp.example",)),
        ("api://AzureADTokenExchange", ("idp.example",)),
        ("my-audience", ("idp.example",)),
    ],
)
def test_audiences(audience: str, hosts: tuple[str, ...]) -> None:
    settings = settings_of(SIGNED, jwt_audience=audience, policy=Policy(token_hosts=hosts))
    assert settings.assertion.audience == audience


@pytest.mark.parametrize(
    "entry", [entry for entry in FIELDS if entry.default is not None], ids=lambda entry: entry.key
)
def test_a_default_is_what_absence_means(entry: Field) -> None:
    assert settings_of({entry.key: entry.default}) == settings_of()
    assert settings_of({entry.key: str(entry.default)}) == settings_of(), "URIs make everything a string"


def test_all_defaults_at_once() -> None:
    assert settings_of(default_extra()) == settings_of()


@pytest.mark.parametrize(
    "value",
    [
        ["a=1", "b=x=y", ""],
        {"a": "1", "b": "x=y"},
        "a=1\nb=x=y",
        "a = 1\r\n\r\nb=x=y\n",
        '{"a": 1, "b": "x=y"}',
        '["a=1", "b=x=y"]',
    ],
    ids=["lines", "object", "text", "spaces", "JSON-object", "JSON-list"],
)
def test_pairs_in_every_form(value: Any) -> None:
    assert settings_of(post_params=value).request.post_params == (("a", "1"), ("b", "x=y"))
    secret = settings_of(secret_params=value).request.secret_params
    assert [(name, held.reveal()) for name, held in secret] == [("a", "1"), ("b", "x=y")]


@pytest.mark.parametrize("field", ["request_headers", "api_headers", "secret_headers"])
@pytest.mark.fault("F61")
def test_header_values_of_an_object_are_stripped_like_lines(field: str) -> None:
    by_object = settings_of({field: {"X-A": " \tvalue in words \t"}})
    assert by_object == settings_of({field: "X-A= value in words "})
    assert "\tvalue" not in str(vars(by_object.request)) + str(by_object.api)
    if field == "secret_headers":
        assert by_object.request.secret_headers[0][1].reveal() == "value in words"


@pytest.mark.parametrize("value", ["read write", ["read", "write"], ["read write"], " read  write "])
@pytest.mark.fault("F72")
def test_scopes_in_every_form(value: Any) -> None:
    settings = settings_of(scope=value, require_scopes=value)
    assert settings.request.scope == settings.api.require_scopes == ("read", "write")


@pytest.mark.fault("F65")
def test_claims_may_be_any_json_value() -> None:
    claims = {"a": [1, 2.5, None, True, {"b": "ü"}], "deep": deep(29)}
    assert json.loads(settings_of(SIGNED, jwt_claims=claims).assertion.claims) == claims


@pytest.mark.parametrize(
    "value",
    [
        ["https://a.example", "https://b.example"],
        "https://a.example\nhttps://b.example",
        '["https://a.example", "https://b.example"]',
    ],
)
def test_lists_in_every_form(value: Any) -> None:
    assert settings_of(resource=value).request.resources == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("value", [["401", "403"], [401, 403], "401, 403", "401\n403", "[401, 403]"])
def test_statuses_in_every_form(value: Any) -> None:
    assert settings_of(refresh_on_status=value).api.refresh_on_status == {401, 403}


@pytest.mark.parametrize(
    "value, expected",
    [("false", False), ("False", False), ("0", False), (0, False), ("true", True), (1, True), ("on", True)],
)
def test_booleans_as_text(value: Any, expected: bool) -> None:
    assert settings_of(include_scope=value).request.include_scope is expected


@pytest.mark.parametrize("value", [2, "2", 2.0, "2.0"])
def test_numbers_as_text(value: Any) -> None:
    settings = settings_of(SIGNED, max_retry_attempts=value, max_wait=value, jwt_lifetime=value)
    assert (settings.retry.max_attempts, settings.retry.max_wait, settings.assertion.lifetime) == (2, 2, 2)


@pytest.mark.parametrize(
    "host, expected",
    [
        ("idp.example/token", "https://idp.example/token"),
        ("https://idp.example", "https://idp.example/"),
        ("https://IDP.Example./token", "https://idp.example/token"),
        ("https://idp.example:443/token", "https://idp.example/token"),
        ("https://idp.example/token?a=1", "https://idp.example/token?a=1"),
        ("https://[2001:DB8::1]/t", "https://[2001:db8::1]/t"),
        ("idp.example/token?next=https://x.example", "https://idp.example/token?next=https://x.example"),
        pytest.param("https://bücher.example/t", "https://xn--bcher-kva.example/t", id="IDN[C37]"),
        pytest.param("http://localhost:8080/token", "http://localhost:8080/token", id="localhost[C27]"),
        pytest.param("http://127.0.0.1/token", "http://127.0.0.1/token", id="127.0.0.1[C27]"),
        pytest.param("http://[::1]/token", "http://[::1]/token", id="::1[C27]"),
    ],
)
def test_the_access_token_url(host: str, expected: str) -> None:
    assert str(settings_of(host=host).server) == expected


@pytest.mark.parametrize(
    "first, second",
    [
        pytest.param("https://IDP.example/t", "https://idp.example./t", id="case-and-dot[C38][C61]"),
        pytest.param("https://bücher.example/t", "https://xn--bcher-kva.example/t", id="IDN[C37]"),
        pytest.param("https://idp.example:443/t", "idp.example/t", id="default-port[C38]"),
    ],
)
def test_one_host_has_one_key(first: str, second: str) -> None:
    assert token_key(settings_of(host=first)) == token_key(settings_of(host=second))


def test_a_port_of_its_own_field() -> None:
    assert str(settings_of(host="http://127.0.0.1/token", port=8080).server) == "http://127.0.0.1:8080/token"
    assert (
        str(settings_of(host="https://idp.example:8443/t", port=8443).server) == "https://idp.example:8443/t"
    )


@pytest.mark.parametrize(
    "patterns, host",
    [
        (("idp.example",), "https://idp.example/t"),
        (("idp.example",), "https://idp.example:8443/t"),
        (("idp.example:8443",), "https://idp.example:8443/t"),
        (("*.example",), "https://a.b.example/t"),
        (("BÜCHER.example",), "https://xn--bcher-kva.example/t"),
        (("169.254.169.254",), "https://169.254.169.254/t"),
    ],
)
def test_an_allow_listed_host(patterns: tuple[str, ...], host: str) -> None:
    assert settings_of(host=host, policy=Policy(token_hosts=patterns)).network.token_host_listed


class TestThreeWays:
    """The same connection from the environment as URI, as JSON, and as an object."""

    URI = (
        "oauth2-client-credentials://my-client:a%2Bb%20c%2Fd-secret@IDP.example/oauth2/token"
        "?scope=read+write&include_scope=false&max_wait=30&post_params=a%3D1"
    )

    @pytest.mark.fault("C61")
    def test_all_mean_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.providers.common.compat.sdk import BaseHook

        extra = {"scope": "read write", "include_scope": False, "max_wait": 30, "post_params": ["a=1"]}
        fields = {
            "host": "https://idp.example/oauth2/token",
            "login": "my-client",
            "password": "a+b c/d-secret",
        }
        monkeypatch.setenv("AIRFLOW_CONN_BY_URI", self.URI)
        monkeypatch.setenv(
            "AIRFLOW_CONN_BY_JSON",
            json.dumps({"conn_type": "oauth2_client_credentials", **fields, "extra": extra}),
        )
        by_uri = resolve(BaseHook.get_connection("by_uri"), Policy()).settings
        by_json = resolve(BaseHook.get_connection("by_json"), Policy()).settings
        assert by_uri == by_json == settings_of({**fields, **extra})


@pytest.mark.parametrize("text", ["", "  ", None])
@pytest.mark.fault("C16")
def test_an_empty_scope_is_none(text: str | None) -> None:
    assert settings_of(scope=text).request.scope == ()


class TestWarnings:
    """What is worth a warning, once."""

    def warnings(self, **changes: Any) -> tuple[str, ...]:
        return resolve(connection(**changes), Policy()).warnings

    @pytest.mark.parametrize(
        "changes, word",
        [
            pytest.param({"scopes": "read"}, '"scopes"', id="unknown-key[C13]"),
            pytest.param({"password": " a-secret-value"}, "space", id="leading-space[C22]"),
            pytest.param({"password": "a-secret-value "}, "space", id="trailing-space[C22]"),
            pytest.param({"password": "abcd"}, "short", id="short"),
            pytest.param({"custom_provider": "x"}, "custom_provider", id="idle-custom"),
        ],
    )
    def test_it_names_what_it_is_about(self, changes: dict[str, Any], word: str) -> None:
        warnings = self.warnings(**changes)
        assert len(warnings) == 1
        assert word in warnings[0]
        assert "a-secret-value" not in warnings[0]

    def test_a_long_name(self) -> None:
        given = connection()
        given.conn_id = "x" * 51
        assert "50" in resolve(given, Policy()).warnings[0]

    def test_nothing_to_warn_of(self) -> None:
        assert self.warnings(**default_extra()) == ()

    @pytest.mark.fault("C13")
    def test_once_per_hook(self, service: Service, caplog: pytest.LogCaptureFixture) -> None:
        client = OAuth2Client("my_api", service.connection(scopes="read"))
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                client.get_token(force=True)
        assert [
            record.getMessage().count('"scopes"')
            for record in caplog.records
            if "scopes" in record.getMessage()
        ] == [1]

    @pytest.mark.fault("C45")
    def test_unverified_tls_where_allowed(self) -> None:
        resolved = resolve(connection(verify_tls=False), Policy(allow_unverified_tls=True))
        assert not resolved.settings.network.verify_tls
        assert "not verified" in resolved.warnings[0]


class TestKeys:
    """Keys and their algorithms."""

    def test_a_locked_key_with_its_passphrase(self) -> None:
        key = pem(ec.generate_private_key(ec.SECP256R1()), b"the passphrase")
        settings_of(KEY_METHOD, private_key=key, private_key_passphrase="the passphrase")


class TestKeysOfTokens:
    """Who may share a token."""

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"host": "https://other.example/token"}, id="tenant[C63]"),
            pytest.param({"login": "other"}, id="client"),
            pytest.param({"password": "another-secret-value"}, id="rotated[P28]"),
            pytest.param({"auth_method": "client_secret_post"}, id="method"),
            pytest.param({"scope": "a"}, id="scope"),
            pytest.param({"audience": "a"}, id="audience"),
            pytest.param({"resource": "https://a.example"}, id="resource"),
            pytest.param({"query_params": "a=1"}, id="query"),
            pytest.param({"secret_params": "a=1"}, id="secret-params"),
            pytest.param({"request_headers": "A=1"}, id="headers"),
            pytest.param({"secret_headers": "A=1"}, id="secret-headers"),
            pytest.param({"require_scopes": "a"}, id="require-scopes"),
        ],
    )
    def test_any_difference_is_another_key(self, changes: dict[str, Any]) -> None:
        assert token_key(settings_of(changes)) != token_key(settings_of())

    @pytest.mark.parametrize(
        "changes",
        [
            {"category": "x"},
            {"credential_expires_on": "2027-03-31"},
            {"base_url": "https://api.example"},
            {"max_wait": 5},
            {"scope": "b a"},
            {"allowed_scopes": ["c"], "allowed_audiences": ["d"]},
        ],
    )
    def test_what_the_token_endpoint_does_not_see_plays_no_part(self, changes: dict[str, Any]) -> None:
        base = {"scope": "a b"}
        assert token_key(settings_of({**base, **changes})) == token_key(settings_of(base))

    @pytest.mark.fault("C65")
    def test_the_team_is_part_of_it(self) -> None:
        first, second = connection(), connection()
        object.__setattr__(first, "team_name", "blue")
        object.__setattr__(second, "team_name", "red")
        keys = {token_key(resolve(given, Policy()).settings) for given in (first, second, connection())}
        assert len(keys) == 3

    def test_a_refused_client_is_the_same_for_every_scope(self) -> None:
        assert credential_key(settings_of(scope="a")) == credential_key(settings_of(scope="b"))


def test_category_has_a_default() -> None:
    assert settings_of(policy=Policy(default_category="team")).category == "team"
    assert settings_of(category="own", policy=Policy(default_category="team")).category == "own"


@pytest.mark.fault("P55")
def test_nothing_leaks_between_contents_of_one_id(service: Service) -> None:
    first = OAuth2Client("same", service.connection(conn_id="same")).get_token()
    second = OAuth2Client("same", service.connection(conn_id="same", scope="other")).get_token()
    assert first.value != second.value
    shared.clear()


def test_secrets_do_not_show_in_settings() -> None:
    settings = settings_of(
        secret_params="a=hidden-value", secret_headers="X-A=hidden-value", password="hidden-value"
    )
    assert "hidden-value" not in repr(settings) + str(settings)


def test_every_kind_of_field_is_in_use() -> None:
    assert {entry.kind for entry in FIELDS} == set(Kind)


def corporate_token(settings: ClientSettings) -> Any:
    raise NotImplementedError


def test_custom_provider() -> None:
    given = connection(auth_method="custom", password=None, custom_provider="corp")
    policy = Policy(custom_providers={"corp": "tests.connection.test_resolving.corporate_token"})
    settings = resolve(given, policy).settings
    assert settings.custom is not None
    assert settings.custom.function is corporate_token


def test_a_plain_connection_object_will_do() -> None:
    given = Connection(
        conn_id="x", conn_type="oauth2_client_credentials", host="idp.example/t", login="a", password="b" * 8
    )
    assert resolve(given, Policy()).settings.client_id == "a"


@pytest.mark.parametrize(
    "store, keys, secret, warned",
    [
        ("redis://127.0.0.1:1/0", (), "short-secret", True),
        ("redis://127.0.0.1:1/0", (Secret("k" * 44),), "short-secret", False),
        ("redis://127.0.0.1:1/0", (), "a-long-enough-secret", False),
        ("memory", (), "short-secret", False),
    ],
)
def test_a_short_secret_in_a_foreign_database(
    store: str, keys: tuple[Secret, ...], secret: str, warned: bool, tmp_path: Path
) -> None:
    policy = Policy(sharing=Sharing(open_store(store, tmp_path), keys))
    resolved = resolve(connection(password=secret), policy)
    assert any("store_key" in warning for warning in resolved.warnings) == warned


@pytest.mark.parametrize(
    "option, value",
    [
        ("token_store", "files"),
        ("token_store", "redis://:the-password@host:port/0"),
        ("store_key", "not base64!"),
        ("store_key", "c2hvcnQ="),
        ("custom_providers", '{"corp": the-password}'),
        ("allow_unverified_tls", "the-password"),
        ("allowed_token_hosts", "idp.example:99999"),
        ("allowed_api_hosts", "https://the-password@x"),
    ],
)
@pytest.mark.fault("F18", "F27")
def test_a_wrong_option_is_named_without_its_value(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW__OAUTH2__{option.upper()}", value)
    with pytest.raises(ConfigurationError) as caught:
        read_policy()
    assert caught.value.field == option
    assert caught.value.__context__ is None
    assert value not in str(caught.value)
    assert "the-password" not in str(caught.value)


@pytest.mark.parametrize(
    "key, label",
    [("include_scope", "Include scope"), ("max_wait", "Maximum wait duration (seconds)")],
)
def test_labels_that_are_a_contract(key: str, label: str) -> None:
    assert FIELDS_BY_KEY[key].label == label


@pytest.mark.parametrize("discovery", [False, True])
@pytest.mark.parametrize("path", ["openid-configuration", "oauth-authorization-server/tenant"])
def test_the_address_of_metadata_is_no_server(path: str, *, discovery: bool) -> None:
    """It is what vendors print beside the token URL."""
    with pytest.raises(ConfigurationError) as caught:
        settings_of(host=f"https://idp.example/.well-known/{path}", discovery=discovery)
    assert caught.value.field == "host"
    assert "enter the issuer" in str(caught.value)


@pytest.mark.parametrize(
    ("login", "warned"), [(" my-client", True), ("my-client\u00a0", True), ("my-client", False)]
)
def test_a_client_id_with_blanks_around_it(login: str, *, warned: bool) -> None:
    warnings = resolve(connection(login=login), Policy()).warnings
    assert any("the client ID begins or ends with a space" in warning for warning in warnings) is warned


@pytest.mark.parametrize(
    ("login", "warned"), [('"my-client"', True), ("'c'", True), ('"', False), ('"c', False)]
)
def test_a_client_id_in_quotation_marks(login: str, *, warned: bool) -> None:
    warnings = resolve(connection(login=login), Policy()).warnings
    assert ("the client ID stands in quotation marks: is that meant?" in warnings) is warned


@pytest.mark.parametrize("key", ["host", "base_url", "allowed_origins"])
@pytest.mark.parametrize(
    ("address", "says"),
    [
        ('"https://a.example/x"', "leave them out"),
        ("\u201chttps://a.example/x\u201d", "leave them out"),
        ("https://<host>/x", "put its value there"),
        ("https://a.example/{realm}/x", "put its value there"),
    ],
)
def test_an_address_that_was_copied_without_being_filled_in(key: str, address: str, says: str) -> None:
    given: Any = {key: [address] if key == "allowed_origins" else address}
    with pytest.raises(ConfigurationError, match=says) as caught:
        settings_of(**given)
    assert caught.value.field == key


def test_other_well_known_addresses_are_the_server_s_own_affair() -> None:
    assert settings_of(host="https://idp.example/.well-known/token").server.origin.host == "idp.example"


def test_settings_are_current_until_their_certificate_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"auth_method": "tls_client_auth", **CREDENTIALS[Needs.CERTIFICATE]}
    resolved = resolve(connection(**given), Policy())
    assert resolved.is_current()
    later = time.time() + 11 * 24 * 3600
    monkeypatch.setattr("airflow_oauth_provider.connection.resolving.time.time", lambda: later)
    assert not resolved.is_current()
    assert resolve(connection(), Policy()).is_current()


def test_no_frame_of_a_refusal_holds_the_connection() -> None:
    """Its repr, which tools show with a traceback, has the password."""
    given = connection(scope="\x00")
    with pytest.raises(ConfigurationError) as caught:
        resolve(given, Policy())
    link = caught.value.__traceback__
    frames = []
    while link is not None:
        frames.append(link.tb_frame)
        link = link.tb_next
    ours = [
        frame
        for frame in frames
        if "resolving.py" in frame.f_code.co_filename and "test_" not in frame.f_code.co_filename
    ]
    assert ours
    assert not any(value is given for frame in ours for value in frame.f_locals.values())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("postgres", "is postgres:"),
        ("a\nb", "is a?b:"),
        (None, "is none:"),
        ("", "is none:"),
        (7, "is 7:"),
    ],
)
def test_which_other_type_it_is_of(kind: Any, said: str) -> None:
    odd = SimpleNamespace(conn_id="odd", conn_type=kind)
    with pytest.raises(ConfigurationError, match="must be oauth2_client_credentials, and") as caught:
        require_type(odd)
    assert said in str(caught.value)


def test_a_day_ends_a_credential_when_it_begins_in_utc() -> None:
    assert settings_of(credential_expires_on="2027-01-31").credential_expires_at == 1801353600.0
    assert settings_of().credential_expires_at is None


@pytest.mark.parametrize("name", ["host", "schema", "login", "password"])
def test_half_a_character_names_its_field(name: str) -> None:
    with pytest.raises(ConfigurationError, match="half a character") as caught:
        settings_of({name: "https://idp.example/\ud800"})
    assert caught.value.field == name
