"""What code of the caller's, or a library, raises while a call is prepared or made."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowException

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TransportError, UnexpectedError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens import worker_threads
from tests.support.confidential import assert_nothing_confidential
from tests.support.leaks import leaks
from tests.support.servers.scripted import CloseNow, Json, Redirect, Silent, Text, token_json
from tests.support.service import Service
from tests.support.sides import Side, Threads

SECRET = "a-client-secret"
PRIVATE = "a-text-of-the-callers-own"


class _Broken:
    """Raises in every way in which an argument can be looked at."""

    def __iter__(self) -> NoReturn:
        raise KeyError(PRIVATE)

    def items(self) -> NoReturn:
        raise KeyError(PRIVATE)

    def __str__(self) -> NoReturn:
        raise KeyError(PRIVATE)

    def __len__(self) -> int:
        return 1


class _BrokenFile(io.BytesIO):
    def read(self, *_: Any) -> NoReturn:
        raise OSError(PRIVATE)


class _BrokenIterable:
    def __iter__(self) -> Iterator[bytes]:
        yield b"first"
        raise OSError(PRIVATE)


class _BrokenDict(dict[str, Any]):
    def items(self) -> NoReturn:
        raise KeyError(PRIVATE)

    __iter__ = keys = items


class _Unsure:
    """As a data frame is, and an array of several numbers."""

    def __bool__(self) -> NoReturn:
        raise ValueError(PRIVATE)


ARGUMENTS = [
    pytest.param({"headers": {"X-Page": 1}}, "headers", id="headers-number[F01]"),
    pytest.param({"headers": {"X-Page": " leading"}}, "headers", id="headers-blank[F61]"),
    pytest.param({"headers": {"X-Page": f"{PRIVATE}\r\nX: y"}}, "headers", id="headers-CRLF"),
    pytest.param({"headers": {"X-Page": f"{PRIVATE}\u20ac"}}, "headers", id="headers-euro"),
    pytest.param({"headers": [("X-Page", PRIVATE)]}, "headers", id="headers-list"),
    pytest.param({"headers": _Broken()}, "headers", id="headers-raise"),
    pytest.param({"json": {"a": object()}}, "json", id="json-object[F01]"),
    pytest.param({"json": {PRIVATE: float("nan")}}, "json", id="json-NaN[F01]"),
    pytest.param({"data": _Broken()}, "data", id="data-raise"),
    pytest.param({"data": {"a": _Broken()}}, "data", id="data-value-raises"),
    pytest.param({"data": 3}, "data", id="data-number"),
    pytest.param({"data": _BrokenIterable()}, "data", id="data-iterable"),
    pytest.param({"data": _BrokenFile(b"x" * 10)}, "data", id="data-file"),
    pytest.param({"files": {"a": object()}}, "files", id="files-object"),
    pytest.param({"files": 3}, "files", id="files-number"),
    pytest.param({"headers": {"X-Page": _Broken()}}, "headers", id="headers-value-raises"),
    pytest.param({"headers": _BrokenDict(a="b")}, "headers", id="headers-dict-raises"),
    pytest.param({"json": _BrokenDict(a="b")}, "json", id="json-dict-raises"),
    pytest.param({"json": _Unsure()}, "json", id="json-unsure"),
    pytest.param({"data": _BrokenDict(a="b")}, "data", id="data-dict-raises"),
    pytest.param({"data": _Unsure()}, "data", id="data-unsure"),
    pytest.param({"files": {"a": _BrokenFile(b"x")}}, "files", id="files-file-raises"),
    pytest.param({"files": _BrokenDict(a="b")}, "files", id="files-dict-raises"),
    pytest.param({"files": _Unsure()}, "files", id="files-unsure"),
    pytest.param({"cookies": _Broken()}, "cookies", id="cookies-raise"),
    pytest.param({"cookies": _BrokenDict(a="b")}, "cookies", id="cookies-dict-raises"),
    pytest.param({"cookies": _Unsure()}, "cookies", id="cookies-unsure"),
    pytest.param({"params": _BrokenDict(a="b")}, "params", id="params-dict-raises"),
    pytest.param({"params": _Unsure()}, "params", id="params-unsure"),
    pytest.param({"params": {"a": _Broken()}}, "params", id="params-value-raises"),
    pytest.param({"endpoint": 3}, "endpoint", id="endpoint-number"),
    pytest.param({"endpoint": ["x"]}, "endpoint", id="endpoint-list"),
    pytest.param({"endpoint": _Broken()}, "endpoint", id="endpoint-raises"),
    pytest.param({"params": _Broken()}, "params", id="params-raise"),
    pytest.param({"params": 3}, "params", id="params-number"),
    pytest.param({"cookies": 3}, "cookies", id="cookies-number"),
    pytest.param({"stream": True}, "stream", id="unknown-argument"),
    pytest.param({"extra_options": {"timeout": PRIVATE}}, "timeout", id="timeout-text"),
    pytest.param({"extra_options": {"timeout": (1, 2, 3)}}, "timeout", id="timeout-triple"),
    pytest.param({"extra_options": {"timeout": -1}}, "timeout", id="timeout-negative"),
    pytest.param({"extra_options": {"total_timeout": 0}}, "total_timeout", id="total-zero"),
    pytest.param({"extra_options": 3}, "extra_options", id="options-number"),
    pytest.param({"extra_options": _Broken()}, "extra_options", id="options-raise"),
    pytest.param({"extra_options": {"verify": 1.5}}, "extra_options", id="verify-number"),
    pytest.param({"extra_options": {"verify": Path("ca.pem")}}, "extra_options", id="verify-path"),
    pytest.param({"extra_options": {"cert": 3}}, "extra_options", id="cert-number"),
    pytest.param({"extra_options": {"cert": ("a", Path("b"))}}, "extra_options", id="cert-path"),
    pytest.param({"extra_options": {"proxies": 3}}, "extra_options", id="proxies-number"),
    pytest.param({"extra_options": {"proxies": {"https": 3}}}, "extra_options", id="proxies-value"),
]


def hook_of(service: Service, method: str = "POST", **extra: Any) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(**extra))


def require_clean(error: BaseException, *more: str) -> None:
    assert leaks(error, SECRET, "tok-1", "tok-2", *more) == []
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize("arguments, field", ARGUMENTS)
def test_an_argument_that_cannot_be_sent_is_named(
    side: Side, service: Service, arguments: dict[str, Any], field: str
) -> None:
    hook = hook_of(service)
    with pytest.raises(ConfigurationError) as caught:
        side.run(hook, **{"endpoint": "/x", **arguments})
    assert (caught.value.field, caught.value.conn_id) == (field, "my_api")
    assert PRIVATE not in str(caught.value)
    require_clean(caught.value)
    assert side.run(hook, "/x").status_code == 200, "and the next call is made"


@pytest.mark.parametrize("data", [_Broken(), _Unsure(), 3], ids=["raises", "unsure", "number"])
def test_of_get_data_are_the_query(side: Side, service: Service, data: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        side.run(hook_of(service, "GET"), "/x", data)
    assert (caught.value.field, caught.value.conn_id) == ("params", "my_api")
    require_clean(caught.value)


@pytest.mark.parametrize("base_url", [3, _Broken()], ids=["number", "raises"])
def test_a_base_url_that_is_no_text(side: Side, service: Service, base_url: Any) -> None:
    hook = OAuth2Hook(method="GET", connection=service.connection(), base_url=base_url)
    with pytest.raises(ConfigurationError) as caught:
        side.run(hook, "/x")
    assert (caught.value.field, caught.value.conn_id) == ("base_url", "my_api")
    require_clean(caught.value)
    assert service.server.requests == []


@pytest.mark.parametrize("method", ["GET\r\nX: y", "G T", "", 3])
def test_what_is_no_method_is_refused(side: Side, service: Service, method: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        side.run(hook_of(service, method), "/x")
    assert caught.value.field == "method"
    assert caught.value.__context__ is None
    assert service.server.requests == []


@pytest.mark.fault("F01")
def test_a_bad_argument_costs_no_token(side: Side, service: Service) -> None:
    not_latin, raising = {"X-Page": "\u20ac"}, _Broken()
    for arguments in (
        {"headers": {"X-Page": 1}},
        {"headers": not_latin},
        {"headers": raising},
        {"json": object()},
        {"params": raising},
        {"files": 3},
    ):
        with pytest.raises(ConfigurationError):
            side.run(hook_of(service), "/x", **arguments)
    assert service.server.requests == []


@pytest.mark.fault("F01")
@pytest.mark.parametrize(
    "argument",
    [
        {"headers": {"X-Page": 1}},
        {"json": float("nan")},
        {"json": object()},
        {"stream": True},
        {"endpoint": "https://elsewhere.example/"},
    ],
    ids=["InvalidHeader", "InvalidJSONError", "TypeError", "argument", "endpoint"],
)
def test_one_bad_argument_fails_its_own_call_only(service: Service, argument: dict[str, Any]) -> None:
    """Whoever comes first: the others wait for the same first token."""

    async def all_at_once(order: slice) -> None:
        hook = hook_of(service)
        calls: list[dict[str, Any]] = [argument, {}, {}, {}]
        results = await asyncio.gather(
            *(hook.arun(**{"endpoint": "x", **call}) for call in calls[order]), return_exceptions=True
        )
        await hook.aclose()
        bad, *good = results[order]
        assert isinstance(bad, ConfigurationError)
        assert [getattr(response, "status_code", response) for response in good] == [200, 200, 200]

    asyncio.run(all_at_once(slice(None, None, 1)))
    asyncio.run(all_at_once(slice(None, None, -1)))
    assert len(service.calls) == 6


@pytest.mark.fault("F01")
def test_when_all_are_bad_no_token_is_asked_for(service: Service) -> None:
    async def all_at_once() -> None:
        hook = hook_of(service)
        calls = (hook.arun("x", headers={"X-Page": number}) for number in range(5))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [getattr(result, "field", result) for result in results] == ["headers"] * 5
        await hook.aclose()

    asyncio.run(all_at_once())
    assert service.server.requests == []


def test_an_asynchronous_body_that_raises(service: Service) -> None:
    async def pieces() -> Any:
        yield b"first"
        raise KeyError(PRIVATE)

    async def call() -> None:
        hook = hook_of(service)
        with pytest.raises(ConfigurationError) as caught:
            await hook.arun("x", pieces())
        assert caught.value.field == "data"
        require_clean(caught.value)
        await hook.aclose()

    asyncio.run(call())


def test_a_file_in_text_mode_is_sent(side: Side, service: Service) -> None:
    side.run(hook_of(service), "/x", io.StringIO("five"))
    assert service.calls[0].body == b"five"


class TestHooks:
    """Response hooks of the caller's; ``requests`` has them only."""

    def raising(self, error: Exception) -> dict[str, Any]:
        def hook(response: requests.Response, **_: Any) -> NoReturn:
            raise error

        return {"hooks": {"response": hook}}

    def test_what_one_raises_names_the_argument(self, service: Service) -> None:
        with pytest.raises(ConfigurationError) as caught:
            hook_of(service).run("/x", **self.raising(KeyError(PRIVATE)))
        assert caught.value.field == "hooks"
        require_clean(caught.value, PRIVATE)

    def test_an_http_error_leaves_its_request_behind(self, service: Service) -> None:
        service.api = lambda _: Json({}, 500)

        def check(response: requests.Response, **_: Any) -> None:
            response.raise_for_status()

        with pytest.raises(ConfigurationError, match="HTTPError") as caught:
            hook_of(service).run("/x", hooks={"response": check})
        require_clean(caught.value)

    def test_what_steers_a_task_passes(self, service: Service) -> None:
        error = AirflowException("skip it")
        with pytest.raises(AirflowException) as caught:
            hook_of(service).run("/x", **self.raising(error))
        assert caught.value is error

    @pytest.mark.fault("F04", "F20")
    @pytest.mark.parametrize("kind", [AirflowException, SystemExit])
    def test_what_steers_a_task_repeats_no_token(
        self, service: Service, kind: type[BaseException], caplog: pytest.LogCaptureFixture
    ) -> None:
        token = "tok-of-more-than-some-characters"
        service.token = lambda _: token_json(token)

        def hook(response: requests.Response, **_: Any) -> NoReturn:
            raise kind(f"unexpected: {response.text}")

        with pytest.raises(kind) as caught:
            hook_of(service).run("/x", hooks={"response": hook})
        assert "unexpected: " in str(caught.value)
        assert_nothing_confidential(caught.value, [token], ours=False)
        assert token not in caplog.text

    def test_one_that_is_its_own_cause_ends_the_call(self, service: Service) -> None:
        error = AirflowException("skip it")
        error.__cause__ = error
        with pytest.raises(AirflowException) as caught:
            hook_of(service).run("/x", **self.raising(error))
        assert caught.value is error

    def test_an_event_that_requests_does_not_have(self, service: Service) -> None:
        with pytest.raises(ConfigurationError) as caught:
            hook_of(service).run("/x", hooks={PRIVATE: print})
        assert caught.value.field == "hooks"
        require_clean(caught.value)


