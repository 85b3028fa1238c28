"""What the error for an API's refusal says (RFC 6750 §3)."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_oauth_provider.exceptions import InsufficientScopeError, ResourceError
from airflow_oauth_provider.protocol.call.challenges import bearer, parse_challenges
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.texts import clean

_RETRYABLE = frozenset({408, 425, 429})
# Some APIs say 400 where a proof of possession is missing (RFC 9449 §7.1 says 401).
_CHALLENGES = frozenset({400, 401})


def resource_error(
    status: int,
    reason: str,
    challenges: Iterable[str],
    *,
    retry_after: float | None = None,
    refusal_remembered: bool = False,
    redactor: Redactor = NOTHING,
) -> ResourceError:
    """Build the error for a response of status 400 and above.

    :param reason: the response's reason phrase.
    :param refusal_remembered: the token was not renewed, since this API has just refused a new one.
    :param redactor: of what the message may not repeat.
    """
    found = parse_challenges(challenges)
    schemes = ", ".join(clean(challenge.name) or "?" for challenge in found) or None
    said = bearer(found)
    text = f"the API answered HTTP status {status}"
    text += f" {shown}" if (shown := clean(reason, redactor)) else ""
    parameters = said.parameters if said else {}
    code = clean(parameters.get("error"), redactor)
    description = clean(parameters.get("error_description"), redactor)
    text += f": {code}" if code else ""
    text += f" ({description})" if description else ""
    if parameters.get("error") == "insufficient_scope":
        scope = clean(parameters.get("scope"), redactor)
        needed = f"it needs the scope {scope}" if scope else "it needs a scope that it does not name"
        return InsufficientScopeError(
            f"{text}; {needed}. Add it to the connection's scope and have it granted (RFC 6750 §3.1)",
            scope=scope,
            status=status,
            challenge=schemes,
        )
    if refusal_remembered:
        text += (
            "; within the last minute it refused a token that had only just been granted, so this one was "
            "not renewed. Check audience, scope and base URL, or wait for the API"
        )
    elif found and not said and status in _CHALLENGES:
        text += f"; it wants {schemes}, not a Bearer token"
    elif status == 401:
        text += "; a new token did not help"
    return ResourceError(
        text,
        status=status,
        challenge=schemes,
        retryable=refusal_remembered or status in _RETRYABLE or status >= 500,
        retry_after=retry_after,
    )
