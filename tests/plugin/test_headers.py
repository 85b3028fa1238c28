"""Headers of every response."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX
from airflow_oauth_provider.plugin.headers import HEADERS
from tests.plugin.visiting import MARKS, Visitor
from tests.support.service import Service

pytestmark = MARKS


@pytest.mark.fault("F28")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/?page=x", 400),
        ("GET", "/connections/gone", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/static/page.js", 200),
        ("GET", "/static/page.css", 200),
        ("GET", "/static/gone", 404),
        ("POST", "/authorize/orders", 200),
        ("POST", "/forget/gone", 404),
        ("PUT", "/forget/orders", 405),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_every_response_carries_the_same_headers(
    orders: Service, admin: Visitor, method: str, path: str, status: int, accept: str
) -> None:
    sent = {"Sec-Fetch-Site": "same-origin", "Accept": accept}
    body: dict[str, Any] | None = None if method == "GET" else {}
    response = admin.client.request(method, PREFIX + path, headers=sent, json=body)
    assert response.status_code == status
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value]
    assert (HEADERS["X-Content-Type-Options"], HEADERS["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.fault("F28")
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_an_error_that_nobody_foresaw_carries_them_too(orders: Service, admin: Visitor, accept: str) -> None:
    with mock.patch(
        "airflow_oauth_provider.plugin.airflow_access.find_connections", autospec=True, side_effect=OSError
    ):
        response = admin.client.get(PREFIX + "/", headers={"Accept": accept})
    assert response.status_code == 500
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value]


def test_the_policy_lets_only_the_page_itself_in(orders: Service, admin: Visitor) -> None:
    policy = admin.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert admin.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/page.js", "/static/theme.js", "/static/page.css"])
def test_what_the_page_is_made_of_needs_no_rights(path: str) -> None:
    assert Visitor(None).get(path).status_code == 200
