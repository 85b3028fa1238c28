"""What Airflow's masker is told, and what reaches a log."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.protocol.client.algorithms import KeyKind
from airflow_oauth_provider.protocol.dpop.bound_token import with_key
from airflow_oauth_provider.protocol.dpop.proof_key import new_proof_key
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings, NetworkSettings, ProofSettings
from airflow_oauth_provider.tokens import AccessToken
from tests.support.builders import NOW, settings
from tests.support.keys import KEYS, pem
from tests.support.servers.client_certificates import client_certificate
from tests.support.servers.scripted import token_json
from tests.support.service import Service

AWKWARD = 'aw"kward/sécret +x'


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect what the masker is told, with nothing known from before."""
    masked: list[str] = []
    monkeypatch.setattr(masking, "_mask", masked.append)
    known = masking._known.copy()
    masking._known.clear()
    monkeypatch.setattr(masking, "_counts", Counter())
    yield masked
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


@pytest.mark.parametrize("secret", [AWKWARD, pem(KEYS[KeyKind.P256])], ids=["secret", "key"])
def test_a_credential_alone_is_one_mask_or_a_few(masked: list[str], secret: str) -> None:
    given = settings(client_secret=Secret(secret), request={"secret_params": (("pin", Secret("12345678")),)})
    for _ in range(2):
        masking.mask_credential(given)
    assert masked
    assert all(mask in secret for mask in masked)
    assert len(masked) <= 3
    assert "12345678" not in masked


def test_each_line_of_a_key(masked: list[str]) -> None:
    text = pem(KEYS[KeyKind.P256])
    masking.mask_settings(
        settings(auth_method="private_key_jwt", client_secret=None, assertion={"private_key": Secret(text)})
    )
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    assert set(lines) <= set(masked)
    assert "-----BEGIN PRIVATE KEY-----" not in masked, "that would hide every key's first line"


@pytest.mark.parametrize("first", ["key", "certificate"])
def test_a_certificate_beside_a_key_is_nobody_s_secret(masked: list[str], first: str) -> None:
    """Its lines would make the masker slower with each line of the log."""
    issued = client_certificate("client.example")
    parts = (issued.key, issued.certificate) if first == "key" else (issued.certificate, issued.key)
    masking.mask_settings(settings(client_secret=None, assertion={"private_key": Secret("".join(parts))}))
    assert issued.key.strip() in masked
    assert {line for line in issued.key.splitlines() if "-----" not in line} <= set(masked)
    assert not {line for line in issued.certificate.splitlines() if "-----" not in line} & set(masked)


def test_short_masks_come_first(masked: list[str]) -> None:
    """The masker compiles all that it knows for each: a long one that comes early is compiled most often."""
    key = client_certificate("client.example").key
    masking.mask_settings(settings(client_secret=None, assertion={"private_key": Secret(key)}))
    assert [len(mask) for mask in masked] == sorted(len(mask) for mask in masked)
    assert sum(len(mask) > 1000 for mask in masked) >= 3


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


def test_a_task_registers_few_tokens_whole_some_tails_and_then_none(masked: list[str]) -> None:
    for number in range(1000):
        masking.mask_token(AccessToken(f"opaque-token-{number:06}-of-a-task", "Bearer", NOW + 60, NOW))
    assert masked[0] == "opaque-token-000000-of-a-task"
    assert len(masked) == masking.MAX_WHOLE_TOKENS + masking.MAX_TASK_TAILS
    assert {len(value) for value in masked[masking.MAX_WHOLE_TOKENS :]} == {16}


@pytest.mark.fault("F28")
def test_a_long_token_is_registered_by_a_short_slice(masked: list[str]) -> None:
    masking.mask_token(AccessToken("x" * 200_000 + "the-tail-of-this", "Bearer", NOW + 60, NOW))
    assert masked == ["the-tail-of-this"]


def test_of_a_jwt_the_signature_is_registered(masked: list[str]) -> None:
    head = f"eyJhbGciOiJFUzI1NiJ9.{'c' * 900}"
    masking.mask_token(AccessToken(f"{head}.{'s' * 86}", "Bearer", NOW + 60, NOW))
    masking.mask_token(AccessToken(f"{head}.{'t' * 342}", "Bearer", NOW + 60, NOW))
    assert masked == ["s" * 86, "t" * 16]


