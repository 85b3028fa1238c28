"""DPoP (RFC 9449) over both HTTP libraries, against servers that check each proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError, TokenResponseError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens.manager import shared
from tests.protocol.dpop.test_proof_key import pem
from tests.support.confidential import assert_nothing_confidential
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.servers.scripted import (
    Json,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
)
from tests.support.sides import Side


@pytest.fixture
def service() -> Iterator[DpopService]:
    with running_dpop_service() as running:
        yield running


def hook_of(service: DpopService, **changes: Any) -> OAuth2Hook:
    return OAuth2Hook(method=changes.pop("method", "GET"), connection=service.connection(**changes))


def test_a_call_proves_possession_of_its_token(service: DpopService, side: Side) -> None:
    hook = hook_of(service)
    for _ in range(2):
        response = side.run(hook, "orders?page=2")
        assert response.json()["authorization"] == "DPoP bound-tok-1"
    assert side.token(hook).token_type == "DPoP"
    assert service.refused() == []
    first, *calls = service.proofs
    assert (first["htm"], first["htu"]) == ("POST", f"{service.server.url}/token")
    assert "ath" not in first
    assert [call["htu"] for call in calls] == [f"{service.base_url}/orders"] * 2
    assert len({proof["jti"] for proof in service.proofs}) == 3
    assert set(first["header"]) == {"typ", "alg", "jwk"}
    assert set(first["header"]["jwk"]) == {"kty", "crv", "x", "y"}
    assert len({json.dumps(proof["header"]) for proof in service.proofs}) == 1


def test_nonces_of_both_servers_are_learnt_and_never_mixed(service: DpopService, side: Side) -> None:
    service.issuing.required = service.serving.required = True
    hook = hook_of(service)
    for _ in range(3):
        assert side.run(hook, "orders").status_code == 200
    assert service.refused() == ["use_dpop_nonce"] * 2
    assert [proof.get("nonce") for proof in service.proofs] == [None, "as-1", None, *["api-1"] * 3]


def test_a_nonce_that_changes_with_every_response(service: DpopService, side: Side) -> None:
    service.issuing.changes = service.serving.changes = True
    hook = hook_of(service)
    for _ in range(4):
        assert side.run(hook, "orders").status_code == 200
    assert service.refused() == ["use_dpop_nonce"] * 2


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_with_every_method_that_needs_no_key_of_its_own(
    service: DpopService, side: Side, method: str
) -> None:
    secret = "a-secret-of-at-least-thirty-two-bytes"
    private = Secret(pem(ec.generate_private_key(ec.SECP256R1())))
    hook = hook_of(service, auth_method=method, password=secret, private_key=private.reveal())
    assert side.run(hook, "orders").status_code == 200
    assert set(service.bound.values()) == {load_proof_key(private).thumbprint}


def test_a_key_that_authenticates_the_client_signs_no_proofs(service: DpopService, side: Side) -> None:
    private = Secret(pem(ec.generate_private_key(ec.SECP256R1())))
    hook = hook_of(service, auth_method="private_key_jwt", password=None, private_key=private.reveal())
    assert side.run(hook, "orders").status_code == 200
    assert load_proof_key(private).thumbprint not in service.bound.values()


@pytest.mark.parametrize("body", [None, {"a": 1}], ids=["GET", "POST"])
def test_at_most_four_sends(service: DpopService, side: Side, body: Any) -> None:
    """A nonce before the renewal and one after it."""
    service.serving.required = True
    hook = hook_of(service, method="POST" if body else "GET")
    side.run(hook, "orders", json=body)
    service.dead.add("bound-tok-1")
    service.serving.change()
    service.on_issue = service.serving.change
    before = len(service.calls)
    assert side.run(hook, "orders", json=body).status_code == 200
    assert len(service.calls) - before == 4
    assert service.refused()[1:] == ["use_dpop_nonce", "invalid_token", "use_dpop_nonce"]
    assert len(service.token_requests) == 2


@pytest.mark.parametrize("nonces", [[], ["a", "b"]], ids=["none", "two"])
def test_an_api_that_asks_for_a_nonce_and_names_none(
    service: DpopService, side: Side, nonces: list[str]
) -> None:
    challenge = ("WWW-Authenticate", 'DPoP error="use_dpop_nonce"')
    service.api = lambda _: Json({}, 401, [challenge, *(("DPoP-Nonce", nonce) for nonce in nonces)])
    with pytest.raises(ResourceError, match="nonce") as caught:
        side.run(hook_of(service), "orders")
    assert len(service.calls) == 1
    assert caught.value.challenge == "DPoP"
    assert not caught.value.retryable


def test_an_api_that_asks_for_nonces_for_ever(service: DpopService, side: Side) -> None:
    challenge = ("WWW-Authenticate", 'DPoP error="use_dpop_nonce"')
    service.api = lambda _: Json({}, 401, [challenge, ("DPoP-Nonce", f"n-{len(service.calls)}")])
    with pytest.raises(ResourceError) as caught:
        side.run(hook_of(service), "orders")
    assert caught.value.retryable, "calls beside this one may have used the nonces"
    assert len(service.calls) == 2
    assert len(service.token_requests) == 1, "a new token would not help"


@pytest.mark.parametrize("status", [400, 401])
def test_either_status_by_which_a_proof_is_refused(service: DpopService, side: Side, status: int) -> None:
    def api(request: RecordedRequest) -> ScriptedResponse:
        if service.proofs[-1].get("nonce") == "n-1":
            return Json({})
        headers = [("WWW-Authenticate", 'DPoP error="use_dpop_nonce"'), ("DPoP-Nonce", "n-1")]
        return Json({}, status, headers)

    service.api = api
    hook = hook_of(service, refresh_on_status=["403"])
    assert side.run(hook, "orders").status_code == 200
    assert len(service.calls) == 2


@pytest.mark.fault("H63")
def test_a_nonce_of_a_response_that_went_well(service: DpopService, side: Side) -> None:
    """For the next request of its kind to that server, and for no other."""
    service.hand_out_nonces = True
    hook = hook_of(service)
    side.run(hook, "orders")
    service.issuing.required = service.serving.required = True
    side.run(hook, "orders")
    side.call(hook, "get_token", force=True)
    assert service.refused() == []
    assert [proof.get("nonce") for proof in service.proofs] == [None, None, "api-1", "as-1"]


@pytest.mark.fault("K08")
@pytest.mark.parametrize("ahead", [900.0, -900.0])
def test_a_clock_that_is_off(service: DpopService, side: Side, ahead: float) -> None:
    service.ahead = ahead
    hook = hook_of(service)
    for _ in range(3):
        assert side.run(hook, "orders").status_code == 200
    assert service.refused() == ["invalid_dpop_proof"] * 2, "one of each server"


@pytest.mark.parametrize("token_type", ["Bearer", "N_A"])
def test_a_token_that_is_not_bound_is_refused(service: DpopService, side: Side, token_type: str) -> None:
    service.token_type = token_type
    with pytest.raises(TokenResponseError, match="RFC 9449"):
        side.run(hook_of(service), "orders")
    assert service.calls == []


def test_a_redirect_gets_a_proof_for_its_own_address(service: DpopService, side: Side) -> None:
    service.serving.changes = True

    def api(request: RecordedRequest) -> ScriptedResponse:
        return Json({}) if request.target.endswith("moved?x=1") else Redirect("/api/moved?x=1", 307)

    service.api = api
    hook = hook_of(service, method="POST")
    assert side.run(hook, "orders", json={"a": 1}).status_code == 200
    assert [proof["htu"].rpartition("/")[2] for proof in service.proofs] == [
        "token",
        "orders",
        "orders",
        "moved",
    ]
    assert service.refused() == ["use_dpop_nonce"]


def test_a_foreign_server_sees_neither_token_nor_proof(service: DpopService, side: Side) -> None:
    with ScriptedServer() as storage:
        storage.script(Json({}))
        service.api = lambda _: Redirect(f"{storage.url}/file")
        assert side.run(hook_of(service), "orders").status_code == 200
        names = {name.lower() for name, _ in storage.requests[0].headers}
    assert names.isdisjoint({"authorization", "dpop"})


def test_two_apis_have_nonces_of_their_own(service: DpopService, side: Side) -> None:
    with running_dpop_service() as other:
        other.bound = service.bound
        service.serving.required = other.serving.required = True
        other.serving.current = "of-the-other"
        hook = hook_of(service, allowed_origins=[other.server.url])
        for _ in range(2):
            side.run(hook, "orders")
            side.run(hook, f"{other.base_url}/orders")
        assert service.refused() == other.refused() == ["use_dpop_nonce"]


def test_a_body_that_can_be_read_only_once(service: DpopService, side: Side) -> None:
    service.serving.required = True
    hook = hook_of(service, method="POST")

    def pieces() -> Iterator[bytes]:
        yield b"a piece"

    with pytest.raises(ResourceError, match="another proof"):
        side.run(hook, "orders", data=pieces())
    assert side.run(hook, "orders", data=pieces()).status_code == 200, "the nonce is known by now"


def test_a_callers_own_proof_is_refused(service: DpopService, side: Side) -> None:
    with pytest.raises(ConfigurationError, match="a DPoP header of its own"):
        side.run(hook_of(service), "orders", headers={"dpop": "mine"})
    assert service.server.requests == []


@pytest.mark.parametrize("error", ["invalid_token", "invalid_dpop_proof"])
def test_a_refusal_repeats_neither_token_nor_proof_nor_key(
    service: DpopService, side: Side, error: str
) -> None:
    def api(request: RecordedRequest) -> ScriptedResponse:
        echo = f"{request.header('DPoP')} {request.header('Authorization')}"
        challenge = f'DPoP error="{error}", error_description="{echo}"'
        return Json({"echo": echo}, 401, [("WWW-Authenticate", challenge)])

    service.api = api
    hook = hook_of(service)
    with pytest.raises(ResourceError) as caught:
        side.run(hook, "orders")
    tokens = list(service.bound)
    signatures = [proof["jwt"].rpartition(".")[2] for proof in service.proofs]
    assert_nothing_confidential(caught.value, [*tokens, *signatures])
    assert "DPoP" in str(caught.value)


def test_what_the_api_sends_back_is_redacted(service: DpopService, side: Side) -> None:
    service.api = lambda request: Json({"proof": request.header("DPoP"), "key": "x"})
    hook = hook_of(service)
    response = side.run(hook, "orders")
    assert hook.redactor.value(response.json()) == {"proof": "***", "key": "x"}


def test_a_token_is_introspected_and_revoked_like_any_other(service: DpopService, side: Side) -> None:
    hook = hook_of(service)
    token = side.token(hook)
    issue = service.token
    service.token = lambda _: Json({"active": True, "token_type": "DPoP", "cnf": {"jkt": "x"}})
    about = side.call(hook, "introspect", endpoint=f"{service.server.url}/token/introspection")
    assert (about["active"], about["token_type"]) == (True, "DPoP")
    assert side.call(hook, "revoke", token, endpoint=f"{service.server.url}/token/revocation") is True
    service.token = issue
    assert side.token(hook).value != token.value
    assert all(request.header("DPoP") is None for request in service.token_requests[1:3])


def test_an_api_whose_address_comes_with_the_token(
    service: DpopService, side: Side, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From the server, and from the store."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    service.members = {"instance_url": service.server.url}
    for _ in range(2):
        hook = hook_of(service, base_url="{instance_url}/api")
        assert side.run(hook, "orders").json()["authorization"] == "DPoP bound-tok-1"
        shared.slots.clear()
    assert service.refused() == []
