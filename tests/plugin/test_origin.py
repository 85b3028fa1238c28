"""Only what the page itself sends changes anything."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX
from tests.plugin.visiting import ACCEPTS_JSON, ACTIONS, BY_THE_PAGE, MARKS, Visitor
from tests.support.service import Service

pytestmark = MARKS


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"data": {"x": "y"}}, id="a form"),
        pytest.param(
            {"content": "{}", "headers": {"Content-Type": "text/plain"}}, id="a form that looks like JSON"
        ),
        pytest.param({"content": "{}"}, id="no content type"),
        pytest.param({"json": {}, "headers": {"Sec-Fetch-Site": "cross-site"}}, id="another site"),
        pytest.param({"json": {}, "headers": {"Sec-Fetch-Site": "same-site"}}, id="a neighbour"),
        pytest.param({"json": {}, "headers": {"Origin": "https://evil.example"}}, id="foreign origin[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "null"}}, id="origin null[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "http://testserver:8080"}}, id="another port[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "http://testserver:x"}}, id="no port[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "http://[::1"}}, id="no address[F28]"),
        pytest.param(
            {"json": {}, "headers": {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"}},
            id="origin and site differ[F28]",
        ),
    ],
)
@pytest.mark.parametrize("path", ACTIONS)
def test_what_the_page_did_not_send_does_nothing(
    orders: Service, admin: Visitor, path: str, forged: dict[str, Any]
) -> None:
    response = admin.client.post(PREFIX + path, **forged)
    assert response.status_code == 403
    assert "not sent by the page" in response.text
    assert orders.token_requests == []


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({}, id="a program without a browser"),
        pytest.param({"Origin": "http://testserver"}, id="its own origin"),
        pytest.param({"Origin": "https://testserver:443"}, id="the same behind TLS"),
        pytest.param({"Origin": "https://airflow.example"}, id="as base_url says"),
        pytest.param(
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://rewritten.example"}, id="the browser says so"
        ),
    ],
)
@pytest.mark.fault("F28")
def test_what_the_page_sent_is_done(
    orders: Service, admin: Visitor, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/sub")
    response = admin.client.post(PREFIX + "/forget/orders", json={}, headers={**sent, **ACCEPTS_JSON})
    assert (response.status_code, response.json()["ok"]) == (200, True)


@pytest.mark.parametrize("content", ["{", "[]", "", "[" * 100_000])
@pytest.mark.parametrize("path", ACTIONS)
def test_a_body_that_is_no_object_is_said_so(
    orders: Service, admin: Visitor, path: str, content: str
) -> None:
    headers = {"Content-Type": "application/json", **BY_THE_PAGE}
    response = admin.client.post(PREFIX + path, content=content, headers=headers)
    assert response.status_code == 400
    assert response.json()["ok"] is False
    assert orders.token_requests == []


@pytest.mark.fault("F28")
@pytest.mark.parametrize("path", ACTIONS)
def test_a_body_of_any_length_is_not_read(orders: Service, admin: Visitor, path: str) -> None:
    headers = {"Content-Type": "application/json", **BY_THE_PAGE}
    post = partial(admin.client.post, PREFIX + path, headers=headers)
    assert post(content=b" " * (2 * 1024 * 1024) + b"{}").status_code == 413
    assert post(content=iter([b"{}"])).status_code == 411
    assert orders.token_requests == []
