"""Rich authorization requests (RFC 9396): asked for, granted, shared, and shown wherever people look."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import authorize, describe
from airflow_oauth_provider.authorizations.checking import Target, check_all
from airflow_oauth_provider.client import report
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.private_token import details_of
from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.scripted import token_json
from tests.support.service import Service
from tests.support.sides import Side

READ = {"type": "orders", "actions": ["read"], "account": "DE02 1203 0000"}
PAY = {"type": "payment", "amount": 5}
LINE = '{"account": "DE02 1203 0000", "actions": ["read"], "type": "orders"}'


@pytest.fixture
def another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Use a store of files; returns what makes this process know no more than a new one would."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))

    def begin() -> None:
        shared.clear()
        report.reset()

    begin()
    return begin


def grants(service: Service, *details: Any, **members: Any) -> None:
    service.token = lambda _: token_json(authorization_details=list(details), **members)


def test_they_are_sent_and_what_was_granted_lies_with_the_token(
    side: Side, service: Service, another_process: Callable[[], None]
) -> None:
    grants(service, READ)
    connection = service.connection(rich_requests=[READ])
    token = side.token(OAuth2Hook(connection=connection))
    (request,) = service.token_requests
    assert json.loads(request.form["authorization_details"][0]) == [READ]
    assert json.loads(details_of(token) or "") == [READ]
    another_process()
    again = side.token(OAuth2Hook(connection=connection))
    assert len(service.token_requests) == 1, "it comes from the store"
    assert details_of(again) == details_of(token)


@pytest.mark.fault("T30")
def test_what_differs_is_recorded_and_reported(
    service: Service, another_process: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    grants(service, READ)
    connection = service.connection(rich_requests=[READ, PAY])
    with caplog.at_level(logging.WARNING):
        done, message = OAuth2Hook(connection=connection).test_connection()
    assert done
    assert "Asked for, but not granted: payment." in message
    warnings = [record.getMessage() for record in caplog.records if "rich_requests" in record.getMessage()]
    assert len(warnings) == 1
    assert "without payment" in warnings[0]
    assert "DE02" not in caplog.text, "details may hold personal data"

    result = authorize(connection)
    assert (result.details, result.missing_details) == ((LINE,), ("payment",))
    assert "Asked for, but not granted: payment." in result.message
    (checked,) = check_all([Target.of(connection)])
    assert checked.report()["details"] == [LINE]
    assert checked.report()["missing_details"] == ["payment"]

    another_process()
    state = describe(connection)
    assert (state.details, state.missing_details) == ((LINE,), ("payment",))
    assert state.not_granted == ("payment",)
    assert state.report()["details"] == (LINE,)


def test_another_request_is_another_token(service: Service) -> None:
    grants(service, READ)
    for rich in ([READ], [PAY], [READ], None):
        OAuth2Hook(connection=service.connection(rich_requests=rich)).get_token()
    assert len(service.token_requests) == 3


def test_several_resources_are_sent_as_several_parameters(side: Side, service: Service) -> None:
    """RFC 8707 §2."""
    both = ["https://a.example/orders", "https://b.example"]
    side.token(OAuth2Hook(connection=service.connection(resource=both)))
    assert service.token_requests[0].form["resource"] == both
