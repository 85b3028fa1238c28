"""Protected calls: one suite that threads (requests) and coroutines (aiohttp) both pass."""

from __future__ import annotations

import io
import itertools
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowException

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InsufficientScopeError,
    ResourceError,
    TransportError,
    is_definite,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens.entries import Entries
from tests.support.servers.scripted import (
    CloseNow,
    Endless,
    Json,
    Raw,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
    Silent,
    Text,
    token_json,
)
from tests.support.service import RecordedRequest, Service, redirecting
from tests.support.sides import Side, Threads

SECRET = "a-client-secret"


def hook_of(
    service: Service, method: str = "GET", *, base_url: str | None = None, **extra: Any
) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(**extra), base_url=base_url)


def test_a_call_carries_the_token_and_a_second_call_asks_for_none(side: Side, service: Service) -> None:
    hook = hook_of(service)
    first, second = side.run(hook, "/items").json(), side.run(hook, "items").json()
    assert first["authorization"] == second["authorization"] == "Bearer tok-1"
    assert first["target"] == second["target"] == "/api/items"
    assert len(service.token_requests) == 1


def test_one_keep_alive_connection_for_all_calls(side: Side, service: Service) -> None:
    hook = hook_of(service)
    for _ in range(5):
        side.run(hook, "/items")
    assert len({call.connection for call in service.calls}) == 1


@pytest.mark.parametrize(
    "method, data, kwargs, target, body",
    [
        ("GET", {"a": "1"}, {}, "/api/x?a=1", ""),
        ("GET", None, {"params": {"b": "2"}}, "/api/x?b=2", ""),
        ("HEAD", None, {}, "/api/x", ""),
        ("POST", {"a": "1"}, {}, "/api/x", "a=1"),
        ("POST", None, {"json": {"a": 1}}, "/api/x", '{"a": 1}'),
        ("PUT", "text", {}, "/api/x", "text"),
        ("DELETE", None, {}, "/api/x", ""),
    ],
)
def test_data_goes_where_airflows_hook_puts_it(
    side: Side, service: Service, method: str, data: Any, kwargs: dict[str, Any], target: str, body: str
) -> None:
    service.api = lambda _: Text(200)
    side.run(hook_of(service, method), "x", data, **kwargs)
    assert service.calls[0].method == method
    assert service.calls[0].target == target
    assert service.calls[0].body.decode() == body


@pytest.mark.parametrize(
    "endpoint, params, target",
    [
        ("x?a=%3A%2F&b=%2B+%20", None, "/api/x?a=%3A%2F&b=%2B+%20"),
        ("a%2Fb/%C3%BC", {"c": "d/e:f"}, "/api/a%2Fb/%C3%BC?c=d%2Fe%3Af"),
        ("ä", {"ö": "ü"}, "/api/%C3%A4?%C3%B6=%C3%BC"),
    ],
)
def test_an_address_arrives_as_requests_encodes_it(
    side: Side, service: Service, endpoint: str, params: Any, target: str
) -> None:
    """A signature over it would not hold otherwise; redirects included."""
    side.run(hook_of(service), endpoint, params)
    assert service.calls[0].target == target
    service.api = lambda request: Redirect(target, 307) if request.target == "/api/go" else Text(200)
    side.run(hook_of(service), "go")
    assert service.calls[-1].target == target


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_no_type_is_made_up_for_a_body_that_is_not_there(side: Side, service: Service, method: str) -> None:
    side.run(hook_of(service, method), "x")
    assert service.calls[0].header("Content-Type") is None
    assert service.calls[0].header("Content-Length") == "0"


def test_a_long_header_of_an_answer_is_read(side: Side, service: Service) -> None:
    service.api = lambda _: Text(200, headers=[("X-Long", "x" * 30_000)])
    assert len(side.run(hook_of(service), "x").headers["X-Long"]) == 30_000


