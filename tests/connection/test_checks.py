"""What a connection must not say: refused before any network use, by name, without the value."""

from __future__ import annotations

import base64
import json
import pickle
import socket
from typing import Any, NoReturn

import pytest
from airflow.sdk import Connection
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.servers.certificates import Issued, issue_client

SECRET = "s3cr3t-value-of-this-client-which-is-long"
DEFAULTS: dict[str, Any] = {"host": "https://idp.example/token", "login": "my-client", "password": SECRET}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> NoReturn:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)


def connection(**changes: Any) -> Connection:
    """Build a connection; keys of the standard fields go there, all others into the extra."""
    standard = {
        key: changes.pop(key, DEFAULTS.get(key)) for key in ("host", "login", "password", "port", "schema")
    }
    extra = changes.pop("extra", changes)
    text = extra if isinstance(extra, str) else json.dumps(extra)
    return Connection(conn_id="my_api", conn_type="oauth2_client_credentials", extra=text, **standard)


def pem(key: Any, passphrase: bytes | None = None) -> str:
    encryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    data: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return data.decode()


def deep(levels: int) -> Any:
    """Return a list in a list in a list."""
    return [deep(levels - 1)] if levels else []


EC_KEY = pem(ec.generate_private_key(ec.SECP256R1()))
K1_KEY = pem(ec.generate_private_key(ec.SECP256K1()))
P192_KEY = pem(ec.generate_private_key(ec.SECP192R1()))
WEAK_RSA = pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))
LOCKED = pem(ec.generate_private_key(ec.SECP256R1()), b"passphrase")
KEY_METHOD = {"auth_method": "private_key_jwt", "password": None}


def mutual_tls(client: Issued) -> dict[str, Any]:
    return {
        "auth_method": "tls_client_auth",
        "password": None,
        "private_key": client.key,
        "certificate": client.certificate,
    }


CLIENT = issue_client()
EXPIRED = issue_client(days=(-9, -1))
MUTUAL_TLS = mutual_tls(CLIENT)

