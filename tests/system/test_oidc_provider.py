"""Every authentication method against an authorization server that we did not write."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

import jwt
import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.cli.discovery import metadata_of
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError, TokenEndpointError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.oidc_server import (
    ALGORITHMS,
    AWKWARD_ID,
    AWKWARD_SECRET,
    RESOURCE,
    Client,
    OidcServer,
)
from tests.support.sides import Side

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _fresh(oidc: OidcServer) -> None:
    shared.clear()
    oidc.reset()


def hook_of(oidc: OidcServer, client: Client, **changes: Any) -> OAuth2Hook:
    extra = {
        "auth_method": client.method,
        "scope": "read",
        "private_key": client.private_key,
        "jwt_algorithm": client.algorithm,
        "jwt_audience": oidc.issuer,
        "base_url": "https://api.example",
        **changes,
    }
    return OAuth2Hook(
        connection=Connection(
            conn_id="real_server",
            conn_type="oauth2_client_credentials",
            host=changes.pop("host", oidc.token_url),
            login=client.client_id,
            password=changes.pop("password", client.secret),
            extra=json.dumps({key: value for key, value in extra.items() if key not in {"host", "password"}}),
        )
    )


@pytest.mark.parametrize("name", ["basic", "post", "jwt", "awkward", *ALGORITHMS])
def test_a_token_by_every_method(oidc: OidcServer, name: str) -> None:
    client = oidc.clients[name]
    token = hook_of(oidc, client).get_token()
    assert token.scopes == {"read"}
    assert token.lifetime == 240
    seen = oidc.introspect(token.value)
    assert (seen["active"], seen["client_id"], seen["scope"]) == (True, client.client_id, "read")
    assert len(oidc.requests()) == 1


def test_basic_is_form_encoded_with_a_space_as_percent_20(oidc: OidcServer) -> None:
    hook_of(oidc, oidc.clients["awkward"]).get_token()
    value = oidc.requests()[0]["headers"]["authorization"].removeprefix("Basic ")
    client_id, _, secret = base64.b64decode(value).decode().partition(":")
    assert (unquote(client_id), unquote(secret)) == (AWKWARD_ID, AWKWARD_SECRET)
    assert "%20" in client_id
    assert "+" not in client_id + secret


@pytest.mark.parametrize("name", ["jwt", *ALGORITHMS])
def test_the_token_url_as_audience_is_the_default(oidc: OidcServer, name: str) -> None:
    """Sent without ``jwt_audience``; this server accepts the token URL too."""
    hook_of(oidc, oidc.clients[name], jwt_audience=None).get_token()
    form = oidc.requests()[0]["form"]
    claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
    assert claims["aud"] == oidc.token_url
    assert claims["iss"] == claims["sub"] == oidc.clients[name].client_id
    assert claims["exp"] - claims["iat"] == 60


def test_an_assertion_is_used_once(oidc: OidcServer) -> None:
    hook = hook_of(oidc, oidc.clients["RS256"])
    hook.get_token()
    hook.get_token(force=True)
    assertions = {request["form"]["client_assertion"] for request in oidc.requests()}
    assert len(assertions) == 2


@pytest.mark.parametrize(
    "name, changes",
    [
        pytest.param("basic", {"password": "a-wrong-secret"}, id="wrong-secret[H07]"),
        pytest.param("post", {"password": "a-wrong-secret"}, id="wrong-secret-post[H08]"),
        pytest.param("expired", {}, id="expired-client"),
    ],
)
def test_a_refused_client_costs_one_request(oidc: OidcServer, name: str, changes: dict[str, Any]) -> None:
    for _ in range(5):
        with pytest.raises(InvalidClientError) as caught:
            hook_of(oidc, oidc.clients[name], **changes).get_token()
        assert caught.value.error == "invalid_client"
        assert caught.value.conn_id == "real_server"
    assert len(oidc.requests()) == 1


def test_a_key_that_is_not_registered(oidc: OidcServer) -> None:
    hook = hook_of(oidc, oidc.clients["PS256"], private_key=oidc.clients["RS256"].private_key)
    with pytest.raises(InvalidClientError):
        hook.get_token()


@pytest.mark.parametrize(
    "changes, error",
    [
        pytest.param({"scope": "admin"}, "invalid_scope", id="scope-of-another-client[H11]"),
        pytest.param({"resource": ["https://other.example"]}, "invalid_target", id="unknown-resource[H11]"),
    ],
)
def test_other_refusals_name_their_code(oidc: OidcServer, changes: dict[str, Any], error: str) -> None:
    with pytest.raises(TokenEndpointError) as caught:
        hook_of(oidc, oidc.clients["basic"], **changes).get_token()
    assert caught.value.error == error
    assert not caught.value.retryable
    assert len(oidc.requests()) == 1


def test_an_unknown_scope_is_reported(oidc: OidcServer) -> None:
    """This server drops scopes it does not know; the token says so."""
    token = hook_of(oidc, oidc.clients["basic"], scope="read nonsense").get_token()
    assert token.scopes == {"read"}


def test_a_resource_indicator(oidc: OidcServer) -> None:
    token = hook_of(oidc, oidc.clients["basic"], resource=[RESOURCE]).get_token()
    assert oidc.introspect(token.value)["aud"] == RESOURCE
    assert oidc.requests()[0]["form"]["resource"] == RESOURCE


def test_renewing_repeats_every_parameter(oidc: OidcServer) -> None:
    hook = hook_of(oidc, oidc.clients["post"], resource=[RESOURCE], post_params=["x_region=emea"])
    hook.get_token()
    hook.get_token(force=True)
    first, second = (request["form"] for request in oidc.requests())
    assert first == second
    assert first["x_region"] == "emea"


@pytest.mark.parametrize("name", ["basic", "post", "jwt", "awkward", *ALGORITHMS])
def test_what_it_says_of_a_token_until_it_is_revoked(oidc: OidcServer, name: str, side: Side) -> None:
    """Introspection and revocation, by every method."""
    hook = hook_of(oidc, oidc.clients[name], jwt_audience=None)
    metadata = metadata_of(oidc.issuer, Policy()).report()
    about, away = metadata["introspection_endpoint"], metadata["revocation_endpoint"]
    token = side.token(hook)
    result = side.call(hook, "introspect", endpoint=about)
    assert (result["active"], result["client_id"]) == (True, oidc.clients[name].client_id)
    assert (result["scope"], result["iss"], result["token_type"]) == ("read", oidc.issuer, "Bearer")
    assert result["exp"] - result["iat"] == 240
    assert token.value not in str(result)
    assert side.call(hook, "introspect", "of-nobody", endpoint=about) == {"active": False}
    assert side.call(hook, "revoke", endpoint=away) is True
    assert side.call(hook, "introspect", token.value, endpoint=about) == {"active": False}
    assert side.call(hook, "revoke", "of-nobody", endpoint=away) is True
    renewed = side.token(hook)
    assert renewed.value != token.value
    assert side.call(hook, "introspect", renewed, endpoint=about)["active"] is True


def test_an_issuer_tells_where_to_ask_about_a_token(oidc: OidcServer, side: Side) -> None:
    hook = hook_of(oidc, oidc.clients["basic"], host=oidc.issuer, discovery=True)
    token = side.token(hook)
    assert side.call(hook, "introspect")["active"] is True
    assert side.call(hook, "revoke") is True
    assert side.call(hook, "introspect", token) == {"active": False}


@pytest.mark.parametrize("name", ["introspect", "revoke"])
def test_a_refused_client_is_refused_there_too(oidc: OidcServer, name: str, side: Side) -> None:
    hook = hook_of(oidc, oidc.clients["basic"], password="a-wrong-secret")
    address = {"introspect": "introspection", "revoke": "revocation"}[name]
    with pytest.raises(InvalidClientError) as caught:
        side.call(hook, name, "of-nobody", endpoint=f"{oidc.token_url}/{address}")
    assert caught.value.error == "invalid_client"


def test_its_metadata_lead_to_its_token_endpoint(oidc: OidcServer) -> None:
    metadata = metadata_of(oidc.issuer, Policy())
    assert str(metadata.token_endpoint) == oidc.token_url
    assert "client_secret_basic" in (metadata.auth_methods or ())
    with pytest.raises(ConfigurationError, match="another issuer"):
        metadata_of(f"{oidc.issuer}/", Policy())


@pytest.mark.parametrize("name", ["basic", "post", "jwt", *ALGORITHMS])
def test_a_token_by_discovery(oidc: OidcServer, name: str) -> None:
    """The connection names the issuer; a JWT is meant for it, whatever its endpoints are called."""
    client = oidc.clients[name]
    hook = hook_of(oidc, client, host=oidc.issuer, discovery=True, jwt_audience=None)
    token = hook.get_token()
    assert oidc.introspect(token.value)["active"] is True
    hook.get_token(force=True)
    assert len(oidc.requests()) == 2
    signed = oidc.requests()[0]["form"].get("client_assertion")
    if signed is not None:  # draft-ietf-oauth-rfc7523bis
        assert jwt.decode(signed, options={"verify_signature": False})["aud"] == oidc.issuer
        assert jwt.get_unverified_header(signed)["typ"] == "client-authentication+jwt"
