"""The tokens of one connection, from its reading to what a hit costs."""

from __future__ import annotations

import pickle
import sys

import pytest

from airflow_oauth_provider.client.handed_out import HANDED_OUT
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.redaction import NOTHING
from tests.support.servers.scripted import token_json
from tests.support.service import Service


def test_nothing_is_asked_before_a_token_is(service: Service) -> None:
    client = OAuth2Client("my_api", service.connection())
    assert client.held_token() is None
    assert client.redactor is NOTHING
    assert client.settings.client_id == "my-client"
    assert service.server.requests == []


def test_tokens_that_were_handed_out_are_redacted_for_a_while(service: Service) -> None:
    service.token = lambda _: token_json(f"a-long-token-{len(service.token_requests):04}")
    client = OAuth2Client("my_api", service.connection())
    for _ in range(HANDED_OUT + 1):
        client.get_token(force=True)
    assert client.redactor.text("a-long-token-0002 a-long-token-0033 a-client-secret") == "*** *** ***"
    assert sum(value.startswith("a-long-token") for value in client.redactor.values) == HANDED_OUT


def test_what_is_forgotten_is_used_by_no_hook_that_was_made_before(service: Service) -> None:
    connection = service.connection()
    before, other = OAuth2Hook(connection=connection), OAuth2Client("my_api", connection)
    assert before.get_token().value == "tok-1"
    other.settings  # noqa: B018  (reads the connection)
    other.forget()
    assert before.get_token().value == "tok-2"


def test_another_process_makes_its_own(service: Service) -> None:
    client = OAuth2Client("my_api", service.connection())
    client.get_token()
    copied = pickle.loads(pickle.dumps(client))
    assert copied.conn_id == "my_api"
    assert copied.held_token() is None
    assert b"a-client-secret" not in pickle.dumps(client)


@pytest.mark.fault("F88")
def test_a_cached_token_costs_one_python_call(service: Service) -> None:
    """Counted, not timed: the hook's method; the clocks are read in C."""
    hook = OAuth2Hook(connection=service.connection())
    for _ in range(10):
        hook.get_token()
    calls: list[str] = []
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        hook.get_token()
    finally:
        sys.setprofile(None)
    assert calls == ["get_token"]
