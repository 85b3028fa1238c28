"""What Airflow's masker is told, and what reaches a log."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from airflow_oauth_provider import masking
from airflow_oauth_provider.client import OAuth2Client
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens import AccessToken
from tests.protocol.builders import NOW, settings
from tests.protocol.test_client_authentication import EC_KEY, pem
from tests.servers.scripted import token_json
from tests.service import Service

AWKWARD = 'aw"kward/sécret +x'


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect what the masker is told, with nothing known from before."""
    told: list[str] = []
    monkeypatch.setattr(masking, "_mask", told.append)
    known = masking._known.copy()
    masking._known.clear()
    yield told
    masking._known.clear()
    masking._known.update(known)


def test_every_form_in_which_a_secret_travels(masked: list[str]) -> None:
    given = settings(client_secret=Secret(AWKWARD), request={"secret_params": (("pin", Secret("12345678")),)})
    masking.mask_settings(given)
    basic = base64.b64encode(f"my-client:{quote(AWKWARD, safe='')}".encode()).decode()
    raw = base64.b64encode(f"my-client:{AWKWARD}".encode()).decode()
    assert {AWKWARD, quote(AWKWARD, safe=""), json.dumps(AWKWARD)[1:-1], basic, raw, "12345678"} <= set(
        masked
    )


def test_each_line_of_a_key(masked: list[str]) -> None:
    text = pem(EC_KEY)
    masking.mask_settings(
        settings(auth_method="private_key_jwt", client_secret=None, assertion={"private_key": Secret(text)})
    )
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    assert set(lines) <= set(masked)
    assert "-----BEGIN PRIVATE KEY-----" not in masked, "that would hide every key's first line"


def test_once_only(masked: list[str]) -> None:
    for _ in range(3):
        masking.mask_settings(settings())
        masking.mask_token(AccessToken("tok-abcdef", "Bearer", NOW + 60, NOW))
    assert len(masked) == len(set(masked))
    assert "tok-abcdef" in masked


def test_a_server_that_lives_on_is_told_short_tails_and_not_many(
    masked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    for number in range(1000):
        masking.mask_token(AccessToken(f"{'x' * 500}-signature-{number:06}", "Bearer", NOW + 60, NOW))
    assert len(masked) == masking.MAX_TAILS
    assert {len(value) for value in masked} == {16}


def test_airflow_hides_them_for_real(service: Service) -> None:
    try:
        from airflow.sdk._shared.secrets_masker import redact
    except ImportError:
        from airflow.sdk.execution_time.secrets_masker import redact

    client = OAuth2Client("my_api", service.connection(password="the-secret-of-this-test"))
    service.token = lambda _: token_json("the-token-of-this-test")
    client.get_token()
    shown = redact("secret=the-secret-of-this-test token=the-token-of-this-test.")
    assert str(shown) == "secret=*** token=***."


@pytest.mark.parametrize("level", [logging.DEBUG])
def test_no_log_line_at_any_level_has_a_secret(
    service: Service, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    secrets = {
        "password": "the-logged-secret",
        "secret_params": "pin=9876543210",
        "secret_headers": "X-Key=gate-key-1",
    }
    with caplog.at_level(level):
        hook = OAuth2Hook(method="POST", connection=service.connection(**secrets))
        hook.run("x", data="body")
        service.dead.add("tok-1")
        hook.run("x", data="body")
        hook.test_connection()
    assert caplog.records
    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    for secret in ("the-logged-secret", "9876543210", "gate-key-1", "tok-1", "tok-2", "tok-3"):
        assert secret not in text
    assert base64.b64encode(b"my-client:the-logged-secret").decode() not in text
