"""Wrong fields that are put right; more of it where all that is wrong is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.repairs import Repairs
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy

LISTED = Policy(token_hosts=("*.idp.example:8443",), api_hosts=("api.example",))


def repairs(policy: Policy = LISTED, **given: Any) -> Repairs:
    begun = Repairs.of(ConnectionValues("x", CONNECTION_TYPE, extra=json.dumps(given)), policy)
    assert begun is not None
    return begun


@pytest.mark.parametrize("policy", [Policy(), LISTED], ids=["any-host", "listed"])
def test_a_connection_without_anything_is_put_right(policy: Policy) -> None:
    begun = repairs(policy)
    for field in ("host", "login", "password", "password"):
        assert begun.repair(field) is True
    assert resolve(begun.values, policy).settings.client_id == "stand-in"
    assert begun.repaired == {"host", "login", "password"}
    assert (begun.repair("host"), begun.repair("--set")) == (False, True)


def test_a_method_is_replaced_by_one_that_takes_a_key_and_by_the_simplest() -> None:
    begun = repairs(auth_method="none", certificate="x", scope="a")
    for field in ("host", "login"):
        begun.repair(field)
    methods = []
    while begun.repair("auth_method"):
        extra = json.loads(begun.values.extra or "")
        methods.append((extra.get("auth_method"), "certificate" in extra))
    assert methods == [(None, True), ("private_key_jwt", False), (None, False)]
    assert resolve(begun.values, LISTED).settings.request.scope == ("a",)


def test_a_field_stands_alone_beside_what_is_right() -> None:
    begun = repairs(scope="{tenant}", probe_path="//x", private_key="x")
    assert begun.entered("scope") == "{tenant}"
    for field in ("scope", "probe_path", "private_key"):
        alone = begun.alone(field)
        assert alone is not None
        extra = json.loads(alone.extra or "")
        assert extra[field] == begun.entered(field)
        assert extra.keys() - {"tenant", "base_url", "allowed_origins", "auth_method"} == {field}
    assert begun.alone("password") is None
    assert begun.alone("login") is not None


def test_an_extra_that_cannot_be_read_is_not_put_right() -> None:
    assert Repairs.of(ConnectionValues("x", CONNECTION_TYPE, extra="{"), Policy()) is None
