"""An API that names its authorization server (RFC 9728), and leads to it."""

from __future__ import annotations

import time

import pytest

from airflow_oauth_provider.cli.discovery import found_at
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.resource_metadata import authorization_servers_of
from airflow_oauth_provider.transport.driver import Driver
from tests.system.interop.deployments import DJANGO, OIDC, Deployment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("deployment", [DJANGO], indirect=True)
def test_it_suggests_the_issuer(deployment: Deployment) -> None:
    """Its challenge leads to the document of the whole site, which is of another resource, and not used."""
    api = f"{deployment.issuer.removesuffix('/o')}/api/orders"
    flow = authorization_servers_of(api, (), deadline=time.monotonic() + 20)
    assert Driver(NetworkSettings()).run(flow) == (deployment.issuer,)
    (call,) = deployment.server.requests("/api/orders")[:1]
    assert "authorization" not in call["headers"]
    documents = [
        request["path"]
        for request in deployment.server.requests("")
        if "oauth-protected-resource" in request["path"]
    ]
    assert documents == [
        "/o/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/api/orders",
    ]


@pytest.mark.parametrize("deployment", [OIDC], indirect=True)
def test_an_issuer_is_found_as_such(deployment: Deployment) -> None:
    discovered = found_at(deployment.issuer, Policy())
    assert (discovered.metadata.issuer, discovered.suggested_by) == (deployment.issuer, None)


@pytest.mark.parametrize("deployment", [OIDC], indirect=True)
def test_neither_issuer_nor_api(deployment: Deployment) -> None:
    with pytest.raises(ConfigurationError, match=r"As an API: .* names no authorization server"):
        found_at(f"{deployment.issuer}/nowhere", Policy())
