"""One protected call, decided without any HTTP library."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import InsufficientScopeError, ResourceError
from airflow_oauth_provider.protocol.call.effects import RenewToken, ReportRefusal, ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.endpoints import Destination
from airflow_oauth_provider.protocol.call.protected_call import Effect, protected_call
from airflow_oauth_provider.protocol.call.refusal import RefusedCall, resource_error
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.urls import parse_url

API = "https://api.example/v1"
OTHER = "https://files.example"
WHERE = Destination(API, (parse_url(API).origin, parse_url(OTHER).origin))
OK = ResponseHead(200)


def to(location: str, status: int = 302) -> ResponseHead:
    return ResponseHead(status, location)


def run(
    *responses: ResponseHead,
    method: str = "GET",
    replayable: bool = True,
    refresh: frozenset[int] = frozenset({401}),
    url: str = f"{API}/x",
) -> list[SendCall | Effect]:
    """Return the effects of a call that meets *answers*; what is renewed needs none."""
    flow = protected_call(method, url, WHERE, refresh_on_status=refresh, replayable=replayable)
    pending = list(responses)
    effects = [next(flow)]
    while True:
        reply = pending.pop(0) if isinstance(effects[-1], SendCall) else isinstance(effects[-1], RenewToken)
        try:
            effects.append(flow.send(reply))
        except StopIteration:
            assert not pending, "the flow ended before the responses did"
            return effects


CALL = SendCall("GET", f"{API}/x")
REFUSAL = ReportRefusal(parse_url(API).origin)
RENEWAL = RenewToken(parse_url(API).origin)


class TestRefusedTokens:
    """RFC 6750 §3.1."""

    def test_an_answer_is_the_end(self) -> None:
        assert run(OK) == [CALL]

    @pytest.mark.parametrize(
        "challenges",
        [
            pytest.param((), id="none[R03]"),
            pytest.param(('Bearer error="invalid_token"',), id="invalid_token"),
            pytest.param(('Basic realm="x"',), id="Basic[R04]"),
            pytest.param(("Negotiate",), id="Negotiate[R04]"),
            pytest.param(('Basic realm="a, b", Bearer error="invalid_token"',), id="two-in-one[R05]"),
            pytest.param(("Negotiate", 'Bearer error="invalid_token"'), id="two-lines[R05]"),
            pytest.param(('Bearer error="unfinished',), id="malformed[R05]"),
        ],
    )
    def test_renewed_and_replayed_once(self, challenges: tuple[str, ...]) -> None:
        refused = ResponseHead(401, None, challenges)
        assert run(refused, OK) == [CALL, RENEWAL, CALL]
        second = run(refused, refused)
        assert second == [CALL, RENEWAL, CALL, REFUSAL], "the second refusal is the result"

    @pytest.mark.parametrize(
        "challenge",
        [
            'Bearer error="insufficient_scope", scope="a"',
            pytest.param('Bearer error="insufficient_user_authentication", max_age="5"', id="RFC9470[F86]"),
            pytest.param('DPoP error="use_dpop_nonce"', id="nonce[F10]"),
            pytest.param('Bearer realm="x", DPoP error="use_dpop_nonce"', id="nonce-beside[F10]"),
        ],
    )
    def test_what_another_token_cannot_help_is_not_renewed(self, challenge: str) -> None:
        for status in (401, 403):
            refused = ResponseHead(status, None, (challenge,))
            assert run(refused, refresh=frozenset({401, 403})) == [CALL]
            dead = ResponseHead(status)
            again = run(dead, refused, refresh=frozenset({401, 403}))
            assert again == [CALL, RENEWAL, CALL], "and never counts as a refusal of the token"

    @pytest.mark.fault("F10")
    def test_without_another_token_the_refusal_is_the_result(self) -> None:
        flow = protected_call("GET", CALL.url, WHERE, refresh_on_status=frozenset({401}), replayable=True)
        next(flow)
        assert flow.send(ResponseHead(401)) == RENEWAL
        with pytest.raises(StopIteration):
            flow.send(False)

    def test_other_statuses_by_configuration_only(self) -> None:
        assert run(ResponseHead(403)) == [CALL]
        assert run(ResponseHead(403), OK, refresh=frozenset({403})) == [CALL, RENEWAL, CALL]
        assert run(ResponseHead(407)) == [CALL]

    @pytest.mark.fault("R26")
    def test_a_body_that_is_gone_is_not_sent_empty(self) -> None:
        with pytest.raises(ResourceError) as caught:
            run(ResponseHead(401), OK, method="POST", replayable=False)
        assert caught.value.status == 401
        assert caught.value.retryable, "another run of the task has the body again"


class TestRedirects:
    """RFC 9110 §15.4, and where the token may go."""

    @pytest.mark.parametrize(
        "method, status, followed",
        [
            ("GET", 301, "GET"),
            ("GET", 308, "GET"),
            ("HEAD", 303, "HEAD"),
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("POST", 303, "GET"),
            ("PUT", 303, "GET"),
            ("POST", 307, "POST"),
            ("PUT", 302, "PUT"),
            ("DELETE", 308, "DELETE"),
        ],
    )
    def test_within_the_origin_with_the_token(self, method: str, status: int, followed: str) -> None:
        _, second = run(to("../y", status), OK, method=method)
        assert second == SendCall(followed, "https://api.example/y", with_body=(method in {followed, "GET"}))

    def test_to_an_allowed_origin_with_the_token(self) -> None:
        assert run(to(f"{OTHER}/y", 307), OK, method="POST")[1] == SendCall("POST", f"{OTHER}/y")

    def test_a_download_elsewhere_without_anything_of_ours(self) -> None:
        target = "https://storage.example/signed?x=1"
        (_, away, back) = run(to(target), to(f"{API}/z"), OK)
        assert away == SendCall("GET", target, trusted=False, with_body=False)
        assert back == SendCall("GET", f"{API}/z", trusted=False, with_body=False), "never back with them"

    def test_a_foreign_401_renews_nothing(self) -> None:
        assert len(run(to("https://storage.example/x"), ResponseHead(401))) == 2

    @pytest.mark.parametrize(
        "responses, arguments, words",
        [
            pytest.param([to("http://api.example/x")], {}, "https", id="to-http[R15]"),
            pytest.param([to("HTTP://API.example/x")], {}, "https", id="to-HTTP[R15]"),
            pytest.param([to("https://u:p@api.example/x")], {}, "user", id="userinfo"),
            pytest.param([to("https://api.example\\@evil.example/")], {}, "backslash", id="backslash"),
            pytest.param([to("https://[::1")], {}, "malformed", id="malformed"),
            pytest.param([to("https://127.0.0.1/x")], {}, "this machine", id="to-loopback"),
            pytest.param([to("https://evil.example/x", 307)], {"method": "POST"}, "may not go", id="POST"),
            pytest.param(
                [to("https://evil.example/x", 303)], {"method": "POST"}, "may not go", id="POST-303"
            ),
            pytest.param([to("/y")] * 6, {}, "more than 5", id="loop[R17]"),
            pytest.param(
                [to("/y", 307)], {"method": "POST", "replayable": False}, "only once", id="generator[R26]"
            ),
        ],
    )
    def test_not_followed(self, responses: list[ResponseHead], arguments: Any, words: str) -> None:
        with pytest.raises(ResourceError, match=words) as caught:
            run(*responses, **arguments)
        assert caught.value.status in {302, 303, 307}
        assert not caught.value.retryable

    def test_five_are_followed(self) -> None:
        assert len(run(*[to("/y")] * 5, OK)) == 6

    def test_no_location_is_an_answer(self) -> None:
        assert run(ResponseHead(302)) == [CALL]
        assert run(ResponseHead(304, "/y")) == [CALL]


class TestErrors:
    """What the API's refusal becomes."""

    @pytest.mark.parametrize(
        "status, retryable", [(400, False), (404, False), (408, True), (429, True), (500, True), (503, True)]
    )
    def test_what_a_repetition_may_mend(self, status: int, retryable: bool) -> None:
        error = resource_error(RefusedCall(status, "Reason"))
        assert (error.status, error.retryable) == (status, retryable)

    @pytest.mark.fault("R08")
    def test_the_missing_scope_is_named(self) -> None:
        challenge = 'Bearer error="insufficient_scope", scope="orders.write admin"'
        error = resource_error(RefusedCall(403, challenges=(challenge,)))
        assert isinstance(error, InsufficientScopeError)
        assert error.scope == "orders.write admin"
        assert "orders.write admin" in str(error)

    @pytest.mark.fault("R04")
    def test_another_scheme_is_named(self) -> None:
        error = resource_error(RefusedCall(401, "Unauthorized", challenges=("Negotiate", 'Basic realm="x"')))
        assert "Negotiate, Basic, not a Bearer token" in str(error)
        assert error.challenge == "Negotiate, Basic"

    @pytest.mark.fault("F71")
    @pytest.mark.parametrize("status", [400, 401])
    def test_a_proof_of_possession_is_named(self, status: int) -> None:
        error = resource_error(RefusedCall(status, challenges=('DPoP algs="ES256"',)))
        assert "(DPoP, RFC 9449)" in str(error)
        assert error.challenge == "DPoP"

    def test_texts_of_the_server_are_cleaned(self) -> None:
        challenge = 'Bearer error="invalid_token", error_description="expired <b>tok-secret</b>"'
        refused = RefusedCall(401, "\x1b[31mNo", challenges=(challenge,))
        error = resource_error(refused, Redactor(["tok-secret"]))
        assert "tok-secret" not in str(error)
        assert "\x1b" not in str(error)
        assert "(b)***(/b)" in str(error)


