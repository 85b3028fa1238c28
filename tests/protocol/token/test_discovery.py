"""Authorization server metadata, document by document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.effects import Outcome
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.token.discovery import discovery, issuer_of_metadata_at, well_known_urls
from airflow_oauth_provider.protocol.token.metadata import Metadata

ISSUER = "https://idp.example"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "token_endpoint": "https://idp.example/token",
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    "grant_types_supported": ["authorization_code", "client_credentials"],
    "scopes_supported": ["read"],
}
NOT_FOUND = HttpResponse(404)


def document(**changes: Any) -> HttpResponse:
    members = {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not None}
    return HttpResponse(200, (("content-type", "application/json"),), json.dumps(members).encode())


def run(*responses: HttpResponse | Failure, issuer: str = ISSUER, patterns: tuple[str, ...] = ()) -> Metadata:
    flow = discovery(issuer, patterns, deadline=20.0)
    next(flow)
    try:
        for response in responses:
            flow.send(Outcome(Moment(0.0, 0.0), response))
    except StopIteration as end:
        metadata: Metadata = end.value
        return metadata
    raise AssertionError("it asks for more")


@pytest.mark.parametrize(
    "issuer, inserted, appended",
    [
        pytest.param("https://a.example", "", "", id="no-path"),
        pytest.param("https://a.example/", "", "", id="slash"),
        pytest.param("https://a.example/t/one", "/t/one", "/t/one", id="path"),
        pytest.param("https://a.example/t/", "/t", "/t", id="path-and-slash"),
    ],
)
def test_both_places(issuer: str, inserted: str, appended: str) -> None:
    assert well_known_urls(issuer) == (
        f"https://a.example/.well-known/oauth-authorization-server{inserted}",
        f"https://a.example{appended}/.well-known/openid-configuration",
    )


class TestFound:
    """What is read of a document."""

    def test_in_the_first_place(self) -> None:
        metadata = run(document())
        assert str(metadata.token_endpoint) == "https://idp.example/token"
        assert metadata.auth_methods == ("client_secret_basic", "private_key_jwt")
        assert metadata.remarks() == ()
        assert metadata.report()["found_at"] == well_known_urls(ISSUER)[0]

    def test_in_the_second_place(self) -> None:
        assert run(NOT_FOUND, document()).url == well_known_urls(ISSUER)[1]

    def test_aliases_for_certificates(self) -> None:
        aliases = {"token_endpoint": "https://mtls.idp.example/token"}
        metadata = run(document(mtls_endpoint_aliases=aliases))
        assert metadata.report()["mtls_token_endpoint"] == "https://mtls.idp.example/token"

    def test_a_missing_grant_is_a_note_only(self) -> None:
        metadata = run(document(grant_types_supported=["implicit"]))
        assert "client_credentials" in metadata.remarks()[0]

    def test_what_is_not_needed_may_be_anything(self) -> None:
        metadata = run(document(scopes_supported="read", grant_types_supported=[1, "\x1b[31mred"]))
        assert metadata.scopes is None
        assert metadata.grant_types == ("[31mred",)


BAD: list[Any] = [
    pytest.param(document(issuer="https://idp.example/"), "another issuer", id="issuer-slash"),
    pytest.param(document(issuer="https://evil.example"), "another issuer", id="issuer-other"),
    pytest.param(document(issuer=None), "another issuer (none)", id="issuer-missing"),
    pytest.param(document(token_endpoint=None), "no token_endpoint", id="no-endpoint"),
    pytest.param(document(token_endpoint=["x"]), "token_endpoint is no string", id="endpoint-list"),
    pytest.param(document(token_endpoint="http://idp.example/t"), "must be https", id="endpoint-http[H65]"),
    pytest.param(document(token_endpoint="https://169.254.169.254/"), "link-local", id="endpoint-metadata"),
    pytest.param(document(revocation_endpoint="https://a@b/"), "revocation_endpoint", id="other-endpoint"),
    pytest.param(
        HttpResponse(302, (("location", "https://evil.example"),)), "HTTP status 302", id="redirect"
    ),
    pytest.param(HttpResponse(200, (), b"<html>"), "not valid JSON", id="html"),
    pytest.param(HttpResponse(200, (), b'{"issuer": "a", "issuer": "b"}'), "same name twice", id="twice"),
    pytest.param(HttpResponse(200, (("content-encoding", "gzip"),), b""), "compressed", id="compressed"),
    pytest.param(Failure(Fault.MALFORMED, "larger than 256 KiB"), "larger than", id="too-large"),
]


@pytest.mark.parametrize("response, reason", BAD)
def test_nothing_of_a_bad_document_is_used(response: HttpResponse | Failure, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run(response, NOT_FOUND)
    assert caught.value.field == "issuer"
    assert reason in str(caught.value)
    assert run(response, document()).issuer == ISSUER, "the other place is tried"


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("http://idp.example", id="http"),
        pytest.param("https://idp.example?x=1", id="query"),
        pytest.param("https://idp.example#x", id="fragment"),
        pytest.param("https://me:pw@idp.example", id="userinfo"),
        pytest.param("https://169.254.169.254", id="link-local"),
        pytest.param("", id="empty"),
    ],
)
def test_a_bad_issuer_is_refused_before_anything_is_sent(issuer: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        next(discovery(issuer, (), deadline=20.0))
    assert "pw" not in str(caught.value)


class TestAllowedHosts:
    """``allowed_token_hosts`` holds for the issuer and for every address in its document."""

    def test_the_issuer(self) -> None:
        with pytest.raises(ConfigurationError, match="allowed_token_hosts"):
            next(discovery(ISSUER, ("other.example",), deadline=20.0))

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"token_endpoint": "https://evil.example/t"}, id="endpoint[H65]"),
            pytest.param({"introspection_endpoint": "https://evil.example/i"}, id="introspection"),
            pytest.param({"mtls_endpoint_aliases": {"token_endpoint": "https://evil.example/t"}}, id="alias"),
        ],
    )
    def test_every_address(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=r"evil\.example, which is not in"):
            run(document(**changes), NOT_FOUND, patterns=("idp.example",))
        assert run(document(), patterns=("idp.example",)).issuer == ISSUER


def test_no_answer() -> None:
    with pytest.raises(TransportError) as caught:
        run(Failure(Fault.TIMEOUT, "the request timed out"))
    assert caught.value.retryable


@pytest.mark.parametrize("issuer", ["https://idp.example", "https://idp.example/tenant", "idp.example/t"])
def test_an_issuer_is_found_by_the_addresses_of_its_document(issuer: str) -> None:
    scheme, separator, rest = issuer.rpartition("://")
    host, slash, path = rest.partition("/")
    inserted = f"{scheme}{separator}{host}/.well-known/oauth-authorization-server{slash}{path}"
    for address in (issuer, inserted, f"{issuer}/.well-known/openid-configuration"):
        assert issuer_of_metadata_at(address) == issuer