def test_headers_of_a_call_stay_with_that_call(side: Side, service: Service) -> None:
    hook = hook_of(service, api_headers=["X-Team=data"])
    side.run(hook, "a", headers={"X-Once": "1"})
    side.run(hook, "b")
    assert [call.header("X-Once") for call in service.calls] == ["1", None]
    assert [call.header("X-Team") for call in service.calls] == ["data", "data"]


def test_extras_never_become_headers(side: Side, service: Service) -> None:
    hook = hook_of(service, category="finance", unknown_thing="value")
    side.run(hook, "a")
    names = {name.lower() for name, _ in service.calls[0].headers}
    assert names <= {"host", "user-agent", "accept-encoding", "accept", "connection", "authorization"}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("WWW-Authenticate", 'Bearer error="invalid_token"')], id="invalid-token"),
        pytest.param([], id="no-challenge[R03]"),
        pytest.param([("WWW-Authenticate", "Basic realm=x")], id="basic-only[R04]"),
        pytest.param(
            [
                ("WWW-Authenticate", 'Basic realm="a, b", Bearer error="invalid_token"'),
                ("WWW-Authenticate", "X"),
            ],
            id="several[R05]",
        ),
    ],
)
def test_a_dead_token_is_renewed_once_and_the_call_replayed_once(
    side: Side, service: Service, headers: Any
) -> None:
    service.refuse = lambda: Json({}, 401, headers)
    service.dead.add("tok-1")
    response = side.run(hook_of(service), "/items")
    assert response.json()["authorization"] == "Bearer tok-2"
    assert len(service.token_requests) == 2
    assert [earlier.status_code for earlier in response.history] == [401]


@pytest.mark.fault("F07")
def test_a_token_for_one_call_only_is_asked_for_once(side: Side, service: Service) -> None:
    numbers = itertools.count(1)
    service.token = lambda _: token_json(f"once-{next(numbers)}", expires_in=0)
    hook = hook_of(service)
    assert side.run(hook, "/items").json()["authorization"] == "Bearer once-1"
    assert len(service.token_requests) == 1
    service.dead.add("once-2")
    assert side.run(hook, "/items").json()["authorization"] == "Bearer once-3"
    assert len(service.token_requests) == 3, "one for the call, one after the refusal"
    service.api = redirecting("/api/new")
    assert side.run(hook, "/x").json()["authorization"] == "Bearer once-4"
    assert len(service.token_requests) == 4, "a redirect carries the same token"


def test_a_session_takes_no_prepared_request_elsewhere(service: Service) -> None:
    with ScriptedServer() as other, hook_of(service).get_conn() as session:
        with pytest.raises(ConfigurationError) as caught:
            session.send(requests.Request("GET", f"{other.url}/x").prepare())
        assert caught.value.field == "endpoint"
        assert other.requests == service.server.requests == []


def test_a_second_refusal_is_final(side: Side, service: Service) -> None:
    service.dead.update({"tok-1", "tok-2", "tok-3"})
    with pytest.raises(ResourceError) as caught:
        side.run(hook_of(service), "/items")
    assert caught.value.status == 401
    assert caught.value.challenge == "Bearer"
    assert caught.value.conn_id == "my_api"
    assert isinstance(caught.value, AirflowException)
    assert len(service.calls) == 2
    assert len(service.token_requests) == 2


@pytest.mark.fault("R08")
def test_a_missing_scope_is_named_and_the_token_kept(side: Side, service: Service) -> None:
    challenge = 'Bearer error="insufficient_scope", scope="write admin"'
    service.api = lambda _: Json({}, 403, [("WWW-Authenticate", challenge)])
    hook = hook_of(service)
    with pytest.raises(InsufficientScopeError, match="write admin") as caught:
        side.run(hook, "/items")
    assert caught.value.scope == "write admin"
    assert len(service.token_requests) == 1
    assert side.token(hook).value == "tok-1"


