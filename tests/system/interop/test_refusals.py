"""What real servers say no to, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import InvalidClientError, TokenEndpointError
from tests.support.servers.client_certificates import client_certificate
from tests.support.sides import Side
from tests.system.interop.deployments import AUTHLIB, DJANGO, FAPI, OIDC, Deployment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("deployment", "client", "changes", "status", "error"),
    [
        pytest.param(
            OIDC, "client_secret_basic", {"scope": "admin"}, 400, "invalid_scope", id="scope-of-others[H11]"
        ),
        pytest.param(
            OIDC,
            "client_secret_post",
            {"resource": ["https://other.example"]},
            400,
            "invalid_target",
            id="resource-of-others[H11]",
        ),
        pytest.param(
            DJANGO,
            "client_secret_basic",
            {"resource": ["urn:orders"]},
            400,
            "invalid_target",
            id="error-labelled-as-a-page[H34]",
        ),
        pytest.param(
            DJANGO, "client_secret_post", {"scope": "nonsense"}, 400, "invalid_scope", id="bare[H11]"
        ),
        pytest.param(
            OIDC,
            "client_secret_basic",
            {"dpop": True, "private_key": client_certificate("a.example").key},
            400,
            "invalid_dpop_proof",
            id="proof-of-another-algorithm[H11]",
        ),
        pytest.param(OIDC, "without-the-grant", {}, 400, "invalid_request", id="grant-of-others[H06]"),
        pytest.param(OIDC, "misregistered", {}, 400, "invalid_client_metadata", id="code-of-its-own[H15]"),
    ],
    indirect=["deployment"],
)
def test_it_costs_one_request_and_says_which(
    deployment: Deployment, client: str, changes: dict[str, Any], status: int, error: str
) -> None:
    for _ in range(3):
        with pytest.raises(TokenEndpointError) as caught:
            deployment.hook(client, **changes).get_token()
        assert (caught.value.error, caught.value.status, caught.value.retryable) == (error, status, False)
    path = "/token/" if deployment.name == DJANGO else "/token"
    assert len(deployment.server.requests(path)) == 1
    assert "does not say why" not in str(caught.value)


@pytest.mark.fault("H07")
@pytest.mark.parametrize("deployment", [OIDC, DJANGO], indirect=True)
def test_a_challenge_is_no_invitation_to_try_another_method(deployment: Deployment) -> None:
    """oidc-provider challenges with Basic, django-oauth-toolkit with Bearer: at its token endpoint."""
    with pytest.raises(InvalidClientError) as caught:
        deployment.hook("client_secret_basic", password="a-secret-of-nobody").get_token()
    assert caught.value.status == 401
    path = "/token/" if deployment.name == DJANGO else "/token"
    assert len(deployment.server.requests(path)) == 1


@pytest.mark.fault("H08")
@pytest.mark.parametrize("deployment", [AUTHLIB], indirect=True)
def test_it_may_come_with_400(deployment: Deployment) -> None:
    for _ in range(3):
        with pytest.raises(InvalidClientError) as caught:
            deployment.hook(
                "client_secret_jwt", password="a-secret-of-nobody, long enough for HS256"
            ).get_token()
        assert caught.value.status == 400
    assert len(deployment.server.requests()) == 1


@pytest.mark.parametrize("deployment", [FAPI], indirect=True)
def test_an_audience_that_a_server_does_not_take_is_named(deployment: Deployment) -> None:
    """FAPI 2.0 takes the issuer alone; without discovery the default is the token URL."""
    with pytest.raises(InvalidClientError, match="set jwt_audience, often to its issuer"):
        deployment.hook("PS256", jwt_audience=None).get_token()


@pytest.mark.parametrize("deployment", [DJANGO], indirect=True)
def test_a_token_url_without_its_slash(deployment: Deployment) -> None:
    """Django has a page for it."""
    deployment.token_url, kept = deployment.token_url.rstrip("/"), deployment.token_url
    try:
        with pytest.raises(TokenEndpointError, match="404") as caught:
            deployment.hook("client_secret_basic").get_token()
    finally:
        deployment.token_url = kept
    assert (caught.value.error, caught.value.status) == (None, 404)
    assert "<" not in str(caught.value)


@pytest.mark.parametrize("deployment", [DJANGO], indirect=True)
def test_a_bare_refusal_to_introspect(deployment: Deployment, side: Side) -> None:
    """403 and nothing else, whatever is wrong with the client."""
    hook = deployment.hook("client_secret_basic", password="a-secret-of-nobody", discovery=True)
    with pytest.raises(TokenEndpointError) as caught:
        side.call(hook, "introspect", "of-nobody")
    assert (caught.value.error, caught.value.status, caught.value.retryable) == (None, 403, False)


@pytest.mark.parametrize("deployment", [OIDC], indirect=True)
def test_a_token_that_is_not_introspected(deployment: Deployment, side: Side) -> None:
    """oidc-provider tells the state of opaque tokens only."""
    hook = deployment.hook("client_secret_basic", resource=[deployment.resource], discovery=True)
    with pytest.raises(TokenEndpointError) as caught:
        side.call(hook, "introspect")
    assert (caught.value.error, caught.value.status) == ("unsupported_token_type", 400)
    assert "if this one is a JWT, the API reads it" in str(caught.value)


@pytest.mark.fault("H12")
@pytest.mark.parametrize("deployment", [OIDC], indirect=True)
def test_a_nonce_is_asked_for_once(deployment: Deployment, side: Side) -> None:
    """One more request for the client's first token; those that follow know the nonce."""
    first = deployment.hook("client_secret_basic", dpop=True)
    side.token(first)
    first.get_token(force=True)
    side.token(deployment.hook("client_secret_basic", dpop=True, scope="write"))
    assert [request["status"] for request in deployment.server.requests()] == [400, 200, 200, 200]
    assert [token["form"]["scope"] for token in deployment.server.requests()] == [*["read"] * 3, "write"]
