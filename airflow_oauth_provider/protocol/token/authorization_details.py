"""Rich authorization requests (RFC 9396): what a client asks for, and what a server grants of it.

What is granted may be more than was asked for, and differently put: servers add members (§7.1) and arrays
have no order. So a request counts as granted where some granted object holds all that it asks for. Details
may hold personal data, such as numbers of accounts: no log line repeats more of them than their types.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_value
from airflow_oauth_provider.protocol.texts import cut, plain

MEMBER = "authorization_details"
"""Name of the parameter (§2) and of the member of the response (§7)."""
MAX_DETAILS = 16 * 1024
"""Characters of all details together."""
_SHAPE = 'a JSON array of objects, each with a text "type" (RFC 9396 §2)'
_MOST_TYPES = 500


class DetailsError(ValueError):
    """They are not what RFC 9396 calls authorization details; the message repeats nothing of them."""


class GrantedDetails(NamedTuple):
    """What a response says.

    :param text: the details as JSON; ``None`` where it does not say, or what it says cannot be kept.
    :param warnings: worth a log line each.
    """

    text: str | None
    warnings: tuple[str, ...] = ()


def canonical(value: Any) -> str:
    """Return details as JSON text, in one spelling.

    :raises DetailsError: when they are none.
    """
    if not isinstance(value, list) or not value or not all(_has_type(item) for item in value):
        raise DetailsError(f"must be {_SHAPE}")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_DETAILS:
        raise DetailsError(f"has more than {MAX_DETAILS // 1024} KiB")
    return text


def _has_type(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("type"), str) and bool(item["type"].strip())


def read_details(
    settings: ClientSettings, data: dict[str, Any], token: str, *, redactor: Redactor
) -> GrantedDetails:
    """Read what was granted from a token response, and hold it against what was asked for.

    :param data: members of the response.
    :param token: that came with it: details that repeat it, or a secret, are not kept.
    :param redactor: of the secrets.
    """
    requested, value = settings.request.rich_requests, data.get(MEMBER)
    if value is None:
        silent = f"the response names no {MEMBER}: the server may have ignored rich_requests (RFC 9396 §7)"
        return GrantedDetails(None, (silent,) if requested else ())
    try:
        text = canonical(value)
    except DetailsError as error:
        reason = f"{MEMBER} of the response {error}"
    else:
        if not redactor.with_values(token).finds_in(text):
            return GrantedDetails(text, _differences(requested, text))
        reason = f"{MEMBER} of the response repeats a secret or the token"
    return GrantedDetails(None, (f"{reason}: it is not kept",))


def _differences(requested: str | None, granted: str) -> tuple[str, ...]:
    if requested is None or requested == granted:
        return ()
    missing = not_granted(requested, granted)
    if missing:
        names = cut(", ".join(missing), _MOST_TYPES)
        return (f"the server granted other details than rich_requests asks for: without {names}",)
    return ("the server granted more, or in more words, than rich_requests asks for",)


def not_granted(requested: str | None, granted: str | None) -> tuple[str, ...]:
    """Return the types of what was asked for and not granted.

    :param requested: JSON text, like *granted*; ``None`` for nothing, or where nobody knows.
    """
    if requested is None or granted is None:
        return ()
    offers = details_in(granted)
    missing = [wish for wish in details_in(requested) if not any(_covers(offer, wish) for offer in offers)]
    return tuple(dict.fromkeys(plain(wish["type"]) for wish in missing))


def _covers(offer: Any, wish: Any) -> bool:
    if isinstance(offer, dict) and isinstance(wish, dict):
        return all(name in offer and _covers(offer[name], value) for name, value in wish.items())
    if isinstance(offer, list) and isinstance(wish, list):
        return all(any(_covers(one, other) for one in offer) for other in wish)
    return isinstance(offer, bool) is isinstance(wish, bool) and bool(offer == wish)


def details_in(text: str | None) -> list[dict[str, Any]]:
    """Return the objects of a text that may come from a store; none of one that is nothing of the kind."""
    if text is None:
        return []
    try:
        value = parse_value(text)
        canonical(value)
    except (JsonError, DetailsError):
        return []
    return list(value)


def displayed(text: str | None) -> tuple[str, ...]:
    """Return details for people, a line for each, without anything that steers a terminal."""
    return tuple(plain(json.dumps(item, ensure_ascii=False)) for item in details_in(text))
