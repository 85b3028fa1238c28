"""Step by step: Authorize and a check against servers that fail at one step after the other."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import CheckResult, Target, authorize, check_all
from airflow_oauth_provider.authorizations.steps import LONGEST, displayed_steps, step_report, step_text
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.transport.steps import Step, StepName, Trace
from tests.support.servers.certificates import authority, issue, server_context
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import CloseNow, Json, ScriptedServer, Silent, Text, token_json
from tests.support.service import Service

PLAIN = [StepName.PROXY, StepName.RESOLVE, StepName.CONNECT]
WHOLE = [StepName.SETTINGS, *PLAIN, StepName.REQUEST, StepName.TOKEN, StepName.SCOPES]


def names(result: CheckResult) -> list[StepName]:
    return [step.name for step in result.steps]


def checked(connection: Any, *, traced: bool = True) -> CheckResult:
    (result,) = check_all([Target.of(connection)], traced=traced)
    return result


def failed(result: CheckResult) -> Step:
    """Return the step that failed: the last and the only one."""
    assert [step.ok for step in result.steps].count(False) == 1
    return result.steps[-1]


@pytest.mark.parametrize("act", [authorize, checked])
def test_the_steps_are_those_of_the_one_acquisition(
    act: Any, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    service.token = lambda _: token_json("tok-1", scope="read")
    result = act(service.connection(probe_path="/health", scope="read write"))
    assert result.ok
    assert names(result) == [*WHOLE, *PLAIN, StepName.PROBE]
    assert len(service.token_requests) == 1
    assert len(service.calls) == 1
    assert service.server.connections == 2, "one for the token, one for the probe, none for show"
    steps = {step.name: step for step in result.steps}
    host = service.server.url.removeprefix("http://")
    assert steps[StepName.CONNECT].host == host
    assert steps[StepName.CONNECT].addresses == ("127.0.0.1",)
    assert (steps[StepName.REQUEST].host, steps[StepName.REQUEST].text) == (host, "HTTP status 200")
    assert steps[StepName.TOKEN].text == "Bearer, valid for 3600 s"
    assert steps[StepName.SCOPES].text == "granted: read; not granted: write"
    assert steps[StepName.PROBE].text == "The probe answered HTTP status 200."
    assert (
        sum(step.seconds for step in result.steps) <= result.seconds + steps[StepName.SETTINGS].seconds + 0.01
    )


def test_a_check_that_nobody_watches_has_none(service: Service) -> None:
    result = checked(service.connection(), traced=False)
    assert result.steps == ()
    assert "steps" not in result.report()


@pytest.mark.parametrize(
    "changes, name, text",
    [
        pytest.param({"host": "http://idp.example/t"}, StepName.SETTINGS, "must be https", id="settings"),
        pytest.param(
            {"host": "https://no.invalid/t", "max_retry_attempts": 0},
            StepName.RESOLVE,
            "could not be resolved",
            id="name",
        ),
        pytest.param({"require_scopes": "admin"}, StepName.SCOPES, "scope admin", id="scopes"),
        pytest.param({"probe_path": "/health"}, StepName.PROBE, "500", id="probe"),
    ],
)
def test_a_failure_is_at_its_step(
    changes: dict[str, Any], name: StepName, text: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    service.api = lambda _: Text(500, "boom")
    for result in (authorize(service.connection(**changes)), checked(service.connection(**changes))):
        step = failed(result)
        assert step.name is name
        assert text in step.text


def test_each_attempt_has_its_failure(service: Service) -> None:
    """A name that cannot be resolved is looked up once more by a check."""
    steps = checked(service.connection(host="https://no.invalid/token")).steps
    assert [step.name for step in steps if not step.ok] == [StepName.RESOLVE, StepName.RESOLVE]
    assert steps[-1].name is StepName.RESOLVE


@pytest.mark.parametrize(
    "response, name, text",
    [
        pytest.param(Json({"error": "invalid_client"}, 401), StepName.TOKEN, "invalid_client", id="refused"),
        pytest.param(Text(200, "<html>"), StepName.TOKEN, "JSON", id="a-page"),
        pytest.param(CloseNow(), StepName.REQUEST, "cut before", id="cut"),
        pytest.param(Silent(), StepName.REQUEST, "the request timed out", id="silent"),
    ],
)
def test_a_failure_of_the_token_endpoint(response: Any, name: StepName, text: str, service: Service) -> None:
    service.token = lambda _: response
    limits = {"request_timeout": 1, "max_wait": 1.2} if isinstance(response, Silent) else {}
    step = failed(authorize(service.connection(max_retry_attempts=0, **limits)))
    assert step.name is name
    assert text in step.text


def test_nobody_listens(service: Service, unused_port: int) -> None:
    step = failed(authorize(service.connection(host=f"http://127.0.0.1:{unused_port}/token")))
    assert (step.name, step.text) == (StepName.CONNECT, "the connection was refused")


def test_a_remembered_refusal_says_that_nothing_was_sent(service: Service) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    checked(service.connection())
    result = checked(service.connection())
    assert names(result) == [StepName.SETTINGS, StepName.TOKEN]
    assert failed(result).text.endswith("(no request was made)")
    assert len(service.token_requests) == 1


def test_a_second_attempt_is_told_with_the_reason(service: Service) -> None:
    responses = iter([Text(503, ""), token_json("tok-1")])
    service.token = lambda _: next(responses)
    result = checked(service.connection())
    assert result.ok
    assert names(result) == [
        *(StepName.SETTINGS, *PLAIN, StepName.REQUEST, StepName.PAUSE),
        *(*PLAIN, StepName.REQUEST, StepName.TOKEN, StepName.SCOPES),
    ]
    pause = result.steps[names(result).index(StepName.PAUSE)]
    assert "before another attempt: " in pause.text
    assert "503" in pause.text


class TestTls:
    """The version, and until when the chain is good; else why it is not."""

    @pytest.fixture
    def idp(self, tmp_path: Path) -> Any:
        with ScriptedServer(server_context(issue(authority(), "localhost"), tmp_path)) as server:
            server.script(token_json("tok-1"))
            yield server

    def connection(self, service: Service, idp: ScriptedServer, **changes: Any) -> Any:
        port = idp.url.rpartition(":")[2]
        return service.connection(host=f"https://localhost:{port}/token", **changes)

    def test_a_good_chain(self, service: Service, idp: ScriptedServer) -> None:
        result = authorize(self.connection(service, idp, ca_certificates=authority().certificate))
        assert result.ok, result.error
        step = next(step for step in result.steps if step.name is StepName.TLS)
        assert (step.host, step.text) == ("localhost", "TLSv1.3")
        assert step.chain_ends_at is not None
        assert "the server's certificates are good until 20" in step_text(step)
        assert str(step_report(step)["chain_ends_at"]).endswith("+00:00")

    def test_an_unknown_authority(self, service: Service, idp: ScriptedServer) -> None:
        step = failed(authorize(self.connection(service, idp)))
        assert step.name is StepName.TLS
        assert "does not verify" in step.text

    def test_an_expired_certificate(self, service: Service, tmp_path: Path) -> None:
        with ScriptedServer(server_context(issue(authority(), "localhost", expired=True), tmp_path)) as idp:
            step = failed(authorize(self.connection(service, idp, ca_certificates=authority().certificate)))
        assert step.name is StepName.TLS
        assert "expired" in step.text

    def test_through_a_proxy(
        self, service: Service, idp: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = self.connection(service, idp, ca_certificates=authority().certificate)
        with Proxy("proxy-user:proxy-password") as proxy:
            credentials = proxy.url.replace("://", "://proxy-user:proxy-password@")
            monkeypatch.setenv("HTTPS_PROXY", credentials)
            result = authorize(connection)
            monkeypatch.setenv("HTTPS_PROXY", credentials.replace("proxy-password", "another-password"))
            refused = authorize(connection)
        assert result.ok, result.error
        assert names(result) == [
            *(StepName.SETTINGS, *PLAIN, StepName.TUNNEL, StepName.TLS),
            *(StepName.REQUEST, StepName.TOKEN, StepName.SCOPES),
        ]
        assert (
            result.steps[1].text == f"through {proxy.url.removeprefix('http://').rstrip('/')} (HTTPS_PROXY)"
        )
        step = failed(refused)
        assert step.name is StepName.TUNNEL
        assert "refused to connect" in step.text
        assert "-password" not in repr((result, refused))


class TestDiscovery:
    """The issuer's metadata is a step of its own, fetched or known."""

    def test_it_is_fetched_then_known(self, service: Service) -> None:
        url = service.server.url
        service.api = lambda _: Json({"issuer": url, "token_endpoint": f"{url}/token"})
        connection = service.connection(host=url, discovery=True)
        first, second = authorize(connection), authorize(connection)
        assert [step.text for step in first.steps if step.name is StepName.DISCOVERY] == ["HTTP status 200"]
        (known,) = (step for step in second.steps if step.name is StepName.DISCOVERY)
        assert known.text == "metadata that was fetched 0 min ago"
        assert len(service.calls) == 1

    def test_metadata_of_another_issuer(self, service: Service) -> None:
        service.api = lambda _: Json(
            {"issuer": "https://other.example", "token_endpoint": "https://o.example"}
        )
        step = failed(authorize(service.connection(host=service.server.url, discovery=True)))
        assert step.name is StepName.TOKEN
        assert "metadata" in step.text