@pytest.mark.parametrize(
    "status, retryable",
    [
        pytest.param(403, False, id="403[R09]"),
        pytest.param(404, False, id="404"),
        pytest.param(407, False, id="407[R11]"),
        pytest.param(429, True, id="429[R12]"),
        pytest.param(503, True, id="503[R12][R28]"),
    ],
)
def test_other_refusals_are_sent_once_and_keep_the_token(
    side: Side, service: Service, status: int, retryable: bool
) -> None:
    service.api = lambda _: Json({}, status, [("Retry-After", "7")])
    hook = hook_of(service)
    with pytest.raises(ResourceError) as caught:
        side.run(hook, "/items")
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert caught.value.retry_after == 7
    assert len(service.calls) == 1
    assert len(service.token_requests) == 1


def test_refresh_on_status_can_be_set(side: Side, service: Service) -> None:
    service.dead.add("tok-1")
    service.refuse = lambda: Json({}, 403)
    assert (
        side.run(hook_of(service, refresh_on_status=["401", "403"]), "/x").json()["authorization"]
        == "Bearer tok-2"
    )


def test_check_response_false_concerns_one_call(side: Side, service: Service) -> None:
    service.api = lambda _: Json({}, 500)
    hook = hook_of(service)
    assert side.run(hook, "/x", extra_options={"check_response": False}).status_code == 500
    with pytest.raises(ResourceError):
        side.run(hook, "/x")