ROWS = [
    ("no-host", {"host": ""}, "host"),
    ("no-client-id", {"login": None}, "login"),
    ("no-secret-basic[C03]", {"password": None}, "password"),
    ("no-secret-post[C03]", {"password": "", "auth_method": "client_secret_post"}, "password"),
    ("secret-beside-key[C04]", {"auth_method": "private_key_jwt", "private_key": EC_KEY}, "password"),
    ("key-beside-secret[C04]", {"private_key": EC_KEY}, "private_key"),
    ("none[C05]", {"auth_method": "none"}, "auth_method"),
    ("case[C06]", {"auth_method": "Client_Secret_Basic"}, "auth_method"),
    ("misspelled[C06]", {"auth_method": "basic"}, "auth_method"),
    ("unknown-method", {"auth_method": "tls_client_auth_of_the_future"}, "auth_method"),
    ("mutual-TLS-without-key[C03]", {**MUTUAL_TLS, "private_key": None}, "private_key"),
    ("mutual-TLS-without-certificate[C03]", {**MUTUAL_TLS, "certificate": None}, "certificate"),
    ("secret-beside-certificate[C04]", {**MUTUAL_TLS, "password": SECRET}, "password"),
    ("certificate-of-another-key[C47]", {**MUTUAL_TLS, "private_key": EC_KEY}, "certificate"),
    ("certificate-no-PEM[C47]", {**MUTUAL_TLS, "certificate": SECRET}, "certificate"),
    ("key-in-the-authorities[C51]", {"ca_certificates": CLIENT.certificate + EC_KEY}, "ca_certificates"),
    ("key-in-a-parameter[C51]", {"post_params": {"key": EC_KEY}}, "post_params"),
    ("key-in-a-list[C51]", {"resource": ["https://api.example", EC_KEY]}, "resource"),
    ("certificate-with-key[C47]", {**MUTUAL_TLS, "certificate": CLIENT.certificate + EC_KEY}, "certificate"),
    (
        "certificate-wrong-passphrase[C47]",
        {**MUTUAL_TLS, "private_key": LOCKED, "private_key_passphrase": SECRET},
        "private_key",
    ),
    ("certificate-expired[C48]", mutual_tls(issue_client(days=(-9, -1))), "certificate"),
    ("certificate-of-tomorrow[C48]", mutual_tls(issue_client(days=(1, 9))), "certificate"),
    (
        "expired-beside-the-key[C48]",
        {**MUTUAL_TLS, "private_key": EXPIRED.key + EXPIRED.certificate, "certificate": None},
        "private_key",
    ),
    (
        "expired-for-x5t[C48]",
        {**mutual_tls(EXPIRED), **KEY_METHOD},
        "certificate",
    ),
    ("extra-list[C07]", {"extra": "[1]"}, "extra"),
    ("extra-string[C07]", {"extra": '"text"'}, "extra"),
    ("extra-number[C07]", {"extra": "7"}, "extra"),
    ("extra-broken[C07]", {"extra": '{"scope": '}, "extra"),
    ("timeout-0[C10]", {"request_timeout": 0}, "request_timeout"),
    ("timeout-negative[C10]", {"request_timeout": -1}, "request_timeout"),
    ("timeout-NaN[C10]", {"extra": '{"request_timeout": NaN}'}, "request_timeout"),
    ("timeout-inf[C10]", {"extra": '{"request_timeout": Infinity}'}, "request_timeout"),
    ("timeout-true[C10]", {"request_timeout": True}, "request_timeout"),
    ("timeout-text[C10]", {"request_timeout": "abc"}, "request_timeout"),
    ("timeout-1e9[C10]", {"request_timeout": 1e9}, "request_timeout"),
    ("timeout-1e9-text[C10]", {"request_timeout": "1e9"}, "request_timeout"),
    ("timeout-arabic-digits[C10]", {"request_timeout": "٣"}, "request_timeout"),
    ("wait-0", {"max_wait": 0}, "max_wait"),
    ("wait-3601", {"max_wait": 3601}, "max_wait"),
    ("attempts-negative[C11]", {"max_retry_attempts": -1}, "max_retry_attempts"),
    ("attempts-2.5[C11]", {"max_retry_attempts": 2.5}, "max_retry_attempts"),
    ("attempts-three[C11]", {"max_retry_attempts": "three"}, "max_retry_attempts"),
    ("attempts-101[C11]", {"max_retry_attempts": 101}, "max_retry_attempts"),
    ("attempts-true[C11]", {"max_retry_attempts": True}, "max_retry_attempts"),
    ("colon-raw[C18]", {"login": "a:b", "basic_encoding": "raw"}, "login"),
    ("secret-CR[C21]", {"password": "abc\rdef-value"}, "password"),
    ("secret-LF[C21]", {"password": "abc\ndef-value"}, "password"),
    ("secret-NUL[C21]", {"password": "abc\0def-value"}, "password"),
    ("secret-ESC[C21]", {"password": "abc\x1bdef-value"}, "password"),
    ("client-id-NUL[C21]", {"login": "a\0b"}, "login"),
    ("secret-trailing-newline[C22]", {"password": f"{SECRET}\n"}, "password"),
    ("placeholder[C23]", {"password": "***"}, "password"),
    ("placeholder-key[C23]", {**KEY_METHOD, "private_key": "***"}, "private_key"),
    ("placeholder-params[C23]", {"secret_params": "***"}, "secret_params"),
    ("secret-64K[C25]", {"password": "x" * 65536}, "password"),
    ("client-id-10K[C25]", {"login": "x" * 10240}, "login"),
    ("http[C26][C27]", {"host": "http://idp.example/token"}, "host"),
    ("http-private[C27]", {"host": "http://10.0.0.1/token"}, "host"),
    ("ftp", {"host": "ftp://idp.example/token"}, "host"),
    ("IPv4-integer[C29]", {"host": "http://2130706433/token"}, "host"),
    ("IPv4-hex[C29]", {"host": "http://0x7f.1/token"}, "host"),
    ("IPv4-short[C29]", {"host": "http://127.1/token"}, "host"),
    ("IPv4-octal[C29]", {"host": "https://0177.0.0.1/token"}, "host"),
    ("userinfo[C31]", {"host": "https://user:hidden-pw@idp.example/token"}, "host"),
    ("userinfo-without-scheme[C31]", {"host": "user:hidden-pw@idp.example/token"}, "host"),
    ("one-slash[F66]", {"host": "https:/idp.example/token"}, "host"),
    ("no-slash[F66]", {"host": "https:idp.example/token"}, "host"),
    ("no-colon[F66]", {"host": "https//idp.example/token"}, "host"),
    ("three-slashes[F66]", {"host": "https:///idp.example/token"}, "host"),
    ("http-one-slash[F66]", {"host": "http:/127.0.0.1/token"}, "host"),
    ("scheme-in-query[F66]", {"host": "https:/idp.example/token?next=https://x.example"}, "host"),
    ("base-url-one-slash[F66]", {"base_url": "https:/api.example"}, "base_url"),
    ("origin-one-slash[F66]", {"allowed_origins": ["https:/api.example"]}, "allowed_origins"),
    ("fragment[C32]", {"host": "https://idp.example/token#x"}, "host"),
    ("empty-fragment[C32]", {"host": "https://idp.example/token#"}, "host"),
    ("backslash[C35]", {"host": "https://idp.example\\@evil.example/token"}, "host"),
    ("space[C35]", {"host": "https://idp.example/to ken"}, "host"),
    ("tab[C35]", {"host": "https://idp.example/\ttoken"}, "host"),
    ("CRLF[C35]", {"host": "https://idp.example/token\r\nX: y"}, "host"),
    ("base-url-backslash[C35]", {"base_url": "https://api.example\\x"}, "base_url"),
    ("base-url-userinfo[C35]", {"base_url": "https://u:hidden-pw@api.example"}, "base_url"),
    ("base-url-query", {"base_url": "https://api.example?a=1"}, "base_url"),
    ("port-0[C36]", {"port": 0}, "port"),
    ("port-65536[C36]", {"port": 65536}, "port"),
    ("port-negative[C36]", {"port": -1}, "port"),
    ("port-contradicts[C36]", {"host": "https://idp.example:8443/token", "port": 9443}, "port"),
    ("port-in-url-0[C36]", {"host": "https://idp.example:0/token"}, "host"),
    ("port-in-url-65536[C36]", {"host": "https://idp.example:65536/token"}, "host"),
    ("zone[C39]", {"host": "https://[fe80::1%25eth0]/token"}, "host"),
    ("link-local[C39][C40]", {"host": "https://169.254.169.254/token"}, "host"),
    ("link-local-6[C39]", {"host": "https://[fe80::1]/token"}, "host"),
    ("metadata-6[C40]", {"host": "https://[fd00:ec2::254]/token"}, "host"),
    ("unspecified[C40]", {"host": "https://0.0.0.0/token"}, "host"),
    ("api-metadata[C40]", {"base_url": "https://169.254.169.254/"}, "base_url"),
    ("unverified[C45]", {"verify_tls": False}, "verify_tls"),
    ("unverified-text[C45]", {"verify_tls": "false"}, "verify_tls"),
    ("RSA-1024[C49]", {**KEY_METHOD, "private_key": WEAK_RSA}, "private_key"),
    ("P-192[C49]", {**KEY_METHOD, "private_key": P192_KEY}, "private_key"),
    ("secp256k1[C49]", {**KEY_METHOD, "private_key": K1_KEY}, "private_key"),
    ("alg-none[C50]", {**KEY_METHOD, "private_key": EC_KEY, "jwt_algorithm": "none"}, "jwt_algorithm"),
    ("RS256-with-EC[C50]", {**KEY_METHOD, "private_key": EC_KEY, "jwt_algorithm": "RS256"}, "jwt_algorithm"),
    (
        "ES384-with-P-256[C50]",
        {**KEY_METHOD, "private_key": EC_KEY, "jwt_algorithm": "ES384"},
        "jwt_algorithm",
    ),
    (
        "HS384-40-bytes[C50]",
        {"auth_method": "client_secret_jwt", "password": "s" * 40, "jwt_algorithm": "HS384"},
        "password",
    ),
    (
        "HS512-63-bytes[C50]",
        {"auth_method": "client_secret_jwt", "password": "s" * 63, "jwt_algorithm": "HS512"},
        "password",
    ),
    ("key-as-secret[C50]", {"auth_method": "client_secret_jwt", "password": EC_KEY}, "password"),
    ("HS256-16-bytes[C50]", {"auth_method": "client_secret_jwt", "password": "0123456789abcdef"}, "password"),
    (
        "RS256-with-secret[C50]",
        {"auth_method": "client_secret_jwt", "jwt_algorithm": "RS256"},
        "jwt_algorithm",
    ),
    ("no-key", KEY_METHOD, "private_key"),
    ("broken-PEM", {**KEY_METHOD, "private_key": EC_KEY[:80] + "\n-----END PRIVATE KEY-----"}, "private_key"),
    ("broken-Base64", {**KEY_METHOD, "private_key": "!!!"}, "private_key"),
    ("no-passphrase", {**KEY_METHOD, "private_key": LOCKED}, "private_key_passphrase"),
    (
        "wrong-passphrase",
        {**KEY_METHOD, "private_key": LOCKED, "private_key_passphrase": "hidden-pw"},
        "private_key",
    ),
    (
        "public-JWK",
        {**KEY_METHOD, "private_key": '{"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}'},
        "private_key",
    ),
    ("jwk-in-clear[C51]", {**KEY_METHOD, "jwk": {"kty": "EC", "d": "hidden-pw"}}, "jwk"),
    ("signing-key-in-clear[C51]", {"signing_key": "hidden-pw"}, "signing_key"),
    ("client-secret-in-extra[C51]", {"client_secret": "hidden-pw"}, "client_secret"),
    ("resource-relative[C55]", {"resource": ["/orders"]}, "resource"),
    ("resource-fragment[C55]", {"resource": "https://api.example/#x"}, "resource"),
    *(
        (f"reserved-{field}-{name}[C57]", {field: [f"{name}=hidden-pw"]}, field)
        for field in ("post_params", "query_params")
        for name in ("grant_type", "client_id", "client_secret", "scope", "client_assertion", "Client_Id")
    ),
    ("reserved-secret-param[C57]", {"secret_params": "client_assertion_type=hidden-pw"}, "secret_params"),
    ("secret-in-url[C57]", {"host": "https://idp.example/token?client_secret=hidden-pw"}, "host"),
    ("param-twice", {"audience": "a", "post_params": ["audience=b"]}, "post_params"),
    ("param-in-both", {"post_params": ["a=1"], "secret_params": "a=hidden-pw"}, "secret_params"),
    ("query-twice", {"host": "https://idp.example/token?a=1", "query_params": ["a=2"]}, "query_params"),
    ("header-CRLF[C60]", {"request_headers": {"X-A": "b\r\nX-C: hidden-pw"}}, "request_headers"),
    ("api-header-CRLF[C60]", {"api_headers": {"X-A": "b\nX-C: d"}}, "api_headers"),
    ("header-name[C60]", {"request_headers": ["X A=b"]}, "request_headers"),
    ("secret-header-LF[C60]", {"secret_headers": '{"X-A": "hidden-pw\\n"}'}, "secret_headers"),
    *(
        (f"header-{name}", {"request_headers": [f"{name}=x"]}, "request_headers")
        for name in ("Authorization", "host", "Content-Length", "Cookie", "DPoP")
    ),
    ("api-authorization", {"api_headers": ["authorization=Bearer hidden-pw"]}, "api_headers"),
    *(
        (f"{field}-begins-with-{name}[F61]", {field: {"X-A": f"{blank}hidden-pw"}}, field)
        for field in ("request_headers", "api_headers", "secret_headers")
        for name, blank in [("no-break-space", "\xa0"), ("next-line", "\x85")]
    ),
    *(
        (f"{field}-beyond-Latin-1[F61]", {field: {"X-A": "hidden-pw\u20ac"}}, field)
        for field in ("request_headers", "api_headers", "secret_headers")
    ),
    ("scope-list-of-numbers[F72]", {"scope": [1]}, "scope"),
    ("scope-object[F72]", {"scope": {"read": True}}, "scope"),
    ("scope-quote", {"scope": 'a "b"'}, "scope"),
    ("scope-umlaut", {"scope": "lesen schreiben-ü"}, "scope"),
    ("claims-reserved", {"jwt_claims": ["aud=x"]}, "jwt_claims"),
    ("claims-NaN[F65]", {"extra": '{"jwt_claims": {"a": NaN}}'}, "jwt_claims"),
    ("claims-Infinity[F65]", {"extra": '{"jwt_claims": {"a": [-Infinity]}}'}, "jwt_claims"),
    ("claims-1e400[F65]", {"extra": '{"jwt_claims": {"a": 1e400}}'}, "jwt_claims"),
    ("claims-33-deep[F65]", {"jwt_claims": {"a": deep(33)}}, "jwt_claims"),
    ("claims-900-deep[F65]", {"extra": f'{{"jwt_claims": {{"a": {"[" * 900 + "]" * 900}}}}}'}, "jwt_claims"),
    ("claims-5000-digits[F65]", {"jwt_claims": '{"a": ' + "9" * 5000 + "}"}, "jwt_claims"),
    ("param-NaN[F65]", {"extra": '{"post_params": {"a": NaN}}'}, "post_params"),
    ("param-Infinity[F65]", {"extra": '{"post_params": {"a": Infinity}}'}, "post_params"),
    ("claims-broken", {"jwt_claims": '{"a": '}, "jwt_claims"),
    ("audience-elsewhere", {"jwt_audience": "https://other.example/token"}, "jwt_audience"),
    *(
        (
            f"audience-{name}[F25]",
            {"auth_method": "client_secret_jwt", "jwt_audience": audience},
            "jwt_audience",
        )
        for name, audience in [
            ("other-host", "https://sts.example"),
            ("without-scheme", "sts.example"),
            ("without-scheme-port", "sts:8443"),
            ("urn", "urn:example:server"),
            ("api", "api://AzureADTokenExchange"),
            ("word", "my-audience"),
            ("userinfo", "https://idp.example@sts.example"),
            ("broken-host", "https://[::1/token"),
            ("no-host", "https:///token"),
        ]
    ),
    ("pairs-without-name", {"post_params": ["=x"]}, "post_params"),
    ("pairs-without-equals", {"post_params": ["hidden-pw"]}, "post_params"),
    ("pairs-nested", {"post_params": {"a": {"b": 1}}}, "post_params"),
    ("list-of-lists", {"resource": [["x"]]}, "resource"),
    ("boolean", {"include_scope": "perhaps"}, "include_scope"),
    ("status-text", {"refresh_on_status": ["teapot"]}, "refresh_on_status"),
    ("status-503", {"refresh_on_status": ["503"]}, "refresh_on_status"),
    ("probe-without-base", {"probe_path": "/health"}, "probe_path"),
    ("probe-absolute", {"base_url": "https://api.example", "probe_path": "https://x.example/"}, "probe_path"),
    ("probe-host", {"base_url": "https://api.example", "probe_path": "//x.example/"}, "probe_path"),
    ("ca-garbage", {"ca_certificates": "not a certificate"}, "ca_certificates"),
    ("proxy-not-listed", {"proxy_url": "http://user:hidden-pw@proxy.example:3128"}, "proxy_url"),
    ("proxy-malformed", {"proxy_url": "proxy.example"}, "proxy_url"),
    ("custom-unnamed", {"auth_method": "custom"}, "custom_provider"),
    ("custom-not-listed", {"auth_method": "custom", "custom_provider": "os.system"}, "custom_provider"),
]


