"""An assertion that a platform rotates in a file, against a server that verifies it, over both libraries."""

from __future__ import annotations

import base64
import json
import logging
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.authorizations.actions import ConnectionCheck
from airflow_oauth_provider.authorizations.authorization import AuthorizationStatus
from airflow_oauth_provider.authorizations.description import describe
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError, OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.support.assertions import SUBJECT, Platform, signature
from tests.support.confidential import assert_nothing_confidential
from tests.support.fleet import Task, run
from tests.support.mounted import Mounted
from tests.support.servers.scripted import Delay, Json, RecordedRequest, ScriptedResponse, Text, token_json
from tests.support.service import Service
from tests.support.sides import Side
from tests.support.spellings import disclosed

SPIFFE_ID = "spiffe://example.org/airflow/worker"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"


_now = time.time


def _later(seconds: float) -> float:
    return _now() + seconds


class Cluster:
    """A projected token, and a server that trusts the cluster and takes each token once."""

    def __init__(self, service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.platform = Platform()
        self.mounted = Mounted(folder / "tokens", idp=self.platform.assertion())
        self.once = False
        self.seen: set[str] = set()
        service.token = self.respond
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__OAUTH2__ASSERTION_FOLDERS", str(folder))

    @property
    def path(self) -> Path:
        return self.mounted.path("idp")

    def rotate(self, **claims: Any) -> str:
        assertion = self.platform.assertion(**claims)
        self.mounted.exchange(idp=assertion)
        return assertion

    def extra(self, **changes: Any) -> dict[str, Any]:
        return {
            "auth_method": "workload_identity",
            "assertion_file": str(self.path),
            "password": None,
            **changes,
        }

    def connection(self, **changes: Any) -> Connection:
        return self.service.connection(**self.extra(**changes))

    def hook(self, **changes: Any) -> OAuth2Hook:
        return OAuth2Hook(connection=self.connection(**changes), method="GET")

    @property
    def sent(self) -> list[str]:
        return [request.form["client_assertion"][0] for request in self.service.token_requests]

    def respond(self, request: RecordedRequest) -> ScriptedResponse:
        try:
            claims = self.platform.claims(request.form["client_assertion"][0])
        except jwt.PyJWTError as error:
            return Json({"error": "invalid_client", "error_description": f"{error}: {request.body!r}"}, 401)
        if self.once and claims["jti"] in self.seen:
            return Json({"error": "invalid_client", "error_description": "jti was seen before"}, 401)
        self.seen.add(claims["jti"])
        subject = SPIFFE_ID if request.form["client_assertion_type"] == [SPIFFE] else SUBJECT
        if claims["sub"] != subject or request.form["client_id"] != [self.client_of(subject)]:
            return Json({"error": "unauthorized_client"}, 401)
        return token_json(f"tok-{len(self.service.token_requests)}")

    @staticmethod
    def client_of(subject: str) -> str:
        return SPIFFE_ID if subject == SPIFFE_ID else "my-client"


@pytest.fixture
def cluster(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(service, tmp_path / "allowed", monkeypatch)


@pytest.fixture
def warmed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow the host of the connection by which a fleet gets its imports over with."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "127.0.0.1, a.example")


@pytest.fixture
def shared_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clients without a secret share with a store key only."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW__OAUTH2__STORE_KEY", base64.b64encode(os.urandom(32)).decode())
    yield
    shared.clear()


class TestRotation:
    def test_each_request_carries_what_the_file_holds_then(self, cluster: Cluster, side: Side) -> None:
        first, hook = cluster.path.read_text(), cluster.hook()
        assert side.token(hook).value == "tok-1"
        second = cluster.rotate()
        assert side.token(hook).value == "tok-1", "the token is good whatever the file holds"
        assert side.call(hook, "get_token", force=True).value == "tok-2"
        assert cluster.sent == [first, second]
        assert cluster.service.token_requests[0].form["client_assertion_type"] == [BEARER]

    def test_between_two_attempts(self, cluster: Cluster, side: Side) -> None:
        def busy(request: RecordedRequest) -> ScriptedResponse:
            cluster.rotate()
            cluster.service.token = cluster.respond
            return Json({}, 503, [("Retry-After", "0")])

        cluster.service.token = busy
        assert side.token(cluster.hook()).value == "tok-2"
        assert len(set(cluster.sent)) == 2

    def test_a_svid_of_spiffe(self, cluster: Cluster, side: Side) -> None:
        cluster.rotate(sub=SPIFFE_ID)
        hook = cluster.hook(assertion_kind="jwt-spiffe", login=SPIFFE_ID)
        assert side.token(hook).value == "tok-1"
        assert cluster.service.token_requests[0].form["client_id"] == [SPIFFE_ID]

    def test_a_token_that_is_bound_to_a_key_of_its_own(self, cluster: Cluster, side: Side) -> None:
        """DPoP: the server asks for a nonce first, and so gets the assertion twice."""

        def ask(_: RecordedRequest) -> ScriptedResponse:
            cluster.service.token = bound
            return Json({"error": "use_dpop_nonce"}, 400, [("DPoP-Nonce", "n-1")])

        def bound(request: RecordedRequest) -> ScriptedResponse:
            assert cluster.platform.claims(request.form["client_assertion"][0])["sub"] == SUBJECT
            assert request.header("DPoP")
            return token_json("tok-bound", token_type="DPoP")

        cluster.service.token = ask
        assert side.token(cluster.hook(dpop=True)).value == "tok-bound"
        assert len(cluster.sent) == 2

    def test_the_key_of_a_token_does_not_change_with_the_file(self, cluster: Cluster, side: Side) -> None:
        side.token(cluster.hook())
        cluster.rotate()
        assert side.token(cluster.hook()).value == "tok-1", "another task has the same token"
        assert len(cluster.sent) == 1


class TestRefused:
    def test_it_is_not_sent_again_until_the_file_changes(self, cluster: Cluster, side: Side) -> None:
        cluster.rotate(exp=1)
        for _ in range(3):
            with pytest.raises(InvalidClientError) as caught:
                side.token(cluster.hook())
            assert_nothing_confidential(caught.value, [signature(cluster.path.read_text())])
        assert len(cluster.sent) == 1
        cluster.rotate()
        assert side.token(cluster.hook()).value == "tok-2", "at once"

    @pytest.mark.parametrize("status", [401, 403])
    def test_without_a_word_of_the_server(self, cluster: Cluster, side: Side, status: int) -> None:
        cluster.service.token = lambda _: Text(status)
        for _ in range(3):
            with pytest.raises(OAuthError):
                side.token(cluster.hook())
        assert len(cluster.sent) == 1

    @pytest.mark.usefixtures("shared_store")
    def test_nor_by_another_process_long_after(
        self, cluster: Cluster, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cluster.rotate(exp=1)
        with pytest.raises(InvalidClientError):
            side.token(cluster.hook())
        for hours in (1, 23):
            shared.clear()  # what a process remembers by itself
            monkeypatch.setattr("time.time", partial(_later, hours * 3600))
            with pytest.raises(InvalidClientError):
                side.token(cluster.hook())
        assert len(cluster.sent) == 1

    def test_a_server_that_takes_each_assertion_once(self, cluster: Cluster, side: Side) -> None:
        cluster.once = True
        hook = cluster.hook()
        assert side.token(hook).value == "tok-1"
        for _ in range(3):
            with pytest.raises(InvalidClientError, match="seen before"):
                side.call(hook, "get_token", force=True)
        assert len(cluster.sent) == 2
        assert side.token(hook).value == "tok-1", "which is good still"
        cluster.rotate()
        assert side.call(hook, "get_token", force=True).value == "tok-3"

    def test_nobody_is_disabled_who_has_another_one_each_time(self, cluster: Cluster, side: Side) -> None:
        for number in range(7):
            cluster.rotate(exp=1)
            with pytest.raises(InvalidClientError):
                side.token(cluster.hook())
            assert len(cluster.sent) == number + 1
        described = describe(ConnectionValues.of(cluster.connection()), read_policy())
        assert described.status is AuthorizationStatus.REFUSED

    def test_another_scope_is_no_reason_to_send_it_again(self, cluster: Cluster, side: Side) -> None:
        cluster.rotate(exp=1)
        for scope in ("read", "write"):
            with pytest.raises(InvalidClientError):
                side.token(cluster.hook(scope=scope))
        assert len(cluster.sent) == 1

    def test_a_person_who_authorizes_sends_it(self, cluster: Cluster) -> None:
        cluster.service.token = lambda _: Json({"error": "invalid_client"}, 401)
        hook = cluster.hook()
        with pytest.raises(InvalidClientError):
            hook.get_token()
        cluster.service.token = cluster.respond
        assert hook.test_connection()[0]
        assert hook.get_token().value == "tok-2"

    @pytest.mark.parametrize("what", ["introspect", "revoke"])
    def test_other_endpoints_do_not_get_it_either(self, cluster: Cluster, side: Side, what: str) -> None:
        hook, url = cluster.hook(), f"{cluster.service.server.url}/{what}"
        side.token(hook)
        cluster.service.api = lambda _: Json({"error": "invalid_client"}, 401)
        for _ in range(2):
            with pytest.raises(OAuthError):
                side.call(hook, what, "tok-1", endpoint=url)
        assert len(cluster.service.calls) == 1
        cluster.rotate()
        cluster.service.api = lambda _: Json({"active": True})
        side.call(hook, what, "tok-1", endpoint=url)
        assert len(cluster.service.calls) == 2


class TestFiles:
    def test_a_symlink_that_begins_to_lead_elsewhere(
        self, cluster: Cluster, side: Side, tmp_path: Path
    ) -> None:
        hook = cluster.hook()
        side.token(hook)
        stolen = tmp_path / "of-somebody-else"
        stolen.write_text(cluster.platform.assertion())
        cluster.path.unlink()
        cluster.path.symlink_to(stolen)
        with pytest.raises(ConfigurationError, match="leads out of its folder") as caught:
            side.call(hook, "get_token", force=True)
        assert (caught.value.field, caught.value.conn_id) == ("assertion_file", "my_api")
        assert len(cluster.sent) == 1

    def test_a_fifo_holds_nobody_up(self, cluster: Cluster, side: Side) -> None:
        cluster.path.unlink()
        os.mkfifo(cluster.path)
        with pytest.raises(ConfigurationError, match="no regular file"):
            side.token(cluster.hook())

    def test_a_missing_one_is_missing_for_this_machine_only(self, cluster: Cluster, side: Side) -> None:
        cluster.mounted.exchange()
        with pytest.raises(ConfigurationError, match="does not exist"):
            side.token(cluster.hook())
        described = describe(ConnectionValues.of(cluster.connection()), read_policy())
        assert described.status is AuthorizationStatus.NOT_YET
        cluster.rotate()
        assert side.token(cluster.hook()).value == "tok-1", "nothing stands against it"


class TestWhatIsSaid:
    def test_list_and_check(self, cluster: Cluster) -> None:
        values = ConnectionValues.of(cluster.connection())
        result, described = ConnectionCheck.of(values).check(), describe(values, read_policy())
        for said in (result.report(), described.report()):
            assert said["credential_source"] == "assertion file (jwt-bearer)"
            assert disclosed(json.dumps(said), [signature(cluster.sent[0])]) == set()
        assert described.status is AuthorizationStatus.AUTHORIZED

    def test_a_server_that_repeats_the_request(
        self, cluster: Cluster, side: Side, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        cluster.rotate(exp=1)
        confidential = [signature(cluster.path.read_text())]
        with pytest.raises(InvalidClientError) as caught:
            side.token(cluster.hook())
        assert_nothing_confidential(caught.value, confidential)
        assert disclosed(caplog.text, confidential) == set()
        described = describe(ConnectionValues.of(cluster.connection()), read_policy())
        assert disclosed(json.dumps(described.report()), confidential) == set()


@pytest.mark.slow
@pytest.mark.fault("P02")
@pytest.mark.usefixtures("shared_store")
def test_a_cold_start_of_16_makes_one_request(cluster: Cluster, warmed_up: None, tmp_path: Path) -> None:
    respond = cluster.respond
    cluster.once = True
    cluster.service.token = lambda request: Delay(0.25, respond(request))
    connection = json.loads(cluster.service.environment(**cluster.extra()))
    connection.pop("port")
    report = run(Task(connection, "file", str(tmp_path / "home"), 16, calls=3))
    assert (report.tokens, report.errors) == ({"tok-1"}, set())
    assert len(cluster.sent) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("shared_store")
def test_sixteen_processes_send_a_refused_one_once(cluster: Cluster, warmed_up: None, tmp_path: Path) -> None:
    cluster.rotate(exp=1)
    connection = json.loads(cluster.service.environment(**cluster.extra()))
    connection.pop("port")
    report = run(Task(connection, "file", str(tmp_path / "home"), 16, calls=2))
    assert report.errors == {"InvalidClientError"}
    assert len(cluster.sent) == 1