class TestDefects:
    """Whatever else a library raises: a defect of somebody's, which must not show what it holds."""

    def break_(self, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: Any, **__: Any) -> NoReturn:
            raise ZeroDivisionError(PRIVATE)

        if isinstance(side, Threads):
            monkeypatch.setattr(requests.Session, "send", broken)
        else:
            monkeypatch.setattr(aiohttp.ClientSession, "request", broken)

    def test_in_a_call(self, side: Side, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = hook_of(service)
        side.token(hook)
        self.break_(side, monkeypatch)
        with pytest.raises(UnexpectedError, match="ZeroDivisionError") as caught:
            side.run(hook, "/x")
        require_clean(caught.value, PRIVATE)


def refused(service: Service) -> None:
    service.api = lambda request: Json({"you sent": request.header("Authorization")}, 400)


def refused_as_invalid(service: Service) -> None:
    service.api = lambda _: service.refuse()


def redirected(service: Service) -> None:
    service.api = lambda _: Redirect("https://elsewhere.example/x", 307)


def cut(service: Service) -> None:
    service.api = lambda _: CloseNow()


def cut_in_the_body(service: Service) -> None:
    service.api = lambda _: _Cut()


def silent(service: Service) -> None:
    service.api = lambda _: Silent()


def without_a_token(service: Service) -> None:
    service.token = lambda request: Json(
        {"error": "invalid_client", "error_description": request.header("Authorization")}, 401
    )


class _Cut(Text):
    def play(self, connection: Any, stopped: Any) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.")
        return False


@pytest.mark.fault("F27")
@pytest.mark.parametrize(
    "happens",
    [refused, refused_as_invalid, redirected, cut, cut_in_the_body, silent, without_a_token],
    ids=lambda happens: happens.__name__,
)
class TestNothingComesAlong:
    """No error carries a request, a token or a secret, in whatever part of it."""

    def test_out_of_a_hook(self, side: Side, service: Service, happens: Callable[[Service], None]) -> None:
        happens(service)
        with pytest.raises(OAuthError) as caught:
            side.run(hook_of(service), "/x", "body", extra_options={"timeout": 0.5})
        require_clean(caught.value)
        if isinstance(caught.value, TransportError):
            assert vars(caught.value).get("request") is vars(caught.value).get("response") is None

    def test_out_of_requests_own_code(self, service: Service, happens: Callable[[Service], None]) -> None:
        happens(service)
        auth = OAuth2Auth("my_api", connection=service.connection())
        with suppress(requests.RequestException):  # of requests itself, whose errors hold its request
            try:
                requests.post(f"{service.base_url}/x", data="body", auth=auth, timeout=0.5)
            except OAuthError as error:
                failure: OAuthError | None = error
            else:
                failure = None
            assert failure is None or leaks(failure, SECRET, "tok-1", "tok-2") == []


@pytest.mark.fault("F18")
def test_an_ipv6_address_stands_in_brackets(side: Side, service: Service, unused_port: int) -> None:
    with pytest.raises(TransportError) as caught:
        side.run(hook_of(service, base_url=f"http://[::1]:{unused_port}"), "/x")
    assert caught.value.host == f"[::1]:{unused_port}"
    assert f"the API [::1]:{unused_port}" in str(caught.value)


@pytest.mark.fault("F12")
def test_a_process_that_can_begin_no_more_threads(
    side: Side, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose limit of processes is reached."""
    hook = OAuth2Hook("my_api", connection=service.connection())

    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(worker_threads, "_idle", [])
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TransportError, match="can begin no more threads") as raised:
            side.token(hook)
    assert raised.value.retryable
    assert side.token(hook).value == "tok-1"
