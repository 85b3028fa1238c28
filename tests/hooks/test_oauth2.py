"""The hook against a server that counts for itself."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import create_autospec

import pytest
import requests
import tenacity
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    TransportError,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.servers.scripted import Json, ScriptedResponse, Silent, token_json
from tests.support.service import RecordedRequest, Service
from tests.support.sides import Side
from tests.support.stopwatch import Stopwatch

SECRET = "a-client-secret"


def hook_of(
    service: Service, method: str = "GET", *, base_url: str | None = None, **extra: Any
) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(**extra), base_url=base_url)


def test_retry_args_repeat_as_the_caller_says(service: Service) -> None:
    statuses = iter([503, 503, 200])
    service.api = lambda _: Json({}, next(statuses))
    retry = {
        "stop": tenacity.stop_after_attempt(3),
        "wait": tenacity.wait_none(),
        "retry": tenacity.retry_if_exception_type(AirflowException),
    }
    assert hook_of(service).run_with_advanced_retry(retry, "/x").status_code == 200
    assert len(service.token_requests) == 1


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
def test_a_secrets_backend_that_denies_surfaces_unchanged(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    def reads(self, monkeypatch: pytest.MonkeyPatch, service: Service) -> list[str]:
        conn_ids: list[str] = []

        def get_connection(conn_id: str) -> Any:
            conn_ids.append(conn_id)
            return service.connection(conn_id=conn_id, password=self.secret)

        monkeypatch.setattr("airflow_oauth_provider.client.reading.get_connection", get_connection)
        self.secret = SECRET
        return conn_ids

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

    @pytest.mark.fault("H10")
    def test_a_rotated_secret_is_found_after_invalid_client(self, reads: list[str], service: Service) -> None:
        hook = OAuth2Hook("my_api", "GET")

        def token(request: RecordedRequest) -> ScriptedResponse:
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

    @pytest.mark.fault("L27")
    def test_the_message_is_short_and_clean(self, service: Service) -> None:
        echoed = f"\x1b[31m<script>{SECRET}\r\n" + "x" * 1_000_000
        service.token = lambda _: Json({"error": "invalid_client", "error_description": echoed}, 400)
        done, message = hook_of(service).test_connection()
        assert not done
        assert len(message) <= 500
        assert SECRET not in message
        assert message.isprintable()
        assert "<" not in message

    @pytest.mark.slow
    @pytest.mark.fault("L29")
    def test_it_starts_no_other_program(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        """Airflow keeps the secret in an environment variable meanwhile, which a child would inherit."""
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "execve"):
            monkeypatch.setattr(f"os.{name}", lambda *_: pytest.fail("a child"))
        monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a child"))
        good, _ = OAuth2Hook(connection=service.connection()).test_connection()
        assert good

    @pytest.mark.fault("L28")
    def test_a_silent_server_holds_nobody_for_long(self, service: Service) -> None:
        service.token = lambda _: Silent()
        watch = Stopwatch()
        done, _ = hook_of(service).test_connection()
        assert not done
        assert watch.seconds < 10.5
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
    watch = Stopwatch()
    with pytest.raises(TransportError) as caught:
        hook_of(service, max_wait=1.5).get_token()
    assert watch.seconds < 1.75
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


def test_a_session_of_the_hook_obeys_the_same_rules(service: Service) -> None:
    session = hook_of(service).get_conn()
    assert session.get(f"{service.base_url}/x").json()["authorization"] == "Bearer tok-1"
    with pytest.raises(ConfigurationError):
        session.get("https://elsewhere.example/")
    service.dead.add("tok-1")
    assert session.get(f"{service.base_url}/x").json()["authorization"] == "Bearer tok-2"
