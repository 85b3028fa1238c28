"""Where a call goes, and whether the token may go there.

The token is bound to origins (RFC 6750 §5.3: protected by TLS, and for its own API only). DAG
code names paths, data that an API returned names "next page" URLs; both pass through here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import ApiSettings
from airflow_oauth_provider.protocol.urls import (
    Origin,
    Url,
    UrlError,
    check_characters,
    host_allowed,
    is_forbidden_address,
    parse_url,
)

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Destination:
    """The API of one hook.

    :param base_url: endpoints are joined to it; ``None`` when only absolute URLs are called.
    :param origins: where the token may go.
    :param listed_hosts: entries of the allow-list; a host that one names may have any address.
    """

    base_url: str | None
    origins: tuple[Origin, ...]
    listed_hosts: tuple[str, ...] = ()


def destination(api: ApiSettings, chosen_base_url: str | None) -> Destination:
    """Combine the connection's API with the ``base_url`` that DAG code chose.

    Only a connection that names no API at all leaves the choice to DAG code.

    :param chosen_base_url: ``None`` for the connection's own.
    :raises ConfigurationError: when the chosen one lies outside the connection's origins.
    """
    if chosen_base_url is None:
        base_url = None if api.base_url is None else str(api.base_url)
        return Destination(base_url, api.origins, api.listed_hosts)
    try:
        if not isinstance(chosen_base_url, str):
            raise UrlError("must be text")
        url = parse_url(chosen_base_url, query_allowed=False)
    except UrlError as error:
        raise ConfigurationError(str(error), field="base_url") from None
    origin = url.origin
    if api.origins and origin not in api.origins:
        raise ConfigurationError(
            f"{origin} is not an origin the connection's token may go to: add it to allowed_origins",
            field="base_url",
        )
    _check_listed(api, url)
    return Destination(str(url), api.origins or (origin,), api.listed_hosts)


def _check_listed(api: ApiSettings, url: Url) -> None:
    if host_allowed(url.origin, api.listed_hosts):
        return
    if api.listed_hosts or is_forbidden_address(url.origin.host):
        raise ConfigurationError(
            f"the host {url.origin.authority} is not in [oauth2] {api.listed_in} of airflow.cfg",
            field="base_url",
        )


def resolve_endpoint(where: Destination, endpoint: str | None) -> str:
    """Return the URL to call.

    A relative endpoint is joined as Airflow's HTTP hook joins it: ``…/api`` and ``/x`` make
    ``…/api/x``. An absolute one must have an allowed origin.

    :raises ConfigurationError: when the token may not go there; nothing is sent.
    """
    text = "" if endpoint is None else endpoint
    try:
        if not isinstance(text, str):
            raise UrlError("must be text")
        check_characters(text)
        if is_absolute(text):
            url = parse_url(text.partition("#")[0])
            if not allowed(where, url.origin):
                raise UrlError(
                    f"names {url.origin}, where the token may not go: add it to allowed_origins if meant"
                )
            return text
        if text.startswith("//"):
            raise UrlError("begins with //, which would name another host")
        if where.base_url is None:
            raise UrlError("is relative, but neither the connection nor the DAG names a base_url")
        return str(parse_url(_joined(where.base_url, text)))
    except UrlError as error:
        raise ConfigurationError(f"the endpoint {error}", field="endpoint") from None


def is_absolute(endpoint: str) -> bool:
    """Whether an endpoint names its host, rightly or wrongly."""
    return _ABSOLUTE.match(endpoint) is not None


def _joined(base: str, endpoint: str) -> str:
    endpoint = endpoint.partition("#")[0]
    if endpoint and not base.endswith("/") and not endpoint.startswith("/"):
        return f"{base}/{endpoint}"
    if base.endswith("/") and endpoint.startswith("/"):
        return base + endpoint[1:]
    return base + endpoint


def allowed(where: Destination, origin: Origin) -> bool:
    """Whether the token may go to *origin*."""
    return origin in where.origins


def require_allowed(where: Destination, url: str) -> None:
    """Check an absolute URL that is about to be called with the token.

    :raises ConfigurationError: when it must not get the token.
    """
    try:
        origin = parse_url(url.partition("#")[0]).origin
    except UrlError as error:
        raise ConfigurationError(f"the URL {error}", field="endpoint") from None
    if not allowed(where, origin):
        raise ConfigurationError(
            f"the token may not go to {origin}: set base_url or allowed_origins on the connection",
            field="endpoint",
        )
