"""Which tokens of other parameters a connection remembers, and when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.token_parameters import TokenParameters
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.derived_keys import DerivedKeys
from tests.support.servers.scripted import Json, ScriptedResponse, token_json
from tests.support.service import RecordedRequest, Service
from tests.support.waiting import auntil


def client(service: Service, *, chosen: dict[str, Any] | None = None, **extra: Any) -> OAuth2Client:
    parameters = TokenParameters.of(**(chosen or {}))
    return OAuth2Client("my_api", service.connection(**extra), parameters=parameters)


def remembered(of: OAuth2Client) -> set[str]:
    """Return the keys, which are forgotten by that."""
    return set(DerivedKeys(of.settings, of.sharing).forget())


def awaited(use: OAuth2Client) -> None:
    asyncio.run(use.aget_token())


@pytest.mark.parametrize("get", [OAuth2Client.get_token, awaited])
def test_a_token_that_is_asked_for_is_remembered(service: Service, get: Callable[[Any], Any]) -> None:
    use = client(service, chosen={"scope": "other"})
    for _ in range(2):
        get(use)
    assert remembered(use) == {token_key(use.settings)}
    assert remembered(client(service)) == set()


def test_so_is_the_one_that_takes_its_place(service: Service) -> None:
    use = client(service, chosen={"scope": "other"})
    refused = use.get_token()
    remembered(use)
    use.renew(refused)
    assert remembered(use) == {token_key(use.settings)}


def test_the_connections_own_and_those_of_the_store_are_not(service: Service) -> None:
    use = client(service, chosen={"scope": "other"})
    use.get_token()
    remembered(use)
    client(service).get_token()
    client(service, chosen={"scope": "other"}).get_token()
    assert remembered(use) == set()


def test_it_is_remembered_before_it_is_asked_for(service: Service) -> None:
    """Who asks may be killed, or thrown out, before there is a token."""
    use, seen = client(service, chosen={"scope": "other"}), []

    def respond(_: RecordedRequest) -> ScriptedResponse:
        seen.append(remembered(client(service)))
        return Json({"error": "invalid_scope"}, 400)

    service.token = respond
    with pytest.raises(OAuthError):
        use.get_token()
    assert seen == [{token_key(use.settings)}]


def test_one_whose_caller_is_cancelled_meanwhile_goes_too(service: Service) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def respond(_: RecordedRequest) -> ScriptedResponse:
        asked.set()
        assert go_on.wait(60)
        return token_json("tok-late")

    service.token = respond
    use, own = client(service, chosen={"scope": "other"}), client(service)

    async def cancelled() -> None:
        getting = asyncio.ensure_future(use.aget_token())
        await auntil(asked.is_set, "the token endpoint has been asked")
        getting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await getting
        go_on.set()
        await auntil(lambda: use.held_token() is not None, "its flight has ended")

    asyncio.run(cancelled())
    own.settings  # noqa: B018  (reads the connection)
    own.forget()
    assert use.held_token() is None


@pytest.mark.parametrize(
    "change",
    [{"scope": "of-its-own"}, {"max_wait": 5}, {"require_scopes": "of-its-own", "scope": "of-its-own"}],
)
def test_an_edit_of_the_connection_loses_none(service: Service, change: dict[str, Any]) -> None:
    use = client(service, chosen={"scope": "other", "audience": "https://a.example"})
    use.get_token()
    edited = client(service, **change)
    edited.settings  # noqa: B018  (reads the connection)
    edited.forget()
    assert use.held_token() is None
    use.get_token()
    assert len(service.token_requests) == 2


def test_a_use_with_parameters_of_its_own_forgets_itself_only(service: Service) -> None:
    uses = [client(service, chosen={"scope": scope}) for scope in ("a", "b")]
    for use in uses:
        use.get_token()
    uses[0].forget()
    assert [use.held_token() is not None for use in uses] == [False, True]
