"""Who may do what: with Airflow's own authorization, by roles and teams."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest

from tests.plugin.visiting import ACTIONS, AUTHORIZED, MARKS, ROUTES, Visitor
from tests.support.service import Service

pytestmark = MARKS


# What a person may do and this test does not do right: a connection without a name, an edit of nothing.
ALLOWED = {("POST", "/create"): 422, ("POST", "/edit/orders"): 409}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("role", "status"), [(None, 401), ("viewer", 403), ("user", 403), ("op", 200), ("admin", 200)]
)
def test_a_route_obeys_the_role(
    orders: Service,
    method: str,
    path: str,
    role: str | None,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for kind in ("TOKEN", "API"):
        monkeypatch.setenv(f"AIRFLOW__OAUTH2__ALLOWED_{kind}_HOSTS", "127.0.0.1")
    visitor = Visitor(role)
    response = visitor.get(path) if method == "GET" else visitor.post(path, {"path": "/orders"})
    assert response.status_code == (ALLOWED.get((method, path), 200) if status == 200 else status)
    asks = path.startswith(("/authorize", "/check", "/try"))
    assert bool(orders.token_requests) == (asks and status == 200)
    assert bool(orders.calls) == (path.startswith("/try") and status == 200)


def test_these_are_all_routes_there_are() -> None:
    from airflow_oauth_provider.plugin.app import create_app

    app: Any = create_app()
    routes = {(method, route.path) for route in app.routes for method in getattr(route, "methods", ())}
    assert routes == {(method, path.replace("orders", "{connection_id:path}")) for method, path in ROUTES}


@pytest.mark.parametrize("role", [None, "viewer"])
def test_who_may_not_reads_a_message_and_no_json(orders: Service, role: str | None) -> None:
    response = Visitor(role).get("/")
    assert response.headers["content-type"].startswith("text/html")
    expected = "Please sign in" if role is None else "Your role may not read connections"
    assert expected in response.text
    assert "orders" not in response.text


def test_who_may_only_read_sees_greyed_buttons_that_say_why(orders: Service) -> None:
    def reading(self: Any, *, method: str, **_: Any) -> bool:
        return method == "GET"

    with mock.patch(AUTHORIZED, autospec=True, side_effect=reading):
        visitor = Visitor("user")
        page = visitor.get("/connections/orders").text
        assert page.count('aria-disabled="true"') == 4
        assert "permission to edit connections" in page
        refused = [visitor.post(path, {"path": "/orders"}) for path in ACTIONS]
        refused += [visitor.get(path) for path in ("/edit/orders", "/new")]
    assert {response.status_code for response in refused} == {403}
    assert "Your role may not edit connections" in refused[0].json()["message"]
    assert orders.token_requests == []


def test_a_team_sees_and_authorizes_its_own(
    service: Service, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.connection import Connection

    if not hasattr(Connection, "team_name"):
        pytest.skip("connections name their team from Airflow 3.2 on")
    from airflow.models.team import Team
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    with create_session(scoped=False) as session:
        session.merge(Team(name="red"))
        session.merge(Team(name="blue"))
    for team in ("red", "blue"):
        store(service.connection(conn_id=f"of_{team}"), team_name=team)
    visitor = Visitor("op", ["red"])
    page = visitor.get("/").text
    assert "of_red" in page
    assert "of_blue" not in page
    assert visitor.get("/connections/of_blue").status_code == 403
    assert visitor.post("/authorize/of_blue").status_code == 403
    assert visitor.post("/edit/of_blue", {"fields": {"scope": "x"}}).status_code == 403
    assert [visitor.get(f"/edit/of_{team}").status_code for team in ("red", "blue")] == [200, 403]
    assert visitor.get("/new").status_code == 200
    assert service.token_requests == []
    assert visitor.post("/authorize/of_red").json()["ok"] is True


def test_it_is_written_to_the_audit_log_who_did_what(orders: Service, admin: Visitor) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    admin.post("/authorize/orders")
    admin.post("/forget/orders")
    with create_session(scoped=False) as session:
        entries = [
            (log.event, log.owner, log.extra)
            for log in session.scalars(select(Log).order_by(Log.id.desc()).limit(2))
        ]
    assert [(event, owner) for event, owner, _ in entries] == [
        ("oauth2_forget", "admin"),
        ("oauth2_authorize", "admin"),
    ]
    assert json.loads(entries[0][2])["connection_id"] == "orders"


@pytest.mark.fault("F18")
@pytest.mark.parametrize("detail", ["Forbidden", "Verboten", None])
def test_no_access_is_decided_by_type(orders: Service, detail: str | None) -> None:
    """Airflow's words for it may be any."""
    from fastapi import HTTPException

    visitor = Visitor("admin")
    with mock.patch(AUTHORIZED, autospec=True, side_effect=HTTPException(403, detail)):
        refused = visitor.get("/")
    assert refused.status_code == 403
    assert "Your role may not read connections" in refused.text


def test_a_team_in_the_body_gives_nobody_the_right_to_create(
    service: Service, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made here belongs to no team: the right to make one for a team is not enough."""
    from airflow_oauth_provider.plugin.airflow_access import find_connection

    def of_the_team(self: Any, *, method: str, details: Any = None, **_: Any) -> bool:
        return method == "GET" or getattr(details, "team_name", None) == "red"

    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    given = {"conn_id": "sly", "host": f"{service.server.url}/token", "login": "me", "password": "x"}
    with mock.patch(AUTHORIZED, autospec=True, side_effect=of_the_team):
        visitor = Visitor("op")
        refused = [visitor.post("/create", {"fields": given, "team_name": "red"}), visitor.get("/new")]
        assert 'id="new" role="link"' in visitor.get("/").text.replace("\n", " ")
    assert [response.status_code for response in refused] == [403, 403]
    assert "Your role may not create connections" in refused[0].json()["message"]
    assert find_connection("sly") is None
