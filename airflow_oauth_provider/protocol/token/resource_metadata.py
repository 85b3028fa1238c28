"""Which authorization servers an API names (RFC 9728).

What an API says suggests an issuer to a person; it never sends a secret anywhere. Its document is read from
its own origin only, without any credential, and used only if it is about the very resource that was asked for
(RFC 9728 §3.3).
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.challenges import parse_challenges
from airflow_oauth_provider.protocol.effects import Fetch, Flow
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.token.metadata import allowed_url
from airflow_oauth_provider.protocol.urls import Url, UrlError, parse_url

PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
MAX_DOCUMENT = 64 * 1024
"""Bytes of a document."""
MAX_SERVERS = 5
"""Issuers that are read of it."""

Suggestion = Flow[tuple[str, ...]]


def authorization_servers_of(api: str, patterns: Sequence[str], *, deadline: float) -> Suggestion:
    """Ask an API which issuers it names; a flow.

    :param api: the address of a resource.
    :param patterns: ``allowed_api_hosts``; empty for any host.
    :param deadline: monotonic seconds at which to give up.
    :raises ConfigurationError: when it names none that may be believed.
    """
    url = _checked(api, patterns)
    refused: list[str] = []
    challenged = yield from _challenged(url, deadline)
    for place in dict.fromkeys((*challenged, well_known_url(url))):
        if _origin(place) != str(url.origin):
            refused.append(f"another origin than the API's ({place})")
            continue
        response = (yield Fetch(place, deadline)).result
        try:
            return _read(response, url)
        except _UnusableError as error:
            refused.append(f"{error} ({place})")
    raise ConfigurationError(
        f"{url} names no authorization server that can be used: {'; '.join(refused)}", field="issuer"
    )


def well_known_url(url: Url) -> str:
    """Return where the document of a resource stands: inserted before the path (RFC 9728 §3.1)."""
    path = str(url).removeprefix(str(url.origin))
    return f"{url.origin}{PROTECTED_RESOURCE}{'' if path == '/' else path}"


class _UnusableError(ValueError):
    """The document is of no use; says why."""


def _checked(api: str, patterns: Sequence[str]) -> Url:
    reason = None
    try:
        return allowed_url(api, patterns)
    except UrlError as error:
        reason = str(error)
    except ValueError:
        reason = "is on a host that [oauth2] allowed_api_hosts does not list, or on a forbidden address"
    raise ConfigurationError(f"the address of the API {reason}", field="issuer")


def _challenged(url: Url, deadline: float) -> Suggestion:
    """Return where the API's refusal says that its document is (RFC 9728 §5.1)."""
    response = (yield Fetch(str(url), deadline)).result
    if not isinstance(response, HttpResponse) or response.status != 401:
        return ()
    headers = (value for name, value in response.headers if name == "www-authenticate")
    named = (challenge.parameters.get("resource_metadata") for challenge in parse_challenges(headers))
    return tuple(place for place in named if place)


def _origin(place: str) -> str | None:
    try:
        return str(parse_url(place).origin)
    except UrlError:
        return None


def _read(response: object, resource: Url) -> tuple[str, ...]:
    if not isinstance(response, HttpResponse):
        raise _UnusableError("no response")
    if response.status != 200:
        raise _UnusableError(f"HTTP status {response.status}")
    if len(response.body) > MAX_DOCUMENT:
        raise _UnusableError(f"larger than {MAX_DOCUMENT // 1024} KiB")
    try:
        data = parse_object(response.body)
    except JsonError as error:
        reason = f"the document {error}"
    else:
        return _servers(data.get("resource"), data.get("authorization_servers"), resource)
    raise _UnusableError(reason)


def _servers(named: object, servers: object, resource: Url) -> tuple[str, ...]:
    # RFC 9728 §3.3: if the two are not identical, the data MUST NOT be used. An origin may lack its slash.
    identical = {str(resource), str(resource.origin) if str(resource) == f"{resource.origin}/" else ""}
    if not isinstance(named, str) or not named or named not in identical:
        raise _UnusableError("the document is of another resource; the two must be the same exactly")
    if not isinstance(servers, list):
        raise _UnusableError("the document names no authorization servers")
    issuers = tuple(server for server in servers[:MAX_SERVERS] if isinstance(server, str) and server)
    if not issuers:
        raise _UnusableError("the document names no authorization servers")
    return issuers
