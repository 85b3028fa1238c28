from __future__ import annotations

import pytest

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.endpoints import Destination
from airflow_oauth_provider.protocol.call.redirects import hop_headers, redirected
from airflow_oauth_provider.protocol.urls import parse_url

BASE = "https://api.example/v1"
FORBIDDEN = pytest.mark.fault("F23")
WHERE = Destination(BASE, (parse_url(BASE).origin, parse_url("https://files.example/").origin))


def followed(method: str, status: int, location: str | None, url: str = f"{BASE}/x") -> SendCall:
    return redirected(SendCall(method, url), ResponseHead(status, location), WHERE)


@pytest.mark.parametrize(
    ("method", "status", "then", "with_body"),
    [
        ("POST", 301, "GET", False),
        ("POST", 302, "GET", False),
        ("POST", 303, "GET", False),
        ("PUT", 303, "GET", False),
        ("HEAD", 303, "HEAD", True),
        ("PUT", 301, "PUT", True),
        ("DELETE", 302, "DELETE", True),
        ("POST", 307, "POST", True),
        ("PATCH", 308, "PATCH", True),
    ],
)
def test_what_a_status_makes_of_a_method(method: str, status: int, then: str, with_body: bool) -> None:
    assert followed(method, status, "/v2/x") == SendCall(
        then, "https://api.example/v2/x", with_body=with_body
    )


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("y", "https://api.example/v1/y"),
        ("?page=2", "https://api.example/v1/x?page=2"),
        ("//files.example/z", "https://files.example/z"),
        ("https://api.example/v1/y#part", "https://api.example/v1/y"),
    ],
)
def test_relative_and_absolute_addresses(location: str, url: str) -> None:
    assert followed("GET", 302, location) == SendCall("GET", url)


def test_elsewhere_it_goes_without_anything_of_ours() -> None:
    assert followed("GET", 302, "https://cdn.example/x") == SendCall(
        "GET", "https://cdn.example/x", trusted=False, with_body=False
    )
    on = redirected(SendCall("GET", "https://cdn.example/x", trusted=False), ResponseHead(302, BASE), WHERE)
    assert on.trusted is False, "and trust does not come back"


@pytest.mark.parametrize(
    ("method", "location", "reason"),
    [
        ("POST", "https://cdn.example/x", "allowed_origins"),
        ("GET", "http://api.example/x", "https"),
        ("GET", "http://127.0.0.1/x", "not https"),
        ("GET", "https://127.0.0.1/x", "this machine itself"),
        pytest.param("GET", "https://169.254.169.254/x", "no server has", marks=FORBIDDEN),
        pytest.param("HEAD", "https://[fe80::1]/", "no server has", marks=FORBIDDEN),
        pytest.param("GET", "https://[64:ff9b::a9fe:a9fe]/", "no server has", marks=FORBIDDEN),
        ("GET", "https://[v1.evil]/x", "brackets"),
        ("GET", "ftp://api.example/x", "the new address"),
        ("GET", "https://user:secret@api.example/", "the new address"),
        ("GET", "https://[::1/", "malformed"),
        ("GET", "////evil.example/x", "more slashes"),
        ("GET", "/////evil.example/x", "more slashes"),
        ("GET", "https:////evil.example/x", "more slashes"),
        ("GET", "/\\evil.example/x", "backslash"),
    ],
)
def test_what_is_not_followed(method: str, location: str, reason: str) -> None:
    with pytest.raises(ResourceError) as caught:
        followed(method, 307, location)
    assert reason in str(caught.value)
    assert caught.value.status == 307
    assert "secret" not in str(caught.value)


def test_headers_of_a_later_hop() -> None:
    headers = {
        "Accept": "a/b",
        "Authorization": "Bearer t",
        "Cookie": "c",
        "Content-Type": "text/plain",
        "X-Key": "k",
    }
    call = SendCall("POST", BASE)
    assert hop_headers(headers, call) == {"Accept": "a/b", "Content-Type": "text/plain", "X-Key": "k"}
    assert hop_headers(headers, call._replace(with_body=False)) == {"Accept": "a/b", "X-Key": "k"}
    assert hop_headers(headers, call._replace(trusted=False)) == {"Accept": "a/b"}


@pytest.mark.fault("F23")
def test_a_listed_address_may_be_any() -> None:
    where = Destination(BASE, WHERE.origins, ("169.254.10.10",))
    target = "https://169.254.10.10/x"
    assert redirected(SendCall("GET", BASE), ResponseHead(302, target), where).url == target
