"""Headers of httpx, as they are looked up and printed."""

from __future__ import annotations

import pickle

import httpx
import pytest

from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from airflow_oauth_provider.calls.httpx_headers import HiddenHeaders, fields
from tests.support.libraries import CONTEXT
from tests.support.servers.scripted import Json
from tests.support.service import Service

GIVEN = httpx.Headers([("X-Api-Token", "tok-1"), ("Accept", "a"), ("accept", "b")])


def test_what_is_hidden_is_sent_and_read_but_not_printed() -> None:
    headers = HiddenHeaders(GIVEN, ["X-API-TOKEN", "DPoP"])
    assert "tok-1" not in f"{headers} {headers!r} {pickle.loads(pickle.dumps(headers))!r}"
    assert ("x-api-token", "***") in eval(repr(headers), {"Headers": httpx.Headers}).multi_items()
    assert headers["x-api-token"] == "tok-1"
    assert headers.raw == GIVEN.raw
    assert headers == GIVEN


def test_names_are_found_in_any_case() -> None:
    found = fields(GIVEN)
    assert (found.get("x-api-TOKEN"), found.getall("Accept"), found.get("DPoP")) == (
        b"tok-1",
        [b"a", b"b"],
        None,
    )


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Token"])
def test_a_request_that_is_printed_shows_no_token(
    service: Service, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Those of an error, too: ``raise_for_status`` names its request."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(header_name=name))
    statuses = iter([401, 200])
    service.api = lambda _: Json({}, next(statuses))
    with httpx.Client(auth=OAuth2Auth("my_api"), verify=CONTEXT) as client:
        response = client.get(f"{service.base_url}/x")
    requests = [response.request, *(earlier.request for earlier in response.history)]
    assert "tok-" not in " ".join(repr(request.headers) for request in requests)
    assert [request.headers[name].removeprefix("Bearer ") for request in requests] == ["tok-2", "tok-1"]
