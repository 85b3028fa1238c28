"""A secret outside of the connection, from the file to the token server, over both HTTP libraries."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Connection

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.authorizations.actions import ConnectionCheck
from airflow_oauth_provider.authorizations.description import describe
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.client import masking
from airflow_oauth_provider.deployment import credentials
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError, OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.transport.confined_files import read_confined
from tests.support.bound_tokens import CLIENTS, SERVERS, bound_service
from tests.support.confidential import assert_nothing_confidential
from tests.support.fleet import Task, run
from tests.support.mounted import Mounted
from tests.support.servers.certificates import Issued, issue_client
from tests.support.servers.scripted import (
    Delay,
    Json,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
    token_json,
)
from tests.support.service import Service
from tests.support.sides import Side
from tests.support.spellings import disclosed

OLD, NEW = "the-first-secret-of-the-vault", "the-second-secret-of-the-vault"


class Vault:
    """A mounted secret, and a token server that knows one secret at a time."""

    def __init__(self, service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.mounted = Mounted(folder, erp=OLD)
        self.accepts = OLD
        self.monkeypatch = monkeypatch
        service.token = self._respond
        self.allow()

    def allow(self, **changes: Any) -> None:
        host = self.service.server.url.removeprefix("http://")
        entry = {"hosts": [host], "client_ids": ["my-client"], "api_hosts": [host], **changes}
        entry = {"file": str(self.mounted.path("erp")), **entry}
        self.monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", json.dumps({"erp": entry}))

    def connection(self, **changes: Any) -> Connection:
        given = {"password": None, "external_credential": "erp", "auth_method": "client_secret_post"}
        return self.service.connection(**{**given, **changes})

    def hook(self, **changes: Any) -> OAuth2Hook:
        return OAuth2Hook(connection=self.connection(**changes), method="GET")

    @property
    def sent(self) -> list[str]:
        return [request.form["client_secret"][0] for request in self.service.token_requests]

    def _respond(self, request: RecordedRequest) -> ScriptedResponse:
        if request.form["client_secret"] != [self.accepts]:
            return Json({"error": "invalid_client"}, 401)
        return token_json(f"tok-{len(self.service.token_requests)}")


@pytest.fixture
def vault(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    return Vault(service, tmp_path / "secrets", monkeypatch)


class TestRotation:
    @pytest.mark.fault("P28")
    def test_it_is_read_again_for_each_acquisition(self, vault: Vault, side: Side) -> None:
        hook = vault.hook()
        assert side.token(hook).value == "tok-1"
        vault.mounted.exchange(erp=NEW)
        vault.accepts = NEW
        assert side.token(hook).value == "tok-1", "a token stays good, whatever comes after"
        assert side.call(hook, "get_token", force=True).value == "tok-2"
        assert vault.sent == [OLD, NEW]

    def test_a_secret_that_is_rotated_between_reading_and_asking(self, vault: Vault, side: Side) -> None:
        hook = vault.hook()
        side.token(hook)

        def rotate(request: RecordedRequest) -> ScriptedResponse:
            vault.mounted.exchange(erp=NEW)
            vault.accepts = NEW
            vault.service.token = vault._respond
            return Json({"error": "invalid_client"}, 401)

        vault.service.token = rotate
        assert side.call(hook, "get_token", force=True).value == "tok-3"
        assert vault.sent == [OLD, OLD, NEW]

    @pytest.mark.fault("P49")
    def test_a_wrong_one_is_one_request(self, vault: Vault, side: Side) -> None:
        vault.mounted.exchange(erp=NEW)
        hook = vault.hook()
        for _ in range(3):
            with pytest.raises(InvalidClientError) as caught:
                side.token(hook)
            assert_nothing_confidential(caught.value, [OLD, NEW])
        assert vault.sent == [NEW]
        vault.mounted.exchange(erp=OLD)
        assert side.token(hook).value == "tok-2", (
            "another secret is another client: nothing stands against it"
        )

    def test_a_file_that_goes_away_costs_nothing_while_a_token_is_held(
        self, vault: Vault, side: Side
    ) -> None:
        hook = vault.hook()
        side.token(hook)
        vault.mounted.exchange()
        assert side.token(hook).value == "tok-1"
        with pytest.raises(ConfigurationError, match="its file does not exist"):
            side.call(hook, "get_token", force=True)
        vault.mounted.exchange(erp=OLD)
        assert side.call(hook, "get_token", force=True).value == "tok-2"


def test_a_disk_that_does_not_respond_holds_up_no_other_coroutine(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    responds = threading.Event()

    def late(path: str, folder: str, *, limit: int) -> bytes:
        assert responds.wait(60), "the loop stood still meanwhile"
        return read_confined(path, folder, limit=limit)

    monkeypatch.setattr(credentials, "read_confined", late)

    async def both() -> str:
        waiting = asyncio.ensure_future(vault.hook().aget_token())
        await asyncio.sleep(0.05)
        responds.set()
        return (await waiting).value

    assert asyncio.run(both()) == "tok-1"


class TestWhereTheTokenMayGo:
    @pytest.fixture
    def elsewhere(self, scripted: ScriptedServer) -> ScriptedServer:
        scripted.script(lambda _: Json({"was": "here"}))
        return scripted

    def test_a_base_url_that_dag_code_chooses(
        self, vault: Vault, side: Side, elsewhere: ScriptedServer
    ) -> None:
        hook = OAuth2Hook(connection=vault.connection(base_url=None), method="GET", base_url=elsewhere.url)
        with pytest.raises(ConfigurationError, match="api_hosts") as caught:
            side.run(hook, "/x")
        assert caught.value.field == "base_url"
        assert elsewhere.requests == []
        assert vault.sent == []

    @pytest.mark.parametrize("own", [None, "/api"])
    def test_plain_requests(
        self, vault: Vault, elsewhere: ScriptedServer, own: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        base_url = own and vault.service.base_url
        given = vault.connection(base_url=base_url)
        monkeypatch.setattr("airflow.sdk.BaseHook.get_connection", lambda _: given)
        with pytest.raises(ConfigurationError):
            requests.get(elsewhere.url, auth=OAuth2Auth("my_api", base_url=elsewhere.url), timeout=5)
        assert elsewhere.requests == []
        assert vault.sent == []

    def test_a_redirect_goes_on_without_it(self, vault: Vault, side: Side, elsewhere: ScriptedServer) -> None:
        vault.service.api = lambda _: Redirect(f"{elsewhere.url}/x")
        side.run(vault.hook(), "/x")
        (request,) = elsewhere.requests
        assert request.header("Authorization") is None

    def test_a_next_page_elsewhere(self, vault: Vault, side: Side, elsewhere: ScriptedServer) -> None:
        with pytest.raises(ConfigurationError):
            side.run(vault.hook(), f"{elsewhere.url}/page/2")
        assert elsewhere.requests == []

    @pytest.mark.parametrize("what", ["introspect", "revoke"])
    def test_other_endpoints_of_the_server(
        self, vault: Vault, side: Side, elsewhere: ScriptedServer, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The deployment trusts the other host with credentials of other clients."""
        hosts = [server.url.removeprefix("http://") for server in (elsewhere, vault.service.server)]
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", ",".join(hosts))
        hook = vault.hook()
        side.token(hook)
        with pytest.raises(ConfigurationError, match='"hosts" of erp'):
            side.call(hook, what, endpoint=f"{elsewhere.url}/{what}")
        assert elsewhere.requests == []

    @pytest.mark.parametrize("what", ["introspect", "revoke"])
    def test_an_entry_that_was_taken_back(
        self, vault: Vault, side: Side, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook = vault.hook()
        side.token(hook)
        monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", "")
        with pytest.raises(ConfigurationError, match="credentials"):
            side.call(hook, what, endpoint=f"{vault.service.server.url}/{what}")
        assert len(vault.service.server.requests) == 1


@pytest.mark.fault("F21")
def test_a_row_that_is_changed_to_another_type_holds_nothing_to_send(
    vault: Vault, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's own HTTP hook sends login, password and extras of any connection it is given."""
    scripted.script(lambda _: Json({}))
    host, port = scripted.url.removeprefix("http://").split(":")
    row = json.loads(vault.service.environment(password=None, external_credential="erp"))
    row |= {"conn_type": "http", "password": "", "host": host, "port": int(port), "schema": "http"}
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", json.dumps(row))
    HttpHook(method="GET", http_conn_id="my_api").run("/steal")
    (request,) = scripted.requests
    said = f"{request.target} {request.headers} {request.body!r}"
    assert "erp" in said, "the name is all that there is"
    assert disclosed(said, [OLD]) == set()


class TestWhatIsSaid:
    def test_list_check_and_page(self, vault: Vault) -> None:
        connection = ConnectionValues.of(vault.connection())
        result = ConnectionCheck.of(connection).check()
        described = describe(connection, read_policy())
        for said in (result.report(), described.report()):
            assert said["credential_source"] == "external credential erp (file)"
            assert disclosed(json.dumps(said), [OLD]) == set()
            assert str(vault.mounted.folder) not in json.dumps(said)

    def test_every_form_of_it_is_masked(
        self, vault: Vault, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        masked: list[str] = []
        monkeypatch.setattr(masking, "_mask", masked.append)

        async def amask(value: str) -> None:
            masked.append(value)

        monkeypatch.setattr(masking, "_amask", amask)
        hook = vault.hook()
        side.token(hook)
        vault.mounted.exchange(erp=NEW)
        vault.accepts = NEW
        side.call(hook, "get_token", force=True)
        assert {OLD, NEW} <= set(masked)

    def test_a_check_of_many_registers_it_alone(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        """Airflow registers by itself what lies in a connection, and knows nothing of a file."""
        masked: list[str] = []
        monkeypatch.setattr(masking, "_mask", masked.append)
        monkeypatch.setattr(masking, "_known", OrderedDict())
        ConnectionCheck.of(ConnectionValues.of(vault.connection()), masks=False).check()
        assert masked == [OLD]

    def test_a_server_that_repeats_it(
        self, vault: Vault, side: Side, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        vault.service.token = lambda request: Json(
            {"error": "invalid_client", "error_description": request.body.decode()}, 401
        )
        with pytest.raises(InvalidClientError) as caught:
            side.token(vault.hook())
        assert_nothing_confidential(caught.value, [OLD])
        assert disclosed(caplog.text, [OLD]) == set()

    def test_an_api_that_repeats_it(self, vault: Vault, side: Side) -> None:
        vault.service.api = lambda _: Json({"your secret": OLD}, 400)
        with pytest.raises(OAuthError) as caught:
            side.run(vault.hook(), "/x")
        assert_nothing_confidential(caught.value, [OLD])


@pytest.mark.fault("P29")
def test_a_certificate_that_is_renewed_while_tasks_run(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificate and key of one file; tokens are bound to the certificate (RFC 8705 §3)."""
    first, second = issue_client(CLIENTS), issue_client(CLIENTS)
    mounted = Mounted(tmp_path / "tls", pem=first.key + first.certificate)
    authority = tmp_path / "authority.pem"
    authority.write_text(SERVERS.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    with bound_service(tmp_path) as service:
        host = service.server.url.removeprefix("https://")
        entry = {"file": str(mounted.path("pem")), "hosts": [host], "client_ids": ["my-client"]}
        credentials = json.dumps({"erp": {**entry, "api_hosts": [host]}})
        monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", credentials)
        given = {"auth_method": "tls_client_auth", "password": None, "external_credential": "erp"}
        hook = OAuth2Hook(connection=service.connection(**given), method="GET")
        assert side.run(hook, "/x").json()["authorization"] == "Bearer tok-1"
        mounted.exchange(pem=second.key + second.certificate)
        assert side.run(hook, "/x").json()["authorization"] == "Bearer tok-1", "each with its own"
        assert side.call(hook, "get_token", force=True).value == "tok-2"
        assert side.run(hook, "/x").json()["authorization"] == "Bearer tok-2"
        certificates = [request.certificate for request in service.server.requests]
    assert certificates == [der(first), der(first), der(first), der(second), der(second)]


def der(issued: Issued) -> bytes:
    return ssl.PEM_cert_to_DER_cert(issued.certificate)


@pytest.mark.slow
@pytest.mark.fault("P02")
def test_a_cold_start_of_16_makes_one_request(vault: Vault, tmp_path: Path) -> None:
    vault.service.token = lambda _: Delay(0.25, token_json("the-token"))
    connection = json.loads(vault.service.environment(password=None, external_credential="erp"))
    connection.pop("port")
    report = run(Task(connection, "file", str(tmp_path), 16, calls=3))
    assert (report.tokens, report.errors) == ({"the-token"}, set())
    assert len(vault.service.token_requests) == 1


_TASK = """
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

hook = OAuth2Hook("my_api", method="GET")
for _ in range(25):
    hook.get_token(force=True)
    hook.run("/x")
"""


@pytest.mark.slow
def test_a_file_that_is_exchanged_all_the_time_while_tasks_run(vault: Vault) -> None:
    """Each of them finds a whole secret each time.

    The server accepts those of the last ten seconds: on a busy machine a task may be that late.
    """
    accepted = deque([OLD], maxlen=200)

    def respond(request: RecordedRequest) -> ScriptedResponse:
        known = request.form["client_secret"][0] in accepted
        return token_json(f"tok-{len(vault.sent)}") if known else Json({"error": "invalid_client"}, 401)

    vault.service.token = respond
    connection = vault.service.environment(
        password=None, external_credential="erp", auth_method="client_secret_post"
    )
    tasks = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _TASK],
            env={**os.environ, "AIRFLOW_CONN_MY_API": connection},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    rotations = 0
    while any(task.poll() is None for task in tasks):
        rotations += 1
        accepted.append(secret := f"the-secret-number-{rotations:06}")
        vault.mounted.exchange(erp=secret)
        time.sleep(0.05)  # the pace of the rotation, not a wait
    printed = [task.communicate()[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0] * 4, printed
    assert len(set(vault.sent)) > 10, "or nothing was rotated meanwhile"
