"""What docs/when-it-fails.md says of each error, seen at a server: its type, and who asks again."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.readme import ROOT
from tests.support.servers.scripted import CloseNow, Json, Redirect, Reset, Text, token_json
from tests.support.service import Service

TEXT = (ROOT / "docs" / "when-it-fails.md").read_text()


def refusal(code: str, status: int = 400) -> Text:
    return Json({"error": code}, status)


@pytest.mark.parametrize(
    "response, kind, asked, remembered",
    [
        pytest.param(refusal("invalid_client", 401), InvalidClientError, 1, True, id="invalid_client"),
        pytest.param(refusal("unauthorized_client"), TokenEndpointError, 1, True, id="unauthorized_client"),
        pytest.param(refusal("invalid_scope"), TokenEndpointError, 1, True, id="invalid_scope"),
        pytest.param(refusal("invalid_target"), TokenEndpointError, 1, True, id="invalid_target"),
        pytest.param(refusal("use_dpop_nonce"), TokenEndpointError, 1, True, id="use_dpop_nonce"),
        pytest.param(refusal("invalid_dpop_proof"), TokenEndpointError, 1, True, id="invalid_dpop_proof"),
        pytest.param(Text(401), TokenEndpointError, 1, True, id="bare-401"),
        pytest.param(Text(404, "<html>"), TokenEndpointError, 1, False, id="404"),
        pytest.param(Text(403, "<html>blocked"), TokenEndpointError, 1, False, id="a-firewalls-page"),
        pytest.param(Text(200, "<html>log in"), TokenResponseError, 1, False, id="a-login-page"),
        pytest.param(Redirect("/elsewhere"), TokenResponseError, 1, False, id="a-redirect"),
        pytest.param(Text(200, "{"), TokenResponseError, 1, False, id="broken-JSON"),
        pytest.param(token_json("t", token_type="DPoP"), TokenResponseError, 1, False, id="token_type"),
        *[
            pytest.param(
                Text(status, headers=[("Retry-After", "0")]), TokenEndpointError, 2, False, id=str(status)
            )
            for status in (408, 421, 425, 429, 500, 502, 503, 504, 520, 527)
        ],
        *[
            pytest.param(
                Json({"error": code}, 400, [("Retry-After", "0")]), TokenEndpointError, 2, False, id=code
            )
            for code in ("temporarily_unavailable", "server_error", "slow_down")
        ],
        pytest.param(Reset(), TransportError, 2, False, id="reset"),
        pytest.param(CloseNow(), TransportError, 2, False, id="closed"),
    ],
)
def test_a_token_request(
    service: Service, response: Any, kind: type[OAuthError], asked: int, remembered: bool
) -> None:
    service.token = lambda _: response
    connection = service.connection(max_retry_attempts=1, max_wait=20)
    with pytest.raises(OAuthError) as caught:
        OAuth2Hook(connection=connection).get_token()
    assert type(caught.value) is kind
    assert len(service.token_requests) == asked
    assert caught.value.advice or not isinstance(caught.value, TokenEndpointError), "what to do"
    if asked == 1:
        with pytest.raises(OAuthError):
            OAuth2Hook(connection=connection).get_token()
        assert len(service.token_requests) == (1 if remembered else 2)
    name = getattr(caught.value, "error", None)
    assert kind.__name__ in TEXT
    assert name is None or name in TEXT


@pytest.mark.parametrize(
    "status, calls, renewed, retryable",
    [
        pytest.param(401, 2, True, False, id="401"),
        pytest.param(403, 1, False, False, id="403"),
        pytest.param(404, 1, False, False, id="404"),
        pytest.param(429, 1, False, True, id="429"),
        pytest.param(503, 1, False, True, id="503"),
    ],
)
def test_a_call(service: Service, status: int, calls: int, renewed: bool, retryable: bool) -> None:
    service.api = lambda _: Json({"message": "no such order"}, status)
    hook = OAuth2Hook("my_api", "GET", connection=service.connection())
    with pytest.raises(ResourceError) as caught:
        hook.run("v1/ordrs", {"page": "secret"})
    error = caught.value
    assert (error.status, error.retryable) == (status, retryable)
    assert len(service.calls) == calls
    assert len(service.token_requests) == 1 + renewed
    assert error.method == "GET"
    assert error.url == f"{service.base_url}/v1/ordrs?page=…"
    assert error.body == '{"message": "no such order"}'
    assert f"GET {error.url} answered {status} " in str(error)
    assert error.body in str(error)


def test_a_wrong_field_and_a_wrong_name(service: Service) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OAuth2Hook(connection=service.connection(max_wait=-1)).get_token()
    assert (caught.value.conn_id, caught.value.field) == ("my_api", "max_wait")
    assert not service.server.requests
    with pytest.raises(ConnectionNotFoundError):
        OAuth2Hook("no_such_connection").get_token()