DEAD_IN_BODY = ResponseHead(200, tells_dead_token=True)


class TestDeadTokenInTheBody:
    """``dead_when``."""

    @pytest.mark.parametrize("status", [200, 400, 403, 500])
    def test_renewed_and_replayed_once(self, status: int) -> None:
        assert run(DEAD_IN_BODY._replace(status=status), OK) == [CALL, RENEWAL, CALL]

    def test_twice_is_reported_and_the_end(self) -> None:
        assert run(DEAD_IN_BODY, DEAD_IN_BODY) == [CALL, RENEWAL, CALL, REFUSAL]
        assert run(DEAD_IN_BODY, ResponseHead(401)) == [CALL, RENEWAL, CALL, REFUSAL]

    @pytest.mark.parametrize("method", ["POST", "PATCH"])
    def test_what_may_have_been_carried_out_is_not_repeated(self, method: str) -> None:
        sent = SendCall(method, f"{API}/x")
        assert run(DEAD_IN_BODY, method=method) == [sent, RENEWAL]
        refused = DEAD_IN_BODY._replace(status=400)
        assert run(refused, OK, method=method) == [sent, RENEWAL, sent]

    def test_a_body_that_is_gone_is_an_error(self) -> None:
        with pytest.raises(ResourceError, match="not sent again"):
            run(DEAD_IN_BODY._replace(status=400), method="POST", replayable=False)

    def test_a_foreign_origin_tells_nothing_of_the_token(self) -> None:
        away = SendCall("GET", "https://storage.example/y", trusted=False, with_body=False)
        assert run(to("https://storage.example/y"), DEAD_IN_BODY) == [CALL, away]


