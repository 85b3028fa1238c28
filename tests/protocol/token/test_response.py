"""Every way in which a response can be right, odd or wrong (RFC 6749 §5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    InvalidClientError,
    TokenEndpointError,
    TokenResponseError,
)
from airflow_oauth_provider.protocol.access_token import (
    LONGEST_LIFETIME,
    AccessToken,
    TokenState,
    scopes_text,
)
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import InstancePlace, ProofSettings, ResponseSettings
from airflow_oauth_provider.protocol.token.response import (
    Granted,
    check_custom_token,
    read_token_response,
    success_statuses,
)
from airflow_oauth_provider.protocol.urls import Origin
from tests.support.builders import NOW, SECRET, http_response, settings, token_response

TOKEN = b'{"access_token":"tok-1","token_type":"Bearer"'


NO_TOKENS: list[tuple[str, Any]] = [
    ("null", None),
    ("number", 7),
    ("object", {}),
    ("list", ["tok-1"]),
    ("bool", True),
    ("empty", ""),
]


def read(given: HttpResponse, **changes: Any) -> Granted:
    return read_token_response(settings(**changes), given, requested_at=NOW)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(http_response({"token_type": "Bearer"}), id="missing[T01]"),
        *(pytest.param(token_response(access_token=value), id=f"{name}[T02]") for name, value in NO_TOKENS),
        *(
            pytest.param(token_response(access_token=f"abc{character}def"), id=f"{name}[T04]")
            for name, character in [("CR", "\r"), ("LF", "\n"), ("NUL", "\0"), ("tab", "\t")]
        ),
        *(
            pytest.param(token_response(access_token=f"abc{character}def"), id=f"{name}[T06]")
            for name, character in [("space", " "), ("quote", '"'), ("backslash", "\\"), ("umlaut", "ü")]
        ),
        *(
            pytest.param(token_response(token_type=value), id=f"type-{value or 'empty'}[T11]")
            for value in ("MAC", "N_A", "pop", "")
        ),
        pytest.param(token_response(token_type=["Bearer"]), id="type-list[T12]"),
        pytest.param(token_response(token_type=None), id="type-null[T12]"),
        pytest.param(token_response(token_type="DPoP"), id="type-DPoP[T14]"),
        pytest.param(token_response(expires_in=-1), id="negative[T19]"),
        *(
            pytest.param(token_response(expires_in=value), id=f"expires-{name}[T20]")
            for name, value in [
                ("true", True),
                ("false", False),
                ("1h", "1h"),
                ("arabic", "٣٦٠٠"),
                ("underscore", "3_600"),
                ("spaces", " 60 "),
                ("list", [60]),
                ("minus", "-60"),
            ]
        ),
        *(
            pytest.param(token_response(scope=value), id=f"scope-{name}[T27][F72]")
            for name, value in [
                ("number-in-list", ["read", 7]),
                ("object", {"read": True}),
                ("number", 7),
                ("quote", 'a "b'),
                ("line", "a\nb"),
                ("umlaut", "ä"),
            ]
        ),
        *(
            pytest.param(token_response(expires_in=value), id=f"expires-{value}[F72]")
            for value in ("3599.5.1", ".", "3599,5", "1e3", "+60", "-0.5")
        ),
        pytest.param(token_response(expires_in=-(10**400)), id="negative-401-digits[F12]"),
        pytest.param(token_response(access_token="a" * (16 * 1024 + 1)), id="more-than-16-KiB[F28][T08]"),
        pytest.param(token_response(access_token=SECRET), id="is-the-secret[T32]"),
        pytest.param(token_response(access_token="my-client"), id="is-the-client-id[T32]"),
        pytest.param(http_response(b"<html>sign in</html>", content_type="text/html"), id="html[H33]"),
        pytest.param(http_response(b""), id="nothing"),
        pytest.param(http_response(b'{"access_token":"tok-1","token_ty'), id="truncated[H47][N05]"),
        *(
            pytest.param(http_response(body), id=f"{name}[H49]")
            for name, body in [("list", b"[]"), ("string", b'"x"'), ("null", b"null"), ("number", b"7")]
        ),
        pytest.param(http_response(TOKEN + b',"access_token":"tok-2"}'), id="duplicate[H50]"),
        pytest.param(http_response(TOKEN + b',"x":NaN}'), id="NaN[H51]"),
        pytest.param(http_response(TOKEN + b',"x":-Infinity}'), id="Infinity[H51]"),
        pytest.param(http_response(TOKEN + b',"expires_in":1e400}'), id="overflow[H51]"),
        pytest.param(
            http_response(TOKEN + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), id="100000-deep[H52]"
        ),
        pytest.param(http_response(TOKEN + b',"x":' + b"[" * 33 + b"]" * 33 + b"}"), id="34-deep[H52]"),
        pytest.param(http_response(TOKEN + b',"x":' + b"9" * 5000 + b"}"), id="5000-digits[H53]"),
        pytest.param(http_response((TOKEN + b"}").decode().encode("utf-16")), id="utf-16[H55]"),
        pytest.param(http_response((TOKEN + b"}").decode().encode("utf-32")), id="utf-32[H55]"),
        pytest.param(
            http_response(TOKEN + b',"x":"\xe9"}', content_type="application/json; charset=iso-8859-1"),
            id="latin-1[H56]",
        ),
        pytest.param(
            http_response(b'{"access_token":"a\\ud800b","token_type":"Bearer"}'), id="surrogate[H57]"
        ),
        pytest.param(
            http_response(b'{"access_token":"a\\u0000b","token_type":"Bearer"}'), id="NUL-escape[H57]"
        ),
        pytest.param(http_response(TOKEN + b"}", content_encoding="gzip"), id="gzip[H40][H42]"),
    ],
)
def test_no_token(given: HttpResponse) -> None:
    with pytest.raises(TokenResponseError) as caught:
        read(given)
    assert not caught.value.retryable
    text = str(caught.value)
    assert "tok-1" not in text
    assert SECRET not in text
    assert "abc" not in text
    assert "sign in" not in text


@pytest.mark.parametrize(
    "members, lifetime",
    [
        pytest.param({"expires_in": "3600"}, 3600, id="text[T15]"),
        pytest.param({"expires_in": 3600.0}, 3600, id="float[T16]"),
        pytest.param({"expires_in": 3599.7}, 3599, id="fraction[T16]"),
        pytest.param({"expires_in": None}, 300, id="null[T17]"),
        pytest.param({"expires_in": 10**9}, 86400, id="capped"),
        pytest.param({"expires_in": 0}, 0, id="zero[T18]"),
        pytest.param({"expires_in": 10**400}, 86400, id="401-digits[F12]"),
        pytest.param({"expires_in": "9" * 5000}, 86400, id="text-of-5000-digits[F12]"),
        pytest.param({"expires_in": "0" * 5000 + "60"}, 60, id="leading-zeros[F12]"),
        pytest.param({"expires_in": "1234567890123"}, 86400, id="text-of-13-digits[F72]"),
        pytest.param({"expires_in": "3599.5"}, 3599, id="decimal-text[F72]"),
        pytest.param({"expires_in": "3599."}, 3599, id="decimal-point[F72]"),
        pytest.param({"expires_in": ""}, 300, id="empty[F72]"),
    ],
)
def test_lifetimes(members: dict[str, Any], lifetime: float) -> None:
    token = read(token_response(**members)).token
    assert token.expires_at == NOW + lifetime, "counted from before the request"


@pytest.mark.fault("T17")
def test_a_missing_lifetime_is_noted() -> None:
    granted = read(http_response({"access_token": "tok-1", "token_type": "bearer"}))
    assert granted.token.lifetime == 300
    assert "expires_in" in granted.remarks[0]


@pytest.mark.fault("T18")
def test_a_lifetime_of_zero_is_never_kept() -> None:
    assert read(token_response(expires_in=0)).token.state(NOW) is TokenState.EXPIRED


@pytest.mark.fault("T22")
def test_a_short_life_has_a_short_margin() -> None:
    token = read(token_response(expires_in=5)).token
    assert token.mandatory_at == NOW + 4.5


@pytest.mark.parametrize(
    "members, content_type, word",
    [
        pytest.param({"access_token": "a!b,c"}, "application/json", "RFC 6750", id="odd-characters[T06]"),
        pytest.param({"access_token": "a" * 16384}, "application/json", "16384", id="16-KiB[T07]"),
        pytest.param({}, "text/plain", "Content-Type", id="wrong-type[H34]"),
        pytest.param({}, "", "Content-Type", id="no-type[H34]"),
    ],
)
def test_accepted_with_a_warning(members: dict[str, Any], content_type: str, word: str) -> None:
    body = {"access_token": "tok-1", "token_type": "Bearer", "expires_in": 60, **members}
    granted = read(http_response(body, content_type=content_type))
    assert len(granted.warnings) == 1
    assert word in granted.warnings[0]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(http_response(b"\xef\xbb\xbf" + TOKEN + b"}"), id="BOM[H54]"),
        pytest.param(
            token_response(**{f"m{number}": number for number in range(500)}), id="500-members[T31]"
        ),
        pytest.param(token_response(id_token="x.y.z"), id="id_token[T33]"),
        pytest.param(token_response(refresh_token="refresh-value"), id="refresh_token"),
        pytest.param(token_response(token_type="bearer"), id="lower-case"),
        pytest.param(token_response(token_type="BEARER"), id="upper-case"),
        pytest.param(token_response(token_type="BearerToken"), id="Apigee[F72]"),
        pytest.param(token_response(error="", error_description=""), id="empty-error[F72]"),
        pytest.param(token_response(error=None), id="null-error[F72]"),
        pytest.param(http_response(TOKEN + b',"x":' + b"[" * 31 + b"]" * 31 + b"}"), id="32-deep"),
    ],
)
def test_accepted(given: HttpResponse) -> None:
    granted = read(given)
    assert granted.token.value == "tok-1"
    assert granted.token.token_type == "Bearer"
    assert granted.warnings == ()


READ_AND_WRITE: dict[str, Any] = {"request": {"scope": ("read", "write")}}


class TestScope:
    """What was granted, against what was wanted."""

    @pytest.mark.fault("F73")
    def test_missing_means_as_requested(self) -> None:
        granted = read(token_response(), **READ_AND_WRITE)
        assert granted.token.scopes == {"read", "write"}
        assert not granted.token.scopes_stated
        assert scopes_text(granted.token) == "read write (as asked; the server did not say)"
        assert granted.remarks == (), "the log line has it"

    @pytest.mark.fault("F73")
    def test_named_scopes_are_what_the_server_says(self) -> None:
        granted = read(token_response(scope="read write"), **READ_AND_WRITE)
        assert granted.token.scopes_stated
        assert scopes_text(granted.token) == "read write"
        assert granted.remarks == ()

    @pytest.mark.fault("F73")
    def test_nothing_asked_and_nothing_said(self) -> None:
        granted = read(token_response())
        assert (granted.remarks, scopes_text(granted.token)) == ((), "")

    @pytest.mark.parametrize("value", [["read", "write"], ["read write"], "read  write "])
    @pytest.mark.fault("F72")
    def test_a_list_of_scopes(self, value: Any) -> None:
        assert read(token_response(scope=value), **READ_AND_WRITE).token.scopes == {"read", "write"}

    @pytest.mark.fault("F28")
    def test_thirty_thousand_scopes_are_cut_where_they_are_shown(self) -> None:
        many = [f"scope-{number}" for number in range(30_000)]
        granted = read(token_response(scope="other"), request={"scope": tuple(many)})
        assert len(granted.remarks[0]) < 2200
        granted = read(token_response(scope=many))
        assert len(granted.token.scopes) == 30_000
        assert len(scopes_text(granted.token)) == 2048

    @pytest.mark.fault("T25")
    def test_narrower_is_recorded_and_reported(self) -> None:
        granted = read(token_response(scope="read"), **READ_AND_WRITE)
        assert granted.token.scopes == {"read"}
        assert "write" in granted.remarks[0]

    @pytest.mark.fault("T25")
    def test_require_scopes_makes_it_an_error(self) -> None:
        with pytest.raises(InsufficientScopeError) as caught:
            read(token_response(scope="read"), **READ_AND_WRITE, api={"require_scopes": ("read", "write")})
        assert caught.value.scope == "write"
        assert not caught.value.retryable

    @pytest.mark.timeout(30)
    @pytest.mark.parametrize("token", ["a" * 16_000 + "b", ("a" * 11 + "b") * 1300], ids=["run", "pattern"])
    def test_a_scope_as_long_as_a_response_is_read_at_once(self, token: str) -> None:
        """To search a token for each part of it would take minutes, with the interpreter's lock held."""
        names = [f"{'a' * 11}{number}c" for number in range(15_000)]
        granted = read(token_response(access_token=token, scope=names)).token
        assert granted.scopes == frozenset(names)
        repeated = read(token_response(access_token=token, scope=[*names, token[-20:]])).token
        assert repeated.scopes == {*names, "***"}

    @pytest.mark.parametrize("names", [[], [f"scope-{number}" for number in range(100)]], ids=len)
    @pytest.mark.parametrize(
        ("token", "repeated"),
        [("a-token-of-23-characters", "x-token-of-23-cx"), ("short-one", "a-short-one-here")],
        ids=["part", "whole"],
    )
    def test_a_scope_that_repeats_the_token_is_not_shown(
        self, token: str, repeated: str, names: list[str]
    ) -> None:
        granted = read(token_response(access_token=token, scope=[*names, repeated, token[:6]])).token
        assert granted.scopes == {*names, token[:6], "***"}

    @pytest.mark.parametrize("names", [[], [f"scope-{number}" for number in range(100)]], ids=len)
    def test_a_scope_that_repeats_the_secret_is_not_shown(self, names: list[str]) -> None:
        assert read(token_response(scope=[*names, f"of-{SECRET}"])).token.scopes == {*names, "***"}

    def test_of_what_a_request_proves_by_the_assertion_of_a_file_alone_stays_secret(self) -> None:
        """All else is good for that request only, and the Basic value of a public id is no secret."""
        proof = "what-the-request-proves-by"
        file = AssertionFile("/run/tokens/idp", "jwt-bearer", "/run/tokens", Secret(proof))
        for given, scopes in ((settings(), {proof}), (settings(assertion_file=file), {"***"})):
            response = token_response(scope=proof)
            granted = read_token_response(given, response, requested_at=NOW, redactor=Redactor([proof]))
            assert granted.token.scopes == scopes

    @pytest.mark.parametrize("value", ["", "  ", []])
    def test_none_at_all(self, value: Any) -> None:
        token = read(token_response(scope=value), **READ_AND_WRITE).token
        assert (token.scopes, token.scopes_stated) == (frozenset(), True)

    def test_wider_is_fine(self) -> None:
        assert read(token_response(scope="read write admin"), **READ_AND_WRITE).remarks == ()


