"""What was resolved a moment ago is not resolved again, unless anything has changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import known_settings
from airflow_oauth_provider.authorizations.known_settings import settings_for_display
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.resolving import Resolved, resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError

VALUES = ConnectionValues(
    "my_api", CONNECTION_TYPE, None, "https://idp.example/token", "me", "a-secret-of-mine", extra="{}"
)
POLICY = Policy()


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which connections were resolved."""
    ids: list[str] = []

    def counted(values: Any, policy: Policy, *, thorough: bool) -> Resolved:
        ids.append(values.conn_id)
        return resolve(values, policy, thorough=thorough)

    monkeypatch.setattr(known_settings, "_known", type(known_settings._known)())
    monkeypatch.setattr(known_settings, "resolve", counted)
    return ids


def test_the_same_connection_is_resolved_once(resolved: list[str]) -> None:
    assert settings_for_display(VALUES, POLICY) is settings_for_display(replace(VALUES), POLICY)
    assert resolved == ["my_api"]


@pytest.mark.parametrize(
    "change",
    [
        {"conn_id": "other"},
        {"host": "https://other.example/token"},
        {"login": "you"},
        {"password": "another-secret"},
        {"extra": json.dumps({"scope": "read"})},
        {"description": "of somebody"},
        {"team": "blue"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_one_is_resolved_anew(resolved: list[str], change: dict[str, Any]) -> None:
    settings_for_display(VALUES, POLICY)
    settings_for_display(replace(VALUES, **change), POLICY)
    assert len(resolved) == 2


def test_so_is_one_below_a_policy_that_was_read_anew(resolved: list[str]) -> None:
    settings_for_display(VALUES, POLICY)
    with pytest.raises(ConfigurationError):
        settings_for_display(VALUES, Policy(token_hosts=("elsewhere.example",)))
    assert len(resolved) == 2


def test_what_has_changed_beside_the_connection_counts(
    resolved: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_for_display(VALUES, POLICY)
    monkeypatch.setattr(Resolved, "is_current", lambda _: False)
    settings_for_display(VALUES, POLICY)
    assert len(resolved) == 2


def test_an_error_is_not_remembered(resolved: list[str]) -> None:
    wrong = replace(VALUES, host="")
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            settings_for_display(wrong, POLICY)
    assert len(resolved) == 2


def test_so_many_and_no_more(resolved: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_settings, "MOST", 3)
    for number in range(5):
        settings_for_display(replace(VALUES, login=f"client-{number}"), POLICY)
    assert len(known_settings._known) == 3
