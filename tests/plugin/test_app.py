"""The page's routes: what they list, do, and bear."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.tokens.manager import shared
from tests.authorizations.foreign_store import FORGED, spoil
from tests.plugin.visiting import MARKS, Visitor
from tests.support.service import Service

pytestmark = MARKS


def test_with_testing_switched_off_authorizing_names_option_and_command(
    orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_oauth_provider.plugin.airflow_access import HAS_COMMANDS

    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    said = admin.post("/authorize/orders")
    assert said.status_code == 403
    for text in (said.json()["message"], admin.get("/").text, admin.get("/connections/orders").text):
        assert "test_connection = Enabled in section [core] of airflow.cfg" in text
        assert ("airflow oauth2 check orders" in text) == HAS_COMMANDS
    assert orders.token_requests == []
    assert admin.post("/forget/orders").json()["ok"] is True


def test_connections_of_other_types_are_not_shown(service: Service, store: Any, admin: Visitor) -> None:
    store(service.connection(conn_id="other"), conn_type="http")
    assert "No OAuth 2.0 servers yet" in admin.get("/").text
    assert admin.get("/connections/other").status_code == 404
    assert admin.post("/authorize/other").status_code == 404


def test_a_wrong_connection_is_shown_with_what_is_wrong(service: Service, store: Any, admin: Visitor) -> None:
    store(service.connection(conn_id="wrong", host="ftp://idp.example"))
    assert "Wrong configuration" in admin.get("/").text
    assert "access token URL" in admin.get("/connections/wrong").text
    for path in ("/authorize/wrong", "/forget/wrong"):
        result = admin.post(path).json()
        assert result["ok"] is False
        assert "host" in result["message"]


def test_a_hundred_are_on_a_page(service: Service, store: Any, admin: Visitor) -> None:
    for number in range(101):
        store(service.connection(conn_id=f"c{number:03}"))
    first, second = admin.get("/?sort=-name"), admin.get("/?sort=-name&page=2")
    assert first.text.count("data-status=") == 100
    assert "101 OAuth 2.0 servers" in first.text
    assert "Page 1 of 2" in first.text
    assert 'href="?sort=-name&amp;page=2"' in first.text
    assert second.text.count("data-status=") == 1
    assert 'data-name="c000"' in second.text


def test_authorizing_brings_a_token_and_forgetting_takes_it_away(orders: Service, admin: Visitor) -> None:
    assert 'data-status="not_yet"' in admin.get("/").text
    result = admin.post("/authorize/orders").json()
    assert result["ok"] is True
    assert result["message"].startswith("orders: Authorized until ")
    assert 'data-status="authorized"' in admin.get("/").text
    assert admin.post("/forget/orders").json()["ok"] is True
    assert 'data-status="not_yet"' in admin.get("/").text
    assert len(orders.token_requests) == 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path / "oauth2_token_store"


@pytest.mark.fault("F22")
@pytest.mark.parametrize("seed", range(10))
def test_whatever_lies_in_the_store_no_page_breaks(
    seed: int, service: Service, store: Any, admin: Visitor, folder: Path
) -> None:
    names = ("crm", "ledger", "orders")
    for name in names:
        store(service.connection(conn_id=name, login=name))
        admin.post(f"/authorize/{name}")
    spoil(folder, names, random.Random(seed))
    shared.clear()
    pages = [admin.get("/"), *(admin.get(f"/connections/{name}") for name in names)]
    assert [page.status_code for page in pages] == [200] * 4
    assert all(FORGED not in page.text for page in pages)
    assert all(admin.post(f"/authorize/{name}").json()["ok"] for name in names)
    assert admin.get("/").text.count('data-status="authorized"') == 3
