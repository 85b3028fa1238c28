"""An API whose address comes with the token: only approved origins, for each token anew."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.call.instance import MAX_LENGTH, api_of, instance_origin
from airflow_oauth_provider.protocol.private_token import accompanied
from airflow_oauth_provider.protocol.settings import ApiSettings, InstancePlace
from airflow_oauth_provider.protocol.urls import UrlError, parse_url
from tests.support.builders import NOW, settings

LISTED = parse_url("https://files.example").origin
PLACE = InstancePlace("/services/v60", ("*.my.tenant.example",))


def api(**changes: Any) -> ApiSettings:
    return ApiSettings(**{"instance": PLACE, "origins": (LISTED,), **changes})


def token(instance_url: str | None = None) -> AccessToken:
    bare = AccessToken("tok-1", "Bearer", NOW + 3600, NOW, frozenset())
    return bare if instance_url is None else accompanied(bare, instance_url=instance_url)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://acme.my.tenant.example", "acme.my.tenant.example"),
        ("https://acme.my.tenant.example/", "acme.my.tenant.example"),
        ("https://ACME.my.tenant.example:443", "acme.my.tenant.example"),
        ("https://files.example", "files.example"),
    ],
)
def test_what_the_connection_approves(url: str, authority: str) -> None:
    assert instance_origin(api(), url).authority == authority


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param(7, id="a-number"),
        pytest.param("https://acme.my.tenant.example/" + "x" * MAX_LENGTH, id="too-long"),
        pytest.param("https://evil.example", id="another-host"),
        pytest.param("https://my.tenant.example", id="the-domain-itself"),
        pytest.param("https://acme.my.tenant.example.evil.example", id="a-longer-host"),
        pytest.param("http://acme.my.tenant.example", id="plain-http"),
        pytest.param("https://acme.my.tenant.example/path", id="a-path"),
        pytest.param("https://acme.my.tenant.example/?a=b", id="a-query"),
        pytest.param("https://me:pw@acme.my.tenant.example", id="a-password"),
        pytest.param("https://169.254.169.254", id="metadata-address"),
        pytest.param("https://acme.my.tenant.example:8443", id="another-port"),
        pytest.param("https://files.example:8443", id="another-port-of-a-listed-host"),
        pytest.param("https://acme.my.tenant%2eexample", id="percent"),
        pytest.param("https://evil.example\\.my.tenant.example", id="backslash"),
        pytest.param("https://acme.my.tenant.example@evil.example", id="userinfo"),
    ],
)
def test_what_it_does_not(url: object) -> None:
    with pytest.raises(UrlError):
        instance_origin(api(), url)


def test_a_pattern_with_a_port_approves_that_port_alone() -> None:
    given = api(instance=InstancePlace("/", ("*.my.tenant.example:8443",)))
    assert instance_origin(given, "https://ACME.my.tenant.example.:8443").port == 8443
    for url in ("https://acme.my.tenant.example", "https://acme.my.tenant.example:8444"):
        with pytest.raises(UrlError, match="does not list"):
            instance_origin(given, url)


def test_the_deployments_list_decides_alone() -> None:
    listed = api(listed_hosts=("*.corp.example",))
    assert instance_origin(listed, "https://a.corp.example").authority == "a.corp.example"
    with pytest.raises(UrlError, match=r"which \[oauth2\] allowed_api_hosts does not list"):
        instance_origin(listed, "https://acme.my.tenant.example")


def test_the_api_of_a_token_is_its_own() -> None:
    given = settings(api={"instance": PLACE, "origins": (LISTED,)})
    one = api_of(given, token("https://one.my.tenant.example"))
    other = api_of(given, token("https://other.my.tenant.example"))
    assert str(one.base_url) == "https://one.my.tenant.example/services/v60"
    assert str(other.base_url) == "https://other.my.tenant.example/services/v60"
    assert [origin.authority for origin in one.origins] == ["one.my.tenant.example", "files.example"]
    with pytest.raises(UrlError, match="is missing"):
        api_of(given, token())


def test_before_there_is_a_token_its_address_leads_nowhere() -> None:
    given = settings(api={"instance": PLACE, "origins": (LISTED,)})
    assert str(api_of(given, None).base_url) == "https://instance.invalid/services/v60"


def test_of_any_other_connection_it_is_that_of_the_connection() -> None:
    given = settings(api={"base_url": parse_url("https://api.example/v1")})
    assert api_of(given, token("https://one.my.tenant.example")) is given.api
    assert api_of(given, None) is given.api