class TestErrorIn200:
    """A 200 with ``error`` is that error, whatever else it holds."""

    @pytest.mark.parametrize(
        "members, kind",
        [
            pytest.param({"error": "invalid_client"}, InvalidClientError, id="beside-token[H37]"),
            pytest.param({"error": "invalid_scope"}, TokenEndpointError, id="other[H37]"),
            pytest.param({"error": {"a": 1}}, TokenEndpointError, id="object[H37]"),
        ],
    )
    def test_the_error_wins(self, members: dict[str, Any], kind: type[Exception]) -> None:
        with pytest.raises(kind) as caught:
            read(token_response(**members))
        assert isinstance(caught.value, TokenEndpointError)
        assert caught.value.status == 200
        assert "tok-1" not in json.dumps([str(caught.value), caught.value.description])


@pytest.mark.parametrize(
    ("proof", "advised"),
    [(ProofSettings(), True), (ProofSettings(enabled=True), False)],
    ids=["Bearer", "DPoP"],
)
def test_a_token_without_a_type_may_be_tolerated_unless_it_must_be_bound(
    proof: ProofSettings, advised: bool
) -> None:
    with pytest.raises(TokenResponseError) as caught:
        read(token_response(token_type=None), proof=proof)
    assert ("untyped" in (caught.value.advice or "")) is advised


