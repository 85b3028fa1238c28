"""``profile = fapi2`` against oidc-provider's own FAPI 2.0 profile."""

from __future__ import annotations

import jwt
import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.servers.strict_servers import FAPI_ALGORITHMS, TLS_METHODS
from tests.system.interop.deployments import FAPI, Deployment

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("deployment", [FAPI], indirect=True)]


@pytest.mark.parametrize("client", [*FAPI_ALGORITHMS, *TLS_METHODS])
def test_a_bound_token_by_each_client(deployment: Deployment, client: str) -> None:
    hook = deployment.hook(client, discovery=True, profile="fapi2", resource=[deployment.resource])
    token = hook.get_token()
    confirmation = jwt.decode(token.value, options={"verify_signature": False})["cnf"]
    assert confirmation.keys() == ({"x5t#S256"} if client in TLS_METHODS else {"jkt"})
    request = deployment.server.requests()[-1]
    if client not in TLS_METHODS:
        assertion = jwt.decode(request["form"]["client_assertion"], options={"verify_signature": False})
        assert assertion["aud"] == deployment.issuer
    # This server tells the state of opaque tokens only.
    opaque = deployment.hook(client, discovery=True, profile="fapi2")
    assert opaque.introspect()["active"] is True
    assert opaque.revoke() is True


def test_the_token_url_alone_is_not_enough(deployment: Deployment) -> None:
    with pytest.raises(ConfigurationError) as caught:
        deployment.hook("PS256", profile="fapi2").get_token()
    assert caught.value.field == "discovery"
    assert deployment.server.requests() == []
