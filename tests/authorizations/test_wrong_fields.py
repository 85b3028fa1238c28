"""What is wrong with a connection, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.authorizations.wrong_fields import wrong_fields
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.deployment.policy import Policy

LISTED = Policy(token_hosts=("idp.example",))


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
            {"base_url": "/", "login": ""}, ["max_wait"], ["max_wait", "login"], id="ends-at-another"
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
            ["max_wait"],
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
