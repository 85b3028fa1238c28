"""What comes of an action, and what stands in its way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.plugin.visiting import MARKS
from tests.support.service import Service

pytestmark = MARKS


def response_to(work: Callable[[], Any], waiting: Any = None) -> dict[str, Any]:
    from airflow_oauth_provider.plugin.outcomes import respond
    from airflow_oauth_provider.plugin.waiting import Waiting

    request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(waiting=Waiting())))
    body: dict[str, Any] = json.loads(bytes(asyncio.run(respond(request, "orders", work, waiting)).body))
    return body


def test_the_message_names_the_connection() -> None:
    from airflow_oauth_provider.plugin.outcomes import Outcome

    assert response_to(lambda: Outcome(True, "authorized", html="<b>x</b>")) == {
        "ok": True,
        "html": "<b>x</b>",
        "message": "orders: authorized",
        "short": "orders: authorized",
    }
    assert response_to(lambda: Outcome(False, "a long reason", "short"))["short"] == "orders: short"


def test_where_too_many_wait_nothing_is_done() -> None:
    from airflow_oauth_provider.plugin.messages import PageError
    from airflow_oauth_provider.plugin.waiting import AT_ONCE, MAX_WAITING, Waiting

    full, done = Waiting(), []
    full._waiting = AT_ONCE + MAX_WAITING
    with pytest.raises(PageError) as refused:
        response_to(lambda: done.append(1), full)
    assert refused.value.status_code == 503
    assert done == []


def test_only_connections_of_our_type_exist(service: Service, store: Any) -> None:
    from airflow_oauth_provider.plugin.messages import PageError
    from airflow_oauth_provider.plugin.outcomes import existing

    store(service.connection(conn_id="orders"))
    store(service.connection(conn_id="plain"), conn_type="http")
    assert existing("orders").conn_id == "orders"
    for missing in ("plain", "nobody"):
        with pytest.raises(PageError, match=missing) as refused:
            existing(missing)
        assert refused.value.status_code == 404


@pytest.mark.parametrize(("role", "says"), [("admin", ""), ("viewer", "permission to create connections")])
def test_who_may_make_a_connection(role: str, says: str) -> None:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    from airflow_oauth_provider.plugin.outcomes import creation_obstacle

    obstacle = creation_obstacle(SimpleAuthManagerUser(username=role, role=role))
    assert says in obstacle
    assert bool(obstacle) == bool(says)


def test_what_stands_in_the_way_of_the_buttons() -> None:
    from airflow_oauth_provider.plugin.outcomes import obstacles_of

    assert obstacles_of("orders", editable=True, testing=True).authorize == ""
    assert "permission to edit" in obstacles_of("orders", editable=False, testing=True).authorize
    assert "test_connection" in obstacles_of("orders", editable=True, testing=False).authorize