@pytest.mark.fault("R31")
def test_the_body_of_a_refusal_is_redacted_and_not_logged(
    side: Side, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.api = lambda request: Text(500, f"you sent {request.header('Authorization')}")
    with caplog.at_level(logging.DEBUG), pytest.raises(ResourceError) as caught:
        side.run(hook_of(service), "/x")
    assert "tok-1" not in caplog.text
    assert SECRET not in caplog.text
    assert "you sent" not in caplog.text
    assert str(caught.value).endswith("you sent Bearer ***")


class TestAnApiThatRefusesEverything:
    """A wrong audience, or keys that the API has lost: another token will not help."""

    @pytest.mark.fault("F10")
    def test_it_costs_two_token_requests_however_often_it_is_called(
        self, side: Side, service: Service
    ) -> None:
        service.api = lambda _: service.refuse()
        hooks = [hook_of(service) for _ in range(25)]
        for hook in hooks:
            for _ in range(4):
                with pytest.raises(ResourceError) as caught:
                    side.run(hook, "/x")
        assert len(service.token_requests) == 2
        assert len(service.calls) == 101, "the first call was replayed, no other"
        assert caught.value.status == 401
        assert caught.value.retryable
        assert not is_definite(caught.value)
        assert "within the last minute" in str(caught.value)

    @pytest.mark.fault("F10")
    def test_a_token_that_was_accepted_before_is_renewed(self, side: Side, service: Service) -> None:
        """The API has lost its keys for a while: a process that knows better asks again."""
        hook = hook_of(service)
        side.run(hook, "/x")
        service.dead.update({"tok-1", "tok-2"})
        with pytest.raises(ResourceError):
            side.run(hook, "/x")
        service.dead.clear()
        assert side.run(hook, "/x").json()["authorization"] == "Bearer tok-2"
        service.dead.add("tok-2")
        assert side.run(hook, "/x").json()["authorization"] == "Bearer tok-3"

    @pytest.mark.fault("F10")
    def test_so_is_one_that_was_accepted_when_it_was_new(self, side: Side, service: Service) -> None:
        """By the replay for which it was asked; another process has met the API a moment later."""
        hook = hook_of(service)
        service.dead.add("tok-1")
        assert side.run(hook, "/x").json()["authorization"] == "Bearer tok-2"
        client = hook._client
        origin = parse_url(service.base_url).origin
        Entries(client.settings, client.sharing).remember_bad_token(client.get_token(), origin)
        service.dead.add("tok-2")
        assert side.run(hook, "/x").json()["authorization"] == "Bearer tok-3"

    @pytest.mark.parametrize(
        "challenge",
        [
            pytest.param('Bearer error="insufficient_scope"', id="scope"),
            pytest.param('Bearer error="insufficient_user_authentication"', id="step-up[F86]"),
            pytest.param('DPoP error="use_dpop_nonce"', id="nonce"),
        ],
    )
    @pytest.mark.fault("F10")
    def test_what_is_not_the_tokens_fault_renews_nothing(
        self, side: Side, service: Service, challenge: str
    ) -> None:
        service.api = lambda _: Json({}, 401, [("WWW-Authenticate", challenge)])
        hook = hook_of(service)
        for _ in range(3):
            with pytest.raises(ResourceError) as caught:
                side.run(hook, "/x")
        assert not caught.value.retryable
        assert (len(service.token_requests), len(service.calls)) == (1, 3)


@pytest.mark.fault("F40")
class TestCallLog:
    """At least what the stock hook tells, redacted."""

    def test_the_error_says_what_was_called_and_what_the_api_said(self, side: Side, service: Service) -> None:
        service.api = lambda request: Json(
            {"message": "no ordrs", "you sent": request.header("Authorization")}, 404
        )
        with pytest.raises(ResourceError) as caught:
            side.run(hook_of(service), "/ordrs", {"page": "2", "key": "confidential"})
        error = caught.value
        url = f"{service.base_url}/ordrs?page=\u2026&key=\u2026"
        body = '{"message": "no ordrs", "you sent": "Bearer ***"}'
        assert (error.method, error.url, error.status, error.body) == ("GET", url, 404, body)
        assert str(error) == f'Connection "my_api": GET {url} answered 404 Scripted: {body}'

    def test_of_a_stream_too(self, service: Service) -> None:
        service.api = lambda _: Text(500, "it broke")
        with pytest.raises(ResourceError) as caught:
            hook_of(service).run("/x", extra_options={"stream": True})
        assert caught.value.body == "it broke"

    def test_of_a_redirected_call_the_last_address(self, side: Side, service: Service) -> None:
        service.api = lambda request: (
            Redirect("/api/new?key=x") if "/new" not in request.target else Text(410)
        )
        with pytest.raises(ResourceError) as caught:
            side.run(hook_of(service, "POST"), "/x", "body")
        assert (caught.value.method, caught.value.url) == ("GET", f"{service.base_url}/new?key=\u2026")

    def test_one_line_of_the_log_for_a_call(
        self, side: Side, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        service.api = lambda _: Json({}, 503)
        hook = hook_of(service)
        with caplog.at_level(logging.INFO), pytest.raises(ResourceError):
            side.run(hook, f"/x/{SECRET}", {"key": "confidential"})
        lines = [record.getMessage() for record in caplog.records if record.name.endswith("call_log")]
        (line,) = dict.fromkeys(lines)
        assert line.startswith(f"GET {service.base_url}/x/***?key=\u2026 answered 503 Scripted in 0.")
        assert "confidential" not in caplog.text

    @pytest.mark.fault("F70")
    def test_a_token_that_was_not_new_may_be_dead(self, side: Side, service: Service) -> None:
        hook = hook_of(service)
        service.api = lambda _: Json({}, 403)
        with pytest.raises(ResourceError) as first:
            side.run(hook, "/x")
        with pytest.raises(ResourceError) as second:
            side.run(hook, "/x")
        assert "refresh_on_status" not in str(first.value)
        assert "refresh_on_status" in str(second.value)


class TestBodies:
    """What is sent a second time after a refused token, and what is not."""

    @pytest.mark.fault("R25")
    def test_bytes_are_replayed(self, side: Side, service: Service) -> None:
        service.dead.add("tok-1")
        side.run(hook_of(service, "POST"), "/x", "payload")
        assert [call.body for call in service.calls] == [b"payload", b"payload"]

    @pytest.mark.fault("R26")
    def test_a_file_is_rewound_to_where_it_stood(self, side: Side, service: Service) -> None:
        service.dead.add("tok-1")
        file = io.BytesIO(b"skipped payload")
        file.seek(8)
        side.run(hook_of(service, "POST"), "/x", file)
        assert [call.body for call in service.calls] == [b"payload", b"payload"]

    @pytest.mark.fault("R26")
    def test_a_generator_is_never_resent_empty(self, side: Side, service: Service) -> None:
        service.dead.add("tok-1")

        def chunks() -> Iterator[bytes]:
            yield b"pay"
            yield b"load"

        hook = hook_of(service, "POST")
        with pytest.raises(ResourceError, match="read only once") as caught:
            side.run(hook, "/x", chunks())
        assert caught.value.retryable
        assert len(service.calls) == 1
        assert side.token(hook).value == "tok-2", "the next try of the task has a good token"

    @pytest.mark.fault("R27")
    def test_a_file_that_cannot_seek_is_not_resent(self, side: Side, service: Service) -> None:
        service.dead.add("tok-1")

        class Pipe(io.BytesIO):
            def tell(self) -> int:
                raise OSError("not seekable")

        with pytest.raises(ResourceError, match="read only once"):
            side.run(hook_of(service, "POST"), "/x", Pipe(b"payload"))
        assert len(service.calls) == 1

    @pytest.mark.fault("R26")
    @pytest.mark.parametrize("status", [301, 302, 303])
    @pytest.mark.parametrize("dead", [set(), {"tok-1"}], ids=["at-once", "after-a-replay"])
    def test_a_file_that_a_redirect_leaves_out_is_not_rewound(
        self, side: Side, service: Service, status: int, dead: set[str]
    ) -> None:
        """A file is uploaded, and the API says by 303 where the result is."""
        service.take_uploads(status=status)
        service.dead.update(dead)
        response = side.run(hook_of(service, "POST"), "/x", io.BytesIO(b"payload"))
        assert (response.json()["method"], response.json()["body"]) == ("GET", "")

    def test_nor_where_another_token_is_needed_on_the_way(self, side: Side, service: Service) -> None:
        service.take_uploads(dying="tok-1")
        response = side.run(hook_of(service, "POST"), "/x", io.BytesIO(b"payload"))
        assert response.json()["authorization"] == "Bearer tok-2"


class TestWhereTheTokenGoes:
    """Endpoints, redirects and next-page links."""

    @pytest.mark.parametrize(
        "endpoint",
        [
            pytest.param("https://elsewhere.example/x", id="other-host[C44][R30]"),
            pytest.param("//elsewhere.example/x", id="scheme-relative"),
            pytest.param("http://127.0.0.1:1/x", id="other-port[R30]"),
            pytest.param("/a\r\nX: y", id="CRLF[R20]"),
            pytest.param("/a b", id="space[R20]"),
            pytest.param("/a\0b", id="NUL[R20]"),
            pytest.param("\\\\elsewhere.example", id="backslash"),
            pytest.param("https://u:p@elsewhere.example/", id="userinfo"),
        ],
    )
    def test_a_bad_endpoint_sends_nothing(self, side: Side, service: Service, endpoint: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            side.run(hook_of(service), endpoint)
        assert (caught.value.conn_id, caught.value.field) == ("my_api", "endpoint")
        assert service.server.requests == []

    def test_an_absolute_endpoint_of_an_allowed_origin(self, side: Side, service: Service) -> None:
        assert side.run(hook_of(service), f"{service.server.url}/other").json()["target"] == "/other"

    def test_without_any_base_url_there_is_nowhere_to_go(self, side: Side, service: Service) -> None:
        with pytest.raises(ConfigurationError, match="base_url"):
            side.run(OAuth2Hook(method="GET", connection=service.connection(base_url=None)), "/x")
        assert service.server.requests == []

    def test_dag_code_chooses_where_the_connection_does_not(self, side: Side, service: Service) -> None:
        hook = OAuth2Hook(
            method="GET", connection=service.connection(base_url=None), base_url=f"{service.server.url}/v2"
        )
        assert side.run(hook, "/x").json()["target"] == "/v2/x"

    def test_dag_code_cannot_leave_the_connections_origins(self, side: Side, service: Service) -> None:
        hook = hook_of(service, base_url="https://elsewhere.example")
        with pytest.raises(ConfigurationError) as caught:
            side.run(hook, "/x")
        assert caught.value.field == "base_url"
        assert service.server.requests == []

    @pytest.mark.fault("R22")
    def test_plain_http_is_for_loopback_only(self, side: Side, service: Service) -> None:
        with pytest.raises(ConfigurationError) as caught:
            side.run(hook_of(service, conn_id="c", allowed_origins=["http://api.example"]), "/x")
        assert caught.value.field == "allowed_origins"
        assert service.server.requests == []

    @pytest.mark.fault("R13")
    def test_a_redirect_within_the_origin_keeps_the_token(self, side: Side, service: Service) -> None:
        service.api = lambda request: (
            Redirect("/api/new")
            if request.target == "/api/old"
            else Json({"a": request.header("Authorization")})
        )
        response = side.run(hook_of(service), "/old")
        assert response.json() == {"a": "Bearer tok-1"}
        assert len(response.history) == 1

    @pytest.mark.fault("R17")
    def test_a_redirect_loop_ends(self, side: Side, service: Service) -> None:
        service.api = lambda _: Redirect("/api/again")
        with pytest.raises(ResourceError, match="more than 5"):
            side.run(hook_of(service), "/x")
        assert len(service.calls) == 6

    def test_a_download_elsewhere_goes_on_stripped(self, side: Side, service: Service) -> None:
        with ScriptedServer() as storage:
            storage.script(Text(200, "the file"))
            service.api = lambda _: Text(
                302, "", headers=[("Location", f"{storage.url}/signed?s=1"), ("Set-Cookie", "a=b; Path=/")]
            )
            hook = hook_of(service, api_headers=["X-Key=ours"])
            response = side.run(hook, "/x", headers={"X-Own": "1", "Accept": "text/csv"})
            assert response.text == "the file"
            sent = {name.lower(): value for name, value in storage.requests[0].headers}
        assert sent["accept"] == "text/csv"
        assert not {"authorization", "cookie", "x-key", "x-own"} & sent.keys()

    def test_a_post_is_not_carried_elsewhere(self, side: Side, service: Service) -> None:
        with ScriptedServer() as other:
            service.api = lambda _: Redirect(f"{other.url}/x", 307)
            with pytest.raises(ResourceError, match="not followed"):
                side.run(hook_of(service, "POST"), "/x", "payload")
            assert other.requests == []

    def test_redirects_can_be_left_alone(self, side: Side, service: Service) -> None:
        service.api = lambda _: Redirect("/api/new")
        response = side.run(hook_of(service), "/x", extra_options={"allow_redirects": False})
        assert response.status_code == 302


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"headers": {"authorization": "Bearer own"}}, id="header[R35]"),
        pytest.param({"auth": ("user", "password")}, id="auth[R35]"),
    ],
)
def test_a_callers_own_authorization_is_a_conflict(
    side: Side, service: Service, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="Authorization"):
        side.run(hook_of(service), "/x", **arguments)
    assert service.server.requests == []


