"""Where a call goes."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.endpoints import (
    Destination,
    destination,
    require_allowed,
    resolve_endpoint,
)
from airflow_oauth_provider.protocol.settings import ApiSettings
from airflow_oauth_provider.protocol.urls import parse_url

BASE = "https://api.example/v1"
API = ApiSettings(base_url=parse_url(BASE), origins=(parse_url(BASE).origin,))
WHERE = destination(API, None)


@pytest.mark.parametrize(
    "base, endpoint, url",
    [
        (BASE, "x", "https://api.example/v1/x"),
        (BASE, "/x", "https://api.example/v1/x"),
        (f"{BASE}/", "/x", "https://api.example/v1/x"),
        (f"{BASE}/", "x", "https://api.example/v1/x"),
        (BASE, None, "https://api.example/v1"),
        (BASE, "", "https://api.example/v1"),
        (BASE, "x?a=b&c=d", "https://api.example/v1/x?a=b&c=d"),
        (BASE, "x#part", "https://api.example/v1/x"),
        (BASE, "https://API.example:443/y", "https://API.example:443/y"),
        (
            BASE,
            "callback?to=https://evil.example/",
            "https://api.example/v1/callback?to=https://evil.example/",
        ),
    ],
)
def test_joined_as_the_http_hook_does(base: str, endpoint: str | None, url: str) -> None:
    assert resolve_endpoint(Destination(base, WHERE.origins), endpoint) == url


@pytest.mark.parametrize(
    "endpoint",
    [
        pytest.param("https://evil.example/x", id="other-host[C44]"),
        pytest.param("https://api.example:8443/x", id="other-port[C44]"),
        pytest.param("http://api.example/x", id="http[C44]"),
        pytest.param("https://api.example.evil.example/x", id="lookalike[C44]"),
        pytest.param("https://api.example@evil.example/x", id="userinfo[C44]"),
        pytest.param("//evil.example/x", id="slashes[C44]"),
        pytest.param("https:\\\\evil.example\\x", id="backslash[C44]"),
        pytest.param("/\\evil.example", id="slash-backslash[C44]"),
        pytest.param("x\r\nX-Injected: 1", id="CRLF[R20]"),
        pytest.param("x y", id="space[R20]"),
        pytest.param("x\0", id="NUL[R20]"),
        pytest.param("ftp://api.example/x", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
    ],
)
def test_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve_endpoint(WHERE, endpoint)
    assert caught.value.field == "endpoint"


def test_a_relative_endpoint_needs_a_base() -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        resolve_endpoint(destination(ApiSettings(), None), "x")


class TestTheChoiceOfDagCode:
    """``base_url`` of hook, operator and ``OAuth2Auth``."""

    def test_free_where_the_connection_names_no_api(self) -> None:
        where = destination(ApiSettings(), "https://orders.example/v2")
        assert resolve_endpoint(where, "x") == "https://orders.example/v2/x"
        with pytest.raises(ConfigurationError):
            resolve_endpoint(where, "https://api.example/x")

    def test_within_the_origins_where_it_does(self) -> None:
        where = destination(API, "https://api.example/v2")
        assert resolve_endpoint(where, "x") == "https://api.example/v2/x"

    @pytest.mark.parametrize(
        "base_url",
        [
            "https://evil.example",
            "http://api.example/v1",
            "https://api.example:444",
            "api.example",
            "",
            "//x",
        ],
    )
    def test_not_beyond_them(self, base_url: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            destination(API, base_url)
        assert caught.value.field == "base_url"

    def test_within_the_deployments_list(self) -> None:
        api = ApiSettings(listed_hosts=("*.example",))
        assert destination(api, "https://orders.example").origins
        for base_url in ("https://orders.evil", "https://example"):
            with pytest.raises(ConfigurationError, match="allowed_api_hosts"):
                destination(api, base_url)

    def test_no_metadata_address(self) -> None:
        with pytest.raises(ConfigurationError):
            destination(ApiSettings(), "https://169.254.169.254/")


def test_a_url_of_other_code_is_checked_too() -> None:
    require_allowed(WHERE, "https://api.example/anything#part")
    for url in ("https://evil.example", "", "https://api.example\\@evil.example"):
        with pytest.raises(ConfigurationError):
            require_allowed(WHERE, url)
