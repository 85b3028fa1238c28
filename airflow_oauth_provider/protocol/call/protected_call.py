"""One protected call: renew once, replay once, follow redirects safely.

A body may tell of a dead token, too (``dead_when``), under any status. Then a call that must not be made
twice is not repeated after a 2xx: the token is renewed for the next one.

Where calls carry a proof of possession (RFC 9449), one more may follow a refused proof: once for each origin
before a renewal, and once after it.

An API that asks to be left alone for a while (``Retry-After``) is reported, for the sake of other calls: this
one is not repeated for it.

A generator that decides for every HTTP library alike. It yields effects
(:mod:`airflow_oauth_provider.protocol.call.effects`); the driver keeps the token, beside the request that
carries it. RFC 6750 §3.1 (``invalid_token``, ``insufficient_scope``), RFC 9110 §15.4 (redirects).
"""

from __future__ import annotations

from collections.abc import Generator

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.challenges import parse_challenges
from airflow_oauth_provider.protocol.call.effects import (
    RenewToken,
    ReportCoolDown,
    ReportRefusal,
    ResponseHead,
    SendCall,
)
from airflow_oauth_provider.protocol.call.endpoints import Destination
from airflow_oauth_provider.protocol.call.http_methods import IDEMPOTENT
from airflow_oauth_provider.protocol.call.redirects import REDIRECTS, not_followed, redirected
from airflow_oauth_provider.protocol.urls import Origin, parse_url

MAX_REDIRECTS = 5
Effect = SendCall | RenewToken | ReportRefusal | ReportCoolDown
EffectResult = ResponseHead | bool
"""Of :class:`SendCall` the response, of :class:`RenewToken` whether there is another token."""
# Refusals that are not the token's fault: another of the same client would meet them, too (RFC 6750 §3.1,
# RFC 9449 §7.1 and §9, RFC 9470 §3).
_NOT_THE_TOKEN = frozenset(
    {"insufficient_scope", "use_dpop_nonce", "invalid_dpop_proof", "insufficient_user_authentication"}
)
# RFC 9449 §7.1 says 401; some APIs say 400, as authorization servers do.
PROOF_REFUSED = frozenset({400, 401})
"""Statuses by which an API may refuse a proof."""
ProtectedCall = Generator[Effect, EffectResult, None]


def protected_call(
    method: str,
    url: str,
    where: Destination,
    *,
    refresh_on_status: frozenset[int],
    replayable: bool,
    follow_redirects: bool = True,
    proves: bool = False,
    cool_down_on: frozenset[int] = frozenset(),
) -> ProtectedCall:
    """Make one call; the last response sent in is its result.

    Its first step is always to send the call as it is, and its last where :func:`ends_call` says so: who
    has made that step already need not begin a flow for nothing.

    :param replayable: the body can be sent a second time (none, bytes, text, a rewindable file).
    :param proves: calls carry a proof of possession.
    :param cool_down_on: statuses whose ``Retry-After`` concerns all calls of the API.
    :raises ResourceError: when a body cannot be replayed or a redirect must not be followed.
    """
    current = SendCall(method, url)
    watched = refresh_on_status | PROOF_REFUSED if proves else refresh_on_status
    repeats = _Repeats(refresh_on_status, replayable=replayable)
    redirects = 0
    while True:
        head = yield current
        if not isinstance(head, ResponseHead):
            return
        if current.trusted and head.status in cool_down_on and head.retry_after:
            yield ReportCoolDown(_origin_of(current), head.status, head.retry_after)
        if ends_call(head.status, watched) and not head.tells_dead_token:
            return
        sent_again = yield from repeats.decide(current, head)
        if sent_again:
            current = _with_nonce(current, head)
            continue
        if sent_again is False or not follow_redirects or head.status not in REDIRECTS or not head.location:
            return
        redirects += 1
        if redirects > MAX_REDIRECTS:
            raise not_followed(head, f"it redirects more than {MAX_REDIRECTS} times")
        current = redirected(current, head, where)
        if current.with_body and not replayable:
            raise not_followed(head, "the request's body can be read only once and cannot follow a redirect")


class _Repeats:
    """Whether a call is sent again as it is, with another proof or another token."""

    def __init__(self, refresh_on_status: frozenset[int], *, replayable: bool) -> None:
        self._refresh_on_status = refresh_on_status
        self._replayable = replayable
        self._renewed = False
        self._proven_anew: set[Origin] = set()

    def decide(self, call: SendCall, head: ResponseHead) -> Generator[Effect, EffectResult, bool | None]:
        """Return whether to send *call* again.

        :return: ``None`` where neither its token nor its proof was refused.
        :raises ResourceError: when its body cannot be sent again.
        """
        if not call.trusted:
            return None
        origin = _origin_of(call)
        if head.proof_can_improve:
            if origin in self._proven_anew:
                return False
            self._proven_anew.add(origin)
            error_of = _proof_is_late
        elif head.tells_dead_token or token_may_be_dead(head, self._refresh_on_status):
            if self._renewed:
                yield ReportRefusal(origin)
                return False
            self._renewed = True
            self._proven_anew.clear()
            if not (yield RenewToken(origin)) or _may_be_done(call, head):
                return False
            error_of = _body_is_gone
        else:
            return None
        if call.with_body and not self._replayable:
            raise error_of(head)
        return True


def _origin_of(call: SendCall) -> Origin:
    return parse_url(call.url.partition("#")[0]).origin


def _with_nonce(call: SendCall, head: ResponseHead) -> SendCall:
    """Return a call with the nonce that its own challenge names.

    Other calls may learn an older one meanwhile, from a response that was long under way.
    """
    named = head.nonces[0] if head.proof_can_improve and len(head.nonces) == 1 else None
    return call._replace(nonce=named)


def advance(flow: ProtectedCall, result: EffectResult) -> Effect | None:
    """Return the next effect of a flow; ``None`` when its result is there."""
    try:
        return flow.send(result)
    except StopIteration:
        return None


def ends_call(status: int, refresh_on_status: frozenset[int]) -> bool:
    """Whether a response is the last of its call, whatever else it says."""
    return status not in refresh_on_status and status not in REDIRECTS


def token_may_be_dead(head: ResponseHead, refresh_on_status: frozenset[int]) -> bool:
    """Whether another token could help: a missing scope it cannot bring."""
    if head.status not in refresh_on_status:
        return False
    challenges = parse_challenges(head.challenges)
    return not any(challenge.parameters.get("error") in _NOT_THE_TOKEN for challenge in challenges)


def _may_be_done(call: SendCall, head: ResponseHead) -> bool:
    """Whether a call that is not to be made twice may have been carried out, whatever its body says."""
    return head.status < 300 and call.method.upper() not in IDEMPOTENT


def _proof_is_late(head: ResponseHead) -> ResourceError:
    return ResourceError(
        f"the API wants another proof of possession (HTTP status {head.status}, RFC 9449 §9), but the "
        "request's body can be read only once and was not sent again: pass bytes or a file instead of a "
        "generator",
        status=head.status,
        retryable=True,
    )


def _body_is_gone(head: ResponseHead) -> ResourceError:
    return ResourceError(
        f"the API refused the token (HTTP status {head.status}). It has been renewed, but the "
        "request's body can be read only once and was not sent again: run the task again, or "
        "pass bytes or a file instead of a generator",
        status=head.status,
        retryable=True,
    )