class TestProofs:
    """Of possession (RFC 9449 §9): the driver says whether another one could be accepted."""

    REFUSED = ResponseHead(401, nonces=("n-1",), proof_can_improve=True)
    AGAIN = REFUSED._replace(nonces=("n-2",))

    def proven(self, *heads: ResponseHead, **options: Any) -> list[Any]:
        given = {"refresh_on_status": frozenset({401}), "replayable": True, "proves": True, **options}
        flow = protected_call("GET", CALL.url, WHERE, **given)
        effects: list[Any] = [next(flow)]
        pending = list(heads)
        while pending:
            result = pending.pop(0) if isinstance(effects[-1], SendCall) else True
            try:
                effects.append(flow.send(result))
            except StopIteration:
                break
        return effects

    def test_once_with_the_nonce_of_its_own_challenge(self) -> None:
        assert self.proven(self.REFUSED, OK) == [CALL, CALL._replace(nonce="n-1")]
        assert self.proven(self.REFUSED, self.AGAIN, OK) == [CALL, CALL._replace(nonce="n-1")]

    def test_once_more_after_a_renewal(self) -> None:
        dead = ResponseHead(401, nonces=("n-2",))
        third = ResponseHead(401, nonces=("n-3",), proof_can_improve=True)
        sent = self.proven(self.REFUSED, dead, third, self.AGAIN)
        assert sent == [
            CALL,
            CALL._replace(nonce="n-1"),
            RENEWAL,
            CALL,
            CALL._replace(nonce="n-3"),
        ], "four sends at most"

    def test_at_each_origin_of_a_redirect(self) -> None:
        sent = self.proven(self.REFUSED, to(f"{OTHER}/y"), self.AGAIN, OK)
        moved = SendCall("GET", f"{OTHER}/y")
        assert sent == [CALL, CALL._replace(nonce="n-1"), moved, moved._replace(nonce="n-2")]

    def test_a_status_that_renews_nothing_is_looked_at_too(self) -> None:
        for status in (400, 401):
            head = self.REFUSED._replace(status=status)
            assert len(self.proven(head, OK, refresh_on_status=frozenset({419}))) == 2
            assert len(self.proven(head, OK, refresh_on_status=frozenset({419}), proves=False)) == 1

    def test_of_two_nonces_neither_is_meant(self) -> None:
        """Another clock may have improved the proof all the same."""
        assert self.proven(self.REFUSED._replace(nonces=("a", "b")), OK) == [CALL, CALL]

    def test_a_body_that_is_gone(self) -> None:
        flow = protected_call(
            "POST", CALL.url, WHERE, refresh_on_status=frozenset(), replayable=False, proves=True
        )
        next(flow)
        with pytest.raises(ResourceError, match="another proof"):
            flow.send(self.REFUSED)
