"""What the error for an API's refusal says (RFC 6750 §3).

``GET https://api.example/v1/orders?page=… answered 404 NOT FOUND: {"message": "…"}``: what was called, what
the API said, and what to do about it. Texts of the API are redacted before they are cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_oauth_provider.exceptions import InsufficientScopeError, ResourceError
from airflow_oauth_provider.protocol.call.challenges import Challenge, of_scheme, parse_challenges
from airflow_oauth_provider.protocol.dpop.server_hints import INVALID_PROOF, USE_NONCE
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.texts import clean, cut

MAX_TEXT = 200
"""Characters of a text that stands in a header: reason, scheme, error, description."""
MAX_BODY_IN_TEXT = 1000
"""Characters of the body that the error's text repeats."""
_RETRYABLE = frozenset({408, 425, 429})
# Some APIs say 400 where a proof of possession is missing (RFC 9449 §7.1 says 401).
_CHALLENGES = frozenset({400, 401})
_REFUSED_PROOF = {
    USE_NONCE: (
        "it asks for a nonce in the proof, and names none (RFC 9449 §9)",
        "ask the operator of the API",
    ),
    INVALID_PROOF: (
        "it does not accept the proof of possession (RFC 9449 §4.3)",
        "check this machine's clock, and whether the API sees its own address as it is called here",
    ),
}
_SAID_OF_DEAD_TOKENS = frozenset({403, 419})
"""Statuses beside 401 by which some APIs refuse a token that has ended."""


@dataclass(frozen=True)
class RefusedCall:
    """A call that an API has refused.

    :param method: ``None`` where it is not known, as with ``url``.
    :param url: without the values of its query.
    :param challenges: the ``WWW-Authenticate`` headers.
    :param body: its beginning, fit to be shown; ``None`` where there is none.
    :param token_was_new: the token was granted for this very call; ``None`` where that is not known.
    :param refusal_remembered: the token was not renewed, since this API has just refused a new one.
    :param renews: whether this status renews the token.
    :param proved: the call carried a proof of possession of its token (RFC 9449).
    :param names_nonce: the response names the nonce for the next proof.
    """

    status: int
    reason: str = ""
    method: str | None = None
    url: str | None = None
    challenges: tuple[str, ...] = ()
    body: str | None = field(default=None, repr=False)
    retry_after: float | None = None
    token_was_new: bool | None = None
    refusal_remembered: bool = False
    renews: bool = False
    proved: bool = False
    names_nonce: bool = False


def passes(status: int) -> bool:
    """Whether the same call may succeed later, by what its status means."""
    return status in _RETRYABLE or status >= 500


def resource_error(call: RefusedCall, redactor: Redactor = NOTHING) -> ResourceError:
    """Build the error for a response of status 400 and above.

    :param redactor: of what the error may not repeat.
    """
    challenges = parse_challenges(call.challenges)
    schemes = cut(", ".join(_clean(challenge.name, redactor) or "?" for challenge in challenges), MAX_TEXT)
    schemes_asked = ("dpop", "bearer") if call.proved else ("bearer", "dpop")
    said = next(filter(None, (of_scheme(challenges, scheme) for scheme in schemes_asked)), None)
    parts = [text for text in (_said(said, redactor), cut(call.body or "", MAX_BODY_IN_TEXT)) if text]
    text = "; ".join((": ".join((_head(call, redactor), *parts[:1])), *parts[1:]))
    attributes = {"status": call.status, "challenge": schemes or None, "method": call.method, "url": call.url}
    if said is not None and said.parameters.get("error") == "insufficient_scope":
        scope = clean(said.parameters.get("scope"), redactor)
        needed = f"it needs the scope {scope}" if scope else "it needs a scope that it does not name"
        lacking = InsufficientScopeError(
            f"{text}; {needed} (RFC 6750 §3.1)",
            scope=scope,
            body=call.body,
            **attributes,  # type: ignore[arg-type]
        )
        return lacking.with_advice("add it to the connection's scope, and have it granted")
    explanation, advice = _explanation(call, challenges, schemes)
    return ResourceError(
        f"{text}; {explanation}" if explanation else text,
        retryable=call.refusal_remembered or passes(call.status) or _nonce_has_changed(call, said),
        retry_after=call.retry_after,
        body=call.body,
        **attributes,  # type: ignore[arg-type]
    ).with_advice(advice)


def _nonce_has_changed(call: RefusedCall, said: Challenge | None) -> bool:
    """Whether the API wants a newer nonce than the one it has just named: calls beside this one used that."""
    asks = said is not None and said.parameters.get("error") == USE_NONCE
    return asks and call.proved and call.names_nonce


def _head(call: RefusedCall, redactor: Redactor) -> str:
    reason = _clean(call.reason, redactor)
    outcome = f"answered {call.status}" + (f" {reason}" if reason else "")
    return f"{call.method} {call.url} {outcome}" if call.method and call.url else f"the API {outcome}"


def _said(challenge: Challenge | None, redactor: Redactor) -> str:
    """Return what the challenge says of the token."""
    if challenge is None:
        return ""
    code = _clean(challenge.parameters.get("error"), redactor)
    description = _clean(challenge.parameters.get("error_description"), redactor)
    return " ".join(text for text in (code, description and f"({description})") if text)


def _explanation(
    call: RefusedCall, challenges: tuple[Challenge, ...], schemes: str
) -> tuple[str | None, str | None]:
    """Return what lies behind the refusal, and what to do, where that is known."""
    if call.refusal_remembered:
        why = "within the last minute it refused a token that had only just been granted, so this one was "
        return f"{why}not renewed", "check audience, scope and base URL, or wait for the API"
    proof = _of_the_proof(call, challenges)
    if proof is not None:
        return proof
    carried = "DPoP" if call.proved else "Bearer"
    if call.status in _CHALLENGES and challenges and not of_scheme(challenges, carried.lower()):
        return f"it wants {schemes}, not a {carried} token", None
    if call.status == 401 and call.renews:
        return "a new token did not help", None
    if call.status in _SAID_OF_DEAD_TOKENS and call.token_was_new is False and not call.renews:
        dead = f"if this API answers {call.status} to a token that has ended"
        return "its token was not new", f"{dead}, add {call.status} to the connection's refresh_on_status"
    return None, None


def _of_the_proof(
    call: RefusedCall, challenges: tuple[Challenge, ...]
) -> tuple[str | None, str | None] | None:
    """Return the same of a refusal for want of a proof of possession; ``None`` for any other."""
    challenge = of_scheme(challenges, "dpop") if call.status in _CHALLENGES else None
    if challenge is None:
        return None
    if not call.proved and of_scheme(challenges, "bearer"):
        return None  # it takes either
    if not call.proved:
        why = "it asks for a proof of possession (DPoP, RFC 9449), and this connection's tokens have none"
        return why, "switch the connection's dpop on"
    if _nonce_has_changed(call, challenge):
        why = "it asks for another nonce than the one that it has just named (RFC 9449 §9)"
        return why, "repeat the call: others may have changed the nonce meanwhile"
    return _REFUSED_PROOF.get(challenge.parameters.get("error", ""))


def _clean(text: str | None, redactor: Redactor) -> str:
    return clean(text, redactor, most=MAX_TEXT) or ""
