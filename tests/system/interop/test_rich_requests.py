"""Rich requests and several resources against oidc-provider, which grants less than is asked for."""

from __future__ import annotations

import json

import pytest

from airflow_oauth_provider.exceptions import TokenEndpointError
from airflow_oauth_provider.protocol.private_token import details_of
from tests.system.interop.deployments import OIDC, Deployment

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("deployment", [OIDC], indirect=True)]

CLIENT = "client_secret_basic"


@pytest.mark.fault("T30")
def test_what_was_granted_is_compared(deployment: Deployment) -> None:
    asked = [{"type": "orders", "actions": ["read", "delete"]}]
    hook = deployment.hook(CLIENT, resource=[deployment.resource], rich_requests=asked)
    done, message = hook.test_connection()
    assert done, message
    assert "Asked for, but not granted: orders." in message
    (request,) = deployment.server.requests()
    assert json.loads(request["form"]["authorization_details"]) == asked
    assert json.loads(details_of(hook.get_token()) or "") == [{"type": "orders", "actions": ["read"]}]


@pytest.mark.fault("H11")
@pytest.mark.parametrize(
    "asked", [[{"type": "unknown"}], [{"type": "orders", "actions": ["burn"]}]], ids=["type", "action"]
)
def test_what_it_does_not_know_is_refused_by_name(deployment: Deployment, asked: list[object]) -> None:
    hook = deployment.hook(CLIENT, resource=[deployment.resource], rich_requests=asked)
    with pytest.raises(TokenEndpointError) as caught:
        hook.get_token()
    assert caught.value.error == "invalid_authorization_details"
    assert "rich_requests" in (caught.value.advice or "")
    assert len(deployment.server.requests()) == 1


def test_several_resources_reach_it(deployment: Deployment) -> None:
    """It takes one for this grant, and says so."""
    both = [deployment.resource, "https://api.example/stock"]
    with pytest.raises(TokenEndpointError) as caught:
        deployment.hook(CLIENT, resource=both).get_token()
    assert caught.value.error == "invalid_target"
    (request,) = deployment.server.requests()
    assert request["form"]["resource"] == both
