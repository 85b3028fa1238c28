"""Which tokens of other parameters a connection remembers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from airflow_oauth_provider.client.derived_tokens import DerivedTokens
from airflow_oauth_provider.client.reading import ConnectionReader
from airflow_oauth_provider.connection.token_parameters import TokenParameters
from airflow_oauth_provider.protocol.settings import ClientSettings, RequestSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.entries import MAX_DERIVED, Entries
from airflow_oauth_provider.tokens.search_cost import SearchCost
from tests.support.service import Service

ASKED = SearchCost(requests=1)


def reader(service: Service, **chosen: Any) -> ConnectionReader:
    made = ConnectionReader("my_api", service.connection(), parameters=TokenParameters.of(**chosen))
    made.read()
    return made


def with_scope(settings: ClientSettings, scope: str) -> ClientSettings:
    return replace(settings, request=RequestSettings(scope=(scope,)))


def remembered(of: ConnectionReader) -> tuple[str, ...]:
    assert of.own_settings is not None
    return Entries(of.own_settings, of.sharing)._derived_keys()


@pytest.mark.parametrize("in_loop", [True, False])
def test_a_token_that_was_asked_for_is_remembered_once(service: Service, in_loop: bool) -> None:
    use = reader(service, scope="other")
    derived, settings = DerivedTokens(use), use.settings
    assert settings is not None
    for _ in range(2):
        if in_loop:
            asyncio.run(derived.aremember(settings, ASKED))
        else:
            derived.remember(settings, ASKED)
    assert remembered(use) == (token_key(settings),)
    DerivedTokens(reader(service)).forget()
    assert remembered(use) == ()


def test_the_connections_own_and_those_of_the_store_are_not(service: Service) -> None:
    own, use = reader(service), reader(service, scope="other")
    assert own.settings is not None
    assert use.settings is not None
    DerivedTokens(own).remember(own.settings, ASKED)
    DerivedTokens(use).remember(use.settings, SearchCost())
    assert remembered(own) == ()


def test_they_are_bounded_and_the_oldest_go(service: Service) -> None:
    use = reader(service, scope="other")
    assert use.settings is not None
    made = [with_scope(use.settings, f"s{number}") for number in range(MAX_DERIVED + 6)]
    for settings in made:
        DerivedTokens(use).remember(settings, ASKED)
    assert remembered(use) == tuple(map(token_key, made[-MAX_DERIVED:]))


@pytest.mark.parametrize(
    "content", [b"{}", b"[7]", b'["../x"]', b"[" * 9999, b"nothing", b'["' + b"a" * 64 + b'"]']
)
def test_what_lies_in_the_store_is_checked(service: Service, content: bytes) -> None:
    use = reader(service)
    assert use.own_settings is not None
    entries = Entries(use.own_settings, use.sharing)
    entries._write("derived", token_key(use.own_settings), content, until=2e9)
    assert remembered(use) == (("a" * 64,) if b"aaa" in content else ())
