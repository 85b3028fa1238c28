"""Nothing that the page says holds a secret or a token, against a service that repeats both."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX
from tests.plugin.visiting import ACCEPTS_JSON, MARKS, Visitor
from tests.support.echoing import assert_silent, echoing, settings_of
from tests.support.service import Service

pytestmark = [*MARKS, pytest.mark.fault("F29", "F20")]


@pytest.mark.parametrize("scope", ["read", "refused"])
def test_the_page(service: Service, store: Any, admin: Visitor, scope: str) -> None:
    echoing(service)
    store(service.connection(conn_id="orders", **settings_of(scope=scope)))
    said = [admin.post("/authorize/orders").text]
    assert service.token_requests
    for path in ("/", "/connections/orders"):
        said += [admin.get(path).text, admin.client.get(PREFIX + path, headers=ACCEPTS_JSON).text]
    said += [admin.post("/forget/orders").text, admin.get("/").text]
    assert_silent(said)