@pytest.mark.fault("F71")
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_answer_is_called_empty(body: bytes) -> None:
    with pytest.raises(TokenResponseError, match="the body is empty"):
        read(http_response(body))


@pytest.mark.fault("F28")
def test_a_long_content_type_is_not_repeated() -> None:
    with pytest.raises(TokenResponseError) as caught:
        read(http_response(b"<html>", content_type=f"text/{'x' * 60_000}"))
    assert len(str(caught.value)) < 300


@pytest.mark.fault("F27")
def test_the_error_of_the_parser_is_not_carried_along() -> None:
    with pytest.raises(TokenResponseError) as caught:
        read(http_response(TOKEN + b', "x": nul}'))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.fault("T23")
def test_a_jwt_is_opaque() -> None:
    jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2ln"
    assert read(token_response(access_token=jwt)).token.state(NOW) is TokenState.FRESH


NESTED = ResponseSettings(
    members=(
        ("access_token", ("data", 0, "key")),
        ("expires_at", ("data", 0, "until")),
        ("scope", ("data", 0, "rights")),
    ),
    tolerates=("untyped",),
)


def test_members_that_stand_elsewhere() -> None:
    until = "2023-11-14T22:23:20Z"  # ten minutes after NOW
    response = http_response({"data": [{"key": "tok-7", "until": until, "rights": ["read", "write"]}]})
    token = read(response, response=NESTED).token
    assert (token.value, token.token_type, token.lifetime) == ("tok-7", "Bearer", 600)
    assert token.scopes == {"read", "write"}


