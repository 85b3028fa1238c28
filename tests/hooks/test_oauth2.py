"""The hook against a server that counts for itself."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import tenacity
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InsufficientScopeError,
    InvalidClientError,
    ResourceError,
    TransportError,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.servers.scripted import Answer, CloseNow, Json, Redirect, ScriptedServer, Silent, Text, token_json
from tests.service import RecordedRequest, Service

SECRET = "a-client-secret"


def hook_of(
    service: Service, method: str = "GET", *, base_url: str | None = None, **extra: Any
) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(**extra), base_url=base_url)


def test_a_call_carries_the_token_and_a_second_call_asks_for_none(service: Service) -> None:
    hook = hook_of(service)
    first, second = hook.run("/items").json(), hook.run("items").json()
    assert first["authorization"] == second["authorization"] == "Bearer tok-1"
    assert first["target"] == second["target"] == "/api/items"
    assert len(service.token_requests) == 1


def test_one_keep_alive_connection_for_all_calls(service: Service) -> None:
    hook = hook_of(service)
    for _ in range(5):
        hook.run("/items")
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
    service: Service, method: str, data: Any, kwargs: dict[str, Any], target: str, body: str
) -> None:
    hook_of(service, method).run("x", data, **kwargs)
    assert service.calls[0].method == method
    assert service.calls[0].target == target
    assert service.calls[0].body.decode() == body


def test_headers_of_a_call_stay_with_that_call(service: Service) -> None:
    hook = hook_of(service, api_headers=["X-Team=data"])
    hook.run("a", headers={"X-Once": "1"})
    hook.run("b")
    assert [call.header("X-Once") for call in service.calls] == ["1", None]
    assert [call.header("X-Team") for call in service.calls] == ["data", "data"]


def test_extras_never_become_headers(service: Service) -> None:
    hook = hook_of(service, category="finance", unknown_thing="value")
    hook.run("a")
    names = {name.lower() for name, _ in service.calls[0].headers}
    assert names == {"host", "user-agent", "accept-encoding", "accept", "connection", "authorization"}


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
def test_a_dead_token_is_renewed_once_and_the_call_replayed_once(service: Service, headers: Any) -> None:
    service.refuse = lambda: Json({}, 401, headers)
    service.dead.add("tok-1")
    response = hook_of(service).run("/items")
    assert response.json()["authorization"] == "Bearer tok-2"
    assert len(service.token_requests) == 2
    assert [earlier.status_code for earlier in response.history] == [401]


def test_a_second_refusal_is_final(service: Service) -> None:
    service.dead.update({"tok-1", "tok-2", "tok-3"})
    with pytest.raises(ResourceError) as caught:
        hook_of(service).run("/items")
    assert caught.value.status == 401
    assert caught.value.challenge == "Bearer"
    assert caught.value.conn_id == "my_api"
    assert isinstance(caught.value, AirflowException)
    assert len(service.calls) == 2
    assert len(service.token_requests) == 2


@pytest.mark.parametrize("_case", [pytest.param(None, id="insufficient-scope[R08]")])
def test_a_missing_scope_is_named_and_the_token_kept(service: Service, _case: None) -> None:
    challenge = 'Bearer error="insufficient_scope", scope="write admin"'
    service.api = lambda _: Json({}, 403, [("WWW-Authenticate", challenge)])
    hook = hook_of(service)
    with pytest.raises(InsufficientScopeError, match="write admin") as caught:
        hook.run("/items")
    assert caught.value.scope == "write admin"
    assert len(service.token_requests) == 1
    assert hook.get_token().value == "tok-1"


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
    service: Service, status: int, retryable: bool
) -> None:
    service.api = lambda _: Json({}, status, [("Retry-After", "7")])
    hook = hook_of(service)
    with pytest.raises(ResourceError) as caught:
        hook.run("/items")
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert caught.value.retry_after == 7
    assert len(service.calls) == 1
    assert len(service.token_requests) == 1


def test_refresh_on_status_can_be_set(service: Service) -> None:
    service.dead.add("tok-1")
    service.refuse = lambda: Json({}, 403)
    assert (
        hook_of(service, refresh_on_status=["401", "403"]).run("/x").json()["authorization"] == "Bearer tok-2"
    )


def test_check_response_false_concerns_one_call(service: Service) -> None:
    service.api = lambda _: Json({}, 500)
    hook = hook_of(service)
    assert hook.run("/x", extra_options={"check_response": False}).status_code == 500
    with pytest.raises(ResourceError):
        hook.run("/x")


@pytest.mark.parametrize("_case", [pytest.param(None, id="reflected[R31]")])
def test_the_body_of_a_refusal_is_not_logged(
    service: Service, caplog: pytest.LogCaptureFixture, _case: None
) -> None:
    service.api = lambda request: Text(500, f"you sent {request.header('Authorization')}")
    with caplog.at_level(logging.DEBUG), pytest.raises(ResourceError) as caught:
        hook_of(service).run("/x")
    assert "tok-1" not in caplog.text
    assert SECRET not in caplog.text
    assert "you sent" not in str(caught.value)


class TestBodies:
    """What is sent a second time after a refused token, and what is not."""

    @pytest.mark.parametrize("_case", [pytest.param(None, id="bytes[R25]")])
    def test_bytes_are_replayed(self, service: Service, _case: None) -> None:
        service.dead.add("tok-1")
        hook_of(service, "POST").run("/x", "payload")
        assert [call.body for call in service.calls] == [b"payload", b"payload"]

    @pytest.mark.parametrize("_case", [pytest.param(None, id="file[R26]")])
    def test_a_file_is_rewound_to_where_it_stood(self, service: Service, _case: None) -> None:
        service.dead.add("tok-1")
        file = io.BytesIO(b"skipped payload")
        file.seek(8)
        hook_of(service, "POST").run("/x", file)  # type: ignore[arg-type]
        assert [call.body for call in service.calls] == [b"payload", b"payload"]

    @pytest.mark.parametrize("_case", [pytest.param(None, id="generator[R26]")])
    def test_a_generator_is_never_resent_empty(self, service: Service, _case: None) -> None:
        service.dead.add("tok-1")

        def chunks() -> Iterator[bytes]:
            yield b"pay"
            yield b"load"

        hook = hook_of(service, "POST")
        with pytest.raises(ResourceError, match="read only once") as caught:
            hook.run("/x", chunks())  # type: ignore[arg-type]
        assert caught.value.retryable
        assert len(service.calls) == 1
        assert hook.get_token().value == "tok-2", "the next try of the task has a good token"

    @pytest.mark.parametrize("_case", [pytest.param(None, id="pipe[R27]")])
    def test_a_file_that_cannot_seek_is_not_resent(self, service: Service, _case: None) -> None:
        service.dead.add("tok-1")

        class Pipe(io.BytesIO):
            def tell(self) -> int:
                raise OSError("not seekable")

        with pytest.raises(ResourceError, match="read only once"):
            hook_of(service, "POST").run("/x", Pipe(b"payload"))  # type: ignore[arg-type]
        assert len(service.calls) == 1


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
    def test_a_bad_endpoint_sends_nothing(self, service: Service, endpoint: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            hook_of(service).run(endpoint)
        assert (caught.value.conn_id, caught.value.field) == ("my_api", "endpoint")
        assert service.server.requests == []

    def test_an_absolute_endpoint_of_an_allowed_origin(self, service: Service) -> None:
        assert hook_of(service).run(f"{service.server.url}/other").json()["target"] == "/other"

    def test_without_any_base_url_there_is_nowhere_to_go(self, service: Service) -> None:
        with pytest.raises(ConfigurationError, match="base_url"):
            hook_of(service, base_url=None, allowed_origins=None).__class__(
                method="GET", connection=service.connection(base_url=None)
            ).run("/x")
        assert service.server.requests == []

    def test_dag_code_chooses_where_the_connection_does_not(self, service: Service) -> None:
        hook = OAuth2Hook(
            method="GET", connection=service.connection(base_url=None), base_url=f"{service.server.url}/v2"
        )
        assert hook.run("/x").json()["target"] == "/v2/x"

    def test_dag_code_cannot_leave_the_connections_origins(self, service: Service) -> None:
        hook = hook_of(service, base_url="https://elsewhere.example")
        with pytest.raises(ConfigurationError) as caught:
            hook.run("/x")
        assert caught.value.field == "base_url"
        assert service.server.requests == []

    @pytest.mark.parametrize("_case", [pytest.param(None, id="http[R22]")])
    def test_plain_http_is_for_loopback_only(self, service: Service, _case: None) -> None:
        with pytest.raises(ConfigurationError) as caught:
            hook_of(service, conn_id="c", allowed_origins=["http://api.example"]).run("/x")
        assert caught.value.field == "allowed_origins"
        assert service.server.requests == []

    @pytest.mark.parametrize("_case", [pytest.param(None, id="same-origin[R13]")])
    def test_a_redirect_within_the_origin_keeps_the_token(self, service: Service, _case: None) -> None:
        service.api = lambda request: (
            Redirect("/api/new")
            if request.target == "/api/old"
            else Json({"a": request.header("Authorization")})
        )
        response = hook_of(service).run("/old")
        assert response.json() == {"a": "Bearer tok-1"}
        assert len(response.history) == 1

    @pytest.mark.parametrize("_case", [pytest.param(None, id="loop[R17]")])
    def test_a_redirect_loop_ends(self, service: Service, _case: None) -> None:
        service.api = lambda _: Redirect("/api/again")
        with pytest.raises(ResourceError, match="more than 5"):
            hook_of(service).run("/x")
        assert len(service.calls) == 6

    def test_a_download_elsewhere_goes_on_stripped(self, service: Service) -> None:
        with ScriptedServer() as storage:
            storage.script(Text(200, "the file"))
            service.api = lambda _: Text(
                302, "", headers=[("Location", f"{storage.url}/signed?s=1"), ("Set-Cookie", "a=b; Path=/")]
            )
            hook = hook_of(service, api_headers=["X-Key=ours"])
            response = hook.run("/x", headers={"X-Own": "1", "Accept": "text/csv"})
            assert response.text == "the file"
            sent = {name.lower(): value for name, value in storage.requests[0].headers}
        assert sent["accept"] == "text/csv"
        assert not {"authorization", "cookie", "x-key", "x-own"} & sent.keys()

    def test_a_post_is_not_carried_elsewhere(self, service: Service) -> None:
        with ScriptedServer() as other:
            service.api = lambda _: Redirect(f"{other.url}/x", 307)
            with pytest.raises(ResourceError, match="not followed"):
                hook_of(service, "POST").run("/x", "payload")
            assert other.requests == []

    def test_redirects_can_be_left_alone(self, service: Service) -> None:
        service.api = lambda _: Redirect("/api/new")
        response = hook_of(service).run("/x", extra_options={"allow_redirects": False})
        assert response.status_code == 302

    def test_a_session_of_the_hook_obeys_the_same_rules(self, service: Service) -> None:
        session = hook_of(service).get_conn()
        assert session.get(f"{service.base_url}/x").json()["authorization"] == "Bearer tok-1"
        with pytest.raises(ConfigurationError):
            session.get("https://elsewhere.example/")
        service.dead.add("tok-1")
        assert session.get(f"{service.base_url}/x").json()["authorization"] == "Bearer tok-2"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"headers": {"authorization": "Bearer own"}}, id="header[R35]"),
        pytest.param({"auth": ("user", "password")}, id="auth[R35]"),
    ],
)
def test_a_callers_own_authorization_is_a_conflict(service: Service, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Authorization"):
        hook_of(service).run("/x", **arguments)
    assert service.server.requests == []


@pytest.mark.parametrize("_case", [pytest.param(None, id="reset-after-send[R24]")])
def test_a_connection_cut_after_a_post_is_not_retried(service: Service, _case: None) -> None:
    service.api = lambda _: CloseNow()
    with pytest.raises(requests.ConnectionError):
        hook_of(service, "POST").run("/x", "payload")
    assert len(service.calls) == 1


def test_retry_args_repeat_as_the_caller_says(service: Service) -> None:
    answers = iter([503, 503, 200])
    service.api = lambda _: Json({}, next(answers))
    retry = {
        "stop": tenacity.stop_after_attempt(3),
        "wait": tenacity.wait_none(),
        "retry": tenacity.retry_if_exception_type(AirflowException),
    }
    assert hook_of(service).run_with_advanced_retry(retry, "/x").status_code == 200
    assert len(service.token_requests) == 1


def test_a_silent_api_meets_the_timeout(service: Service) -> None:
    service.api = lambda _: Silent()
    with pytest.raises(requests.Timeout):
        hook_of(service).run("/x", extra_options={"timeout": 0.3})


def test_the_default_timeout_reaches_the_adapter(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    hook = hook_of(service)
    send = requests.Session.send

    def watched(*args: Any, **kwargs: Any) -> requests.Response:
        seen.append(kwargs["timeout"])
        return send(*args, **kwargs)

    monkeypatch.setattr(requests.Session, "send", watched)
    hook.run("/x")
    hook.get_conn().get(f"{service.base_url}/x")
    assert seen == [60.0, 60.0]


@pytest.mark.parametrize("_case", [pytest.param(None, id="closed-between-calls[N34]")])
def test_a_stale_keep_alive_connection_is_replaced(service: Service, _case: None) -> None:
    def once(request: RecordedRequest) -> Answer:
        return Text(200, "x", headers=[("Connection", "keep-alive")])

    service.api = once
    hook = hook_of(service)
    hook.run("/x")
    with service.server._lock:
        for connection in service.server._open:
            connection.shutdown(2)
    time.sleep(0.1)
    assert hook.run("/x").status_code == 200


def test_two_connection_ids_must_agree() -> None:
    assert OAuth2Hook("a", http_conn_id="a").oauth2_conn_id == "a"
    assert OAuth2Hook(http_conn_id="b").oauth2_conn_id == "b"
    assert OAuth2Hook().oauth2_conn_id == "oauth2_default"
    with pytest.raises(ConfigurationError):
        OAuth2Hook("a", http_conn_id="b")


@pytest.mark.parametrize("_case", [pytest.param(None, id="not-found[C62]")])
def test_a_missing_connection_surfaces_unchanged(_case: None) -> None:
    with pytest.raises(AirflowNotFoundException):
        OAuth2Hook("there_is_none").get_token()


class TestReading:
    """When the connection is read."""

    @pytest.fixture
    def reads(self, monkeypatch: pytest.MonkeyPatch, service: Service) -> list[str]:
        found: list[str] = []

        def get_connection(conn_id: str) -> Any:
            found.append(conn_id)
            return service.connection(conn_id=conn_id, password=self.secret)

        monkeypatch.setattr("airflow_oauth_provider.client._get_connection", get_connection)
        self.secret = SECRET
        return found

    def test_once_per_hook_and_again_before_a_new_acquisition(
        self, reads: list[str], service: Service
    ) -> None:
        hook = OAuth2Hook("my_api", "GET")
        assert reads == []
        for _ in range(3):
            hook.run("/x")
        assert len(reads) == 1
        hook.get_token(force=True)
        assert len(reads) == 2

    @pytest.mark.parametrize("_case", [pytest.param(None, id="rotated[H10]")])
    def test_a_rotated_secret_is_found_after_invalid_client(
        self, _case: None, reads: list[str], service: Service
    ) -> None:
        hook = OAuth2Hook("my_api", "GET")

        def token(request: RecordedRequest) -> Answer:
            self.secret = "rotated-secret"
            if "rotated" in request.form["client_secret"][0]:
                return Json({"access_token": "tok-new", "token_type": "Bearer"})
            return Json({"error": "invalid_client"}, 401)

        service.token = token
        connection = service.connection

        def posted(**changes: Any) -> Any:
            return connection(auth_method="client_secret_post", **changes)

        service.connection = posted  # type: ignore[method-assign]
        assert hook.get_token().value == "tok-new"
        assert len(service.token_requests) == 2

    def test_an_unchanged_secret_is_not_tried_again(self, reads: list[str], service: Service) -> None:
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        for _ in range(3):
            with pytest.raises(InvalidClientError) as caught:
                OAuth2Hook("my_api", "GET").get_token()
            assert caught.value.conn_id == "my_api"
        assert len(service.token_requests) == 1


class TestConnectionTest:
    """What a person who presses Test sees."""

    def test_success_says_what_was_granted_and_until_when(self, service: Service) -> None:
        hook = hook_of(service)
        done, message = hook.test_connection()
        assert done
        assert "Authorized until" in message
        assert "read" in message
        assert "tok-1" not in message

    def test_a_new_token_each_time_even_after_a_refusal(self, service: Service) -> None:
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        hook = hook_of(service)
        assert hook.test_connection()[0] is False
        assert hook.test_connection()[0] is False
        assert len(service.token_requests) == 2, "asked each time"
        with pytest.raises(InvalidClientError):
            hook.get_token()
        assert len(service.token_requests) == 3, "and the refusals of tests are not remembered"

    @pytest.mark.parametrize("_case", [pytest.param(None, id="long[L27]")])
    def test_the_message_is_short_and_clean(self, service: Service, _case: None) -> None:
        echoed = f"\x1b[31m<script>{SECRET}\r\n" + "x" * 1_000_000
        service.token = lambda _: Json({"error": "invalid_client", "error_description": echoed}, 400)
        done, message = hook_of(service).test_connection()
        assert not done
        assert len(message) <= 500
        assert SECRET not in message
        assert message.isprintable()
        assert "<" not in message

    @pytest.mark.slow
    @pytest.mark.parametrize("_case", [pytest.param(None, id="no-child[L29]")])
    def test_it_starts_no_other_program(
        self, service: Service, _case: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Airflow keeps the secret in an environment variable meanwhile, which a child would inherit."""
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "execve"):
            monkeypatch.setattr(f"os.{name}", lambda *_: pytest.fail("a child"))
        monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a child"))
        good, _ = OAuth2Hook(connection=service.connection()).test_connection()
        assert good

    @pytest.mark.parametrize("_case", [pytest.param(None, id="silent[L28]")])
    def test_a_silent_server_holds_nobody_for_long(self, service: Service, _case: None) -> None:
        service.token = lambda _: Silent()
        began = time.monotonic()
        done, _ = hook_of(service).test_connection()
        assert not done
        assert time.monotonic() - began < 10.5
        assert len(service.token_requests) == 1

    def test_the_probe_needs_an_allow_listed_host(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done, message = hook_of(service, probe_path="/health").test_connection()
        assert done
        assert "skipped" in message
        assert service.calls == []
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
        done, message = hook_of(service, probe_path="/health").test_connection()
        assert done
        assert "HTTP status 200" in message
        assert service.calls[0].target == "/api/health"

    def test_success_says_what_was_not_granted(self, service: Service) -> None:
        service.token = lambda _: token_json(scope="read")
        done, message = hook_of(service, scope="read write").test_connection()
        assert done
        assert "not granted: write" in message

    def test_a_configuration_error_is_shown(self, service: Service) -> None:
        done, message = hook_of(service, auth_method="Basic").test_connection()
        assert not done
        assert "auth_method" in message
        assert "my_api" not in message, "Airflow's Test has a random id, which would puzzle"
        assert service.server.requests == []


def test_the_deadline_of_an_acquisition_is_the_callers(service: Service) -> None:
    service.token = lambda _: Silent()
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        hook_of(service, max_wait=1.5).get_token()
    assert time.monotonic() - began < 1.75
    assert caught.value.attempts == 1


def test_a_hook_can_be_pickled_without_its_secrets(service: Service) -> None:
    import pickle

    hook = hook_of(service)
    hook.run("/x")
    data = pickle.dumps(hook)
    assert SECRET.encode() not in data
    assert b"tok-1" not in data
    assert pickle.loads(data).oauth2_conn_id == "my_api"


def test_printing_a_request_does_not_show_the_token(service: Service) -> None:
    response = hook_of(service).run("/x")
    assert "tok-1" not in repr(response.request.headers)
    assert json.loads(response.text)["authorization"] == "Bearer tok-1"
