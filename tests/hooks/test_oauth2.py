"""The hook against a server that counts for itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any
from unittest.mock import create_autospec

import pytest
import requests
import tenacity
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

from airflow_oauth_provider.client import reading
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    TransportError,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import Request, Response
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.confidential import assert_nothing_confidential
from tests.support.sides import Side
from tests.support.stopwatch import Stopwatch

MakeHook = Callable[..., OAuth2Hook]


@pytest.fixture
def secret() -> str:
    """The client secret of ``my_api``; another one for each test."""
    return f"secret-{uuid.uuid4()}"


@pytest.fixture
def hook_of(oauth2_server: OAuth2Server, oauth2_connection: Connections, secret: str) -> MakeHook:
    """Make a hook for ``my_api``, whose API tells the token of a call, whatever its path."""
    oauth2_server.api.route("*", lambda request: {"authorization": request.headers["authorization"]})

    def make(base_url: str | None = None, **extra: Any) -> OAuth2Hook:
        conn_id = oauth2_connection("my_api", **{"password": secret, "scope": "read", **extra})
        return OAuth2Hook(conn_id, method="GET", base_url=base_url)

    return make


def test_retry_args_repeat_as_the_caller_says(hook_of: MakeHook, oauth2_server: OAuth2Server) -> None:
    oauth2_server.api.respond({}, 503, times=2)
    retry = {
        "stop": tenacity.stop_after_attempt(3),
        "wait": tenacity.wait_none(),
        "retry": tenacity.retry_if_exception_type(AirflowException),
    }
    assert hook_of().run_with_advanced_retry(retry, "/x").status_code == 200
    assert len(oauth2_server.token_endpoint.requests) == 1


def test_a_kill_ends_the_wait_for_the_next_attempt(hook_of: MakeHook, oauth2_server: OAuth2Server) -> None:
    """And who names another sleep has that."""
    oauth2_server.api.respond({}, 503, times=None)
    hook, slept = hook_of(), list[float]()
    always: dict[str, Any] = {"retry": lambda _: True, "wait": tenacity.wait_fixed(600)}
    own = {"sleep": slept.append, "stop": tenacity.stop_after_attempt(2), "reraise": True}
    with pytest.raises(AirflowException):
        hook.run_with_advanced_retry({**always, **own}, "/x")
    assert slept == [600]
    with pytest.raises(TaskStoppedError):
        hook.run_with_advanced_retry({**always, "before_sleep": lambda _: hook.stop()}, "/x")


@pytest.mark.fault("F04", "F20")
@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_what_functions_of_retry_args_raise_repeats_no_token(
    hook_of: MakeHook, kind: type[BaseException]
) -> None:
    def condition(state: tenacity.RetryCallState) -> bool:
        assert state.outcome is not None
        raise kind(f"unexpected: {state.outcome.result().text}")

    hook = hook_of()
    with pytest.raises(kind, match="unexpected") as caught:
        hook.run_with_advanced_retry({"retry": condition}, "/x")
    assert_nothing_confidential(caught.value, [hook.get_token().value], ours=False)


def test_the_default_timeout_reaches_the_adapter(
    hook_of: MakeHook, oauth2_server: OAuth2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    hook = hook_of()
    send = requests.Session.send

    def watched(*args: Any, **kwargs: Any) -> requests.Response:
        seen.append(kwargs["timeout"])
        return send(*args, **kwargs)

    monkeypatch.setattr(requests.Session, "send", watched)
    hook.run("/x")
    hook.get_conn().get(f"{oauth2_server.base_url}/x")
    assert seen == [(60.0, 60.0), (60.0, 60.0)]


def test_two_connection_ids_must_agree() -> None:
    assert OAuth2Hook("a", http_conn_id="a").oauth2_conn_id == "a"
    assert OAuth2Hook(http_conn_id="b").oauth2_conn_id == "b"
    assert OAuth2Hook().oauth2_conn_id == "oauth2_default"
    with pytest.raises(ConfigurationError):
        OAuth2Hook("a", http_conn_id="b")


@pytest.mark.fault("C62", "F17")
def test_a_missing_connection_is_a_wrong_configuration_and_airflows_own_error(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", "{}")
    with pytest.raises(AirflowNotFoundException) as caught:
        side.token(OAuth2Hook("ordrs_api"))
    assert isinstance(caught.value, ConfigurationError)
    assert str(caught.value) == (
        'Connection "ordrs_api": there is no such connection; the environment has orders_api'
    )
    with pytest.raises(AirflowNotFoundException, match=r"no such connection$"):
        side.token(OAuth2Hook("there_is_none"))


@pytest.mark.fault("C62")
def test_a_secrets_backend_that_denies_surfaces_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(conn_id: str) -> Any:
        raise PermissionError(conn_id)

    monkeypatch.setattr(
        BaseHook, "get_connection", create_autospec(BaseHook.get_connection, side_effect=deny)
    )
    with pytest.raises(PermissionError):
        OAuth2Hook("my_api").get_token()


class TestReading:
    """When the connection is read."""

    @pytest.fixture
    def reads(self, monkeypatch: pytest.MonkeyPatch, hook_of: MakeHook) -> list[str]:
        conn_ids: list[str] = []
        read = reading.get_connection

        def get_connection(conn_id: str) -> Any:
            conn_ids.append(conn_id)
            return read(conn_id)

        monkeypatch.setattr(reading, "get_connection", get_connection)
        hook_of()
        return conn_ids

    def test_once_per_hook_and_again_before_a_new_acquisition(
        self, reads: list[str], oauth2_server: OAuth2Server
    ) -> None:
        hook = OAuth2Hook("my_api", "GET")
        assert reads == []
        for _ in range(3):
            hook.run("/x")
        assert len(reads) == 1
        hook.get_token(force=True)
        assert len(reads) == 2

    @pytest.mark.fault("H10")
    def test_a_rotated_secret_is_found_after_invalid_client(
        self, hook_of: MakeHook, oauth2_server: OAuth2Server, oauth2_connection: Connections
    ) -> None:
        hook = hook_of(auth_method="client_secret_post")

        def token(request: Request) -> Any:
            if request.form["client_secret"] == "rotated-secret":
                return {"access_token": "tok-new", "token_type": "Bearer"}
            oauth2_connection("my_api", password="rotated-secret", auth_method="client_secret_post")
            return Response.of({"error": "invalid_client"}, 401)

        oauth2_server.token_endpoint.respond(token, times=None)
        assert hook.get_token().value == "tok-new"
        assert len(oauth2_server.token_endpoint.requests) == 2

    def test_an_unchanged_secret_is_not_tried_again(
        self, reads: list[str], oauth2_server: OAuth2Server
    ) -> None:
        oauth2_server.token_endpoint.refuse(times=None)
        for _ in range(3):
            with pytest.raises(InvalidClientError) as caught:
                OAuth2Hook("my_api", "GET").get_token()
            assert caught.value.conn_id == "my_api"
        assert len(oauth2_server.token_endpoint.requests) == 1


class TestConnectionTest:
    """What a person who presses Test sees."""

    def test_success_says_what_was_granted_and_until_when(self, hook_of: MakeHook) -> None:
        hook = hook_of()
        done, message = hook.test_connection()
        assert done
        assert "Authorized until" in message
        assert "read" in message
        assert "token-1" not in message

    def test_a_new_token_each_time_even_after_a_refusal(
        self, hook_of: MakeHook, oauth2_server: OAuth2Server
    ) -> None:
        oauth2_server.token_endpoint.refuse(times=None)
        hook = hook_of()
        assert hook.test_connection()[0] is False
        assert hook.test_connection()[0] is False
        assert len(oauth2_server.token_endpoint.requests) == 2, "asked each time"
        with pytest.raises(InvalidClientError):
            hook.get_token()
        assert len(oauth2_server.token_endpoint.requests) == 3, "and the refusals of tests are not remembered"

    @pytest.mark.fault("L27")
    def test_the_message_is_short_and_clean(
        self, hook_of: MakeHook, oauth2_server: OAuth2Server, secret: str
    ) -> None:
        echoed = f"\x1b[31m<script>{secret}\r\n" + "x" * 1_000_000
        oauth2_server.token_endpoint.refuse(status=400, description=echoed)
        done, message = hook_of().test_connection()
        assert not done
        assert len(message) <= 500
        assert secret not in message
        assert message.isprintable()
        assert "<" not in message

    @pytest.mark.slow
    @pytest.mark.fault("L29")
    def test_it_starts_no_other_program(self, hook_of: MakeHook, monkeypatch: pytest.MonkeyPatch) -> None:
        """Airflow keeps the secret in an environment variable meanwhile, which a child would inherit."""
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "execve"):
            monkeypatch.setattr(f"os.{name}", lambda *_: pytest.fail("a child"))
        monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a child"))
        good, _ = hook_of().test_connection()
        assert good

    @pytest.mark.fault("L28")
    def test_a_silent_server_holds_nobody_for_long(
        self, hook_of: MakeHook, oauth2_server: OAuth2Server
    ) -> None:
        oauth2_server.token_endpoint.delay(60)
        watch = Stopwatch()
        done, _ = hook_of().test_connection()
        assert not done
        assert watch.seconds < 10.5
        assert len(oauth2_server.token_endpoint.requests) == 1

    def test_the_probe_needs_an_allow_listed_host(
        self, hook_of: MakeHook, oauth2_server: OAuth2Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done, message = hook_of(probe_path="/health").test_connection()
        assert done
        assert "skipped" in message
        assert oauth2_server.api.requests == []
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
        done, message = hook_of(probe_path="/health").test_connection()
        assert done
        assert "HTTP status 200" in message
        assert oauth2_server.api.requests[0].target == "/api/health"

    def test_success_says_what_was_not_granted(self, hook_of: MakeHook, oauth2_server: OAuth2Server) -> None:
        oauth2_server.token_endpoint.grant(scope="read")
        done, message = hook_of(scope="read write").test_connection()
        assert done
        assert "not granted: write" in message

    def test_a_configuration_error_is_shown(self, hook_of: MakeHook, oauth2_server: OAuth2Server) -> None:
        done, message = hook_of(auth_method="Basic").test_connection()
        assert not done
        assert "auth_method" in message
        assert "my_api" not in message, "Airflow's Test has a random id, which would puzzle"
        assert oauth2_server.token_endpoint.requests == []


def test_the_deadline_of_an_acquisition_is_the_callers(
    hook_of: MakeHook, oauth2_server: OAuth2Server
) -> None:
    oauth2_server.token_endpoint.delay(60)
    watch = Stopwatch()
    with pytest.raises(TransportError) as caught:
        hook_of(max_wait=1.5).get_token()
    assert watch.seconds < 1.75
    assert caught.value.attempts == 1


def test_a_hook_can_be_pickled_without_its_secrets(hook_of: MakeHook, secret: str) -> None:
    import pickle

    hook_of()
    hook = OAuth2Hook(method="GET", connection=BaseHook.get_connection("my_api"))
    hook.run("/x")
    data = pickle.dumps(hook)
    assert secret.encode() not in data
    assert b"token-1" not in data
    assert pickle.loads(data).oauth2_conn_id == "my_api"


def test_printing_a_request_does_not_show_the_token(hook_of: MakeHook) -> None:
    response = hook_of().run("/x")
    assert "token-1" not in repr(response.request.headers)
    assert json.loads(response.text)["authorization"] == "Bearer token-1"


def test_a_session_of_the_hook_obeys_the_same_rules(hook_of: MakeHook, oauth2_server: OAuth2Server) -> None:
    session = hook_of().get_conn()
    assert session.get(f"{oauth2_server.base_url}/x").json()["authorization"] == "Bearer token-1"
    with pytest.raises(ConfigurationError):
        session.get("https://elsewhere.example/")
    oauth2_server.expire()
    assert session.get(f"{oauth2_server.base_url}/x").json()["authorization"] == "Bearer token-2"
