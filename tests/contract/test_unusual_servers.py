"""Servers that are not RFC 6749's or RFC 6750's, called by threads and by coroutines."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError, TokenResponseError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.scripted import (
    Json,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
    Text,
)
from tests.support.service import Service, redirecting
from tests.support.sides import Side

UNUSUAL: dict[str, Any] = {
    "auth_method": "client_secret_post",
    "body_format": "json",
    "grant_name": "service_credentials",
    "answer_fields": ["access_token=$.data.token", "expires_in=$.data.lifetime"],
    "expires_in_unit": "milliseconds",
    "tolerate": ["created", "untyped"],
}


def created(request: RecordedRequest) -> ScriptedResponse:
    """Answer as no server of RFC 6749 does."""
    assert json.loads(request.body)["grant_type"] == "service_credentials"
    return Json({"data": {"token": "tok-json", "lifetime": 600_000}}, 201)


def test_a_token_request_and_response_of_another_shape(side: Side, service: Service) -> None:
    service.token = created
    hook = OAuth2Hook(method="GET", connection=service.connection(**UNUSUAL))
    assert side.run(hook, "x").json()["authorization"] == "Bearer tok-json"
    assert side.token(hook).lifetime == 600
    (request,) = service.token_requests
    assert request.header("Content-Type") == "application/json"
    assert request.target == "/token"


@pytest.mark.parametrize(
    "without",
    [{"answer_fields": []}, {"tolerate": []}, {"tolerate": ["created"]}, {"tolerate": ["untyped"]}],
    ids=["members", "tolerance", "untyped", "created"],
)
def test_strict_is_the_default(side: Side, service: Service, without: dict[str, Any]) -> None:
    service.token = created
    strict = UNUSUAL | without
    with pytest.raises(TokenResponseError):
        side.run(OAuth2Hook(method="GET", connection=service.connection(**strict)), "x")
    assert service.calls == []


def test_the_tolerance_of_another_status_is_named(side: Side, service: Service) -> None:
    service.token = lambda _: Json({"access_token": "tok-1", "token_type": "Bearer"}, 201)
    with pytest.raises(TokenResponseError) as caught:
        side.token(OAuth2Hook(connection=service.connection()))
    assert caught.value.status == 201
    assert "list created in the field tolerate" in (caught.value.advice or "")


PLACES = [
    pytest.param({"header_name": "X-Api-Token"}, "X-Api-Token", "tok-1", id="a-header-of-its-own"),
    pytest.param(
        {"header_name": "X-Api-Token", "header_scheme": "Token"}, "X-Api-Token", "Token tok-1", id="both"
    ),
    pytest.param({"header_scheme": "Token"}, "Authorization", "Token tok-1", id="another-scheme"),
    pytest.param({"header_scheme": "none"}, "Authorization", "tok-1", id="no-scheme"),
]


def dead_then_good(header: str) -> Any:
    """Refuse tok-1, as an API does that wants its tokens in *header*."""

    def api(request: RecordedRequest) -> ScriptedResponse:
        refused = "tok-1" in (request.header(header) or "")
        return Json({}, 401) if refused else Json({"tokens": [v for _, v in request.headers if "tok-" in v]})

    return api


@pytest.mark.parametrize(("given", "header", "value"), PLACES)
def test_the_token_stands_where_the_api_wants_it(
    side: Side, service: Service, given: dict[str, str], header: str, value: str
) -> None:
    service.api = dead_then_good(header)
    hook = OAuth2Hook(method="GET", connection=service.connection(**given))
    assert side.run(hook, "x").json()["tokens"] == [value.replace("tok-1", "tok-2")]
    assert service.calls[0].header(header) == value
    assert len(service.token_requests) == 2


@pytest.mark.parametrize(("given", "header", "value"), PLACES)
def test_it_stays_with_its_own_api(
    side: Side, service: Service, given: dict[str, str], header: str, value: str
) -> None:
    with ScriptedServer() as other:
        other.script(Text(200, "stored"))
        service.api = lambda _: Redirect(f"{other.url}/file", 307)
        hook = OAuth2Hook(method="GET", connection=service.connection(**given))
        assert side.run(hook, "x").text == "stored"
        (request,) = other.requests
        assert "tok-" not in repr(request.headers)
        allowed = service.connection(**given, allowed_origins=[other.url])
        side.run(OAuth2Hook(method="GET", connection=allowed), "x")
        assert other.requests[-1].header(header) == value


def test_nobody_else_may_set_that_header(side: Side, service: Service) -> None:
    hook = OAuth2Hook(method="GET", connection=service.connection(header_name="X-Api-Token"))
    for name in ("X-API-TOKEN", "Authorization"):
        with pytest.raises(ConfigurationError, match="of its own"):
            side.run(hook, "x", headers={name: "mine"})
    assert service.calls == []


DEAD_WHEN = {"dead_when": "$.errors[*].code in 601, 602"}


def body_tells(code: object, status: int = 200) -> Any:
    """Tell by the body that tok-1 has ended, whatever is asked."""

    def api(request: RecordedRequest) -> ScriptedResponse:
        if "tok-1" in (request.header("Authorization") or ""):
            return Json({"success": False, "errors": [{"code": "610"}, {"code": code}]}, status)
        return Json({"success": True})

    return api


@pytest.mark.parametrize("code", ["601", 602])
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_a_body_that_tells_of_a_dead_token_renews_it(
    side: Side, service: Service, code: object, status: int
) -> None:
    service.api = body_tells(code, status)
    hook = OAuth2Hook(method="GET", connection=service.connection(**DEAD_WHEN))
    response = side.run(hook, "x")
    assert response.json() == {"success": True}
    assert [earlier.status_code for earlier in response.history] == [status]
    assert (len(service.token_requests), len(service.calls)) == (2, 2)


def test_without_the_rule_a_body_is_the_callers_affair(side: Side, service: Service) -> None:
    service.api = body_tells(601)
    response = side.run(OAuth2Hook(method="GET", connection=service.connection()), "x")
    assert not response.json()["success"]
    assert len(service.token_requests) == 1


def test_a_post_that_was_answered_is_not_sent_again(side: Side, service: Service) -> None:
    service.api = body_tells(601)
    hook = OAuth2Hook(method="POST", connection=service.connection(**DEAD_WHEN))
    assert not side.run(hook, "x", {"a": "1"}).json()["success"]
    assert (len(service.token_requests), len(service.calls)) == (2, 1)
    assert side.run(hook, "x", {"a": "1"}).json()["success"], "the next call has another token"
    assert len(service.token_requests) == 2


def test_a_post_that_was_refused_is_sent_again(side: Side, service: Service) -> None:
    service.api = body_tells(601, 400)
    hook = OAuth2Hook(method="POST", connection=service.connection(**DEAD_WHEN))
    assert side.run(hook, "x", {"a": "1"}).json()["success"]
    assert [call.body for call in service.calls] == [b"a=1", b"a=1"]


def test_every_token_refused_in_the_body_costs_one_renewal(side: Side, service: Service) -> None:
    service.api = lambda _: Json({"errors": [{"code": 601}]})
    hook = OAuth2Hook(method="GET", connection=service.connection(**DEAD_WHEN))
    for _ in range(3):
        assert side.run(hook, "x").json() == {"errors": [{"code": 601}]}
    assert len(service.token_requests) == 2


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Text(200, '{"errors":[{"code":601}],"x":"' + "a" * 2**20 + '"}'), id="1-MB"),
        pytest.param(Text(200, "<html>601</html>", "text/html"), id="html"),
        pytest.param(Text(200, '{"errors":[{"code":601}],"x":NaN}'), id="NaN"),
    ],
)
def test_what_tells_nothing_arrives_as_it_is(side: Side, service: Service, response: Text) -> None:
    service.api = lambda _: response
    hook = OAuth2Hook(method="GET", connection=service.connection(**DEAD_WHEN))
    assert side.run(hook, "x").text == response.body
    assert len(service.token_requests) == 1


def test_a_stream_is_not_looked_into(service: Service) -> None:
    service.api = body_tells(601)
    hook = OAuth2Hook(method="GET", connection=service.connection(**DEAD_WHEN))
    response = hook.run("x", extra_options={"stream": True})
    assert b"601" in b"".join(response.iter_content(8))
    assert len(service.token_requests) == 1


def test_a_response_that_a_coroutine_reads_by_itself_is_not_looked_into(service: Service) -> None:
    service.api = body_tells(601)

    async def read() -> bytes:
        hook = OAuth2Hook(method="GET", connection=service.connection(**DEAD_WHEN))
        async with hook.asession() as session, session.get("x") as response:
            return b"".join([chunk async for chunk in response.content.iter_chunked(8)])

    assert b"601" in asyncio.run(read())
    assert len(service.token_requests) == 1


def test_a_redirect_is_followed_before_anything_is_looked_into(side: Side, service: Service) -> None:
    tells = body_tells(601)
    service.api = redirecting("/api/there", api=tells)
    hook = OAuth2Hook(method="GET", connection=service.connection(**DEAD_WHEN))
    assert side.run(hook, "x").json() == {"success": True}
    assert [call.target for call in service.calls] == ["/api/x", "/api/there", "/api/there"]


class Instances:
    """A token response that names the API of its token, one after the other."""

    def __init__(self, service: Service, *addresses: str) -> None:
        self.addresses = list(addresses)
        service.token = self.token

    def token(self, _: RecordedRequest) -> ScriptedResponse:
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        number = 9 - len(self.addresses)
        return Json({"access_token": f"tok-{number}", "token_type": "Bearer", "instance_url": address})


def instance_hook(service: Service, origins: list[str], **extra: Any) -> OAuth2Hook:
    given = {"base_url": "{instance_url}/api/v1", "allowed_origins": origins, **extra}
    return OAuth2Hook(method="GET", connection=service.connection(**given))


def test_the_token_response_names_the_api(side: Side, service: Service) -> None:
    Instances(service, service.server.url)
    hook = instance_hook(service, [service.server.url])
    for _ in range(2):
        assert side.run(hook, "/items", {"a": "1"}).json()["target"] == "/api/v1/items?a=1"
    assert side.run(hook, f"{service.server.url}/api/other").json()["target"] == "/api/other"
    assert len(service.token_requests) == 1
    assert isinstance(side.token(hook), AccessToken)


def test_an_api_that_nobody_has_approved_gets_nothing(side: Side, service: Service) -> None:
    with ScriptedServer() as evil:
        Instances(service, evil.url)
        with pytest.raises(TokenResponseError, match="allowed_origins does not list"):
            side.run(instance_hook(service, [service.server.url]), "x")
        assert evil.requests == []


def test_another_instance_at_renewal_is_not_sent_the_old_call(side: Side, service: Service) -> None:
    with ScriptedServer() as other:
        other.script(Json({"moved": True}))
        Instances(service, service.server.url, other.url)
        service.api = lambda _: Json({}, 401)
        hook = instance_hook(service, [service.server.url, other.url])
        side.token(hook)
        with pytest.raises(ResourceError, match="another instance_url") as moved:
            side.run(hook, "x")
        assert moved.value.retryable
        assert (len(service.calls), other.requests) == (1, [])
        assert side.run(hook, "x").json() == {"moved": True}, "the next call goes where its token says"
        assert other.requests[0].target == "/api/v1/x"


def test_a_next_page_on_another_customers_host_is_refused(side: Side, service: Service) -> None:
    Instances(service, service.server.url)
    hook = instance_hook(service, [service.server.url, "https://*.api.example"])
    side.run(hook, "x")
    with pytest.raises(ConfigurationError, match="may not go"):
        side.run(hook, "https://other.api.example/api/v1/x?page=2")


def test_others_who_share_the_token_share_its_api(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    Instances(service, service.server.url)
    for _ in range(2):
        instance_hook(service, [service.server.url]).run("x")
        shared.clear()  # as another process, which finds the token in the store
    assert len(service.token_requests) == 1
    with pytest.raises(ConfigurationError, match="does not list"):
        instance_hook(service, ["https://elsewhere.example"]).run("x")
    assert len(service.token_requests) == 1


def test_plain_requests_code_calls_the_instance(service: Service) -> None:
    Instances(service, service.server.url)
    auth = instance_hook(service, [service.server.url]).auth
    assert requests.get(f"{service.server.url}/api/x", auth=auth, timeout=5).status_code == 200
    with pytest.raises(ConfigurationError, match="may not go"):
        requests.get("https://other.example/x", auth=auth, timeout=5)


@pytest.mark.parametrize("listed", [True, False])
def test_the_probe_calls_the_instance(
    service: Service, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    if listed:
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    Instances(service, service.server.url)
    worked, message = instance_hook(service, [service.server.url], probe_path="/health").test_connection()
    assert worked, message
    assert [call.target for call in service.calls] == (["/api/v1/health"] if listed else [])
    assert ("skipped" in message) is not listed