def test_an_end_is_counted_on_the_servers_own_clock() -> None:
    body = {"data": [{"key": "tok-7", "until": "2023-11-14T23:23:20Z"}]}
    response = http_response(body, date="Tue, 14 Nov 2023 23:13:20 GMT")  # an hour ahead of ours
    assert read(response, response=NESTED).token.lifetime == 600


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param({"access_token": "tok-1"}, "access_token is missing", id="at-its-usual-place"),
        pytest.param({"data": [{"key": 7}]}, "no string", id="a-number"),
        pytest.param({"data": [{"key": {"a": "b"}}]}, "no string", id="an-object"),
        pytest.param({"data": {"key": "tok-1"}}, "access_token is missing", id="an-object-for-an-array"),
        pytest.param({"data": [{"key": "tok 1"}]}, "cannot stand in a header", id="a-space"),
        pytest.param({"data": [{"key": SECRET}]}, "repeats", id="the-secret"),
        pytest.param({"data": [{"key": "t"}], "token_type": "MAC"}, "not Bearer", id="another-type"),
    ],
)
def test_members_that_stand_elsewhere_are_read_as_strictly(body: Any, reason: str) -> None:
    with pytest.raises(TokenResponseError, match=reason):
        read(http_response(body), response=NESTED)


def test_a_json_response_that_is_nested_too_deeply_is_none_wherever_the_token_is() -> None:
    deep = b'{"data":[{"key":"tok-1"}],"x":' + b"[" * 40 + b"]" * 40 + b"}"
    with pytest.raises(TokenResponseError, match="levels deep"):
        read(http_response(deep), response=NESTED)


