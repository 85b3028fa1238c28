"""What only coroutines can get wrong: sharing, cancelling, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from typing import Any

import pytest

from airflow_oauth_provider.calls import keep_alive
from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.transport import connectors
from tests.support.servers.scripted import CloseNow, Held, Json, ScriptedServer
from tests.support.service import Service
from tests.support.waiting import auntil


def hook_of(service: Service, method: str = "GET", **extra: Any) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(**extra))


def test_a_thousand_cold_calls_read_and_ask_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    async def get_connection(conn_id: str) -> Any:
        reads.append(conn_id)
        await asyncio.sleep(0.01)
        return service.connection()

    monkeypatch.setattr("airflow_oauth_provider.client.reading.aget_connection", get_connection)
    hook = OAuth2Hook("my_api", "GET")

    async def all_at_once() -> None:
        await asyncio.gather(*(hook.arun("x") for _ in range(1000)))
        await hook.aclose()

    asyncio.run(all_at_once())
    assert (len(reads), len(service.token_requests), len(service.calls)) == (1, 1, 1000)
    assert len({call.connection for call in service.calls}) <= connectors.CONNECTIONS_PER_HOST


def test_many_hooks_share_connections_and_the_token(service: Service) -> None:
    async def all_at_once() -> None:
        hooks = [hook_of(service) for _ in range(200)]
        await asyncio.gather(*(hook.arun("x") for hook in hooks))
        await asyncio.gather(*(hook.aclose() for hook in hooks))
        assert connectors._connectors[asyncio.get_running_loop()] == {}

    asyncio.run(all_at_once())
    assert len(service.token_requests) == 1
    assert len({call.connection for call in service.calls}) <= connectors.CONNECTIONS_PER_HOST


def test_a_bad_endpoint_among_good_ones_sends_nothing(service: Service) -> None:
    async def alone() -> None:
        hook = hook_of(service)
        with pytest.raises(ConfigurationError):
            await hook.arun("https://elsewhere.example/")
        assert service.server.requests == []
        results = await asyncio.gather(
            hook.arun("https://elsewhere.example/"), hook.arun("x"), return_exceptions=True
        )
        assert isinstance(results[0], ConfigurationError)
        assert not isinstance(results[1], BaseException)
        await hook.aclose()

    asyncio.run(alone())


def test_one_that_is_cancelled_leaves_the_others_alone(service: Service) -> None:
    async def some_go() -> None:
        hook = hook_of(service)
        tasks = [asyncio.create_task(hook.arun("x")) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks[:5]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in results[:5])
        assert not [one for one in results[5:] if isinstance(one, BaseException)]
        await hook.aclose()

    asyncio.run(some_go())
    assert len(service.token_requests) == 1


def test_it_closes_itself_when_nobody_calls(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_alive, "IDLE", 0.1)

    async def idle() -> None:
        hook = hook_of(service)
        await hook.arun("x")
        await hook.arun("x")
        await auntil(lambda: asyncio.all_tasks() == {asyncio.current_task()}, "its end")
        assert connectors._connectors[asyncio.get_running_loop()] == {}
        await hook.arun("x")
        await hook.aclose()
        await hook.aclose()

    asyncio.run(idle())
    assert service.calls[0].connection == service.calls[1].connection
    gc.collect()


def test_nothing_complains_when_the_loop_just_ends(service: Service) -> None:
    hook = hook_of(service)
    for _ in range(2):
        asyncio.run(hook.arun("x"))
        gc.collect()
    assert len(service.calls) == 2


def test_a_session_is_used_like_aiohttps(service: Service) -> None:
    async def use() -> None:
        hook = hook_of(service)
        async with hook.asession(headers={"X-All": "1"}) as session:
            async with session.get("a", params={"b": "c"}) as response:
                assert (await response.json())["target"] == "/api/a?b=c"
            response = await session.post("a", json={"d": 1})
            assert (await response.json())["body"] == '{"d": 1}'
            refused = await session.request("GET", "a", headers={"X-One": "1"})
            assert refused.status == 200
            with pytest.raises(ConfigurationError) as caught:
                await session.get("a", stream=True)  # type: ignore[call-arg]
            assert caught.value.field == "stream"

    asyncio.run(use())
    assert {call.header("X-All") for call in service.calls} == {"1"}
    assert len(service.token_requests) == 1
    gc.collect()


def test_arun_reads_the_whole_answer(service: Service) -> None:
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(hook_of(service).arun("x", extra_options={"stream": True}))
    assert caught.value.field == "extra_options"


def test_names_are_looked_up_outside_the_shared_executor(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    getaddrinfo = socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        threads.append(threading.current_thread().name)
        return getaddrinfo(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    base_url = service.base_url.replace("127.0.0.1", "localhost")
    asyncio.run(hook_of(service, base_url=base_url).arun("x"))
    assert "oauth2-lookup" in threads
    assert not [name for name in threads if name.startswith("asyncio")]


@pytest.mark.fault("C40")
def test_a_name_of_a_metadata_address_is_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    async def call() -> None:
        hook = hook_of(service, base_url="https://api.example")
        await hook.aget_token()
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with pytest.raises(ConfigurationError) as caught:
            await hook.arun("x")
        assert caught.value.field == "base_url"
        await hook.aclose()

    asyncio.run(call())


def test_one_hanging_authorization_server_holds_up_nobody_else(service: Service) -> None:
    with ScriptedServer() as hanging:
        others = threading.Event()
        hanging.script(Held(others, CloseNow()))

        async def both() -> None:
            once: dict[str, Any] = {"host": f"{hanging.url}/token", "max_retry_attempts": 0}
            stuck = [
                asyncio.create_task(hook_of(service, login=f"c{number}", **once).arun("x"))
                for number in range(40)
            ]
            await auntil(lambda: len(hanging.requests) == 40, "their requests")
            hook = hook_of(service)
            await asyncio.wait_for(asyncio.gather(*(hook.arun("x") for _ in range(50))), 60)
            await hook.aclose()
            assert not any(task.done() for task in stuck)
            others.set()
            results = await asyncio.gather(*stuck, return_exceptions=True)
            assert all(isinstance(error, TransportError) for error in results)

        asyncio.run(both())
    assert len(service.calls) == 50


def test_a_token_for_one_call_only_is_not_asked_for_twice(service: Service) -> None:
    service.token = lambda _: Json({"access_token": "once", "token_type": "Bearer", "expires_in": 0})

    async def call() -> None:
        hook = hook_of(service)
        await hook.arun("x")
        await hook.aclose()

    asyncio.run(call())
    assert len(service.token_requests) == 1


@pytest.mark.fault("R35")
def test_a_session_takes_no_authorization_of_the_callers(service: Service) -> None:
    with pytest.raises(ConfigurationError, match="Authorization"):
        hook_of(service).asession(headers={"authorization": "Bearer own"})


def test_an_edited_connection_takes_the_token_elsewhere(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was resolved for the API of before is not called with a token of now."""
    paths = iter(["api", "new"])

    async def get_connection(conn_id: str) -> Any:
        return service.connection(base_url=f"{service.server.url}/{next(paths)}")

    monkeypatch.setattr("airflow_oauth_provider.client.reading.aget_connection", get_connection)

    async def calls() -> None:
        hook = OAuth2Hook("my_api", "GET")
        await hook.arun("x")
        await hook.aget_token(force=True)  # reads the connection again
        await hook.arun("x")
        await hook.aclose()

    asyncio.run(calls())
    assert [call.target for call in service.calls] == ["/api/x", "/new/x"]