@pytest.mark.parametrize("changes, field", [pytest.param(row[1], row[2], id=row[0]) for row in ROWS])
def test_refused_by_name_and_without_the_value(changes: dict[str, Any], field: str) -> None:
    given = connection(**changes)
    with pytest.raises(ConfigurationError) as caught:
        resolve(given, Policy())
    error = caught.value
    assert (error.conn_id, error.field) == ("my_api", field)
    assert not error.retryable
    texts = f"{error} {error!r} {error.args} {pickle.dumps(error)!r} {error.__cause__!r}"
    assert '"my_api"' in str(error)
    for hidden in (SECRET, "hidden-pw", given.password, EC_KEY.splitlines()[1]):
        assert not hidden or len(hidden) < 4 or hidden not in texts
    assert error.__context__ is error.__cause__ is None, "they would hold what was given"
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.field, copy.conn_id) == (str(error), field, "my_api")


@pytest.mark.parametrize(
    "policy, changes, field",
    [
        pytest.param({"token_hosts": ("idp.corp",)}, {}, "host", id="not-listed[C41]"),
        pytest.param(
            {"token_hosts": ("*.example",)}, {"host": "https://evilexample/t"}, "host", id="no-dot[C42]"
        ),
        pytest.param(
            {"token_hosts": ("*.example",)}, {"host": "https://example.attacker/t"}, "host", id="prefix[C42]"
        ),
        pytest.param(
            {"token_hosts": ("*.example",)}, {"host": "https://example/t"}, "host", id="itself[C42]"
        ),
        pytest.param(
            {"token_hosts": ("idp.example:8443",)}, {"host": "https://idp.example/t"}, "host", id="port[C41]"
        ),
        pytest.param(
            {"api_hosts": ("api.example",)}, {"base_url": "https://other.example"}, "base_url", id="api-host"
        ),
        pytest.param(
            {"api_hosts": ("api.example",)},
            {"base_url": "https://api.example", "allowed_origins": "https://other.example"},
            "allowed_origins",
            id="api-origin",
        ),
        pytest.param(
            {"proxies": ("proxy.example",)},
            {"proxy_url": "http://other.example:3128"},
            "proxy_url",
            id="proxy",
        ),
        pytest.param(
            {"custom_providers": {"corp": "no.such.module"}},
            {"auth_method": "custom", "custom_provider": "corp"},
            "custom_provider",
            id="custom-cannot-be-imported",
        ),
        pytest.param(
            {"token_hosts": ("idp.example",)},
            {"jwt_audience": "https://other.example"},
            "jwt_audience",
            id="audience-not-listed",
        ),
        pytest.param(
            {"token_hosts": ("idp.example",)},
            {"jwt_audience": "sts.example"},
            "jwt_audience",
            id="audience-without-scheme-not-listed[F25]",
        ),
    ],
)
def test_refused_by_the_deployment(
    policy: dict[str, Any], changes: dict[str, Any], field: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(connection(**changes), Policy(**policy))
    assert (caught.value.conn_id, caught.value.field) == ("my_api", field)
    assert SECRET not in caplog.text
    if field == "host":
        assert "allowed_token_hosts" in caplog.text, "left in the log for whoever audits it"


def test_a_proxy_and_a_private_authority_exclude_each_other() -> None:
    from tests.support.servers.certificates import authority

    given = connection(proxy_url="http://proxy.example:3128", ca_certificates=authority().certificate)
    with pytest.raises(ConfigurationError, match="together"):
        resolve(given, Policy(proxies=("proxy.example",)))


def test_pkcs12_with_a_wrong_passphrase() -> None:
    from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    data = serialize_key_and_certificates(
        b"name", key, None, None, serialization.BestAvailableEncryption(b"right")
    )
    given = connection(
        **KEY_METHOD, private_key=base64.b64encode(data).decode(), private_key_passphrase="hidden-pw"
    )
    with pytest.raises(ConfigurationError, match="passphrase") as caught:
        resolve(given, Policy())
    assert "hidden-pw" not in str(caught.value)
