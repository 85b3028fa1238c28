"""No output holds a bound token, its key or a proof, against servers that repeat them in every spelling."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_oauth_provider.auth import OAuth2Auth, bearer_token_callable
from airflow_oauth_provider.authorizations.actions import ConnectionCheck
from airflow_oauth_provider.authorizations.description import describe
from airflow_oauth_provider.client import masking, report
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.protocol.dpop import proof_key, token_proofs
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.protocol.dpop.test_proof_key import pem
from tests.support.confidential import assert_nothing_confidential
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.leaks import logged, stored_below
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse
from tests.support.sides import Side
from tests.support.spellings import SPELLINGS, disclosed
from tests.triggers.running import event_of, to_the_end
from tests.triggers.watched import watch

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F29", "F20", "F04")]

NAME = "the-value-of-a-token-that-is-bound"
CONFIGURED = pem(ec.generate_private_key(ec.SECP256R1()))


def spelled(request: RecordedRequest) -> list[str]:
    """Repeat what a request carries, in every spelling."""
    carried = [request.header(name) or "" for name in ("DPoP", "Authorization")]
    return [spell(value) for spell in SPELLINGS.values() for value in carried]


def repeated(request: RecordedRequest) -> ScriptedResponse:
    proof = request.header("DPoP") or ""
    challenge = f'DPoP error="invalid_request", error_description="{proof}"'
    headers = [("ETag", f'"{proof}"'), ("Link", f"<https://x/?{proof}>"), ("WWW-Authenticate", challenge)]
    content = {"state": "done", "echo": spelled(request), proof: 1}
    return Json(content, 400 if "bad" in request.target else 200, headers)


def refused(request: RecordedRequest) -> ScriptedResponse:
    return Json({"error": "invalid_request", "error_description": " ".join(spelled(request))}, 400)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is secret of each key that is made for a token."""
    keys: list[str] = [CONFIGURED]
    make = proof_key.new_proof_key

    def collected(entropy: Callable[[int], bytes]) -> Any:
        key = make(entropy)
        keys.append(json.loads(key.reveal())["d"])
        return key

    monkeypatch.setattr(token_proofs, "new_proof_key", collected)
    return keys


@pytest.fixture
def service() -> Iterator[DpopService]:
    with running_dpop_service(token_name=NAME, api=repeated) as running:
        yield running


@pytest.fixture(autouse=True, params=["its-own-key", "configured-key"])
def outputs(
    request: pytest.FixtureRequest,
    service: DpopService,
    keys: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[list[Any]]:
    put_out: list[Any] = []
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    report.reset()
    changes: dict[str, Any] = {"probe_path": "/bad", "max_retry_attempts": 0}
    if request.param == "configured-key":
        changes["private_key"] = CONFIGURED
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**changes))
    with caplog.at_level(logging.DEBUG):
        yield put_out
    put_out += logged(caplog)
    put_out += stored_below(tmp_path)
    text = "\n".join(output if isinstance(output, str) else repr(output) for output in put_out)
    assert service.proofs or service.token, "nothing to look for"
    assert disclosed(text, confidential(service, keys)) == set()


def confidential(service: DpopService, keys: list[str]) -> list[str]:
    signatures = [proof["jwt"].rpartition(".")[2] for proof in service.proofs]
    return [NAME, *keys, *signatures]


def errors_of(call: Callable[[], Any], service: DpopService, keys: list[str]) -> str:
    with pytest.raises(Exception) as caught:
        call()
    for link in (caught.value, caught.value.__cause__):
        if isinstance(link, OAuthError):
            assert_nothing_confidential(link, confidential(service, keys))
    return repr(caught.value) + str(caught.value)


def test_the_hook(outputs: list[Any], service: DpopService, keys: list[str], side: Side) -> None:
    hook = OAuth2Hook("my_api", "GET")
    side.run(hook, "ok")
    outputs += [errors_of(lambda: side.run(hook, "bad"), service, keys), side.token(hook), hook, hook.auth]


def test_a_refused_token_request(
    outputs: list[Any], service: DpopService, keys: list[str], side: Side
) -> None:
    service.token = refused
    outputs.append(errors_of(lambda: side.run(OAuth2Hook("my_api", "GET"), "ok"), service, keys))


def test_any_requests_code(outputs: list[Any], service: DpopService, keys: list[str]) -> None:
    auth = OAuth2Auth("my_api")
    response = requests.get(f"{service.base_url}/ok", auth=auth, timeout=5)
    outputs += [auth, response.request.headers, response.request]
    outputs.append(errors_of(bearer_token_callable("my_api"), service, keys))


def test_what_people_are_shown(outputs: list[Any]) -> None:
    hook = OAuth2Hook("my_api", "GET")
    connection = hook.get_connection("my_api")
    checked = ConnectionCheck.of(connection).check()
    outputs += [hook.test_connection(), checked.report(), checked.message, describe(connection).report()]


@pytest.mark.parametrize("deferrable", [False, True])
def test_operator_and_sensor(
    outputs: list[Any], service: DpopService, keys: list[str], deferrable: bool
) -> None:
    def operator(endpoint: str, **more: Any) -> Any:
        given = {"oauth2_conn_id": "my_api", "endpoint": endpoint, "method": "GET", **more}
        return OAuth2HttpOperator(task_id="call", deferrable=deferrable, **given)

    outputs.append(to_the_end(operator("ok")))
    outputs.append(to_the_end(operator("ok", response_filter=lambda r: (r.json(), dict(r.headers)))))
    outputs.append(errors_of(lambda: to_the_end(operator("bad")), service, keys))
    sensor = OAuth2HttpSensor(
        task_id="wait",
        oauth2_conn_id="my_api",
        endpoint="ok",
        poke_interval=0.05,
        timeout=1,
        deferrable=deferrable,
        response_check=ResponseCheck(json_path="echo", expected="done"),
    )
    outputs.append(errors_of(lambda: to_the_end(sensor), service, keys))


def test_triggers(outputs: list[Any], service: DpopService) -> None:
    triggers = [OAuth2HttpTrigger("my_api", endpoint=end, response_headers=["etag"]) for end in ("ok", "bad")]
    outputs += [event_of(trigger) for trigger in triggers]
    outputs += watch(service, 3, poll_interval=1, payload_path="$.echo")


def test_the_masker_knows_the_keys(
    service: DpopService, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []
    monkeypatch.setattr(masking, "_mask", masked.append)
    masking._known.clear()
    OAuth2Hook("my_api").get_token()
    secret = keys[-1]
    if secret == CONFIGURED:
        assert all(line in masked for line in CONFIGURED.splitlines()[1:-1])
    else:
        assert secret in masked