def test_a_cancellation_while_connections_are_closed_is_not_lost(service: Service) -> None:
    """Else a trigger that closes its hook just then would poll on for ever."""

    async def work() -> None:
        hook = hook_of(service)
        await hook.arun("x")

        async def close_and_go_on() -> None:
            await hook.aclose()
            await asyncio.sleep(60)

        task = asyncio.create_task(close_and_go_on())
        await asyncio.sleep(0)  # it waits for the connections' end now
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=60)
        assert task in done
        assert task.cancelled()

    asyncio.run(work())


class TestNothingStaysOpen:
    """A session is closed whenever hook or loop end. One left open would warn, and warnings are errors."""

    @pytest.mark.fault("F13")
    def test_closed_before_the_first_call_has_begun(self, service: Service) -> None:
        async def work() -> None:
            hook = hook_of(service)
            task = asyncio.create_task(hook.arun("x"))
            await asyncio.sleep(0)
            await hook.aclose()  # what would close the session when idle has not begun
            assert (await task).status_code == 200
            assert connectors._connectors[asyncio.get_running_loop()] == {}

        asyncio.run(work())
        gc.collect()

    @pytest.mark.fault("F13")
    def test_closed_at_any_moment_of_a_call(self, service: Service) -> None:
        async def work(steps: int) -> None:
            hook = hook_of(service)
            await hook.aget_token()
            task = asyncio.create_task(hook.arun("x"))
            for _ in range(steps):
                await asyncio.sleep(0)
            await hook.aclose()
            await asyncio.wait([task])
            assert connectors._connectors[asyncio.get_running_loop()] == {}
            assert asyncio.all_tasks() == {asyncio.current_task()}

        for steps in range(1, 12):  # with none the call comes after
            asyncio.run(work(steps))
            gc.collect()

    @pytest.mark.fault("F13")
    def test_the_loop_ends_at_any_moment_of_a_call(self, service: Service) -> None:
        async def work(steps: int) -> None:
            hook = hook_of(service)
            await hook.aget_token()
            hooks.append(hook)
            task = asyncio.create_task(hook.arun("x"))
            for _ in range(steps):
                await asyncio.sleep(0)
            assert not task.done() or steps

        hooks: list[OAuth2Hook] = []
        for steps in range(12):
            asyncio.run(work(steps))
            gc.collect()

    @pytest.mark.fault("F13")
    def test_a_call_that_fails_before_anything_is_sent(self, service: Service) -> None:
        async def work() -> None:
            hook = hook_of(service)
            await hook.aget_token()
            with pytest.raises(ConfigurationError):
                await hook.arun("x", headers={"X": 1})
            await hook.aclose()

        asyncio.run(work())
        gc.collect()

    def test_idle_sessions_do_not_pile_up(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keep_alive, "IDLE", 0.01)

        async def work() -> None:
            hook = hook_of(service)
            for _ in range(5):
                await hook.arun("x")
                await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
            (kept,) = hook._open_sessions.values()
            assert kept._before is None
            await hook.aclose()

        asyncio.run(work())
        gc.collect()