def test_a_missing_type_is_tolerated_by_name_only() -> None:
    untyped = http_response({"access_token": "tok-1"})
    with pytest.raises(TokenResponseError, match="token_type is missing"):
        read(untyped, response=ResponseSettings(tolerates=("created",)))
    assert read(untyped, response=ResponseSettings(tolerates=("untyped",))).token.token_type == "Bearer"


@pytest.mark.parametrize("more", [{}, {"token_type": None}], ids=["absent", "null"])
def test_the_tolerance_of_a_missing_type_is_named(more: dict[str, Any]) -> None:
    with pytest.raises(TokenResponseError) as caught:
        read(http_response({"access_token": "tok-1", **more}))
    assert "list untyped in the field tolerate" in (caught.value.advice or "")
    with pytest.raises(TokenResponseError) as caught:
        read(token_response(token_type=["Bearer"]))
    assert "tolerate" not in (caught.value.advice or "")


def test_a_missing_type_says_of_no_token_that_it_is_bound() -> None:
    rules, proof = ResponseSettings(tolerates=("untyped",)), ProofSettings(enabled=True)
    with pytest.raises(TokenResponseError, match="token_type is missing"):
        read(http_response({"access_token": "tok-1"}), response=rules, proof=proof)


def instance(text: object, **api: Any) -> Granted:
    given = {"instance": InstancePlace("/v1"), "origins": (Origin("https", "acme.api.example", 443),), **api}
    rules = ResponseSettings(names_instance=True)
    return read(token_response(instance_url=text), response=rules, api=given)


