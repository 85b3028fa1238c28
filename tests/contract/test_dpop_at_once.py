"""Many calls with proofs at once, while nonces change and tokens die."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from requests import Response

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse

CALLS = 120


@pytest.fixture
def service() -> Iterator[DpopService]:
    with running_dpop_service() as running:
        running.issuing.required = running.serving.required = True
        yield running


def in_threads(hook: OAuth2Hook) -> list[Response]:
    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(lambda number: hook.run(f"orders/{number}"), range(CALLS)))


def in_coroutines(hook: OAuth2Hook) -> list[Response]:
    async def all_at_once() -> list[Response]:
        responses = await asyncio.gather(*(hook.arun(f"orders/{number}") for number in range(CALLS)))
        await hook.aclose()
        return responses

    return asyncio.run(all_at_once())


@pytest.mark.parametrize("at_once", [in_threads, in_coroutines], ids=["threads", "coroutines"])
def test_a_token_that_dies_meanwhile(service: DpopService, at_once: object) -> None:
    """One renewal for all; each call ends well, and no proof is used twice."""
    assert callable(at_once)

    def api(request: RecordedRequest) -> ScriptedResponse:
        if len(service.bound) == 1 and len(service.proofs) > CALLS // 2:
            service.dead.add("bound-tok-1")
        return Json({})

    service.api = api
    hook = OAuth2Hook(method="GET", connection=service.connection())
    responses = at_once(hook)
    assert {response.status_code for response in responses} == {200}
    assert set(service.refused()) <= {"use_dpop_nonce", "invalid_token"}
    assert len(service.bound) == 2
    assert len({proof["jti"] for proof in service.proofs}) == len(service.proofs)
    assert all(len(response.history) <= 3 for response in responses)


@pytest.mark.parametrize("at_once", [in_threads, in_coroutines], ids=["threads", "coroutines"])
def test_a_nonce_that_changes_meanwhile(service: DpopService, at_once: object) -> None:
    """Each call learns the new one by itself, once."""
    assert callable(at_once)

    def api(request: RecordedRequest) -> ScriptedResponse:
        if request.target.endswith(f"/{CALLS // 2}"):
            service.serving.change()
        return Json({})

    service.api = api
    hook = OAuth2Hook(method="GET", connection=service.connection())
    hook.run("orders")
    responses = at_once(hook)
    assert {response.status_code for response in responses} == {200}
    assert set(service.refused()) == {"use_dpop_nonce"}
    assert len(service.bound) == 1
