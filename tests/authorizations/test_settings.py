"""Settings as displays show them."""

from __future__ import annotations

import json

import pytest

from airflow_oauth_provider.authorizations import (
    describe,
    display_settings,
)
from tests.service import Service


def test_settings_tell_of_a_secret_only_that_it_is_there(service: Service) -> None:
    shown = dict(display_settings(service.connection(secret_params="pin=1234", post_params=["a=b", "c=d"])))
    assert shown["Client secret"] == "set"
    assert shown["Secret post parameters"] == "set"
    assert shown["Post parameters"] == "a=b\nc=d"
    assert "Audience" not in shown


@pytest.mark.parametrize("form", ["lines", "list", "object", "json"])
@pytest.mark.parametrize(
    ("field", "label"),
    [
        ("post_params", "Post parameters"),
        ("query_params", "Query parameters"),
        ("request_headers", "Request headers"),
        ("api_headers", "API headers"),
        ("jwt_claims", "Additional JWT claims"),
    ],
)
def test_what_airflow_hides_by_its_name_is_hidden(
    service: Service, field: str, label: str, form: str
) -> None:
    names = ("password", "api_key", "X-Auth-Token", "X-Api-Key", "my_Secret", "Authorization")
    lines = [*(f"{name}=hunter-2" for name in names), "tenant=emea"]
    pairs = dict(line.split("=") for line in lines)
    forms = {"lines": "\n".join(lines), "list": lines, "object": pairs, "json": json.dumps(pairs)}
    connection = service.connection(**{field: forms[form]})
    shown = dict(display_settings(connection))[label]
    assert "hunter" not in shown
    assert shown.splitlines() == [*(f"{name}=***" for name in names), "tenant=emea"]
    assert "hunter" not in json.dumps(describe(connection).report())


def test_claims_are_hidden_at_any_depth(service: Service) -> None:
    claims = {"ctx": {"tenant": "emea", "keys": [{"password": "hunter-2"}]}, "tokens": ["hunter-3"]}
    shown = dict(display_settings(service.connection(jwt_claims=claims)))["Additional JWT claims"]
    assert shown.splitlines() == ['ctx={"tenant": "emea", "keys": [{"password": "***"}]}', "tokens=***"]


def test_pairs_that_are_none_are_not_repeated(service: Service) -> None:
    shown = dict(display_settings(service.connection(post_params=["password: hunter-2"])))
    assert "hunter" not in shown["Post parameters"]
    assert "line 1" in shown["Post parameters"]
