"""Which requests that change something come from the page itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

from airflow_oauth_provider.plugin.airflow_access import base_url
from airflow_oauth_provider.plugin.messages import PageError


def refuse_other_sites(request: Request) -> None:
    """Refuse what another site made a browser send.

    Forms cannot send JSON, and a script of another origin would have to be allowed to by Airflow's
    CORS options. Browsers say where a request comes from: in ``Sec-Fetch-Site`` where the page was
    fetched by https or from this host, in ``Origin`` always.

    :raises PageError: for a request that the page has not sent.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" and _of_the_same_origin(request):
        return
    text = "This was not sent by the page “OAuth 2.0 servers”, so nothing was done."
    if "origin" in request.headers and "sec-fetch-site" not in request.headers:
        text += " If it was: [api] base_url must be the address under which browsers reach Airflow."
    raise PageError(403, "Refused", text)


def _of_the_same_origin(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True  # no browser: a program that has a token of Airflow's of its own
    host = _host_of(origin)
    # Behind a proxy that rewrites Host, Airflow's own base_url says what browsers call it.
    return host is not None and host in {_host_of(f"//{request.headers.get('host')}"), _host_of(base_url())}


def _host_of(address: str) -> tuple[str, int | None] | None:
    """Return host and port; ``None`` for anything without a host, such as the origin ``null``."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.hostname, None if port in {80, 443} else port


MAX_BODY = 2 * 1024 * 1024
"""Bytes of the largest body that is read."""


def require_size(request: Request) -> None:
    """Refuse a body that is too large, or does not say how large it is, before anybody reads it.

    :raises PageError: for any such.
    """
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        raise PageError(411, "Refused", "This request does not say how long it is, so nothing was done.")
    if len(length) > 12 or int(length) > MAX_BODY:
        limit = MAX_BODY // 1024 // 1024
        text = f"This is more than {limit} MiB, so nothing was done: a key file has a few KiB."
        raise PageError(413, "Too large", text)


async def require_object(request: Request) -> None:
    """Refuse a body that is no JSON object, before Airflow's audit log stumbles over it.

    :raises PageError: for any other.
    """
    try:
        fine = isinstance(await request.json(), dict)
    except (ValueError, RecursionError):
        fine = False
    if not fine:
        text = "The body of this request is no JSON object, so nothing was done."
        raise PageError(400, "Not understood", text)
