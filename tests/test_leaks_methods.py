"""No way of proving who calls shows what it proves it with: keys, assertions, proofs, external secrets."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from airflow_oauth_provider.authorizations import Target, authorize, check_all, describe, display_settings
from airflow_oauth_provider.client import report
from airflow_oauth_provider.client.reading import get_connection
from airflow_oauth_provider.deployment.policy import forget_policy
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.support.confidential import assert_nothing_confidential
from tests.support.echoing import SECRET, Echo
from tests.support.keys import KEYS, pem
from tests.support.leaks import logged, stored_below
from tests.support.servers.scripted import RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.sides import Side
from tests.support.spellings import disclosed
from tests.triggers.running import event_of, to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F04", "F20", "F27", "F29")]

KEY = pem(KEYS[KeyKind.P256])
KEY_LINES = tuple(line for line in KEY.splitlines() if line and "-----" not in line)


ASSERTION = jwt.encode({"sub": "system:serviceaccount:etl:nightly"}, "k" * 64, "HS256")
"""Of the platform, in a file."""


class OfAFile(Echo):
    """An API knows nothing of an assertion: it goes to the authorization server, and changes each hour."""

    def spelled_by_api(self) -> str:
        return replace(Echo(), secret=self.pin, pin=self.pin, gate=self.gate, token=self.token).spelled()


class Bound(Echo):
    """Grants tokens that are bound to a key."""

    def granted(self, request: RecordedRequest) -> ScriptedResponse:
        plain = super().granted(request)
        return (
            plain if b"refused" in request.body else token_json(self.token, token_type="DPoP", scope="read")
        )


class Detailed(Echo):
    """Grants other details than were asked for (RFC 9396)."""

    def granted(self, request: RecordedRequest) -> ScriptedResponse:
        if b"refused" in request.body:
            return self.refused(request)
        details = [{"type": "payment", self.pin: [self.spelled()]}, {"type": self.secret, "to": self.gate}]
        return token_json(self.token, scope="read", authorization_details=details)


VARIANTS: dict[str, tuple[Echo, dict[str, Any]]] = {
    "client_secret_jwt": (Echo(), {"auth_method": "client_secret_jwt"}),
    "private_key_jwt": (
        Echo(secret=KEY_LINES[0], more=KEY_LINES),
        {"auth_method": "private_key_jwt", "password": None, "private_key": KEY},
    ),
    "JSON": (Echo(), {"auth_method": "client_secret_post", "body_format": "json"}),
    "own header": (Echo(), {"header_name": "X-Api-Token", "header_scheme": "none"}),
    "DPoP": (Bound(), {"dpop": True}),
    "DPoP with a key": (Bound(more=KEY_LINES), {"dpop": True, "private_key": KEY}),
    "details": (Detailed(), {"rich_requests": '[{"type": "payment"}]'}),
    "workload identity": (
        OfAFile(secret=ASSERTION.rpartition(".")[2], more=(ASSERTION,)),
        {"auth_method": "workload_identity", "password": None, "assertion_file": "{folder}/assertion"},
    ),
    "external": (Echo(), {"password": None, "external_credential": "vault"}),
}


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> tuple[Echo, dict[str, Any]]:
    return VARIANTS[request.param]


@pytest.fixture
def outputs(
    service: Service,
    variant: tuple[Echo, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[list[Any]]:
    """Collect all that is said and stored; look at the end for secrets, keys, and all that was proved."""
    echo, changes = variant
    put_out: list[Any] = []
    secret, home = tmp_path / "vault" / "secret", tmp_path / "home"
    secret.parent.mkdir()
    home.mkdir()
    secret.write_text(SECRET + "\n")
    (secret.parent / "assertion").write_text(ASSERTION)
    changes = {
        name: value.format(folder=secret.parent) if name == "assertion_file" else value
        for name, value in changes.items()
    }
    entry = {
        "file": str(secret),
        "hosts": ["127.0.0.1"],
        "client_ids": ["my-client"],
        "api_hosts": ["127.0.0.1"],
    }
    options = {
        "CREDENTIALS": json.dumps({"vault": entry}),
        "ASSERTION_FOLDERS": str(secret.parent),
        "TOKEN_STORE": "file",
        "ALLOWED_API_HOSTS": "127.0.0.1",
        "ALLOWED_TOKEN_HOSTS": "127.0.0.1",
    }
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__OAUTH2__{name}", value)
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    for conn_id, scope in (("my_api", "read"), ("refused", "refused")):
        given = echo.settings(scope=scope, **changes)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", service.environment(**given))
    forget_policy()
    report.reset()
    echo.serve(service)
    with caplog.at_level(logging.DEBUG):
        yield put_out
    put_out += logged(caplog)
    stored = stored_below(home)
    assert stored, "or there would be nothing to look for"
    assert service.token_requests
    put_out += stored
    echo.assert_silent(put_out)
    proofs = proofs_in(service.server.requests)
    assert not [output for output in put_out if disclosed(repr(output), proofs)]


def proofs_in(requests: list[RecordedRequest]) -> set[str]:
    """Return the signatures that were sent; what was signed is in other texts, too."""
    sent = [request.header("DPoP") or "" for request in requests]
    for request in requests:
        with suppress(ValueError):
            sent += request.form.get("client_assertion", [])
    return {jwt.rpartition(".")[2] for jwt in sent if jwt}


def failed(call: Callable[[], Any], echo: Echo) -> str:
    with pytest.raises(OAuthError) as caught:
        call()
    assert_nothing_confidential(caught.value, echo.values)
    return f"{caught.value!r} {caught.value}"


def test_calls(service: Service, outputs: list[Any], variant: Any, side: Side) -> None:
    echo, about = variant[0], f"{service.server.url}/about"
    hook = OAuth2Hook("my_api", "GET")
    side.run(hook, "ok")
    token = side.token(hook)
    outputs += [token, str(token), hook, hook.get_conn().auth, vars(hook)]
    if isinstance(token, PrivateToken):
        assert token.own_key is None or not disclosed(repr(token), [token.own_key.reveal()])
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(token)
    outputs.append(failed(lambda: side.run(hook, "bad"), echo))
    for name in ("introspect", "revoke"):
        outputs.append(side.call(hook, name, endpoint=about))
        side.token(hook)
        outputs.append(failed(lambda name=name: side.call(hook, name, endpoint=f"{about}/refused"), echo))  # type: ignore[misc]
    outputs.append(hook.test_connection())
    outputs.append(failed(lambda: side.token(OAuth2Hook("refused")), echo))


def test_tasks_and_displays(service: Service, outputs: list[Any], variant: Any) -> None:
    for deferrable in (False, True):
        operator = OAuth2HttpOperator(
            task_id="call",
            method="GET",
            oauth2_conn_id="my_api",
            endpoint="ok",
            deferrable=deferrable,
            response_filter=lambda r: [
                r.json(),
                dict(r.headers),
                dict(r.request.headers) if r.request else {},
            ],
        )
        outputs.append(to_the_end(operator))
    for conn_id, endpoint in (("my_api", "ok"), ("my_api", "bad"), ("refused", "ok")):
        outputs.append(event_of(OAuth2HttpTrigger(conn_id, endpoint=endpoint)))
    for conn_id in ("my_api", "refused"):
        connection = get_connection(conn_id)
        results = (*check_all([Target.of(connection)]), authorize(connection))
        outputs += [json.dumps(result.report()) for result in results]
        outputs += [json.dumps(describe(connection).report()), display_settings(connection)]
