"""What is wrong with a connection, field by field."""

from __future__ import annotations

import copy
import json
import pickle
from itertools import combinations
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError, require_right, wrong_fields
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.keys import RSA, pem

LISTED = Policy(token_hosts=("idp.example",))


KEY = pem(RSA)
BY_KEY: dict[str, Any] = {"auth_method": "private_key_jwt", "password": None}


def values(**given: Any) -> ConnectionValues:
    columns: dict[str, Any] = {"host": "https://idp.example/token", "login": "c", "password": "s3cr3t"}
    columns |= {name: given.pop(name) for name in (*columns, "extra") if name in given}
    return ConnectionValues("x", CONNECTION_TYPE, **{"extra": json.dumps(given)} | columns)


@pytest.mark.parametrize(
    ("given", "known", "wrong"),
    [
        pytest.param({}, [], [], id="nothing"),
        pytest.param(
            {"host": "", "login": "", "password": None, "max_wait": -1, "request_timeout": 0},
            [],
            ["host", "login", "password", "max_wait", "request_timeout"],
            id="all",
        ),
        pytest.param({"host": "https://other.example"}, ["host"], ["host"], id="host-of-no-list"),
        pytest.param(
            {"password": None, "base_url": "/"}, ["base_url"], ["base_url", "password"], id="left-out"
        ),
        pytest.param(
            {"base_url": "/", "login": ""}, ["max_wait"], ["max_wait", "login", "base_url"], id="all-others"
        ),
        pytest.param(
            {"auth_method": "nonsense", "password": None}, ["auth_method"], ["auth_method"], id="no-method"
        ),
        pytest.param(
            {"auth_method": "private_key_jwt", "password": None, "max_wait": -1},
            ["max_wait"],
            ["max_wait", "private_key"],
            id="key",
        ),
        pytest.param(
            {"host": "https://{tenant}.idp.example/token"}, ["tenant"], ["tenant"], id="tenant-of-the-host"
        ),
        pytest.param(
            {"external_credential": "x", "login": "", "password": None},
            ["max_wait"],
            ["max_wait", "login", "external_credential"],
            id="credential-elsewhere",
        ),
        pytest.param({"extra": "{", "login": ""}, ["extra"], ["extra"], id="unreadable"),
    ],
)
def test_only_fields_that_are_wrong_by_themselves(
    given: dict[str, Any], known: list[str], wrong: list[str]
) -> None:
    told = wrong_fields(values(**given), LISTED, dict.fromkeys(known, "known"))
    assert told.keys() == set(wrong)
    assert [key for key, text in told.items() if text == "known"] == known
    assert all(told.values())
    assert "s3cr3t" not in str(told)


MISTAKES: list[tuple[str, dict[str, Any]]] = [
    ("host", {"host": ""}),
    ("host", {"host": "http://idp.example/token"}),
    ("host", {"host": "https://idp.example/token#x"}),
    ("host", {"host": "https://idp.example/.well-known/openid-configuration"}),
    ("login", {"login": ""}),
    ("login", {"login": "a:b", "basic_encoding": "raw"}),
    ("login", {"login": "c" * 1025}),
    ("password", {"password": None}),
    ("password", {"password": "a\nb"}),
    ("password", {"password": "***"}),
    ("password", {"auth_method": "private_key_jwt", "private_key": KEY}),
    ("password", {"auth_method": "client_secret_jwt", "password": "short"}),
    ("private_key", {"private_key": KEY}),
    ("private_key", BY_KEY),
    ("private_key", BY_KEY | {"private_key": "x"}),
    ("certificate", {"auth_method": "tls_client_auth", "password": None, "private_key": KEY}),
    (
        "jwt_algorithm",
        {"auth_method": "private_key_jwt", "password": None, "private_key": KEY, "jwt_algorithm": "ES256"},
    ),
    ("jwt_algorithm", {"jwt_algorithm": "none"}),
    ("auth_method", {"auth_method": "none"}),
    ("custom_provider", {"auth_method": "custom", "password": None}),
    ("assertion_file", {"auth_method": "workload_identity", "password": None}),
    ("external_credential", {"external_credential": "x"}),
    ("auth_method", {"profile": "fapi2", "discovery": True, "dpop": True}),
    ("profile", {"profile": "fapi3"}),
    ("discovery", {"discovery": "maybe"}),
    ("dpop", {"dpop": "maybe"}),
    ("header_name", {"dpop": True, "header_name": "X-Token"}),
    ("tenant", {"tenant": "a.b", "scope": "{tenant}/x"}),
    ("scope", {"scope": "{tenant}/x"}),
    ("scope", {"scope": '"'}),
    ("base_url", {"base_url": "/"}),
    ("base_url", {"base_url": "{instance_url}"}),
    ("allowed_origins", {"allowed_origins": ["https://*.api.example"]}),
    ("probe_path", {"probe_path": "/x"}),
    ("probe_path", {"probe_path": "//x", "base_url": "https://api.example"}),
    ("allowed_origins", {"allowed_origins": ["nonsense nonsense", "x y"]}),
    ("post_params", {"audience": "x", "post_params": ["audience=y"]}),
    ("post_params", {"post_params": ["grant_type=y"]}),
    ("query_params", {"query_params": ["client_id=y"]}),
    ("request_headers", {"request_headers": ["Host=y"]}),
    ("proxy_url", {"proxy_url": "x"}),
    ("proxy_url", {"proxy_url": "http://p.example", "ca_certificates": "PEM"}),
    ("ca_certificates", {"ca_certificates": "PEM"}),
    ("verify_tls", {"verify_tls": False}),
    ("max_wait", {"max_wait": -1}),
    ("request_timeout", {"request_timeout": 0}),
    ("jwt_audience", {"jwt_audience": "https://other.example"}),
    ("jwt_claims", {"jwt_claims": ["iss=x"]}),
    ("jwt_lifetime", {"jwt_lifetime": -1}),
    ("credential_expires_on", {"credential_expires_on": "soon"}),
    ("rich_requests", {"rich_requests": "{}"}),
    ("resource", {"resource": ["/x"]}),
    ("tolerate", {"tolerate": ["x"]}),
    ("answer_fields", {"answer_fields": ["x=$.a"]}),
    ("secret_params", {"secret_params": "***"}),
    ("refresh_on_status", {"refresh_on_status": ["500"]}),
    ("dead_when", {"dead_when": "x"}),
    ("client_secret", {"client_secret": "x"}),
]
"""A field that is wrong, and what makes it so."""
TOGETHER = {("custom_provider", "auth_method"): {"dpop"}, ("custom_provider", "header_name"): {"dpop"}}
"""What is wrong with two mistakes together, and with neither alone."""


