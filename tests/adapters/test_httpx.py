"""httpx, sync and async; what holds for all HTTP libraries stands in ``tests/contract/test_libraries.py``."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import httpx
import pytest

from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from airflow_oauth_provider.exceptions import ResourceError
from tests.support.libraries import CONTEXT
from tests.support.servers.scripted import Redirect, Text
from tests.support.service import Service, echo


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    with httpx.Client(auth=OAuth2Auth("my_api"), base_url=service.base_url, verify=CONTEXT) as client:
        yield client


def test_a_request_is_left_as_it_is_and_can_be_sent_again(client: httpx.Client, service: Service) -> None:
    request = client.build_request("POST", "/x", json={"a": 1})
    for token in ("tok-1", "tok-2"):
        response = client.send(request)
        assert response.json()["authorization"] == f"Bearer {token}"
        assert json.loads(response.request.content) == {"a": 1}
        service.dead.add("tok-1")
    assert "Authorization" not in request.headers
    assert request.extensions.keys() == {"timeout"}


def test_files_of_a_form_are_sent_again_from_their_beginning(client: httpx.Client, service: Service) -> None:
    service.dead.add("tok-1")
    response = client.post("/x", data={"name": "n"}, files={"file": io.BytesIO(b"contents")})
    assert "contents" in response.json()["body"]
    assert len(service.calls) == 2


def test_a_file_as_body_is_not(client: httpx.Client, service: Service) -> None:
    """httpx would send what is left of it, which is nothing."""
    service.dead.add("tok-1")
    with pytest.raises(ResourceError, match="read only once"):
        client.post("/x", content=io.BytesIO(b"contents"))
    assert len(service.calls) == 1


@pytest.mark.parametrize("dead_when", [None, "$.code in 601"])
def test_a_response_is_streamed(
    service: Service, monkeypatch: pytest.MonkeyPatch, dead_when: str | None
) -> None:
    """Also where its beginning is looked into."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(dead_when=dead_when))
    service.api = lambda _: Text(200, b"x" * 300_000)
    auth, url = OAuth2Auth("my_api"), f"{service.base_url}/x"

    async def pieces() -> list[bytes]:
        async with httpx.AsyncClient(auth=auth, verify=CONTEXT) as client, client.stream("GET", url) as got:
            return [piece async for piece in got.aiter_raw()]

    assert b"".join(asyncio.run(pieces())) == b"x" * 300_000
    with httpx.Client(auth=auth, verify=CONTEXT) as client, client.stream("GET", url) as got:
        assert b"".join(got.iter_raw()) == b"x" * 300_000
        assert not hasattr(got, "_content")


def test_the_callers_own_trace_goes_on(client: httpx.Client, service: Service) -> None:
    service.api = lambda request: Redirect("/api/y") if request.target == "/api/x" else echo(request)
    seen: list[str] = []
    client.get("/x", extensions={"trace": lambda name, _: seen.append(name)}, follow_redirects=True)
    assert seen.count("http11.send_request_headers.started") == 2

    async def call() -> list[str]:
        names: list[str] = []

        async def trace(name: str, _: Any) -> None:
            names.append(name)

        async with httpx.AsyncClient(auth=client.auth, verify=CONTEXT) as own:
            await own.get(f"{service.base_url}/z", extensions={"trace": trace})
        return names

    assert "http11.receive_response_headers.complete" in asyncio.run(call())


def test_a_transport_that_does_not_tell_of_redirects(client: httpx.Client, service: Service) -> None:
    """Nobody could judge them before: the call fails, and says what to do."""

    def respond(request: httpx.Request) -> httpx.Response:
        elsewhere = request.url.host == "elsewhere.example"
        return httpx.Response(200) if elsewhere else httpx.Response(307, headers={"Location": other})

    other = "https://elsewhere.example/"
    transport = httpx.MockTransport(respond)
    with httpx.Client(auth=client.auth, transport=transport) as own:
        assert own.get(f"{service.base_url}/x").status_code == 307
        with pytest.raises(ResourceError, match="leave follow_redirects off"):
            own.get(f"{service.base_url}/x", follow_redirects=True)


@pytest.mark.parametrize(
    "url, spelled",
    [
        (("https", "api.example", None, "/x?y"), "https://api.example/x?y"),
        (("http", "::1", 80, "/"), "http://[::1]:80/"),
        (("http", "proxy.example", 8080, "http://127.0.0.1:1/x"), "http://127.0.0.1:1/x"),
    ],
    ids=["usual", "IPv6", "to a plain proxy"],
)
def test_addresses_of_the_transport(url: tuple[str, str, int | None, str], spelled: str) -> None:
    from httpcore import URL

    from airflow_oauth_provider.adapters.httpx import _url_of

    scheme, host, port, target = url
    assert _url_of(URL(scheme=scheme, host=host, port=port, target=target)) == spelled
