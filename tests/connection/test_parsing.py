"""No value of any field is more than an error that names it, wherever the connection is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import certifi
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_oauth_provider.authorizations import (
    LABELS,
    AuthorizationStatus,
    ConnectionValues,
    authorize,
    describe,
    display_sections,
)
from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS, FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import FieldError, parse
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.plugin.listing import Query, listing
from tests.support.keys import pem
from tests.support.pages import connection_page, list_page

HALF = "\ud800"
ODD: tuple[Any, ...] = (
    HALF,
    [HALF],
    [f"a={HALF}"],
    f"a={HALF}",
    {"a": HALF},
    {HALF: "a"},
    '{"a": "\\ud800"}',
    10**400,
    -(10**400),
    1e308,
    5,
    -1,
    True,
    [],
    {"a": {"b": 1}},
    [[1]],
    [None],
    "é",
    "\x00",
    "a\nb",
    "x" * 100_000,
    "9" * 400,
    "{",
    "[" * 5_000,
    "=",
    "http://[::1",
    ["http://[::1"],
    "https://a:99999",
    "https://\u0660",
    "https://xn--",
    "https://a..b",
    "%zz",
    "//",
    '{"kty": "RSA", "n": 5, "e": [], "d": null}',
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----\né\n-----END CERTIFICATE-----",
)
METHODS: tuple[dict[str, Any], ...] = (
    {},
    {"auth_method": "client_secret_jwt"},
    {"auth_method": "private_key_jwt", "password": None},
    {"auth_method": "custom", "custom_provider": "own"},
)
POLICY = Policy(custom_providers={"own": "json.loads"})
# The first certificate that certifi brings, which is ASCII.
PEM = certifi.contents()
PEM = PEM[PEM.index("-----BEGIN") : PEM.index("-----END")] + "-----END CERTIFICATE-----\n"


def connection(**changes: Any) -> ConnectionValues:
    standard: dict[str, Any] = {
        "host": "https://idp.example/token",
        "login": "me",
        "password": "a-secret-" * 5,
        "port": None,
    }
    standard |= {name: changes.pop(name) for name in (*standard, "schema", "description") if name in changes}
    return ConnectionValues("odd", "oauth2_client_credentials", extra=json.dumps(changes), **standard)


def show(given: ConnectionValues) -> AuthorizationStatus:
    """Do all that page and command line do to show a connection; return its state."""
    description = describe(given, POLICY)
    listed = listing([given], Query(sort="category"), POLICY)
    list_page(listed).encode()
    connection_page(description, display_sections(given)).encode()
    json.dumps(description.report())
    assert description.status in LABELS
    return description.status


def refusal(given: ConnectionValues) -> ConfigurationError | None:
    try:
        resolve(given, POLICY)
    except ConfigurationError as error:
        return error
    return None


@pytest.mark.parametrize("key", [entry.key for entry in FIELDS])
def test_every_field_of_the_extra(key: str) -> None:
    for method in METHODS:
        for value in ODD:
            given = connection(**{**method, key: value})
            error = refusal(given)
            assert show(given) is (AuthorizationStatus.WRONG if error else AuthorizationStatus.NOT_YET)
            if error:
                assert (error.conn_id, bool(error.field)) == ("odd", True), f"unforeseen: {error}"


@pytest.mark.parametrize("name", ["host", "login", "password", "schema", "description"])
def test_every_standard_field(name: str) -> None:
    for value in (value for value in ODD if isinstance(value, str)):
        given = connection(**{name: value})
        error = refusal(given)
        assert error is None or error.field, f"unforeseen: {error}"
        show(given)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("category", HALF),
        ("ca_certificates", f"# {HALF}\n{PEM}"),
        ("jwt_claims", {"a": [HALF]}),
        ("resource", ["http://[::1"]),
        ("max_wait", 10**400),
        ("max_retry_attempts", 10**400),
        ("jwt_lifetime", 10**400),
        ("request_timeout", 10**400),
        ("login", f"me{HALF}"),
        ("password", f"secret-secret{HALF}"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(connection(**{field: value}), POLICY)
    assert caught.value.field == field
    assert not authorize(connection(**{field: value})).ok


def test_certificates_may_have_names_with_other_letters() -> None:
    given = connection(ca_certificates=f"# Főtanúsítvány\n{PEM}# ー\n")
    assert resolve(given, POLICY).settings.network.ca_certificates


def test_what_nobody_has_foreseen_names_the_connection_and_no_value() -> None:
    class Unforeseen(ConnectionValues):
        @property
        def host(self) -> str:
            raise LookupError("the-value")

        @host.setter
        def host(self, value: str) -> None: ...

    given = object.__new__(Unforeseen)
    object.__setattr__(given, "conn_id", "odd")
    object.__setattr__(given, "extra", None)
    object.__setattr__(given, "conn_type", "oauth2_client_credentials")
    with pytest.raises(ConfigurationError) as caught:
        resolve(given, POLICY)
    assert caught.value.conn_id == "odd"
    assert "LookupError" in str(caught.value)
    assert "the-value" not in str(caught.value)


def test_a_key_whose_numbers_do_not_fit_is_found_where_it_signs_and_not_in_lists() -> None:
    """Checking them takes 30 ms a key, and a list has hundreds."""
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    given = connection(auth_method="private_key_jwt", password=None, private_key=pem(wrong))
    assert show(given) is AuthorizationStatus.NOT_YET
    error = authorize(given).error
    assert isinstance(error, ConfigurationError)
    assert error.field == "private_key"


def test_a_name_that_no_database_could_hold() -> None:
    given = replace(connection(), conn_id=f"odd{HALF}")
    assert describe(given, POLICY).status is AuthorizationStatus.WRONG
    assert describe(given, POLICY).conn_id == "odd?"


DAY = FIELDS_BY_KEY["credential_expires_on"]


def test_a_date() -> None:
    assert parse(DAY, " 2028-02-29 ") == date(2028, 2, 29)
    assert parse(DAY, "") is None


@pytest.mark.parametrize(
    "value",
    ["2027-02-30", "31.03.2027", "2027-3-1", "20270331", "2027-W10-1", "0001-01-01", 20270331, "٢٠٢٧-٠٣-٣١"],
)
def test_what_is_no_date(value: Any) -> None:
    with pytest.raises(FieldError, match="must be a date such as 2027-03-31"):
        parse(DAY, value)


class TestBounds:
    """Each bound by itself: at it, and beside it."""

    SECONDS = Field("x", "", "", "", kind=Kind.SECONDS, minimum=2.0, maximum=10.0)
    OPEN = Field("x", "", "", "", kind=Kind.SECONDS, above=2.0, maximum=10.0)
    FREE = Field("x", "", "", "", kind=Kind.SECONDS)

    @pytest.mark.parametrize(
        ("entry", "value"), [(SECONDS, 2), (SECONDS, 10), (OPEN, 2.5), (FREE, 0), (FREE, 1e9)]
    )
    def test_within(self, entry: Field, value: float) -> None:
        assert parse(entry, value) == value
        assert parse(entry, f" {value:.1f} ") == value

    @pytest.mark.parametrize(
        ("entry", "value", "says"),
        [
            (SECONDS, 1.9, "at least 2 and at most 10"),
            (SECONDS, 10.1, "at least 2 and at most 10"),
            (OPEN, 2, "more than 2 and at most 10"),
            (OPEN, 1, "more than 2"),
            (SECONDS, True, "a number of seconds"),
            (SECONDS, "5 s", "a number of seconds"),
        ],
    )
    def test_beside(self, entry: Field, value: Any, says: str) -> None:
        with pytest.raises(FieldError, match=says):
            parse(entry, value)

    @pytest.mark.parametrize(
        ("value", "meant"),
        [("Yes", True), (1, True), (" on ", True), ("no", False), (0, False), ("OFF", False)],
    )
    def test_switches(self, value: Any, meant: bool) -> None:
        assert parse(Field("x", "", "", "", kind=Kind.BOOLEAN), value) is meant

    @pytest.mark.parametrize("value", ["maybe", 2, 1.5, ["true"]])
    def test_what_is_no_switch(self, value: Any) -> None:
        with pytest.raises(FieldError, match="true or false"):
            parse(Field("x", "", "", "", kind=Kind.BOOLEAN), value)

    @pytest.mark.parametrize("value", [[], {}, "", "  ", None])
    @pytest.mark.parametrize("kind", Kind)
    def test_nothing(self, kind: Kind, value: Any) -> None:
        assert parse(Field("x", "", "", "", kind=kind), value) is None
