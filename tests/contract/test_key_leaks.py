"""No output holds a private key, its passphrase or an assertion, against a service that repeats all three."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from airflow_oauth_provider.authorizations import Target, authorize, check_all, describe, display_settings
from airflow_oauth_provider.client import report
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from tests.support.confidential import assert_nothing_confidential
from tests.support.keys import KEYS, jwk, pem
from tests.support.leaks import logged, stored_below
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.sides import Side
from tests.support.spellings import SPELLINGS, disclosed

pytestmark = pytest.mark.fault("C47", "F29")

PASSPHRASE = "the passphrase/of+this&key"
FORMS = ("plain", "JSON", "percent", "HTML", "Base64", "hexadecimal")


def _lines(text: str) -> tuple[str, ...]:
    """Return the lines of a PEM that no other key has."""
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    return tuple(line for line in lines[1:] if len(line) >= 16) or (lines[0][30:],)


def _pkcs12(key: Any) -> str:
    locked = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"k", key, None, None, locked)).decode()


@dataclass(frozen=True)
class Material:
    """A key as a connection holds it.

    :param parts: of it that nobody may see.
    """

    text: str
    parts: tuple[str, ...]
    passphrase: str | None = None


def _materials() -> Iterator[tuple[str, Material]]:
    for kind in (KeyKind.RSA, KeyKind.P521):
        yield f"PEM {kind.value}", Material(pem(KEYS[kind]), _lines(pem(KEYS[kind])))
    locked = pem(KEYS[KeyKind.P384], PASSPHRASE)
    yield "PEM, locked", Material(locked, _lines(locked), PASSPHRASE)
    for kind in (KeyKind.P384, KeyKind.ED25519):
        text = jwk(KEYS[kind], kid="key-1")
        yield f"JWK {kind.value}", Material(text, (json.loads(text)["d"],))
    file = _pkcs12(KEYS[KeyKind.P256])
    yield "PKCS#12", Material(file, (file[200:260], file[260:320]), PASSPHRASE)


MATERIALS = dict(_materials())


@pytest.fixture(params=MATERIALS)
def material(request: pytest.FixtureRequest) -> Material:
    return MATERIALS[request.param]


class Repeating:
    """Answers of a service that repeats the key, its passphrase, and what it was sent."""

    def __init__(self, material: Material) -> None:
        self.secrets = (material.text, *filter(None, [material.passphrase]))
        self.assertions: list[str] = []

    def said(self) -> str:
        values = (*self.secrets, *self.assertions[-1:])
        return "\n".join(SPELLINGS[form](value) for form in FORMS for value in values)

    def token(self, request: RecordedRequest) -> ScriptedResponse:
        self.assertions += request.form["client_assertion"]
        if b"refused" in request.body:
            return Json({"error": "invalid_client", "error_description": self.said()}, 401)
        details = [{"type": "echo", "all": self.said()}]
        return token_json("tok-of-the-key-test", authorization_details=details)

    def api(self, request: RecordedRequest) -> ScriptedResponse:
        return Json({"echo": self.said()}, 400 if "bad" in request.target else 200)


@pytest.fixture
def repeating(service: Service, material: Material) -> Repeating:
    repeating = Repeating(material)
    service.token, service.api = repeating.token, repeating.api
    return repeating


@pytest.fixture
def outputs(
    repeating: Repeating,
    material: Material,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[list[Any]]:
    """Collect what is put out, with all logs and the store; look at it at the end."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    report.reset()
    put_out: list[Any] = []
    with caplog.at_level(logging.DEBUG):
        yield put_out
    assert repeating.assertions
    put_out += logged(caplog)
    put_out += stored_below(tmp_path)
    text = "\n".join(map(repr, put_out))
    assert text
    found = disclosed(text, (*material.parts, *hidden_of(repeating, material)))
    assert not found, {name for _, name in found}


def hidden_of(repeating: Repeating, material: Material) -> Iterator[str]:
    """Yield the passphrase, and the signature of what was sent last, by which it is a credential."""
    if material.passphrase:
        yield material.passphrase
    for assertion in repeating.assertions[-1:]:
        yield assertion.rpartition(".")[2]


def errors_of(call: Callable[[], Any], material: Material) -> str:
    with pytest.raises(OAuthError) as caught:
        call()
    assert_nothing_confidential(caught.value, (*material.parts, *filter(None, [material.passphrase])))
    return repr(caught.value) + str(caught.value)


def connection_of(service: Service, material: Material, **changes: Any) -> Any:
    given = {
        "password": None,
        "auth_method": "private_key_jwt",
        "private_key": material.text,
        "private_key_passphrase": material.passphrase,
        "max_retry_attempts": 0,
        "rich_requests": [{"type": "orders"}],
        **changes,
    }
    return service.connection(**given)


def test_calls(service: Service, material: Material, side: Side, outputs: list[Any]) -> None:
    hook = OAuth2Hook(method="GET", connection=connection_of(service, material))
    outputs += [side.token(hook), hook, errors_of(lambda: side.run(hook, "bad"), material)]
    refused = OAuth2Hook(connection=connection_of(service, material, scope="refused"))
    outputs += [errors_of(lambda: side.token(refused), material) for _ in range(2)]


def test_displays_and_checks(service: Service, material: Material, outputs: list[Any]) -> None:
    for scope in ("read", "refused"):
        connection = connection_of(service, material, scope=scope)
        (checked,) = check_all([Target.of(connection)])
        outputs += [authorize(connection), checked, checked.report(), checked.message]
        outputs += [describe(connection), describe(connection).report(), display_settings(connection)]
        outputs += [OAuth2Hook(connection=connection).test_connection()]
        outputs += [resolve(connection, Policy()).settings]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"jwt_algorithm": "HS256"}, id="misfit"),
        pytest.param({"private_key_passphrase": "another-passphrase"}, id="passphrase"),
        pytest.param({"cut": True}, id="damaged"),
        pytest.param({"password": "a-secret-beside-it"}, id="two"),
    ],
)
def test_what_is_wrong_with_a_key(service: Service, material: Material, changes: dict[str, Any]) -> None:
    given = dict(changes)
    if given.pop("cut", False):
        given["private_key"] = re.sub(r"(?s)^(.{60}.*?)[A-Za-z0-9].{20}", r"\1", material.text, count=1)
    connection = connection_of(service, material, **given)
    if material.text.startswith("{") and "private_key_passphrase" in given:
        resolve(connection, Policy())  # a JWK has none
        return
    with pytest.raises(ConfigurationError) as caught:
        resolve(connection, Policy())
    values = (*material.parts, *filter(None, [material.passphrase]), *map(str, changes.values()))
    assert_nothing_confidential(caught.value, [value for value in values if len(value) > 12])
    assert service.server.requests == []
