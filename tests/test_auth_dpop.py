"""DPoP on any ``requests`` code, on the stock operator, and where a library wants a bare token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_oauth_provider.auth import OAuth2Auth, bearer_token_callable
from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.servers.scripted import Json, RecordedRequest, Redirect, ScriptedResponse, ScriptedServer


@pytest.fixture
def service() -> Iterator[DpopService]:
    with running_dpop_service() as running:
        yield running


def auth_of(service: DpopService, **changes: Any) -> OAuth2Auth:
    return OAuth2Auth("my_api", connection=service.connection(**changes))


def addresses(service: DpopService) -> list[str]:
    """Return method and last part of the path of each call that was proved, as its proof has them."""
    calls = [proof for proof in service.proofs if "ath" in proof]
    return [f"{proof['htm']} {proof['htu'].rpartition('/')[2]}" for proof in calls]


def test_each_request_has_a_proof_of_its_own(service: DpopService) -> None:
    with requests.Session() as session:
        session.auth = auth_of(service)
        for _ in range(3):
            assert session.get(f"{service.base_url}/x?page=2", timeout=5).status_code == 200
    assert service.refused() == []
    assert addresses(service) == ["GET x"] * 3


@pytest.mark.parametrize("body", [None, b"bytes", "text", {"a": "1"}], ids=["none", "bytes", "text", "form"])
def test_nonces_that_change_with_every_response(service: DpopService, body: Any) -> None:
    service.issuing.changes = service.serving.changes = True
    auth = auth_of(service)
    for _ in range(3):
        response = requests.post(f"{service.base_url}/x", data=body, auth=auth, timeout=5)
        assert response.status_code == 200
    assert service.refused() == ["use_dpop_nonce"] * 2
    assert len({call.body for call in service.calls}) == 1


def test_at_most_four_sends(service: DpopService) -> None:
    service.serving.required = True
    auth = auth_of(service)
    requests.get(f"{service.base_url}/x", auth=auth, timeout=5)
    service.dead.add("bound-tok-1")
    service.serving.change()
    service.on_issue = service.serving.change
    before = len(service.calls)
    response = requests.get(f"{service.base_url}/x", auth=auth, timeout=5)
    assert response.json()["authorization"] == "DPoP bound-tok-2"
    assert len(service.calls) - before == 4
    assert [past.status_code for past in response.history] == [401, 401, 401]


@pytest.mark.parametrize(
    "method, status, followed",
    [
        pytest.param("GET", 302, "GET", id="GET"),
        pytest.param("POST", 307, "POST", id="POST-307"),
        pytest.param("POST", 303, "GET", id="POST-303"),
        pytest.param("POST", 301, "GET", id="POST-301"),
        pytest.param("PUT", 302, "GET", id="PUT-302, as requests has it"),
        pytest.param("HEAD", 303, "HEAD", id="HEAD-303"),
    ],
)
@pytest.mark.parametrize("location", ["/api/new?x=1#f", "new", "//{authority}/api/new", "{url}/api/new"])
def test_a_redirect_gets_a_proof_for_its_own_address(
    service: DpopService, method: str, status: int, followed: str, location: str
) -> None:
    authority = service.server.url.partition("://")[2]
    where = location.format(url=service.server.url, authority=authority)

    def api(request: RecordedRequest) -> ScriptedResponse:
        return Redirect(where, status) if request.target == "/api/x" else Json({})

    service.api = api
    assert requests.request(method, f"{service.base_url}/x", auth=auth_of(service), timeout=5).ok
    assert service.refused() == []
    assert addresses(service) == [f"{method} x", f"{followed} new"]


def test_redirects_with_nonces_and_a_dead_token_on_the_way(service: DpopService) -> None:
    service.serving.changes = True

    def api(request: RecordedRequest) -> ScriptedResponse:
        if request.target == "/api/x":
            service.dead.add("bound-tok-1")
            return Redirect("/api/y", 307)
        return Redirect("/api/z", 307) if request.target == "/api/y" else Json({})

    service.api = api
    assert requests.post(f"{service.base_url}/x", data="b", auth=auth_of(service), timeout=5).ok
    assert service.refused() == ["use_dpop_nonce", "invalid_token"]
    assert addresses(service) == ["POST x", "POST x", "POST y", "POST y", "POST z"]


def test_a_new_proof_that_is_refused_is_not_sent_again(service: DpopService) -> None:
    """Only one that was sent before may be to blame: neither is that of a redirect, nor that of a replay."""
    refusal = Json({}, 401, [("WWW-Authenticate", 'DPoP error="invalid_dpop_proof"')])

    def api(request: RecordedRequest) -> ScriptedResponse:
        return Redirect("/api/y", 307) if request.target == "/api/x" else refusal

    service.api = api
    response = requests.post(f"{service.base_url}/x", data="b", auth=auth_of(service), timeout=5)
    assert response.status_code == 401
    assert addresses(service) == ["POST x", "POST y"]


def test_a_redirect_elsewhere_carries_neither_token_nor_proof(service: DpopService) -> None:
    with ScriptedServer() as elsewhere:
        elsewhere.script(Json({}))
        service.api = lambda _: Redirect(f"{elsewhere.url}/file")
        assert requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5).ok
        names = {name.lower() for name, _ in elsewhere.requests[0].headers}
    assert names.isdisjoint({"authorization", "dpop"})


def test_an_allowed_origin_gets_both(service: DpopService) -> None:
    """Though ``requests`` drops them first."""
    with running_dpop_service() as allowed:
        allowed.bound = service.bound
        allowed.serving.required = True
        service.api = lambda _: Redirect(f"{allowed.base_url}/x")
        auth = auth_of(service, allowed_origins=[allowed.server.url])
        assert requests.get(f"{service.base_url}/x", auth=auth, timeout=5).ok
        assert [call.header("DPoP") is None for call in allowed.calls] == [True, False, False]
        assert len(service.token_requests) == 1


def test_a_request_that_is_sent_twice_gets_another_proof(service: DpopService) -> None:
    with requests.Session() as session:
        prepared = session.prepare_request(
            requests.Request("GET", f"{service.base_url}/x", auth=auth_of(service))
        )
        for request in (prepared, prepared, prepared.copy()):
            assert session.send(request, timeout=5).status_code == 200
    assert len(service.token_requests) == 1


def test_a_generator_is_not_sent_again(service: DpopService) -> None:
    service.serving.required = True
    with pytest.raises(ResourceError, match="another proof"):
        requests.post(f"{service.base_url}/x", data=iter([b"a"]), auth=auth_of(service), timeout=5)
    assert len(service.calls) == 1


def test_the_stock_operator(service: DpopService, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.http.operators.http import HttpOperator

    service.serving.changes = True
    monkeypatch.setenv("AIRFLOW_CONN_PLAIN_API", f"http://127.0.0.1:{service.server.port}")
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    by_auth = HttpOperator(
        task_id="a",
        http_conn_id="plain_api",
        endpoint="/api/x",
        method="GET",
        auth_type=OAuth2Auth("my_api"),
        deferrable=False,
    )
    by_connection = HttpOperator(
        task_id="b", http_conn_id="my_api", endpoint="x", method="GET", deferrable=False
    )
    for operator in (by_auth, by_connection):
        assert "DPoP bound-tok-1" in operator.execute({})
    assert service.refused() == ["use_dpop_nonce"]


def test_a_library_that_wants_a_bare_token_gets_none(
    service: DpopService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    with pytest.raises(ConfigurationError, match="DPoP") as caught:
        bearer_token_callable("my_api")()
    assert (caught.value.field, caught.value.conn_id) == ("dpop", "my_api")
    assert "bound-tok" not in str(caught.value)
