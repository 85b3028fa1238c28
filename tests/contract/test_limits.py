"""What a server cannot do to a caller: fill its memory, or hold it up."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.exceptions import OAuthError, ResourceError
from airflow_oauth_provider.hooks import shared_hook as shared_hooks
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.call.excerpts import MAX_BODY
from airflow_oauth_provider.transport.call_failure import CallFailedError, CallTimeoutError
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.servers.scripted import Drip, Endless, Json, Raw, Text
from tests.support.service import Service, echo
from tests.support.sides import Side
from tests.support.stopwatch import Stopwatch

FLOOD = 64 * 1024 * 1024
CHUNK = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"


def hook_of(service: Service, method: str = "GET", **extra: Any) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(**extra))


def auth_of(service: Service) -> OAuth2Auth:
    return OAuth2Auth("my_api", connection=service.connection())


@dataclass
class Flood:
    """A body far larger than anybody wants; counts the bytes that the client has let in."""

    head: bytes
    announced: bool = False
    sent: int = 0

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        length = f"Content-Length: {FLOOD}" if self.announced else "Transfer-Encoding: chunked"
        connection.sendall(self.head + length.encode() + b"\r\n\r\n")
        piece = CHUNK if not self.announced else b"x" * 0x4000
        while not stopped.is_set() and self.sent < FLOOD:
            connection.sendall(piece)
            self.sent += 0x4000
        connection.sendall(b"" if self.announced else b"0\r\n\r\n")
        return True

    @property
    def was_left_unread(self) -> bool:
        # The kernels of both ends hold some more, which nobody has read.
        return self.sent < FLOOD // 4


@dataclass(frozen=True)
class Stalled:
    """*data*, and of *rest* a byte now and then."""

    data: bytes
    rest: bytes = b""

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(self.data)
        Drip(self.rest, 0.05).play(connection, stopped)
        stopped.wait()
        return False


FAILED = b"HTTP/1.1 500 No\r\n"
REFUSED = b"HTTP/1.1 401 No\r\n"
MOVED = b"HTTP/1.1 302 Moved\r\nLocation: /api/new\r\n"


class TestResponsesOnTheWay:
    """A 401 and a redirect are read to 64 KiB at the most; else the connection is closed."""

    @pytest.mark.fault("F03")
    @pytest.mark.parametrize("head", [REFUSED, MOVED], ids=["401", "302"])
    def test_a_body_without_end_is_left_unread(self, side: Side, service: Service, head: bytes) -> None:
        flood = Flood(head)
        first = iter([flood])
        service.api = lambda request: next(first, None) or echo(request)
        response = side.run(hook_of(service), "/x")
        assert response.json()["authorization"] in {"Bearer tok-1", "Bearer tok-2"}
        assert [earlier.status_code for earlier in response.history] == [int(head[9:12])]
        assert response.history[0].content == b""
        assert service.calls[0].connection != service.calls[1].connection
        assert flood.was_left_unread

    @pytest.mark.fault("F03")
    @pytest.mark.parametrize("head", [REFUSED, MOVED], ids=["401", "302"])
    def test_nor_where_the_caller_streams(self, service: Service, head: bytes) -> None:
        flood = Flood(head)
        first = iter([flood])
        service.api = lambda request: next(first, None) or echo(request)
        response = hook_of(service).run("/x", extra_options={"stream": True})
        assert response.json()["target"] in {"/api/x", "/api/new"}
        assert flood.was_left_unread

    @pytest.mark.fault("F03")
    def test_nor_where_its_length_is_announced(self, side: Side, service: Service) -> None:
        flood = Flood(REFUSED, announced=True)
        first = iter([flood])
        service.api = lambda request: next(first, None) or echo(request)
        assert side.run(hook_of(service), "/x").status_code == 200
        assert flood.was_left_unread

    @pytest.mark.fault("F03")
    @pytest.mark.parametrize("stream", [False, True], ids=["read", "stream"])
    @pytest.mark.parametrize("head", [REFUSED, MOVED], ids=["401", "302"])
    def test_nor_in_any_requests_code(self, service: Service, head: bytes, stream: bool) -> None:
        """``requests`` itself would read a redirect whole before it follows."""
        flood = Flood(head)
        first = iter([flood])
        service.api = lambda request: next(first, None) or echo(request)
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), stream=stream, timeout=30)
        assert response.json()["target"] in {"/api/x", "/api/new"}
        assert response.history[0].content == b""
        assert flood.was_left_unread

    @pytest.mark.fault("F03")
    @pytest.mark.parametrize("head", [REFUSED, MOVED], ids=["401", "302"])
    def test_one_that_drips_is_given_up_in_any_requests_code(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, head: bytes
    ) -> None:
        monkeypatch.setattr("airflow_oauth_provider.calls.response.DRAIN_TIME", 0.3)
        first = iter([Drip(head + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000, 0.01)])
        service.api = lambda request: next(first, None) or echo(request)
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=30)
        assert response.history[0].content == b""

    @pytest.mark.fault("F03", "F40")
    def test_nor_is_that_of_a_streamed_refusal(self, service: Service) -> None:
        """Of which the error tells the beginning."""
        flood = Flood(FAILED)
        service.api = lambda _: flood
        with pytest.raises(ResourceError) as caught:
            hook_of(service).run("/x", extra_options={"stream": True})
        assert (caught.value.body or "").startswith("xxx")
        assert flood.was_left_unread

    @pytest.mark.fault("F03", "F40")
    @pytest.mark.parametrize("announced", [False, True], ids=["endless", "announced"])
    @pytest.mark.parametrize("extra", [{}, {"dead_when": "$.error in 601"}], ids=["status", "dead_when"])
    def test_nor_is_that_of_a_refusal(
        self, side: Side, service: Service, announced: bool, extra: dict[str, Any]
    ) -> None:
        """An error is made of it, which tells the beginning."""
        flood = Flood(FAILED, announced=announced)
        service.api = lambda _: flood
        with pytest.raises(ResourceError) as caught:
            side.run(hook_of(service, **extra), "/x")
        assert (caught.value.body or "").startswith("xxx")
        assert flood.was_left_unread

    @pytest.mark.fault("F03", "F40")
    def test_a_refusal_of_usual_size_keeps_its_connection(self, side: Side, service: Service) -> None:
        service.api = lambda _: Text(500, "y" * 300_000)
        hook = hook_of(service)
        for _ in range(2):
            with pytest.raises(ResourceError, match="yyy"):
                side.run(hook, "/x")
        assert service.calls[0].connection == service.calls[1].connection
        service.api = lambda _: Text(500, "y" * 2_000_000)
        response = side.run(hook, "/x", extra_options={"check_response": False})
        assert len(response.content) == 2_000_000, "who takes the response gets it whole"

    @pytest.mark.fault("F15", "F40")
    def test_a_streamed_refusal_that_drips_is_given_up(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_oauth_provider.calls.refusals._READ_TIME", 0.3)
        service.api = lambda _: Stalled(FAILED + b"Content-Length: 60000\r\n\r\n", b"x" * 60_000)
        watch = Stopwatch()
        with pytest.raises(ResourceError, match="500"):
            hook_of(service).run("/x", extra_options={"stream": True})
        assert watch.seconds < 30

    @pytest.mark.fault("F03")
    def test_a_small_redirect_that_nobody_follows_keeps_its_body(self, service: Service) -> None:
        moved = b"HTTP/1.1 302 Moved\r\nLocation: /api/new\r\nTransfer-Encoding: chunked\r\n\r\n"
        service.api = lambda _: Raw(moved + b"5\r\nmoved\r\n0\r\n\r\n", keep_open=True)
        with requests.Session() as session:
            session.auth = auth_of(service)
            for _ in range(2):
                response = session.get(f"{service.base_url}/x", allow_redirects=False, timeout=30)
                assert (response.status_code, response.content) == (302, b"moved")
        assert service.calls[0].connection == service.calls[1].connection

    @pytest.mark.fault("F03")
    def test_a_small_one_keeps_its_connection_and_its_body(self, side: Side, service: Service) -> None:
        service.dead.add("tok-1")
        service.refuse = lambda: Text(401, "x" * 60_000)
        response = side.run(hook_of(service), "/x")
        assert response.history[0].content == b"x" * 60_000
        assert service.calls[0].connection == service.calls[1].connection

    @pytest.mark.fault("F03")
    def test_the_length_of_a_head_response_is_not_that_of_a_body(self, side: Side, service: Service) -> None:
        first = iter([Raw(REFUSED + b"Content-Length: 400000000\r\n\r\n", keep_open=True)])
        service.api = lambda _: next(first, None) or Text(200)
        assert side.run(hook_of(service, "HEAD"), "/x").status_code == 200
        assert service.calls[0].connection == service.calls[1].connection

    @pytest.mark.fault("F03")
    def test_one_that_drips_is_given_up(
        self, side: Side, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_oauth_provider.calls.response.DRAIN_TIME", 0.3)
        monkeypatch.setattr("airflow_oauth_provider.calls.session.DRAIN_TIME", 0.3)
        first = iter([Drip(REFUSED + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000, 0.01)])
        service.api = lambda request: next(first, None) or echo(request)
        assert side.run(hook_of(service), "/x").status_code == 200

    @pytest.mark.fault("F14")
    @pytest.mark.parametrize("stream", [False, True], ids=["read", "stream"])
    def test_a_kill_ends_a_dripping_refusal(self, service: Service, stream: bool) -> None:
        hook = hook_of(service)
        service.api = lambda _: Drip(REFUSED + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000, 0.01)
        ended: list[BaseException] = []

        def work() -> None:
            try:
                hook.run("/x", extra_options={"stream": stream})
            except OAuthError as error:
                ended.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        while (
            len(service.token_requests) < 2
        ):  # the token has been renewed: what follows is the rest of the 401
            time.sleep(0.01)
        watch = Stopwatch()
        hook.stop()
        thread.join()
        assert watch.seconds < 2
        (error,) = ended
        assert isinstance(error, TaskStoppedError)


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDED = CHUNKED + b"2\r\n{}\r\n0\r\n"
HOLD_UPS = [
    pytest.param(Endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), id="informational"),
    pytest.param(Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="continue"),
    pytest.param(Drip(HEAD + b"X-Header: " + b"x" * 10_000, 0.05), id="dripped-head"),
    pytest.param(Drip(b"HTTP/1.1 103 Early Hints\r\n" * 500, 0.05), id="dripped-informational"),
    pytest.param(Endless(ENDED, b"X-Trailer: x\r\n"), id="trailers"),
    pytest.param(
        Drip(CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-Trailer: x\r\n" * 500, 0.05), id="dripped-trailers"
    ),
    pytest.param(Drip(CHUNKED + b"2;" + b"x" * 10_000, 0.05), id="dripped-chunk-size"),
]


@pytest.mark.fault("F15")
class TestTime:
    """``timeout`` bounds what has no end without a byte of the body; ``total_timeout`` the whole call."""

    @pytest.mark.parametrize("response", HOLD_UPS)
    def test_a_server_that_never_comes_to_the_point(
        self, side: Side, service: Service, response: Any
    ) -> None:
        service.api = lambda _: response
        watch = Stopwatch()
        with pytest.raises(OAuthError) as caught:
            side.run(hook_of(service), "/x", extra_options={"timeout": 1})
        assert watch.seconds < 10
        assert isinstance(caught.value, CallFailedError)

    def test_a_body_that_stops_on_its_way(self, side: Side, service: Service) -> None:
        service.api = lambda _: Stalled(HEAD + b"Content-Length: 10\r\n\r\nhalf")
        watch = Stopwatch()
        with pytest.raises(CallTimeoutError):
            side.run(hook_of(service), "/x", extra_options={"timeout": 1})
        assert watch.seconds < 10

    @pytest.mark.parametrize(
        "response",
        [
            pytest.param(Endless(ENDED, b"X-Trailer: x\r\n"), id="trailers"),
            pytest.param(Stalled(ENDED, b"X-Trailer: x\r\n" * 500), id="dripped-trailers"),
            pytest.param(Stalled(CHUNKED, b"2;" + b"x" * 10_000), id="dripped-chunk-size"),
        ],
    )
    def test_nor_does_one_hold_up_who_streams(self, service: Service, response: Any) -> None:
        """``requests`` has errors of its own for what a caller reads by itself."""
        service.api = lambda _: response
        streamed = hook_of(service).run("/x", extra_options={"stream": True, "timeout": 1})
        watch = Stopwatch()
        with pytest.raises((requests.RequestException, OSError)):
            list(streamed.iter_content(1024))
        assert watch.seconds < 10

    def test_a_stream_ends_with_its_last_chunk(self, service: Service) -> None:
        service.api = lambda _: Raw(ENDED + b"\r\n", keep_open=True)
        hook = hook_of(service)
        for _ in range(2):
            streamed = hook.run("/x", extra_options={"stream": True, "timeout": 1})
            assert b"".join(streamed.iter_content(1024)) == b"{}"
        assert service.calls[0].connection == service.calls[1].connection

    def test_a_body_that_drips_on_and_on(self, side: Side, service: Service) -> None:
        service.api = lambda _: Drip(HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000, 0.02)
        with pytest.raises(CallTimeoutError):
            side.run(hook_of(service), "/x", extra_options={"timeout": 5, "total_timeout": 1})

    def test_redirects_and_replays_count_as_one_call(self, side: Side, service: Service) -> None:
        service.dead.add("tok-1")
        service.api = lambda _: Drip(HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000, 0.02)
        watch = Stopwatch()
        with pytest.raises(CallTimeoutError):
            side.run(hook_of(service), "/x", extra_options={"total_timeout": 1})
        assert watch.seconds < 10

    def test_a_slow_upload_is_no_fault(self, side: Side, service: Service) -> None:
        class Slow:
            def __iter__(self) -> Any:
                for _ in range(4):
                    time.sleep(0.4)
                    yield b"piece"

        response = side.run(hook_of(service, "POST"), "/x", Slow(), extra_options={"timeout": 1.2})
        assert response.json()["body"] == "piece" * 4

    def test_a_large_body_arrives_whole(self, side: Side, service: Service) -> None:
        body = b"0123456789abcdef" * 65536
        side.run(hook_of(service, "POST"), "/x", body)
        assert service.calls[0].body == body
        assert service.calls[0].header("Content-Length") == str(len(body))
        assert service.calls[0].header("Transfer-Encoding") is None

    def test_a_server_that_stops_reading(self, side: Side, service: Service) -> None:
        class Deaf(threading.Thread):
            def __init__(self) -> None:
                super().__init__(daemon=True)
                self.listener = socket.create_server(("127.0.0.1", 0))
                self.port: int = self.listener.getsockname()[1]
                self.peers: list[socket.socket] = []

            def run(self) -> None:
                while True:
                    try:
                        self.peers.append(self.listener.accept()[0])
                    except OSError:
                        return

        deaf = Deaf()
        deaf.start()
        try:
            hook = hook_of(service, "POST", base_url=f"http://127.0.0.1:{deaf.port}")
            with pytest.raises(CallTimeoutError):
                side.run(hook, "/x", b"x" * 50_000_000, extra_options={"timeout": 1})
        finally:
            deaf.listener.shutdown(socket.SHUT_RDWR)
            deaf.listener.close()
            for peer in deaf.peers:
                peer.close()

    def test_a_trigger_has_ten_minutes(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        assert shared_hooks.TOTAL_TIMEOUT == 600
        monkeypatch.setattr(shared_hooks, "TOTAL_TIMEOUT", 0.5)
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        service.api = lambda _: Drip(HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 60_000, 0.02)

        async def call(options: dict[str, Any] | None) -> None:
            async with shared_hooks.shared_hook("my_api", "GET", None) as hook:
                await hook.arun("x", extra_options=options)

        with pytest.raises(CallTimeoutError):
            asyncio.run(call(None))
        monkeypatch.setattr(shared_hooks, "TOTAL_TIMEOUT", 600)
        with pytest.raises(CallTimeoutError):
            asyncio.run(call({"total_timeout": 0.5}))

    @pytest.mark.parametrize(
        "value, seconds",
        [("999999999", 3600.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0), ("7", 7.0), ("soon", None)],
    )
    def test_an_hour_is_the_longest_that_an_api_can_ask_for(
        self, side: Side, service: Service, value: str, seconds: float | None
    ) -> None:
        service.api = lambda _: Json({}, 503, [("Retry-After", value)])
        with pytest.raises(ResourceError) as caught:
            side.run(hook_of(service), "/x")
        assert caught.value.retry_after == seconds


@pytest.mark.fault("F28")
class TestTexts:
    """What a server says is cut where it stands in an error."""

    def refused(self, side: Side, service: Service, response: Any) -> ResourceError:
        service.api = lambda _: response
        with pytest.raises(ResourceError) as caught:
            side.run(hook_of(service), "/x")
        return caught.value

    def test_reason_type_and_challenges(self, side: Side, service: Service) -> None:
        long = "x" * 5000
        head = (
            f"HTTP/1.1 400 {long}\r\nContent-Type: {long}/{long}\r\nContent-Length: 5\r\n"
            f'WWW-Authenticate: {long} realm="a", Bearer error="{long}", error_description="{long}"\r\n\r\n'
        )
        error = self.refused(side, service, Raw(head.encode() + b"\0bad\0"))
        assert len(error.challenge or "") <= 200
        assert len(error.body or "") < 250
        assert len(str(error)) < 1500

    def test_a_body_of_two_kibibytes(self, side: Side, service: Service) -> None:
        error = self.refused(side, service, Text(400, "\u00e4" * 100_000))
        assert error.body is not None
        assert len(error.body.encode()) <= MAX_BODY
        assert error.body.endswith("\u2026")
        assert len(str(error)) < 1500
