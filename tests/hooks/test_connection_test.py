"""The message for a person who presses Test; what Airflow is told of it stands in ``test_oauth2.py``."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.hooks import connection_test
from airflow_oauth_provider.hooks.connection_test import MAX_TEST_MESSAGE, describe, probe
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.settings import RequestSettings
from airflow_oauth_provider.tokens import AccessToken
from tests.support.servers.scripted import Json, Text, token_json
from tests.support.service import Service

pytestmark = [pytest.mark.airflow]
ISSUED = 1_700_000_000.0


def token(*scopes: str) -> AccessToken:
    return AccessToken("tok-1", "Bearer", ISSUED + 3600, ISSUED, frozenset(scopes))


def hook_of(service: Service, **extra: Any) -> OAuth2Hook:
    return OAuth2Hook(connection=service.connection(**extra))


@pytest.mark.parametrize(
    ("scopes", "requested", "text"),
    [
        pytest.param((), (), "(3600 s; no scopes named).", id="no-scopes"),
        pytest.param(("b", "a"), ("a", "b"), "(3600 s; scopes: a b).", id="all"),
        pytest.param(
            ("a",), ("a", "c", "b"), "(3600 s; scopes: a). Asked for, but not granted: c b.", id="less"
        ),
        pytest.param(("a", "z"), ("a",), "(3600 s; scopes: a z).", id="more"),
    ],
)
def test_what_was_granted(scopes: tuple[str, ...], requested: tuple[str, ...], text: str) -> None:
    assert (
        describe(token(*scopes), RequestSettings(scope=requested))
        == f"Authorized until 2023-11-14 23:13:20 UTC {text}"
    )


class TestProbe:
    """One GET, with the token that was just granted and no other."""

    def probe(self, hook: OAuth2Hook, *, listed_only: bool = False) -> str | None:
        probed = probe(hook._client, token("read"), hook._new_session, listed_only=listed_only)
        return probed.text if probed else None

    def test_without_a_path_there_is_none(self, service: Service) -> None:
        assert self.probe(hook_of(service)) is None
        assert service.server.requests == []

    def test_it_says_what_came(self, service: Service) -> None:
        service.api = lambda _: Text(204)
        assert self.probe(hook_of(service, probe_path="/health")) == "The probe answered HTTP status 204."
        (call,) = service.calls
        assert (call.method, call.target) == ("GET", "/api/health")
        assert call.header("Authorization") == "Bearer tok-1"
        assert service.token_requests == []

    def test_a_refusal_is_an_error_and_renews_nothing(self, service: Service) -> None:
        service.dead = {"tok-1"}
        with pytest.raises(ResourceError) as caught:
            self.probe(hook_of(service, probe_path="/health"))
        assert caught.value.status == 401
        assert "tok-1" not in str(caught.value)
        assert (len(service.calls), service.token_requests) == (1, [])

    def test_a_host_that_is_not_listed_is_left_alone(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook = hook_of(service, probe_path="/health")
        skipped = self.probe(hook, listed_only=True)
        assert skipped is not None
        assert skipped.startswith("The probe was skipped: [oauth2] allowed_api_hosts")
        assert service.calls == []
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
        assert self.probe(hook_of(service, probe_path="/health"), listed_only=True) is not None
        assert len(service.calls) == 1


class TestMessage:
    """Short, on one line, and without anything confidential, whatever comes up."""

    def test_of_a_success(self, service: Service) -> None:
        hook = hook_of(service, scope="read write")
        service.token = lambda _: token_json("tok-9", scope="read")
        worked, message = connection_test.tested(hook._client, hook._new_session)
        assert worked
        assert message.startswith("Authorized until ")
        assert message.endswith("(3600 s; scopes: read). Asked for, but not granted: write.")

    def test_of_a_refusal_it_names_no_connection(self, service: Service) -> None:
        """Airflow tests under an id that it makes up."""
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        hook = hook_of(service, conn_id="airflow_test_7f3a")
        worked, message = connection_test.tested(hook._client, hook._new_session)
        assert not worked
        assert "invalid_client" in message
        assert "airflow_test_7f3a" not in message

    def test_of_a_foreign_error_is_redacted_and_cut(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks(*_: Any, **__: Any) -> None:
            raise LookupError("a-client-secret\n" + "x" * 1000)

        monkeypatch.setattr(connection_test, "probe", breaks)
        hook = hook_of(service)
        worked, message = connection_test.tested(hook._client, hook._new_session)
        assert not worked
        assert message.startswith("LookupError: *** x")
        assert "a-client-secret" not in message
        assert "\n" not in message
        assert len(message) <= MAX_TEST_MESSAGE
