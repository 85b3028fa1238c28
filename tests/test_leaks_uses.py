"""Nothing leaks where a connection has a client certificate, or a use asks for a token of its own."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.authorizations import Target, authorize, check_all, describe, display_settings
from airflow_oauth_provider.client import report
from airflow_oauth_provider.client.reading import get_connection
from airflow_oauth_provider.deployment.policy import forget_policy
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.support.bound_tokens import CLIENTS, bound_service, certified
from tests.support.confidential import assert_nothing_confidential
from tests.support.echoing import Echo
from tests.support.leaks import logged, stored_below
from tests.support.servers.certificates import bundle, issue_client
from tests.support.service import Service, running_service
from tests.support.sides import Side
from tests.triggers.running import event_of, to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F04", "F20", "F27", "F29")]

PASSPHRASE = "Vq8/zz91+Kd03&hh27"
CLIENT = issue_client(CLIENTS)
KEY_LINES = tuple(CLIENT.key.splitlines()[1:-1])
LOCKED = base64.b64encode(bundle(CLIENT, PASSPHRASE.encode())).decode()


class Case(NamedTuple):
    """A connection and its use.

    :param chosen: what the use asks for.
    :param changes: of the connection.
    :param certificate: the service wants one.
    """

    echo: Echo
    chosen: dict[str, Any]
    changes: dict[str, Any]
    certificate: bool = False

    @property
    def refused(self) -> dict[str, Any]:
        """What the service refuses."""
        return {**self.chosen, "scope": "refused"}


_CERTIFIED = certified(CLIENT)
_IN_ONE = certified(CLIENT, private_key=LOCKED, private_key_passphrase=PASSPHRASE, certificate=None)
_TENANTS = {
    "scope": "{tenant}.read",
    "tenant": "acme",
    "tenants": ["emea"],
    "post_params": ["realm={tenant}"],
}
CASES = {
    "certificate": Case(Echo(secret=KEY_LINES[0], more=KEY_LINES), {}, _CERTIFIED, True),
    "PKCS#12": Case(Echo(secret=PASSPHRASE, more=(LOCKED,)), {}, _IN_ONE, True),
    "certificate and scope": Case(
        Echo(secret=KEY_LINES[0], more=KEY_LINES), {"scope": "of-this-call"}, _CERTIFIED, True
    ),
    "scope, audience, resource": Case(
        Echo(), {"scope": "a b", "audience": "https://a.example", "resource": "https://r.example"}, {}
    ),
    "tenant": Case(Echo(), {"tenant": "emea"}, _TENANTS),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def service(case: Case, tmp_path: Path) -> Iterator[Service]:
    with bound_service(tmp_path) if case.certificate else running_service() as running:
        yield case.echo.serve(running)


@pytest.fixture
def outputs(
    case: Case,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[list[Any]]:
    put_out: list[Any] = []
    home = tmp_path / "home"
    home.mkdir()
    for name, value in (("TOKEN_STORE", "file"), ("ALLOWED_API_HOSTS", "127.0.0.1")):
        monkeypatch.setenv(f"AIRFLOW__OAUTH2__{name}", value)
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**case.echo.settings(**case.changes)))
    forget_policy()
    report.reset()
    with caplog.at_level(logging.DEBUG):
        yield put_out
    put_out += logged(caplog)
    stored = stored_below(home)
    assert stored, "or there would be nothing to look for"
    assert service.token_requests
    put_out += stored
    case.echo.assert_silent(put_out)


def failed(call: Callable[[], Any], case: Case, kind: type[BaseException] = OAuthError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert_nothing_confidential(caught.value, case.echo.values, ours=kind is OAuthError)
    return f"{caught.value!r} {caught.value}"


def test_calls(case: Case, service: Service, outputs: list[Any], side: Side) -> None:
    hook = OAuth2Hook("my_api", "GET", **case.chosen)
    side.run(hook, "ok")
    if case.chosen.get("tenant"):
        assert service.token_requests[-1].form["realm"] == ["emea"]
    outputs += [side.token(hook), hook, hook.auth, vars(hook), hook.get_conn()]
    outputs.append(failed(lambda: side.run(hook, "bad"), case))
    outputs.append(failed(lambda: side.token(OAuth2Hook("my_api", **case.refused)), case))
    outputs.append(hook.test_connection())


def test_any_requests_code(case: Case, service: Service, outputs: list[Any]) -> None:
    auth = OAuth2Auth("my_api", **case.chosen)
    with auth.mount(requests.Session()) as session:
        response = session.get(f"{service.base_url}/ok", timeout=5)
        assert response.status_code == 200
        outputs += [auth, vars(auth), response.request, response.request.headers, session.adapters]
    refused = OAuth2Auth("my_api", **case.refused)
    outputs.append(failed(lambda: refused.mount(requests.Session()).get(f"{service.base_url}/ok"), case))


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
def test_tasks(case: Case, outputs: list[Any], deferrable: bool) -> None:
    def operator(endpoint: str, **more: Any) -> Any:
        return OAuth2HttpOperator(
            task_id="call",
            oauth2_conn_id="my_api",
            method="GET",
            endpoint=endpoint,
            deferrable=deferrable,
            **{**case.chosen, **more},
        )

    outputs.append(to_the_end(operator("ok", response_filter=lambda r: [r.json(), dict(r.headers)])))
    outputs.append(failed(lambda: to_the_end(operator("bad")), case, Exception))
    outputs.append(failed(lambda: to_the_end(operator("ok", **case.refused)), case, Exception))
    sensor = OAuth2HttpSensor(
        task_id="wait",
        oauth2_conn_id="my_api",
        endpoint="ok",
        poke_interval=0.05,
        timeout=0.5,
        deferrable=deferrable,
        response_check=ResponseCheck(json_path="echo", expected="done"),
        **case.chosen,
    )
    outputs.append(failed(lambda: to_the_end(sensor), case, Exception))


def test_triggers_and_the_notifier(case: Case, outputs: list[Any]) -> None:
    for endpoint, chosen in (("ok", case.chosen), ("bad", case.chosen), ("ok", case.refused)):
        trigger = OAuth2HttpTrigger("my_api", endpoint=endpoint, response_headers=["etag"], **chosen)
        outputs += [event_of(trigger), trigger.serialize()]
    notifier = OAuth2HttpNotifier(oauth2_conn_id="my_api", endpoint="bad", data="x", **case.chosen)
    outputs.append(failed(lambda: notifier.notify({}), case))


def test_displays(case: Case, outputs: list[Any]) -> None:
    OAuth2Hook("my_api", **case.chosen).get_token()
    connection = get_connection("my_api")
    outputs += [json.dumps(describe(connection).report()), display_settings(connection)]
    for result in (*check_all([Target.of(connection)]), authorize(connection)):
        outputs += [json.dumps(result.report()), result.message]
