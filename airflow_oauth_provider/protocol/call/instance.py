"""An API whose address comes with the token: ``{instance_url}`` at the beginning of ``base_url``.

The address is what a server says, so it only chooses among the hosts that the connection or the deployment
has approved, for each token anew. An approval with a ``*.`` approves the one origin that a token names, and
no other host of that domain: a "next page" on another customer's host is as foreign as any. It approves the
port that it names, and 443 where it names none, as every other entry of ``allowed_origins`` does.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.settings import ApiSettings, ClientSettings
from airflow_oauth_provider.protocol.urls import (
    Origin,
    Url,
    UrlError,
    host_allowed,
    is_forbidden_address,
    parse_url,
    split_pattern,
)

PLACEHOLDER = "{instance_url}"
MAX_LENGTH = 500
_HTTPS = 443
_TO_COME = Origin("https", "instance.invalid", _HTTPS)


def instance_origin(api: ApiSettings, text: object) -> Origin:
    """Return the origin that a token response names as its API's.

    :raises UrlError: when it is none, or nobody has approved it.
    """
    if not isinstance(text, str) or not 0 < len(text) <= MAX_LENGTH:
        raise UrlError("is missing, or no address")
    url = parse_url(text, query_allowed=False)
    if url.path != "/":
        raise UrlError("has a path: only scheme, host and port are expected")
    origin, patterns = url.origin, api.instance.patterns if api.instance else ()
    if api.listed_hosts:
        approved, by = host_allowed(origin, api.listed_hosts), f"[oauth2] {api.listed_in}"
    else:
        approved, by = origin in api.origins or _matches(origin, patterns), "allowed_origins"
    if not approved or (is_forbidden_address(origin.host) and not host_allowed(origin, api.listed_hosts)):
        raise UrlError(f"names {origin}, which {by} does not list")
    return origin


def api_of(settings: ClientSettings, token: AccessToken | None) -> ApiSettings:
    """Return the API of a token; that of the connection where tokens do not name it.

    :param token: ``None`` for one that is still to come, whose API has an address that leads nowhere.
    :raises UrlError: when it names no API that anybody has approved.
    """
    api = settings.api
    if api.instance is None:
        return api
    if token is None:
        origin = _TO_COME
    else:
        origin = instance_origin(api, token.instance_url if isinstance(token, PrivateToken) else None)
    return replace(api, base_url=Url(origin, api.instance.path), origins=(origin, *api.origins))


def _matches(origin: Origin, patterns: tuple[str, ...]) -> bool:
    if origin.scheme != "https":
        return False
    return any(
        host_allowed(origin, (pattern,)) and (origin.port == _HTTPS or split_pattern(pattern)[1] is not None)
        for pattern in patterns
    )
