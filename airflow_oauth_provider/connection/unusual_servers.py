"""From the extra to the settings for servers that are not quite those of RFC 6749 and RFC 6750."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_oauth_provider.connection.checks import printable
from airflow_oauth_provider.connection.extra import Extra
from airflow_oauth_provider.protocol.call.credentials import TOKEN_HEADER
from airflow_oauth_provider.protocol.call.dead_token import DeadTokenSign, SignError, parse_sign
from airflow_oauth_provider.protocol.call.instance import PLACEHOLDER as INSTANCE
from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.client.proof import Problems
from airflow_oauth_provider.protocol.json_path import Path, PathError, parse_path
from airflow_oauth_provider.protocol.settings import ClientSettings, InstancePlace, ResponseSettings
from airflow_oauth_provider.protocol.urls import UrlError, parse_url, split_pattern

MEMBERS = ("access_token", "expires_in", "expires_at", "token_type", "scope", "instance_url")
"""Members of a token response that ``answer_fields`` may name."""
TOLERANCES = ("created", "untyped")
NO_SCHEME = "none"
_STANDARD = TOKEN_HEADER, "Bearer"
_PATTERN = re.compile(r"https://\*\.((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+(?::[0-9]{1,5})?)/?\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\Z")
# Headers that mean something to HTTP itself, or that go along to hosts where a token must not go.
_RESERVED = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "connection", "content-encoding"),
        *("content-length", "content-type", "cookie", "dpop", "expect", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "range", "te", "trailer", "transfer-encoding"),
        *("upgrade", "user-agent"),
    }
)


def response_settings(extra: Extra) -> ResponseSettings:
    """Return in what the token response differs from RFC 6749 §5.1."""
    tolerates = tuple(dict.fromkeys(extra.value("tolerate") or ()))
    if not set(tolerates) <= set(TOLERANCES):
        extra.fail("tolerate", f"must list only {' and '.join(TOLERANCES)}, one a line")
    return ResponseSettings(
        members=_members(extra),
        expires_in_unit=extra.value("expires_in_unit"),
        tolerates=tolerates,
        names_instance=str(extra.value("base_url") or "").startswith(INSTANCE),
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


def token_header(extra: Extra) -> tuple[str, str]:
    """Return the header that the API wants the token in, and the scheme before it."""
    name = extra.value("header_name") or TOKEN_HEADER
    if not _TOKEN.match(name) or name.lower() in _RESERVED:
        extra.fail("header_name", "must be the name of a header of the API's own, like X-Api-Token")
    standard = name.lower() == TOKEN_HEADER.lower()
    scheme = extra.value("header_scheme") or ("Bearer" if standard else NO_SCHEME)
    if not _TOKEN.match(scheme):
        extra.fail("header_scheme", f"must be one word, like Token, or {NO_SCHEME}")
    return TOKEN_HEADER if standard else name, "" if scheme.lower() == NO_SCHEME else scheme


def dead_token_sign(extra: Extra) -> DeadTokenSign | None:
    """Return how the body of a response tells that the token has ended."""
    text = extra.value("dead_when")
    if text is None:
        return None
    try:
        return parse_sign(text)
    except SignError as error:
        extra.fail("dead_when", str(error))


def instance_place(
    extra: Extra, base_url: str | None, origins: tuple[str, ...]
) -> tuple[InstancePlace | None, tuple[str, ...]]:
    """Return where ``base_url`` comes with each token, and those of *origins* that are no patterns."""
    patterns = tuple(text for text in origins if "*" in text)
    plain = tuple(text for text in origins if "*" not in text)
    if base_url is None or not base_url.startswith(INSTANCE):
        if INSTANCE in (base_url or ""):
            extra.fail("base_url", f"must begin with {INSTANCE}, or not have it")
        if patterns:
            extra.fail("allowed_origins", f"may have a * only where base_url begins with {INSTANCE}")
        return None, plain
    path = base_url.removeprefix(INSTANCE)
    try:
        url = parse_url(f"https://instance.invalid{path}", query_allowed=False)
    except UrlError as error:
        extra.fail("base_url", str(error))
    if path[:1] not in {"", "/"} or INSTANCE in path:
        extra.fail("base_url", f"must have nothing or a path after {INSTANCE}")
    return InstancePlace(url.path, tuple(_host_pattern(extra, text) for text in patterns)), plain


def _host_pattern(extra: Extra, text: str) -> str:
    """Return the pattern of hosts in ``https://*.my.salesforce.com``."""
    pattern = _PATTERN.match(text)
    if pattern is None:
        extra.fail(
            "allowed_origins",
            "may have a * only as in https://*.my.salesforce.com: with two labels behind it",
        )
    try:
        host, port = split_pattern(f"*.{pattern[1]}")
    except UrlError as error:
        extra.fail("allowed_origins", f"{error}: write it like https://*.my.salesforce.com")
    return host if port is None else f"{host}:{port}"


def ignored(settings: ClientSettings) -> Iterator[str]:
    """Yield a warning of each setting that has no effect beside the others."""
    response = settings.response
    if settings.proof.enabled and "untyped" in response.tolerates:
        yield "tolerate untyped is ignored: with dpop the response has to say that the token is bound"
    if not response.names_instance and any(name == "instance_url" for name, _ in response.members):
        yield f"answer_fields names instance_url, which is ignored: base_url has no {INSTANCE}"


def bad_combinations(settings: ClientSettings) -> Problems:
    """Check what cannot go together."""
    named = settings.response.names_instance
    if named and method_of(settings).function is None:
        yield (
            "base_url",
            f"cannot have {INSTANCE} beside {settings.auth_method}: a provider names no instance",
        )
    own = settings.api.header_name, settings.api.header_scheme
    for field, value, standard in zip(("header_name", "header_scheme"), own, _STANDARD, strict=True):
        if settings.proof.enabled and value != standard:
            yield field, "cannot be set beside dpop: RFC 9449 §7.1 says where the token stands"
