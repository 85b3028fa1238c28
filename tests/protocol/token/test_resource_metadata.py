"""What an API says of its authorization servers (RFC 9728), response by response."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.effects import Fetch, Outcome
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.token.resource_metadata import authorization_servers_of, well_known_url
from airflow_oauth_provider.protocol.urls import parse_url

API = "https://api.example/v1/orders"
PLACE = "https://api.example/.well-known/oauth-protected-resource/v1/orders"
ISSUER = "https://idp.example/tenant"
BARE = HttpResponse(401)


def refusal(*challenges: str) -> HttpResponse:
    return HttpResponse(401, tuple(("www-authenticate", challenge) for challenge in challenges))


def naming(place: str) -> HttpResponse:
    return refusal(f'Bearer error="invalid_token", resource_metadata="{place}"')


def document(**changes: Any) -> HttpResponse:
    return HttpResponse(
        200, (), json.dumps({"resource": API, "authorization_servers": [ISSUER], **changes}).encode()
    )


def run(
    *responses: HttpResponse | Failure, api: str = API, patterns: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], list[str]]:
    """Return the issuers, and what was fetched."""
    flow = authorization_servers_of(api, patterns, deadline=20.0)
    effect, fetched = next(flow), []
    try:
        for response in responses:
            assert isinstance(effect, Fetch)
            fetched.append(effect.url)
            effect = flow.send(Outcome(Moment(0.0, 0.0), response))
    except StopIteration as end:
        return end.value, fetched
    raise AssertionError(f"it asks for more: {effect}")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
        ("https://a.example/x/", "https://a.example/.well-known/oauth-protected-resource/x/"),
        ("https://a.example/x?y=1", "https://a.example/.well-known/oauth-protected-resource/x?y=1"),
    ],
)
def test_where_the_document_stands(url: str, place: str) -> None:
    assert well_known_url(parse_url(url)) == place


@pytest.mark.parametrize(
    "first",
    [
        BARE,
        HttpResponse(200),
        Failure(Fault.TIMEOUT, "late"),
        refusal("Basic realm=x"),
        refusal('Bearer x="'),
    ],
)
def test_without_a_challenge_it_is_looked_for_where_the_rfc_has_it(first: HttpResponse | Failure) -> None:
    assert run(first, document()) == ((ISSUER,), [API, PLACE])


def test_a_challenge_says_where_it_is() -> None:
    place = "https://api.example/about"
    assert run(naming(place), document()) == ((ISSUER,), [API, place])


def test_a_document_of_another_resource_is_not_used() -> None:
    """RFC 9728 §3.3. django-oauth-toolkit's challenge leads to one of its whole site."""
    place = "https://api.example/o/.well-known/oauth-protected-resource"
    other = document(resource="https://api.example")
    assert run(naming(place), other, document()) == ((ISSUER,), [API, place, PLACE])


def test_an_origin_may_be_named_without_its_slash() -> None:
    issuers, _ = run(BARE, document(resource="https://api.example"), api="https://api.example/")
    assert issuers == (ISSUER,)


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example/about",
        "https://api.example:444/about",
        "http://169.254.169.254/latest",
        "https://api.example@evil.example/",
        "nonsense",
    ],
)
def test_another_origin_is_not_asked(place: str) -> None:
    assert run(naming(place), document()) == ((ISSUER,), [API, PLACE])


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        pytest.param(HttpResponse(404), "HTTP status 404", id="404"),
        pytest.param(HttpResponse(302), "HTTP status 302", id="redirect"),
        pytest.param(Failure(Fault.TIMEOUT, "late"), "no response", id="silence"),
        pytest.param(HttpResponse(200, (), b"<html>"), "not valid JSON", id="page"),
        pytest.param(HttpResponse(200, (), b" " * 65_537), "larger than 64 KiB", id="large"),
        pytest.param(document(resource=f"{API}/"), "of another resource", id="other-resource"),
        pytest.param(document(resource=[API]), "of another resource", id="resource-list"),
        pytest.param(document(resource=""), "of another resource", id="empty-resource"),
        pytest.param(document(resource=None), "of another resource", id="no-resource"),
        pytest.param(document(authorization_servers=None), "names no authorization servers", id="none"),
        pytest.param(document(authorization_servers=[]), "names no authorization servers", id="empty"),
        pytest.param(document(authorization_servers=[1, ""]), "names no authorization servers", id="numbers"),
    ],
)
def test_no_document(response: HttpResponse | Failure, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        run(BARE, response)
    assert caught.value.field == "issuer"


def test_not_too_many_are_taken() -> None:
    issuers, _ = run(BARE, document(authorization_servers=[f"https://{n}.example" for n in range(50)]))
    assert len(issuers) == 5


@pytest.mark.parametrize(
    ("api", "patterns"),
    [
        ("http://api.example/", ()),
        ("https://169.254.169.254/", ()),
        ("https://user@api.example/", ()),
        ("https://other.example/", ("api.example",)),
    ],
)
def test_an_api_that_is_not_asked(api: str, patterns: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="the address of the API"):
        next(authorization_servers_of(api, patterns, deadline=20.0))
