"""What ``requests`` sends again: to which address, with which token and proof, and when not at all."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from requests import Response

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.dpop_service import running_dpop_service
from tests.support.servers.scripted import (
    Json,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
)
from tests.support.service import Service


def auth_of(service: Service, **changes: Any) -> OAuth2Auth:
    return OAuth2Auth("my_api", connection=service.connection(**changes))


@pytest.mark.fault("F02")
def test_a_session_that_follows_redirects_in_its_own_way_gets_no_token_sent_there(service: Service) -> None:
    """What was judged is where the response led to, not where such a session goes."""
    with ScriptedServer() as other:
        other.script(Json({}, 401))

        class Elsewhere(requests.Session):
            def get_redirect_target(self, resp: Response) -> str | None:
                return f"{other.url}/x" if resp.is_redirect else None

        service.api = lambda _: Redirect("/api/y")
        with (
            Elsewhere() as session,
            pytest.raises(ConfigurationError, match=r"may not go to http://127\.0\.0\.1"),
        ):
            session.get(f"{service.base_url}/x", auth=auth_of(service), timeout=30)
        assert [request.header("Authorization") for request in other.requests] == [None]


@pytest.mark.fault("F02")
def test_what_goes_elsewhere_without_our_token_is_no_call_of_ours(service: Service) -> None:
    """Sent once more, later: its refusal is a response like any other, and renews nothing."""
    with ScriptedServer() as other, requests.Session() as session:
        other.script(Json({}), Json({}, 401))
        service.api = lambda _: Redirect(f"{other.url}/x")
        first = session.get(f"{service.base_url}/x", auth=auth_of(service), timeout=30, allow_redirects=False)
        following: Any = first.next
        statuses = [session.send(following, timeout=30).status_code for _ in range(2)]
        assert statuses == [200, 401]
        assert [request.header("Authorization") for request in other.requests] == [None, None]
    assert len(service.token_requests) == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("location, sent", [("/api/%7Enew", "/api/~new"), ("/api/new", "/api/new")])
def test_a_proof_is_made_for_what_requests_sends(method: str, location: str, sent: str) -> None:
    """It spells addresses in its own way, and makes a GET of a PUT that was answered by 302."""
    with running_dpop_service() as service:

        def api(request: RecordedRequest) -> ScriptedResponse:
            if request.target == "/api/x":
                service.dead.add("bound-tok-1")
                return Redirect(location, 302)
            return Json({})

        service.api = api
        response = requests.request(method, f"{service.base_url}/x", auth=auth_of(service), timeout=30)
        assert response.status_code == 200
        assert service.refused() == ["invalid_token"]
        assert [request.target for request in service.calls] == ["/api/x", sent, sent]


def test_an_allowed_origin_that_requests_leaves_the_token_out_for_gets_no_proof_alone() -> None:
    with running_dpop_service() as service, ScriptedServer() as allowed:
        allowed.script(Json({}))
        service.api = lambda _: Redirect(f"{allowed.url}/x")
        auth = auth_of(service, allowed_origins=[allowed.url])
        assert requests.get(f"{service.base_url}/x", auth=auth, timeout=30).ok
        names = {name.lower() for name, _ in allowed.requests[0].headers}
    assert names.isdisjoint({"authorization", "dpop"})


def test_a_redirect_of_another_server_is_its_own_affair(service: Service) -> None:
    with ScriptedServer() as other:
        other.script(Redirect("/y"), Json({}))
        service.api = lambda _: Redirect(f"{other.url}/x")
        assert requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=30).status_code == 200
        sent = [(request.target, request.header("Authorization")) for request in other.requests]
    assert sent == [("/x", None), ("/y", None)]
