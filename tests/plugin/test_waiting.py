"""Waiting for token servers holds up nobody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_oauth_provider.plugin import waiting
from tests.plugin.visiting import MARKS, Visitor
from tests.support.servers.scripted import Held, Json
from tests.support.service import Service
from tests.support.waiting import until

pytestmark = MARKS


def test_a_slow_server_holds_up_nobody_and_few_are_asked_at_once(
    service: Service, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING", 2)
    released = threading.Event()
    service.token = lambda _: Held(released, Json({"error": "invalid_scope"}, 400))
    names = [f"slow{number}" for number in range(8)]
    for name in names:
        store(service.connection(conn_id=name, login=name))
    visitor = Visitor("admin")
    with visitor.client, ThreadPoolExecutor(8) as pool:
        responses = [pool.submit(visitor.post, f"/authorize/{name}") for name in names]
        until(lambda: len(service.token_requests) >= waiting.AT_ONCE, "requests")
        until(lambda: sum(response.done() for response in responses) == 2, "those who may not wait")
        page = visitor.get("/")
        while_waiting = len(service.token_requests)
        released.set()
        statuses = sorted(response.result().status_code for response in responses)
    assert page.status_code == 200
    assert while_waiting == waiting.AT_ONCE
    assert statuses == [200] * 6 + [503] * 2