def test_an_api_that_the_response_names() -> None:
    token = instance("https://ACME.api.example:443/").token
    assert isinstance(token, PrivateToken)
    assert token.instance_url == "https://acme.api.example"
    assert "tok-1" not in repr(token)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(None, "is missing", id="missing"),
        pytest.param("", "is missing", id="empty"),
        pytest.param(["https://acme.api.example"], "is missing", id="list"),
        pytest.param("https://" + "a" * 500, "is missing", id="long"),
        pytest.param("acme.api.example", "https:// URL", id="no-scheme"),
        pytest.param("http://acme.api.example", "must be https", id="http"),
        pytest.param("https://user@acme.api.example", "user name", id="userinfo"),
        pytest.param("https://acme.api.example?x=1", "query", id="query"),
        pytest.param("https://acme.api.example#x", "fragment", id="fragment"),
        pytest.param("https://acme.api.example/v2", "has a path", id="path"),
        pytest.param("https://evil.example", "allowed_origins does not list", id="another-host"),
        pytest.param("https://acme.api.example:8443", "does not list", id="another-port"),
        pytest.param("https://acme.api.example\\@evil.example", "backslash", id="backslash"),
    ],
)
def test_an_api_that_nobody_has_approved(text: object, reason: str) -> None:
    with pytest.raises(TokenResponseError, match=f"instance_url .*{reason}") as caught:
        instance(text)
    assert not caught.value.retryable
    assert "tok-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "approved"),
    [
        ("acme.my.api.example", True),
        ("acme.sandbox.my.api.example", True),
        ("my.api.example", False),
        ("acme.api.example", False),
        ("evilmy.api.example", False),
    ],
)
def test_a_pattern_approves_what_is_below_it(host: str, approved: bool) -> None:
    api: dict[str, Any] = {"origins": (), "instance": InstancePlace("/", ("*.my.api.example",))}
    try:
        token = instance(f"https://{host}", **api).token
    except TokenResponseError:
        assert not approved
    else:
        assert (approved, token.value) == (True, "tok-1")


def test_the_deployments_list_decides_where_there_is_one() -> None:
    api: dict[str, Any] = {"origins": (), "instance": InstancePlace("/", ("*.other.example",))}
    assert instance("https://acme.api.example", **api, listed_hosts=("*.api.example",)).token.value == "tok-1"
    with pytest.raises(TokenResponseError, match="allowed_api_hosts does not list"):
        instance("https://acme.other.example", **api, listed_hosts=("*.api.example",))


def test_created_is_a_success_by_name_only() -> None:
    assert success_statuses(settings()) == {200}
    assert success_statuses(settings(response=ResponseSettings(tolerates=("created",)))) == {200, 201}


NO_TIMES: list[Any] = [None, "5000", True, -1, float("nan"), []]


class TestCustomToken:
    """What a provider of the deployment's returns: Python that nobody has checked."""

    def checked(self, **changes: Any) -> AccessToken:
        given: dict[str, Any] = {
            "value": "tok",
            "token_type": "Bearer",
            "expires_at": NOW + 60,
            "issued_at": NOW,
        }
        return check_custom_token(settings(), AccessToken(**{**given, **changes}))

    @pytest.mark.fault("F12")
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("value", 7),
            ("value", "tok 1"),
            ("token_type", "DPoP"),
            *(("expires_at", value) for value in NO_TIMES),
            *(("issued_at", value) for value in NO_TIMES),
            ("issued_at", float("inf")),
            pytest.param("issued_at", 10**400, id="401-digits"),
            ("scopes", None),
            ("scopes", "read write"),
            ("scopes", [1]),
            ("scopes", 7),
        ],
    )
    def test_one_that_is_none(self, name: str, value: Any) -> None:
        with pytest.raises(TokenResponseError, match="custom provider"):
            self.checked(**{name: value})

    @pytest.mark.parametrize("token", [None, "tok", {"access_token": "tok"}])
    def test_another_object(self, token: Any) -> None:
        with pytest.raises(TokenResponseError, match="must return an AccessToken"):
            check_custom_token(settings(), token)

    @pytest.mark.fault("F12")
    @pytest.mark.parametrize("end", [float("inf"), 1e300, 10**400], ids=["inf", "1e300", "401-digits"])
    def test_one_for_ever_ends_after_a_year(self, end: Any) -> None:
        assert self.checked(expires_at=end).expires_at == NOW + LONGEST_LIFETIME

    def test_one_that_ends_sooner_keeps_its_end(self) -> None:
        assert self.checked(expires_at=NOW + 7).expires_at == NOW + 7

    def test_one_without_the_required_scopes(self) -> None:
        token = AccessToken("tok", "Bearer", NOW + 60, NOW, frozenset({"read"}))
        given = settings(api={"require_scopes": ("read", "write")})
        with pytest.raises(InsufficientScopeError, match="write"):
            check_custom_token(given, token)

    def test_scopes_in_any_collection(self) -> None:
        assert self.checked(scopes=["read", "write"]).scopes == frozenset({"read", "write"})
