"""What a refusal of the token endpoint advises."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TokenEndpointError
from airflow_oauth_provider.protocol.configured_server import Issuer, TokenEndpoint
from airflow_oauth_provider.protocol.redaction import NOTHING
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.endpoint import token_endpoint
from airflow_oauth_provider.protocol.token.errors import read_error
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import http_response, settings

ISSUER = Issuer(parse_url("https://idp.example/tenant"), "https://idp.example/tenant")
JWT_SECRET = Secret("0123456789abcdef0123456789abcdef")


def refusal(code: str | None, status: int, **changes: Any) -> TokenEndpointError:
    body = http_response({"error": code} if code else b"", status)
    given = settings(**changes)
    endpoint = token_endpoint(given)
    return read_error(given, body, retry_after=None, redactor=NOTHING, endpoint=endpoint)


@pytest.mark.fault("F68")
@pytest.mark.parametrize(
    "code, status", [("invalid_client", 401), ("invalid_client", 400), (None, 401), (None, 403), (None, 400)]
)
@pytest.mark.parametrize("special", [{"client_secret": Secret("a+b/c=")}, {"client_id": "me@example"}])
class TestBasicEncoding:
    """Many servers do not decode what RFC 6749 §2.3.1 encodes."""

    def test_special_characters(self, code: str | None, status: int, special: dict[str, Any]) -> None:
        advice = refusal(code, status, **special).advice or ""
        assert "set basic_encoding to raw" in advice
        assert "a+b/c=" not in advice

    def test_the_other_way_round(self, code: str | None, status: int, special: dict[str, Any]) -> None:
        error = refusal(code, status, request={"basic_encoding": "raw"}, **special)
        assert "set basic_encoding to rfc6749" in (error.advice or "")

    def test_not_in_the_body(self, code: str | None, status: int, special: dict[str, Any]) -> None:
        error = refusal(code, status, auth_method="client_secret_post", **special)
        assert "basic_encoding" not in (error.advice or "")


@pytest.mark.fault("F68")
@pytest.mark.parametrize(
    "code, status, changes",
    [
        ("invalid_client", 401, {}),
        ("invalid_scope", 400, {"client_id": "me@example"}),
        (None, 404, {"client_id": "me@example"}),
        (None, 500, {"client_id": "me@example"}),
    ],
)
def test_no_word_of_an_encoding_that_changes_nothing(
    code: str | None, status: int, changes: dict[str, Any]
) -> None:
    assert "basic_encoding" not in (refusal(code, status, **changes).advice or "")


@pytest.mark.fault("F71")
@pytest.mark.parametrize(
    "code, status, advice",
    [
        (None, 404, "check the access token URL"),
        (None, 405, "check the access token URL"),
        (None, 410, "check the access token URL"),
        (None, 415, "check the access token URL"),
        (None, 403, "check client id and secret (or key), and the authentication method"),
        (None, 403, "a gateway or policy"),
        (None, 400, "the server does not say why"),
        ("use_dpop_nonce", 400, "wants DPoP"),
        ("invalid_dpop_proof", 400, "wants DPoP"),
    ],
)
def test_advice(code: str | None, status: int, advice: str) -> None:
    error = refusal(code, status)
    assert advice in (error.advice or "")
    assert str(error).lower().count(advice.lower()) == 1


@pytest.mark.fault("H15")
@pytest.mark.parametrize("status", [400, 422])
def test_a_code_of_a_server_s_own_is_what_it_says(status: int) -> None:
    """A real one says ``invalid_client_metadata``: there is no telling what to do, and it did say why."""
    error = refusal("invalid_client_metadata", status)
    assert error.advice is None
    assert "invalid_client_metadata" in str(error)


@pytest.mark.fault("F46", "F71")
@pytest.mark.parametrize(
    "code, status",
    [
        pytest.param("temporarily_unavailable", 400, id="a-code"),
        pytest.param("slow_down", 400, id="slow_down"),
        pytest.param(None, 503, id="a-status"),
        pytest.param("invalid_client", 503, id="a-status-with-a-code"),
        pytest.param(None, 429, id="429"),
        pytest.param(None, 408, id="408"),
    ],
)
def test_what_passes_by_itself_is_waited_for(code: str | None, status: int) -> None:
    advice = refusal(code, status).advice or ""
    assert advice.endswith("wait; if it lasts, ask the server's administrator")
    assert "client id" not in advice, "the client may be fine"


@pytest.mark.fault("F71")
@pytest.mark.parametrize("audience", [None, "https://idp.example"])
def test_a_refused_assertion_may_have_the_wrong_audience(audience: str | None) -> None:
    changes = {"auth_method": "client_secret_jwt", "client_secret": JWT_SECRET}
    error = refusal(None, 403, **changes, assertion={"audience": audience})
    assert "jwt_audience" in (error.advice or "")


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ({}, "than its token URL: set jwt_audience, often to its issuer"),
        ({"server": ISSUER}, "than its issuer: set jwt_audience, often to its token URL"),
    ],
    ids=["token-endpoint", "issuer"],
)
def test_an_empty_403_names_the_other_audience(server: dict[str, Any], says: str) -> None:
    """One server refuses the issuer as audience so (draft-ietf-oauth-rfc7523bis is newer than many)."""
    error = refusal(None, 403, auth_method="client_secret_jwt", client_secret=JWT_SECRET, **server)
    assert says in (error.advice or "")


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        pytest.param(("read,", "write"), True, id="comma-and-space"),
        pytest.param(("read,write",), True, id="comma"),
        pytest.param(("read", "write"), False, id="spaces"),
    ],
)
def test_a_refused_scope_with_a_comma(scope: tuple[str, ...], says: bool) -> None:
    error = refusal("invalid_scope", 400, request={"scope": scope})
    assert ("have spaces between them" in (error.advice or "")) is says


@pytest.mark.parametrize(
    "padded", [{"client_secret": Secret("a-secret ")}, {"client_id": " my-client"}], ids=["secret", "id"]
)
def test_a_space_that_was_pasted_along_is_named_before_any_encoding(padded: dict[str, Any]) -> None:
    advice = refusal("invalid_client", 401, **padded).advice or ""
    assert "begins or ends with a space" in advice
    assert "basic_encoding" not in advice


@pytest.mark.parametrize("status", [404, 405])
def test_a_token_url_without_a_path(status: int) -> None:
    error = refusal(None, status, server=TokenEndpoint(parse_url("https://idp.example")))
    assert "it has no path" in (error.advice or "")
    assert "switch discovery on" in (error.advice or "")
