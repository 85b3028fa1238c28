"""What the page does to a connection: authorize with its steps, check one of many, try the API."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.authorizations import AT_ONCE
from tests.plugin.visiting import MARKS, Visitor
from tests.support.servers.scripted import Json, RecordedRequest, Text, token_json
from tests.support.service import Service

pytestmark = MARKS
SECRET = "a-client-secret"


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployments without allow-lists try no API."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")


def last_log(event: str) -> Any:
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        return session.query(Log.extra).filter(Log.event == event).order_by(Log.id.desc()).first()[0]


class TestAuthorize:
    """The outcome comes with its steps and with what the token says."""

    def test_steps_and_claims(self, orders: Service, admin: Visitor) -> None:
        value = jwt.encode({"iss": "https://idp.example/<b>", "aud": SECRET}, "k" * 32)
        orders.token = lambda _: token_json(value)
        html = admin.post("/authorize/orders").json()["html"]
        for text in ("Settings read", "Name resolved", "[127.0.0.1]", "HTTP status 200", "Not verified"):
            assert text in html
        assert "https://idp.example/&lt;b&gt;" in html
        assert SECRET not in html
        assert value.split(".")[2] not in html
        assert value.split(".")[1] not in html
        assert len(orders.token_requests) == 1

    def test_the_step_that_failed(self, orders: Service, admin: Visitor) -> None:
        orders.token = lambda _: Json(
            {"error": "invalid_client", "error_description": f"<i>no</i> {SECRET}"}, 401
        )
        html = admin.post("/authorize/orders").json()["html"]
        assert html.count(">failed<") == 1
        assert "<i>" not in html
        assert SECRET not in html

    def test_a_wrong_connection(self, service: Service, store: Any, admin: Visitor) -> None:
        store(service.connection(conn_id="wrong", host="ftp://idp.example"))
        assert admin.post("/authorize/wrong").json()["html"].count(">failed<") == 1


class TestCheck:
    """One of many: its row as it is afterwards, four at a time, slowly where a client was refused."""

    def test_the_row_comes_with_the_outcome(self, orders: Service, admin: Visitor) -> None:
        outcome = admin.post("/check/orders").json()
        assert outcome["ok"] is True
        assert 'data-name="orders" data-status="authorized"' in outcome["html"]
        assert len(orders.token_requests) == 1

    def test_never_more_than_four_at_once(self, service: Service, store: Any, admin: Visitor) -> None:
        names = [f"c{number}" for number in range(8)]
        for name in names:
            store(service.connection(conn_id=name, login=name))
        under_way, most, lock = [0], [0], threading.Lock()
        all_in = threading.Event()

        def token(_: RecordedRequest) -> Text:
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
                if under_way[0] == AT_ONCE:
                    all_in.set()
            all_in.wait(60)
            with lock:
                under_way[0] -= 1
            return token_json("tok")

        service.token = token
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda name: admin.post(f"/check/{name}").json()["ok"], names))
        assert outcomes == [True] * 8
        assert most[0] == AT_ONCE

    def test_a_remembered_refusal_holds(self, orders: Service, admin: Visitor) -> None:
        orders.token = lambda _: Json({"error": "invalid_client"}, 401)
        for _ in range(3):
            assert admin.post("/check/orders").json()["ok"] is False
        assert len(orders.token_requests) == 1

    def test_a_server_that_is_not_reached_is_named(
        self, service: Service, store: Any, admin: Visitor
    ) -> None:
        store(service.connection(conn_id="orders", host="https://127.0.0.1:1/token", max_retry_attempts=0))
        assert (
            "orders: Not authorized: the connection was refused; no response from the token endpoint"
            in admin.post("/check/orders").json()["short"]
        )

    def test_no_editor_probes_the_network_by_it(self, service: Service, store: Any, admin: Visitor) -> None:
        store(service.connection(conn_id="orders", probe_path="/health"))
        assert "allowed_api_hosts" in admin.post("/check/orders").json()["message"]
        assert service.calls == []

    def test_the_names_of_all_pages(self, service: Service, store: Any, admin: Visitor) -> None:
        for number in range(101):
            store(service.connection(conn_id=f"c{number:03}", category="a" if number % 2 else "b"))
        assert len(admin.get("/names").json()["names"]) == 101
        assert len(admin.get("/names?category=b").json()["names"]) == 51
        assert admin.get("/names?text=c100").json()["names"] == ["c100"]
        assert admin.get("/names?status=authorized").json()["names"] == []
        assert service.server.requests == []


class TestTry:
    """One GET, under the rules of Authorize and of the allow-lists."""

    @pytest.mark.usefixtures("listed")
    def test_what_the_api_answers(self, orders: Service, admin: Visitor) -> None:
        html = admin.post("/try/orders", {"path": "/v1/orders?key=of-a-person"}).json()["html"]
        assert "application/json" in html
        assert "/v1/orders?key=…" in html
        assert "of-a-person" not in html
        assert "show_api_answers" in html
        assert [call.target for call in orders.calls] == ["/api/v1/orders?key=of-a-person"]

    @pytest.mark.usefixtures("listed")
    def test_the_body_escaped_and_redacted(
        self, orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__SHOW_API_ANSWERS", "True")
        orders.api = lambda request: Text(200, f"<script>{request.header('Authorization')} {SECRET}")
        html = admin.post("/try/orders", {"path": "/x"}).json()["html"]
        assert "&lt;script&gt;" in html
        assert "tok-1" not in html
        assert SECRET not in html

    def test_without_allow_lists_it_is_switched_off(self, orders: Service, admin: Visitor) -> None:
        refused = admin.post("/try/orders", {"path": "/x"})
        assert refused.status_code == 403
        assert "allowed_token_hosts and allowed_api_hosts" in refused.json()["message"]
        assert "allowed_token_hosts and allowed_api_hosts" in admin.get("/connections/orders").text
        assert orders.server.requests == []

    @pytest.mark.usefixtures("listed")
    @pytest.mark.parametrize("path", [None, 1, [], {}])
    def test_no_path(self, path: Any, orders: Service, admin: Visitor) -> None:
        assert admin.post("/try/orders", {"path": path}).status_code == 400
        assert orders.server.requests == []

    @pytest.mark.usefixtures("listed")
    def test_another_host(self, orders: Service, admin: Visitor) -> None:
        assert "No response" in admin.post("/try/orders", {"path": "http://evil.example/"}).json()["html"]
        assert orders.server.requests == []

    @pytest.mark.usefixtures("listed")
    def test_the_audit_log_has_the_names_of_fields_alone(self, orders: Service, admin: Visitor) -> None:
        admin.client.post(
            "/oauth2-servers/try/orders?dag_id=forged",
            json={"path": "/x?key=of-a-person", "x" * 1000: "y"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        extra = json.loads(last_log("oauth2_try"))
        assert extra == {
            "connection_id": "orders",
            "fields": ["path", "x" * 100],
            "method": "POST",
        }


@pytest.mark.usefixtures("listed")
def test_with_testing_switched_off_nobody_is_asked(
    orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_oauth_provider.plugin.airflow_access import HAS_COMMANDS

    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    for path in ("/authorize/orders", "/check/orders", "/try/orders"):
        refused = admin.post(path, {"path": "/x"})
        assert refused.status_code == 403
        assert "test_connection = Enabled" in refused.json()["message"]
    assert ("airflow oauth2 check --all" in admin.get("/").text) == HAS_COMMANDS
    assert orders.server.requests == []