@pytest.mark.fault("F87")
def test_airflows_own_masker_grows_to_a_bound_in_a_task(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Hundreds of renewals: the masker has what it had after some of them, and no line has a token."""
    monkeypatch.setattr(masking, "_counts", Counter())
    masker = masking._masker()
    before = len(masker.patterns)
    numbers = itertools.count()
    service.token = lambda _: token_json(f"a-token-of-a-long-task-{next(numbers):04}")
    sizes = []
    with caplog.at_level(logging.DEBUG):
        client = OAuth2Client("my_api", service.connection(password="the-secret-of-a-long-task"))
        for _ in range(200):
            client.get_token(force=True)
            sizes.append(len(masker.patterns) - before)
    assert sizes[-1] == sizes[masking.MAX_WHOLE_TOKENS + masking.MAX_TASK_TAILS]
    assert sizes[-1] <= masking.MAX_WHOLE_TOKENS + masking.MAX_TASK_TAILS + 8
    assert "a-token-of-a-long-task" not in "".join(f"{record.__dict__}" for record in caplog.records)
    # What the masker does not know, the redactor does.
    assert client.redactor.text("Bearer a-token-of-a-long-task-0199") == "Bearer ***"


@pytest.mark.parametrize("least, masks", [("4", {"abcd"}), ("5", set()), ("20", set())])
@pytest.mark.fault("F66")
def test_airflow_says_how_short_a_secret_may_be(
    least: str, masks: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET", least)
    registered: list[str] = []
    module = (
        "airflow.sdk.log" if find_spec("airflow.sdk.log") else "airflow.sdk.execution_time.secrets_masker"
    )
    monkeypatch.setattr(f"{module}.mask_secret", registered.append)
    monkeypatch.setattr(masking, "_known", type(masking._known)())
    masking.mask_settings(settings(auth_method="client_secret_post", client_secret=Secret("abcd")))
    assert set(registered) == masks


@pytest.mark.parametrize("least, masks", [("4", {"abcd"}), ("5", set()), ("20", set())])
@pytest.mark.parametrize("in_loop", [False, True], ids=["thread", "coroutine"])
@pytest.mark.parametrize("only_here", [False, True], ids=["for all", "here only"])
@pytest.mark.fault("F66")
def test_wherever_it_is_registered(
    least: str, masks: set[str], in_loop: bool, only_here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET", least)
    registered: list[str] = []

    async def amask_secret(value: str) -> None:
        registered.append(value)

    module = "airflow.sdk.log"
    module = module if find_spec(module) else "airflow.sdk.execution_time.secrets_masker"
    monkeypatch.setattr(f"{module}.mask_secret", registered.append)
    if hasattr(import_module(module), "amask_secret"):
        monkeypatch.setattr(f"{module}.amask_secret", amask_secret)
    monkeypatch.setattr(masking, "_masker", lambda: SimpleNamespace(add_mask=registered.append))
    monkeypatch.setattr(masking, "_known", type(masking._known)())
    monkeypatch.setattr(masking, "_counts", type(masking._counts)())
    read_policy()
    short = settings(auth_method="client_secret_post", client_secret=Secret("abcd"))
    with masking.in_this_process_only() if only_here else nullcontext():
        if in_loop:
            asyncio.run(masking.amask_settings(short))
        else:
            masking.mask_settings(short)
    assert set(registered) == masks


@pytest.mark.parametrize("least, warned", [("4", False), ("5", True)])
@pytest.mark.fault("F66")
def test_a_secret_shorter_than_airflow_masks_is_warned_of(
    least: str, warned: bool, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET", least)
    client = OAuth2Client("my_api", service.connection(password="abcd"))
    assert client.settings
    assert any("mask" in warning for warning in client.warnings) is warned


def test_of_a_proxys_address_the_password_is_registered_by_itself(masked: list[str]) -> None:
    proxy = Secret("http://me:p%40ss-word@proxy.example:3128")
    masking.mask_settings(settings(network=NetworkSettings(proxy_url=proxy)))
    assert {"p%40ss-word", "p@ss-word"} <= set(masked)


def rsa_pem() -> str:
    return pem(rsa.generate_private_key(65537, 2048))


def key_settings(material: str) -> ClientSettings:
    return settings(
        auth_method="private_key_jwt", client_secret=None, assertion={"private_key": Secret(material)}
    )


def test_such_a_server_is_told_few_pieces_of_a_key_and_not_of_every_key(
    masked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    text = rsa_pem()
    masking.mask_settings(key_settings(text))
    assert 1 <= len(masked) <= 3
    for form in (text, text.replace("\n", "\\n"), json.dumps(text), quote(text), quote_plus(text)):
        assert all(piece in form for piece in masked)
    assert not any(piece in rsa_pem() for piece in masked), "nothing that all keys have"
    body = "".join(text.splitlines()[1:-1])
    for number in range(1000):
        # Other keys as far as masks are concerned, and without the time that making them takes.
        turned = body[64 + number :] + body[64 : 64 + number]
        masking.mask_settings(
            key_settings(f"-----BEGIN PRIVATE KEY-----\n{turned}\n-----END PRIVATE KEY-----")
        )
    assert len(masked) <= masking.MAX_FORMS
    assert {len(value) for value in masked} == {16}


@pytest.mark.parametrize("in_loop", [False, True])
def test_a_hundred_keys(in_loop: bool, masked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def amask(value: str) -> None:
        masked.append(value)

    monkeypatch.setattr(masking, "_amask", amask)
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "" if in_loop else "server")
    for _ in range(100):
        key = key_settings(pem(ec.generate_private_key(ec.SECP256R1())))
        if in_loop:
            asyncio.run(masking.amask_settings(key))
        else:
            masking.mask_settings(key)
    assert 100 <= len(masked) <= 300


def test_a_short_secret_is_told_whole_wherever(masked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    masking.mask_settings(settings(client_secret=Secret(AWKWARD)))
    basic = base64.b64encode(f"my-client:{AWKWARD}".encode()).decode()
    assert {AWKWARD, quote(AWKWARD, safe=""), json.dumps(AWKWARD)[1:-1], basic} <= set(masked)


@pytest.mark.parametrize(
    "secret", ["-".join("abcdefgh" * 20), "a" * 4000, "x+/" * 100, "é" * 200], ids=["torn", "a", "+", "é"]
)
def test_a_long_secret_of_any_kind_has_a_piece(
    secret: str, masked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    masking.mask_settings(settings(client_secret=Secret(secret)))
    assert any(piece in secret for piece in masked)
    assert {len(piece) for piece in masked} == {16}


def test_airflow_hides_them_for_real(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_counts", Counter())  # as in a new process
    try:
        from airflow.sdk._shared.secrets_masker import redact
    except ImportError:
        from airflow.sdk.execution_time.secrets_masker import redact

    client = OAuth2Client("my_api", service.connection(password="the-secret-of-this-test"))
    service.token = lambda _: token_json("a-grant-of-this-test")
    client.get_token()
    redacted = redact("secret=the-secret-of-this-test token=a-grant-of-this-test.")
    assert str(redacted) == "secret=*** token=***."


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


def test_masks_left_out_by_a_cancellation_are_registered_by_the_next(
    masked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[str] = []
    stops = iter([asyncio.CancelledError])

    async def amask(value: str) -> None:
        for stop in stops:
            raise stop
        registered.append(value)

    monkeypatch.setattr(masking, "_amask", amask)
    client = settings(client_secret=Secret("a-secret-of-this-test"))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(masking.amask_settings(client))
    asyncio.run(masking.amask_settings(client))
    assert "a-secret-of-this-test" in registered


def test_no_event_loop_waits_for_a_thread_that_calls_airflow(service: Service) -> None:
    """In the triggerer that thread waits for the loop, which answers for Airflow."""
    client = OAuth2Client("my_api", service.connection())
    tokens: list[AccessToken] = []
    loop = threading.Thread(target=lambda: tokens.append(asyncio.run(client.aget_token())), daemon=True)
    with masking.airflow_channel:
        loop.start()
        loop.join(60)
        assert [token.value for token in tokens] == ["tok-1"]


@pytest.mark.parametrize("lives_on", [False, True])
def test_the_key_that_a_token_is_bound_to_is_registered(lives_on: bool) -> None:
    own_key = new_proof_key(os.urandom)
    token = with_key(
        AccessToken("a-token-of-24-characters", "DPoP", 1.0, 0.0), ProofSettings(enabled=True), own_key
    )
    assert token is not None
    masks = list(masking._token_masks(token, lives_on=lives_on))
    assert len(masks) == 2
    assert len(masks[1]) == (16 if lives_on else 43)
    assert masks[1] in json.loads(own_key.reveal())["d"]


def test_a_hundred_tenants_of_one_connection_leave_room_for_others(
    masked: list[str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that lives on, where the number of masks is bounded."""
    told: list[str] = []

    async def tell(value: str) -> None:
        told.append(value)

    monkeypatch.setattr(masking, "_amask", tell)
    given = {"post_params": ["realm={tenant}"], "tenants": [f"t{number}" for number in range(200)]}
    connections = [service.connection(**given, tenant=f"t{number}") for number in range(200)]
    connections.append(service.connection(password=AWKWARD))

    async def read() -> None:
        for connection in connections:
            await OAuth2Client("my_api", connection).asettings()

    asyncio.run(read())
    assert quote(AWKWARD, safe="") in told
    assert max(Counter(told).values()) == 1
