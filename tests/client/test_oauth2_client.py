"""The tokens of one connection, from its reading to what a hit costs."""

from __future__ import annotations

import asyncio
import pickle
import sys

import pytest

from airflow_oauth_provider.client import masking, reading
from airflow_oauth_provider.client.handed_out import HANDED_OUT
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.token_parameters import TokenParameters
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.redaction import NOTHING
from airflow_oauth_provider.protocol.urls import Origin
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


class TestReading:
    """When a client reads its connection."""

    @pytest.fixture
    def reads(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        asked: list[str] = []

        def get(conn_id: str) -> object:
            asked.append(conn_id)
            return service.connection()

        async def aget(conn_id: str) -> object:
            return get(conn_id)

        monkeypatch.setattr(reading, "get_connection", get)
        monkeypatch.setattr(reading, "aget_connection", aget)
        return asked

    def test_before_a_token_only_where_there_is_none(self, reads: list[str]) -> None:
        client = OAuth2Client("my_api")
        client.read_for_token()
        assert reads == [], "the search for the first token reads it anyway"
        client.get_token()
        client.read_for_token()
        assert reads == ["my_api"]
        client.forget()
        client.read_for_token()
        assert reads == ["my_api"] * 2
        assert client.get_token().value == "tok-2"
        assert reads == ["my_api"] * 2, "it was read only just now"
        client.get_token(force=True)
        assert reads == ["my_api"] * 3, "what was read for one acquisition is not good for the next"

    def test_before_a_token_again_where_it_was_long_ago(
        self, reads: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = OAuth2Client("my_api")
        assert asyncio.run(client.asettings()) is client.settings
        monkeypatch.setattr(reading, "FRESH_READ", -1.0)
        client.get_token()
        assert reads == ["my_api"] * 2

    def test_once_for_settings_and_again_for_recent_ones(
        self, reads: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def both() -> None:
            client = OAuth2Client("my_api")
            first = await client.arecent_settings()
            assert first is await client.asettings() is await client.arecent_settings() is client.settings
            assert client.recent_settings() is first
            assert reads == ["my_api"]
            monkeypatch.setattr(reading, "FRESH_READ", -1.0)
            assert first is await client.asettings() is client.settings
            assert reads == ["my_api"]
            assert first is await client.arecent_settings() is client.recent_settings()
            assert reads == ["my_api"] * 3

        asyncio.run(both())


API = Origin("https", "api.example", 443)


def test_an_api_that_refuses_what_was_just_granted_is_given_no_other_for_a_while(service: Service) -> None:
    client = OAuth2Client("my_api", service.connection())
    first = client.get_token()
    second = client.renew(first, API)
    assert second is not None
    client.refused_again(second, API)
    assert client.renew(second, API) is None

    async def of_coroutines() -> None:
        third = await client.aget_token(force=True)
        await client.arefused_again(third, API)
        assert await client.arenew(third, API) is None

    asyncio.run(of_coroutines())
    assert len(service.token_requests) == 3


def test_what_a_use_with_other_parameters_brings_back_is_redacted_here_too(service: Service) -> None:
    service.token = lambda _: token_json(f"a-long-token-{len(service.token_requests):04}")
    client = OAuth2Client("my_api", service.connection())
    client.get_token()
    client.used_with(TokenParameters.of(scope="other")).get_token()
    assert client.redactor.text("a-long-token-0001 a-long-token-0002") == "*** ***"


def test_each_token_that_leaves_is_masked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[object] = []

    async def amask(token: object) -> None:
        masked.append(token)

    monkeypatch.setattr(masking, "mask_token", masked.append)
    monkeypatch.setattr(masking, "amask_token", amask)
    client = OAuth2Client("my_api", service.connection())
    tokens = [client.get_token(), asyncio.run(client.aget_token(force=True))]
    assert masked == tokens


def test_who_authorizes_masks_the_token_and_begins_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[object] = []
    client = OAuth2Client("my_api", service.connection())
    chosen = client.used_with(TokenParameters.of(scope="other"))
    assert [client.get_token().value, chosen.get_token().value] == ["tok-1", "tok-2"]
    monkeypatch.setattr(masking, "mask_token", masked.append)
    token = client.authorize()
    assert (token.value, masked) == ("tok-3", [token])
    assert client.get_token() is token
    assert chosen.get_token().value == "tok-4", "the tokens of its uses went with its own"