@pytest.mark.parametrize("held", [False, True], ids=["cold", "warm"])
def test_files_are_sent_whole(side: Side, service: Service, held: bool) -> None:
    """A file can be read once, and a request is built before there is a token."""
    hook = hook_of(service, method="POST")
    if held:
        side.token(hook)
    sent = side.run(hook, "x", files={"f": io.BytesIO(b"contents of a file")}).json()["body"]
    assert sent.count("contents of a file") == 1


@pytest.mark.parametrize("trailer", [b"", b"Checksum: abc\r\n"], ids=["plain", "trailer"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_in_chunks_is_read_and_its_connection_used_again(
    side: Side, service: Service, trailer: bytes, stream: bool
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    service.api = lambda _: Raw(head + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n" + trailer + b"\r\n", True)
    options = {"stream": stream} if isinstance(side, Threads) else None
    hook = hook_of(service)
    for _ in range(2):
        assert side.run(hook, "x", extra_options=options).content == b"hello world"
    assert len({call.connection for call in service.calls}) == 1


def test_so_is_a_token(side: Side, service: Service) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    token = b'{"access_token": "tok-in-chunks", "token_type": "Bearer"}'
    service.token = lambda _: Raw(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(token), token), True)
    assert side.run(hook_of(service), "x").json()["authorization"] == "Bearer tok-in-chunks"


@pytest.mark.fault("F64")
@pytest.mark.parametrize("size", [b"-1", b"-5", b"+5", b"zz"])
def test_a_size_of_a_chunk_that_is_none(side: Side, service: Service, size: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    service.api = lambda _: Endless(head + size + b"\r\n", b"x" * 65536)
    with pytest.raises(TransportError):
        side.run(hook_of(service), "x")


@pytest.mark.fault("F71")
def test_a_body_that_is_not_what_its_encoding_says(side: Side, service: Service) -> None:
    service.api = lambda _: Text(200, b"not gzip", "text/plain", [("Content-Encoding", "gzip")])
    with pytest.raises(TransportError, match="Content-Encoding") as caught:
        side.run(hook_of(service), "x")
    assert not caught.value.retryable


def test_a_response_has_the_cookies_that_it_sets(side: Side, service: Service) -> None:
    cookies = ["a=b; Path=/", "c=d; Secure; HttpOnly", "e=f; Domain=elsewhere.example"]
    service.api = lambda _: Json({}, 200, [("Set-Cookie", cookie) for cookie in cookies])
    response = side.run(hook_of(service), "x")
    assert response.cookies.get_dict() == {"a": "b", "c": "d"}


@pytest.mark.fault("F26")
def test_a_name_of_this_machine_is_loopback(
    side: Side, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = service.server.port
    real = socket.getaddrinfo

    def elsewhere(host: str, *args: Any, **kwargs: Any) -> Any:
        if host != "x.localhost":
            return real(host, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    hook = OAuth2Hook(method="GET", connection=service.connection(base_url=f"http://x.localhost:{port}/api"))
    with pytest.raises(ConfigurationError, match="loopback"):
        side.run(hook, "x")
    assert service.calls == []


def test_nothing_is_repeated_by_itself(side: Side, service: Service) -> None:
    service.api = lambda request: CloseNow() if request.target == "/api/cut" else Json({})
    hook = hook_of(service)
    side.run(hook, "warm")
    with pytest.raises(requests.ConnectionError):
        side.run(hook, "cut")
    assert [call.target for call in service.calls] == ["/api/warm", "/api/cut"]


@pytest.mark.fault("R24")
def test_a_connection_cut_after_a_post_is_not_retried(side: Side, service: Service) -> None:
    service.api = lambda _: CloseNow()
    with pytest.raises(requests.ConnectionError):
        side.run(hook_of(service, "POST"), "/x", "payload")
    assert len(service.calls) == 1


def test_a_silent_api_meets_the_timeout(side: Side, service: Service) -> None:
    service.api = lambda _: Silent()
    with pytest.raises(requests.Timeout):
        side.run(hook_of(service), "/x", extra_options={"timeout": 0.3})


@pytest.mark.fault("N34")
def test_a_stale_keep_alive_connection_is_replaced(side: Side, service: Service) -> None:
    def once(request: RecordedRequest) -> ScriptedResponse:
        return Text(200, "x", headers=[("Connection", "keep-alive")])

    service.api = once
    hook = hook_of(service)
    side.run(hook, "/x")
    with service.server._lock:
        for connection in service.server._open:
            connection.shutdown(2)
    time.sleep(0.1)
    assert side.run(hook, "/x").status_code == 200
