"""The page says that tokens are bound to a key."""

from __future__ import annotations

from typing import Any

from tests.plugin.visiting import MARKS, Visitor
from tests.support.service import Service

pytestmark = MARKS


def test_the_list_and_the_page_of_a_connection(service: Service, store: Any, admin: Visitor) -> None:
    store(service.connection(conn_id="bound", dpop=True))
    store(service.connection(conn_id="plain"))
    assert admin.get("/").text.count(">DPoP<") == 1
    assert "Tokens bound by" in admin.get("/connections/bound").text
    assert "Tokens bound by" not in admin.get("/connections/plain").text
