"""From the extra to the settings for servers that are not quite those of RFC 6749 and RFC 6750."""

from __future__ import annotations

from airflow_oauth_provider.connection.checks import printable
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.protocol.json_path import Path, PathError, parse_path
from airflow_oauth_provider.protocol.settings import ResponseSettings

MEMBERS = ("access_token", "expires_in", "expires_at", "token_type", "scope")
"""Members of a token response that ``answer_fields`` may name."""
TOLERANCES = ("created", "untyped")


def response_settings(extra: Extra) -> ResponseSettings:
    """Return in what the token response differs from RFC 6749 §5.1."""
    tolerates = tuple(dict.fromkeys(extra.value("tolerate") or ()))
    if not set(tolerates) <= set(TOLERANCES):
        extra.fail("tolerate", f"must list only {' and '.join(TOLERANCES)}, one a line")
    return ResponseSettings(
        members=_members(extra),
        expires_in_unit=extra.value("expires_in_unit"),
        tolerates=tolerates,
    )


def _members(extra: Extra) -> tuple[tuple[str, Path], ...]:
    key = "answer_fields"
    members = []
    for name, text in extra.value(key) or ():
        if name not in MEMBERS:
            extra.fail(key, f"names {printable(name)}: it may name {', '.join(MEMBERS)}")
        try:
            path = parse_path(text)
        except PathError as error:
            extra.fail(key, f"{error} for {name}: write it like $.data.token")
        if not path:
            extra.fail(key, f"has no path for {name}: write it like $.data.token")
        members.append((name, path))
    return tuple(members)