def is_right(connection: ConnectionValues, policy: Policy) -> bool:
    try:
        resolve(connection, policy)
    except ConfigurationError:
        return False
    return True


@pytest.mark.parametrize(
    "policy",
    [Policy(), Policy(token_hosts=("idp.example",), api_hosts=("api.example",))],
    ids=["any-host", "listed"],
)
def test_two_mistakes_are_both_told_and_nobody_is_sent_to_a_field_that_is_right(policy: Policy) -> None:
    """All pairs: independent ones are told together, and none makes a third field look wrong."""
    alone = [wrong_fields(values(**given), policy, {}).keys() for _, given in MISTAKES]
    both, invented, silent = 0, [], []
    for (one, (field, given)), (two, (other, more)) in combinations(enumerate(MISTAKES), 2):
        if given.keys() & more.keys():
            continue
        connection = values(**given, **more)
        wrong = wrong_fields(connection, policy, {}).keys()
        assert "s3cr3t" not in str(wrong)
        expected = alone[one] | alone[two]
        both += expected <= wrong
        if wrong - expected - TOGETHER.get((field, other), set()):
            invented.append((given, more, wrong))
        if not wrong and not is_right(connection, policy):
            silent.append((given, more))
    assert (invented, silent) == ([], [])
    assert both > 1500, "but for those that depend on each other"


@pytest.mark.parametrize(("field", "given"), MISTAKES)
def test_a_single_mistake_is_told_at_its_field(field: str, given: dict[str, Any]) -> None:
    assert field in wrong_fields(values(**given), Policy(), {})


def test_a_combination_of_right_fields_is_told_beside_a_wrong_one() -> None:
    given = {"proxy_url": "http://p.example", "ca_certificates": "PEM", "dpop": True, "header_name": "X-T"}
    told = wrong_fields(values(**given, max_wait=-1, audience="x", post_params=["audience=y"]), Policy(), {})
    assert told.keys() == {"proxy_url", "ca_certificates", "header_name", "max_wait", "post_params"}


def test_a_profile_tells_all_that_it_wants() -> None:
    told = wrong_fields(values(profile="fapi2", max_wait=-1, header_scheme="Token"), Policy(), {})
    assert told.keys() == {"auth_method", "dpop", "discovery", "max_wait", "header_scheme"}


def test_what_follows_from_something_unknown_is_not_told() -> None:
    given = values(password=None, private_key="x", max_wait=-1)
    assert wrong_fields(given, Policy(), {}, ["auth_method"]).keys() == {"max_wait"}
    assert wrong_fields(given, Policy(), {}).keys() >= {"password", "max_wait"}


def test_the_error_names_all_a_line_each_and_survives_copies() -> None:
    require_right(values(), Policy(), Faults())
    faults = Faults()
    faults.by_field = {"": "a connection needs --client-id ID", "--set": "must be KEY=VALUE"}
    with pytest.raises(WrongFieldsError) as raised:
        require_right(values(max_wait=-1), Policy(), faults)
    error = raised.value
    assert error.lines == [
        'Connection "x": a connection needs --client-id ID',
        'Connection "x", option "--set": must be KEY=VALUE',
        'Connection "x", field "max_wait": must be more than 0 and at most 3600 seconds',
    ]
    for copied in (copy.copy(error), pickle.loads(pickle.dumps(error)), error.for_connection("x")):
        assert copied.lines == error.lines
    assert WrongFieldsError("is wrong", field="host").lines == ['field "host": is wrong']