def test_a_step_says_nothing_that_is_secret(service: Service) -> None:
    secret = "a-client-secret"
    service.token = lambda _: Json(
        {"error": "invalid_request", "error_description": f"what is {secret}\x1b[31m?"}, 400
    )
    step = failed(authorize(service.connection()))
    assert step.name is StepName.TOKEN
    assert secret not in repr(step)
    assert "\x1b" not in step.text


def test_texts_are_redacted_cleaned_and_cut() -> None:
    trace, secret = Trace(), "a-long-secret-value"
    addresses = tuple(f"192.0.2.{number}" for number in range(20))
    trace.add(
        Step(
            StepName.TOKEN,
            host=secret,
            text=f"a-long-secret-value\r\n{'x' * 900}",
            addresses=addresses,
        )
    )
    (step,) = displayed_steps(trace, None, Redactor([secret]))
    assert step.host == "***"
    assert step.text.startswith("*** x")
    assert len(step.text) == LONGEST
    assert len(step.addresses) == 8


def test_nothing_was_recorded() -> None:
    assert displayed_steps(None, OAuthError("whatever")) == ()


def test_json(service: Service) -> None:
    report = json.loads(json.dumps(checked(service.connection()).report()))
    assert [step["step"] for step in report["steps"]] == [name.value for name in WHOLE]
    assert set(report["steps"][0]) == {
        *("step", "ok", "host", "text", "addresses", "chain_ends_at", "seconds")
    }


def test_a_name_that_leads_to_a_refused_address(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    there = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [there])
    step = failed(authorize(service.connection(host="https://idp.example/token")))
    assert step.name is StepName.RESOLVE
    assert step.addresses == ("169.254.169.254",)
    assert "no server has" in step.text
