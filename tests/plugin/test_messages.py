"""What is in the way, as people and the page's script read it."""

from __future__ import annotations

import re
from unittest import mock

import pytest

from airflow_oauth_provider.plugin import PREFIX
from tests.plugin.visiting import MARKS, Visitor
from tests.support.service import Service

pytestmark = MARKS


@pytest.mark.fault("F18")
def test_a_session_that_is_not_valid_asks_to_sign_in(orders: Service) -> None:
    visitor = Visitor(None)
    visitor.client.headers["Authorization"] = "Bearer not.a.token"
    response = visitor.get("/")
    assert response.status_code == 401
    assert "Please sign in" in response.text


def test_what_was_deleted_meanwhile_says_so(orders: Service, admin: Visitor) -> None:
    for path in ("/authorize/gone", "/forget/gone"):
        response = admin.post(path)
        assert response.status_code == 404
        assert "“gone”" in response.json()["message"]
    page = admin.get("/connections/gone")
    assert page.status_code == 404
    assert "may have been deleted" in page.text


@pytest.mark.parametrize(
    "query", ["page=one", "page=", "sort=__init__", "status=x&category=y", "page=99999999999999999999"]
)
def test_an_address_typed_wrong_ends_in_a_page(orders: Service, admin: Visitor, query: str) -> None:
    response = admin.get(f"/?{query}")
    assert response.status_code == (400 if "page=one" in query or query == "page=" else 200)
    assert "<html" in response.text


def test_a_wrong_section_of_airflow_cfg_is_told(
    orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "a b c/")
    response = admin.get("/")
    assert response.status_code == 500
    assert "allowed_token_hosts" in response.text


def test_when_the_database_fails_the_page_says_where_to_look(orders: Service, admin: Visitor) -> None:
    with mock.patch(
        "airflow_oauth_provider.plugin.airflow_access.find_connections", autospec=True, side_effect=OSError
    ):
        response = admin.get("/")
    assert response.status_code == 500
    assert "log of its API server" in response.text


@pytest.mark.parametrize("path", ["/nothing/here", "/static/gone"])
def test_a_page_that_is_not_there_leads_back_to_the_list(orders: Service, admin: Visitor, path: str) -> None:
    response = admin.get(path)
    assert response.status_code == 404
    assert f'href="{PREFIX}/"' in response.text
    (sheet,) = re.findall(r'href="([^"]*/page\.css[^"]*)"', response.text)
    assert admin.get(sheet.removeprefix(PREFIX)).status_code == 200
