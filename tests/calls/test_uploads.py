"""Uploads by iterators that call the same API for what they upload."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airflow_oauth_provider.calls import turns
from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.servers.scripted import Held, Json
from tests.support.service import Service, echo
from tests.support.waiting import auntil

MANY = 101
"""More than there are connections to one host."""


def hook_of(service: Service) -> OAuth2Hook:
    return OAuth2Hook(connection=service.connection(), method="POST")


@asynccontextmanager
async def opened(service: Service) -> AsyncIterator[OAuth2Hook]:
    hook = hook_of(service)
    try:
        yield hook
    finally:
        await hook.aclose()


async def reading(hook: OAuth2Hook) -> Any:
    """Yield; typed as what the arguments of a hook's calls are typed as."""
    yield b"read: "
    yield (await hook.arun("source")).json()["method"].encode()


async def nested(hook: OAuth2Hook) -> Any:
    yield b"written: "
    yield (await hook.arun("inner", data=reading(hook))).json()["body"].encode()


@pytest.fixture
def one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_UPLOADS", 1)


class TestCoroutines:
    """Each waits for its place."""

    @pytest.mark.parametrize("others", [True, False], ids=["another-hook", "the-same-hook"])
    def test_a_hundred_uploads_do_not_wait_for_one_another(self, service: Service, others: bool) -> None:
        async def main() -> list[Any]:
            hook = hook_of(service)
            source = hook_of(service) if others else hook
            try:
                return await asyncio.gather(
                    *(hook.arun("x", data=reading(source), timeout=20) for _ in range(MANY))
                )
            finally:
                await hook.aclose()
                await source.aclose()

        assert {response.json()["body"] for response in asyncio.run(main())} == {"read: POST"}

    def test_an_upload_of_what_an_upload_says(self, service: Service) -> None:
        async def main() -> list[Any]:
            async with opened(service) as hook:
                calls = (hook.arun("x", data=nested(hook), timeout=20) for _ in range(MANY))
                return await asyncio.gather(*calls)

        assert {response.json()["body"] for response in asyncio.run(main())} == {"written: read: POST"}

    @pytest.mark.usefixtures("one_place")
    def test_a_place_is_passed_on_whatever_its_call_ends_with(self, service: Service) -> None:
        async def failing() -> Any:
            yield b"a"
            raise KeyError("x")

        async def main() -> None:
            async with opened(service) as hook:
                calls = [hook.arun("x", data=failing()), hook.arun("x", data=reading(hook))]
                failed, done = await asyncio.gather(*calls, return_exceptions=True)
                assert isinstance(failed, ConfigurationError)
                assert not isinstance(done, BaseException)
                assert (await hook.arun("x", data=reading(hook))).status_code == 200

        asyncio.run(main())

    @pytest.mark.usefixtures("one_place")
    def test_who_is_cancelled_leaves_the_place_to_the_next(self, service: Service) -> None:
        released = threading.Event()
        service.api = lambda request: (
            Held(released, echo(request)) if "held" in request.target else echo(request)
        )

        async def main() -> None:
            async with opened(service) as hook:
                first = asyncio.create_task(hook.arun("held", data=pieces()))
                await auntil(lambda: len(service.calls) == 1, "the only place is taken")
                waiting = asyncio.create_task(hook.arun("never", data=pieces()))
                behind = asyncio.create_task(hook.arun("x", data=pieces()))
                await asyncio.sleep(0)
                waiting.cancel()
                first.cancel()
                assert (await behind).status_code == 200
                assert [call.target for call in service.calls] == ["/api/held", "/api/x"]

        try:
            asyncio.run(main())
        finally:
            released.set()

    @pytest.mark.usefixtures("one_place")
    def test_a_limit_for_all_of_it_holds_for_the_wait_too(self, service: Service) -> None:
        released = threading.Event()
        service.api = lambda request: Held(released, echo(request))

        async def main() -> None:
            async with opened(service) as hook:
                first = asyncio.create_task(hook.arun("x", data=pieces()))
                await auntil(lambda: len(service.calls) == 1, "the only place is taken")
                with pytest.raises(TransportError):
                    await hook.arun("x", data=pieces(), total_timeout=0.3)
                with pytest.raises(ConfigurationError):
                    await hook.arun("x", data=pieces(), total_timeout="soon")
                released.set()
                assert (await first).status_code == 200

        asyncio.run(main())

    @pytest.mark.usefixtures("one_place")
    def test_one_failed_token_request_is_the_end_of_all_who_wait(self, service: Service) -> None:
        service.token = lambda _: Json({"error": "temporarily_unavailable"}, 503)

        async def main() -> list[Any]:
            hook = OAuth2Hook(connection=service.connection(max_retry_attempts=0), method="POST")
            calls = (hook.arun("x", data=pieces()) for _ in range(5))
            return await asyncio.gather(*calls, return_exceptions=True)

        assert len({type(error) for error in asyncio.run(main())}) == 1
        assert len(service.token_requests) == 1
        assert service.calls == []

    @pytest.mark.usefixtures("one_place")
    def test_other_bodies_need_no_place(self, service: Service) -> None:
        released = threading.Event()
        service.api = lambda request: (
            Held(released, echo(request)) if "held" in request.target else echo(request)
        )

        async def main() -> None:
            async with opened(service) as hook:
                first = asyncio.create_task(hook.arun("held", data=pieces()))
                await auntil(lambda: len(service.calls) == 1, "the only place is taken")
                bodies: tuple[Any, ...] = "text", {"a": "form"}, iter([b"piece"]), None
                for body in bodies:
                    assert (await hook.arun("x", data=body)).status_code == 200
                released.set()
                await first

        asyncio.run(main())


async def pieces() -> Any:
    yield b"piece"


def test_a_hundred_threads_do_not_wait_for_one_another(service: Service) -> None:
    """Each has a session of its own, and connections as it needs them."""
    hook = hook_of(service)

    def blocking() -> Any:
        yield b"read: "
        yield hook.run("source").json()["method"].encode()

    with ThreadPoolExecutor(MANY) as pool:
        responses = list(pool.map(lambda _: hook.run("x", data=blocking()), range(MANY)))
    assert {response.json()["body"] for response in responses} == {"read: POST"}
