from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.configured_server import Issuer, TokenEndpoint
from airflow_oauth_provider.protocol.urls import parse_url

ENDPOINT = TokenEndpoint(parse_url("https://idp.example:8443/token"))
ISSUER = Issuer(parse_url("https://idp.example:8443/tenant/"), "https://idp.example:8443/tenant/")


@pytest.mark.parametrize(
    ("server", "audience", "assertion_type"),
    [
        pytest.param(ENDPOINT, "https://idp.example:8443/token", "JWT", id="RFC-7523-3"),
        pytest.param(
            ISSUER, "https://idp.example:8443/tenant/", "client-authentication+jwt", id="rfc7523bis"
        ),
    ],
)
def test_whom_an_assertion_is_for(server: TokenEndpoint | Issuer, audience: str, assertion_type: str) -> None:
    assert (server.audience, server.assertion_type) == (audience, assertion_type)
    assert str(server) == audience


def test_both_are_known_by_their_origin() -> None:
    assert ENDPOINT.origin == ISSUER.origin
    assert ENDPOINT.origin.host_and_port == "idp.example:8443"


def test_each_advises_the_audience_of_the_other() -> None:
    assert "than its token URL: set jwt_audience, often to its issuer" in ENDPOINT.other_audience
    assert "than its issuer: set jwt_audience, often to its token URL" in ISSUER.other_audience


def test_an_issuer_is_named_as_it_is_configured() -> None:
    """RFC 8414 §3.3: its metadata must name exactly this one."""
    server = Issuer(parse_url("https://IDP.example"), "https://IDP.example")
    assert str(server) == "https://IDP.example"
    assert server.origin.host == "idp.example"
