"""A call that a library redirects by itself; all libraries together stand in ``tests/contract``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.foreign_call import ForeignCall, Hop, head_from
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.protocol.call.effects import ResponseHead
from airflow_oauth_provider.tokens.clocks import elapsed_clock
from tests.support.bound_tokens import CLIENTS, bound_service, certified
from tests.support.servers.certificates import issue_client
from tests.support.servers.scripted import token_json
from tests.support.service import Service


@pytest.fixture(params=["thread", "coroutine"])
def goes_on(request: pytest.FixtureRequest) -> Any:
    if request.param == "thread":
        return ForeignCall.goes_on
    return lambda call, *arguments: asyncio.run(call.agoes_on(*arguments))


def begun(service: Service, method: str = "GET", **changes: Any) -> ForeignCall:
    auth = BearerAuth(OAuth2Client("my_api", service.connection(**changes)))
    return ForeignCall.begin(auth, method, f"{service.base_url}/x", {}, lambda: True)


def test_a_head_from_any_library() -> None:
    headers = {"Location": ["/y"], "WWW-Authenticate": ["Bearer", "DPoP"], "DPoP-Nonce": ["n"], "Date": ["d"]}
    head = head_from(302, lambda name: headers.get(name, []))
    assert head == ResponseHead(302, "/y", ("Bearer", "DPoP"), ("n",), "d")
    stay_away = head_from(429, lambda name: ["7"] if name == "Retry-After" else [])
    assert stay_away == ResponseHead(429, retry_after=7.0)
    assert head_from(200, lambda _: []) == ResponseHead(200)
    dates = {"Retry-After": ["Wed, 21 Oct 2015 07:28:07 GMT"], "Date": ["Wed, 21 Oct 2015 07:28:00 GMT"]}
    assert head_from(503, lambda name: dates.get(name, [])).retry_after == 7.0, "by the API's own clock"


@pytest.mark.parametrize(
    "hop, reason",
    [
        (Hop("GET", "https://evil.example/", has_body=False), "is not the one that the library would call"),
        (Hop("POST", "{}/y", has_body=False), "the library would send POST, where GET is meant"),
        (Hop("GET", "http://[", has_body=False), "the new address"),
        (Hop("GET", "{}/y", has_body=True), "where the request's body may not go"),
    ],
    ids=["another host", "another method", "malformed", "with its body"],
)
def test_a_library_that_would_follow_in_another_way(
    service: Service, goes_on: Any, hop: Hop, reason: str
) -> None:
    """It may read the address otherwise, or keep method and body."""
    call = begun(service, "POST")
    hop = hop._replace(url=hop.url.format(service.base_url))
    with pytest.raises(ResourceError, match=reason) as refused:
        goes_on(call, ResponseHead(303, "/api/y"), hop)
    assert (refused.value.conn_id, call.followed) == ("my_api", 0)


def test_a_redirect_that_is_followed(service: Service, goes_on: Any) -> None:
    call = begun(service)
    head = ResponseHead(307, "/api/y")
    assert call.method_after(head) == "GET"
    assert goes_on(call, head, Hop("GET", f"{service.base_url}/y", has_body=False)) is True
    assert call.headers("GET", f"{service.base_url}/y")["Authorization"] == "Bearer tok-1"
    assert (call.followed, goes_on(call, ResponseHead(200))) == (1, False)


def test_one_that_is_left_alone_is_a_result(service: Service, goes_on: Any) -> None:
    assert goes_on(begun(service, "POST"), ResponseHead(307, "https://elsewhere.example/")) is False


def test_a_redirect_that_leads_nowhere_is_a_response_of_the_api_like_any_other(
    service: Service, goes_on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a cool-down is over, the first response lets the others go: the API answers again."""
    auth = BearerAuth(OAuth2Client("my_api", service.connection()), cool_down="ignore")

    def call() -> ForeignCall:
        return ForeignCall.begin(auth, "GET", f"{service.base_url}/x", {}, lambda: True)

    assert goes_on(call(), ResponseHead(429, retry_after=30.0)) is False
    assert auth.cool_downs.board.held
    later = elapsed_clock() + 31
    monkeypatch.setattr("airflow_oauth_provider.tokens.cool_downs.elapsed_clock", lambda: later)
    assert goes_on(call(), ResponseHead(302)) is False
    assert not auth.cool_downs.board.held


def test_a_certificate_that_the_library_does_not_present(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with bound_service(tmp_path) as service:
        for status in (200, 403):
            assert begun(service, **certified(issue_client(CLIENTS))).goes_on(ResponseHead(status)) is False
        assert "certificate" not in caplog.text
        call = begun(service, **certified(issue_client(CLIENTS)))
        assert call.goes_on(ResponseHead(401)) is True
        assert "certificate" not in caplog.text
        assert call.goes_on(ResponseHead(401)) is False
    assert "may be bound to the client certificate" in caplog.text


def test_without_a_certificate_nothing_is_said_of_one(
    service: Service, goes_on: Any, caplog: pytest.LogCaptureFixture
) -> None:
    call = begun(service)
    assert [goes_on(call, ResponseHead(401)) for _ in range(2)] == [True, False]
    assert "certificate" not in caplog.text


def test_no_other_address_gets_the_token_however_the_library_spells_it(service: Service) -> None:
    call = begun(service)
    with pytest.raises(ConfigurationError, match=r"may not go to https://evil\.example"):
        call.headers("GET", "https://evil.example/")


def test_an_api_that_the_token_names(service: Service) -> None:
    api = "https://acme.my.salesforce.example"
    service.token = lambda _: token_json("tok-1", instance_url=api)
    extra = {"base_url": "{instance_url}/api", "allowed_origins": ["https://*.my.salesforce.example"]}
    auth = BearerAuth(OAuth2Client("my_api", service.connection(**extra)))
    call = ForeignCall.begin(auth, "GET", f"{api}/api/x", {}, lambda: True)
    assert call.headers("GET", f"{api}/api/x")["Authorization"] == "Bearer tok-1"
    with pytest.raises(ConfigurationError):
        call.headers("GET", f"{api.replace('acme', 'other')}/api/x")
