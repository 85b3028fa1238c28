"""The history on the page: drawn by the server, allowed by its policy, and no way in for anybody's text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.client.history import recorder
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.deployment.policy import forget_policy
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.plugin.headers import HEADERS
from tests.plugin.visiting import MARKS, Visitor
from tests.support.servers.scripted import Json
from tests.support.service import Service

pytestmark = MARKS
EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))


def drawings(text: str) -> list[str]:
    return re.findall(r'<svg class="history.*?</svg>', text, re.DOTALL)


def test_a_strip_in_each_row_and_all_of_it_on_the_connections_page(orders: Service, admin: Visitor) -> None:
    assert drawings(admin.get("/").text) == []
    assert "Nothing is known yet" in admin.get("/connections/orders").text
    assert admin.post("/authorize/orders").json()["ok"]
    (strip,) = drawings(admin.get("/").text)
    assert (
        "<title>Last 24 hours: 1 token served, 1 token request; nothing refused or failed.</title>" in strip
    )
    page = admin.get("/connections/orders").text
    kinds = [re.findall(r'class="history ([\w-]+)"', drawing)[0] for drawing in drawings(page)]
    assert kinds == ["life", "of-day", "of-week"]
    assert page.count("data-countdown=") == 1
    assert "It is in use." in page
    assert '<th scope="row">Last 24 hours</th><td>1</td>' in page
    assert len(orders.token_requests) == 1, "who looks asks nobody"


def test_the_policy_of_the_page_allows_what_is_drawn(orders: Service, admin: Visitor) -> None:
    admin.post("/authorize/orders")
    response = admin.get("/connections/orders")
    assert response.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    for drawing in drawings(response.text):
        assert not re.search(r"style|href|url\(|\bon[a-z]+=|<script|<image|<use|<foreignObject", drawing)
    for name in ("history.css", "history.js"):
        assert admin.get(f"/static/{name}").status_code == 200
        assert f"/static/{name}" in response.text


def test_markup_in_names_of_tasks_reaches_no_page(
    orders: Service, store: Any, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", EVIL)
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", EVIL)
    admin.post("/authorize/orders")
    for path in ("/", "/connections/orders"):
        assert EVIL not in admin.get(path).text


def test_what_failed_is_said_beside_the_drawing(orders: Service, admin: Visitor) -> None:
    orders.token = lambda _: Json({"error": "invalid_client"}, 401)
    for _ in range(2):
        with pytest.raises(OAuthError):
            OAuth2Client("orders", orders.connection(conn_id="orders")).get_token()
    recorder.end()
    (strip,) = drawings(admin.get("/").text)
    assert "0 tokens served, 1 token request; 1 refused, 1 failed." in strip


def test_with_history_days_0_nothing_is_drawn(
    orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__HISTORY_DAYS", "0")
    forget_policy()
    admin.post("/authorize/orders")
    assert drawings(admin.get("/").text) == []
    page = admin.get("/connections/orders").text
    assert "None is kept" in page
    assert len(drawings(page)) == 1, "the life of the token"


def test_an_edited_connection_says_why_its_history_is_empty(
    orders: Service, store: Any, admin: Visitor
) -> None:
    OAuth2Client("rotated", orders.connection(conn_id="rotated", password="the-former-secret")).get_token()
    recorder.end()
    store(orders.connection(conn_id="rotated"))
    page = admin.get("/connections/rotated").text
    assert "The history of a former credential" in page
