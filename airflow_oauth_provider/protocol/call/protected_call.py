"""One protected call: renew once, replay once, follow redirects safely.

A generator that decides for every HTTP library alike: it yields :class:`SendCall` and
:class:`RenewToken` and is sent a :class:`CallAnswer`. RFC 6750 §3.1 (``invalid_token``,
``insufficient_scope``), RFC 9110 §15.4 (redirects).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urljoin

from airflow_oauth_provider.exceptions import InsufficientScopeError, ResourceError
from airflow_oauth_provider.protocol.call.challenges import bearer, parse_challenges
from airflow_oauth_provider.protocol.call.endpoints import Destination, allowed
from airflow_oauth_provider.protocol.texts import clean
from airflow_oauth_provider.protocol.urls import UrlError, is_loopback, parse_url

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD"})
_RETRYABLE = frozenset({408, 425, 429})
# What a caller may ask for at a foreign server, too.
_NEUTRAL_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "range", "user-agent"})
_BODY_HEADERS = frozenset({"content-length", "content-type", "transfer-encoding"})


class SendCall(NamedTuple):
    """Send the request.

    :param trusted: false for an origin that may see nothing of ours: no token, cookie or header
        of the connection's.
    :param with_body: false when a redirect has turned the call into a GET.
    """

    method: str
    url: str
    trusted: bool = True
    with_body: bool = True


@dataclass(frozen=True)
class RenewToken:
    """Get another token than the one just refused."""


class CallAnswer(NamedTuple):
    """What the flow needs to know of an answer.

    :param location: the ``Location`` header.
    :param challenges: the ``WWW-Authenticate`` headers.
    """

    status: int
    location: str | None = None
    challenges: tuple[str, ...] = ()


ProtectedCall = Generator[SendCall | RenewToken, CallAnswer, None]


def protected_call(
    method: str,
    url: str,
    where: Destination,
    *,
    refresh_on_status: frozenset[int],
    replayable: bool,
    follow_redirects: bool = True,
) -> ProtectedCall:
    """Make one call; the last answer sent in is its result.

    Its first step is always to send the call as it is, and its last where :func:`ends_call` says so: who
    has made that step already need not begin a flow for nothing.

    :param replayable: the body can be sent a second time (none, bytes, text, a rewindable file).
    :raises ResourceError: when a body cannot be replayed or a redirect must not be followed.
    """
    current = SendCall(method, url)
    renewed = False
    redirects = 0
    while True:
        answer = yield current
        if ends_call(answer.status, refresh_on_status):
            return
        if current.trusted and not renewed and token_may_be_dead(answer, refresh_on_status):
            renewed = True
            yield RenewToken()
            if current.with_body and not replayable:
                raise ResourceError(
                    f"the API refused the token (HTTP status {answer.status}). It has been renewed, but the "
                    "request's body can be read only once and was not sent again: run the task again, or "
                    "pass bytes or a file instead of a generator",
                    status=answer.status,
                    retryable=True,
                )
            continue
        if not follow_redirects or answer.status not in REDIRECTS or not answer.location:
            return
        redirects += 1
        if redirects > MAX_REDIRECTS:
            raise _refused(answer, f"it redirects more than {MAX_REDIRECTS} times")
        current = redirected(current, answer, where)
        if current.with_body and not replayable:
            raise _refused(answer, "the request's body can be read only once and cannot follow a redirect")


def ends_call(status: int, refresh_on_status: frozenset[int]) -> bool:
    """Whether an answer is the last of its call, whatever else it says."""
    return status not in refresh_on_status and status not in REDIRECTS


def hop_headers(headers: Mapping[str, str], call: SendCall) -> dict[str, str]:
    """Return those headers of the first call that a later one may carry; its token is set anew."""
    dropped = {"authorization", "cookie"} | (frozenset() if call.with_body else _BODY_HEADERS)
    return {
        name: value
        for name, value in headers.items()
        if (name.lower() not in dropped if call.trusted else name.lower() in _NEUTRAL_HEADERS)
    }


def token_may_be_dead(answer: CallAnswer, refresh_on_status: frozenset[int]) -> bool:
    """Whether another token could help: a missing scope it cannot bring."""
    if answer.status not in refresh_on_status:
        return False
    challenge = bearer(parse_challenges(answer.challenges))
    return challenge is None or challenge.parameters.get("error") != "insufficient_scope"


def redirected(call: SendCall, answer: CallAnswer, where: Destination) -> SendCall:
    """Return the call that follows a redirect.

    :raises ResourceError: when following it could carry something where it must not go.
    """
    try:
        target = parse_url(urljoin(call.url, (answer.location or "").partition("#")[0]))
        source = parse_url(call.url.partition("#")[0])
    except (UrlError, ValueError) as error:
        reason = str(error) if isinstance(error, UrlError) else "is malformed"
        raise _refused(answer, f"the new address {reason}") from None
    if source.origin.scheme == "https" and target.origin.scheme != "https":
        raise _refused(answer, "the new address is not https")
    method, with_body = _rewritten(call, answer.status)
    if call.trusted and allowed(where, target.origin):
        return SendCall(method, str(target), with_body=with_body)
    if call.method not in _SAFE:
        raise _refused(
            answer,
            f"it leads to {target.origin}, where the token may not go, and only GET and HEAD are sent "
            "there without it. Add that origin to allowed_origins if it belongs to the API",
        )
    if is_loopback(target.origin.host) and not is_loopback(source.origin.host):
        raise _refused(answer, "it leads to this machine itself")
    return SendCall(method, str(target), trusted=False, with_body=False)


def _rewritten(call: SendCall, status: int) -> tuple[str, bool]:
    """RFC 9110 §15.4: 303 turns into GET, and so, by old custom, does POST on 301 and 302."""
    if (status == 303 and call.method != "HEAD") or (status in {301, 302} and call.method == "POST"):
        return "GET", False
    return call.method, call.with_body


def _refused(answer: CallAnswer, reason: str) -> ResourceError:
    return ResourceError(
        f"the API redirects (HTTP status {answer.status}), which is not followed: {reason}",
        status=answer.status,
    )


def resource_error(
    status: int,
    reason: str,
    challenges: Iterable[str],
    *,
    retry_after: float | None = None,
    confidential: tuple[str, ...] = (),
) -> ResourceError:
    """Build the error for an answer of status 400 and above.

    :param reason: the answer's reason phrase.
    :param confidential: strings that the message may not repeat.
    """
    found = parse_challenges(challenges)
    schemes = ", ".join(clean(challenge.scheme.title()) or "?" for challenge in found) or None
    said = bearer(found)
    text = f"the API answered HTTP status {status}"
    text += f" {shown}" if (shown := clean(reason, confidential)) else ""
    parameters = said.parameters if said else {}
    code = clean(parameters.get("error"), confidential)
    description = clean(parameters.get("error_description"), confidential)
    text += f": {code}" if code else ""
    text += f" ({description})" if description else ""
    if parameters.get("error") == "insufficient_scope":
        scope = clean(parameters.get("scope"), confidential)
        needed = f"it needs the scope {scope}" if scope else "it needs a scope that it does not name"
        return InsufficientScopeError(
            f"{text}; {needed}. Add it to the connection's scope and have it granted (RFC 6750 §3.1)",
            scope=scope,
            status=status,
            challenge=schemes,
        )
    if status == 401:
        text += (
            "; a new token did not help" if said or not found else f"; it wants {schemes}, not a Bearer token"
        )
    return ResourceError(
        text,
        status=status,
        challenge=schemes,
        retryable=status in _RETRYABLE or status >= 500,
        retry_after=retry_after,
    )
