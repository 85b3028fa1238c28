"""Where a redirect may lead, and what goes along (RFC 9110 §15.4)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.credentials import TokenHeader
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.endpoints import Destination, allowed
from airflow_oauth_provider.protocol.urls import (
    Url,
    UrlError,
    host_allowed,
    is_forbidden_address,
    is_loopback,
    parse_url,
)

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SENT_ANYWHERE = frozenset({"GET", "HEAD"})
"""Methods of calls that go on, without the token, where that may not go."""
# What a caller may ask for at a foreign server, too.
_NEUTRAL_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "range", "user-agent"})
_BODY_HEADERS = frozenset({"content-length", "content-type", "transfer-encoding"})


def hop_headers(headers: Mapping[str, str], call: SendCall) -> dict[str, str]:
    """Return those headers of the first call that a later one may carry.

    Its token is set anew, perhaps in another header: the connection may have been edited meanwhile.
    """
    dropped = {"authorization", "dpop", "cookie"} | (frozenset() if call.with_body else _BODY_HEADERS)
    return {
        name: value
        for name, value in headers.items()
        if not isinstance(value, TokenHeader)
        and (name.lower() not in dropped if call.trusted else name.lower() in _NEUTRAL_HEADERS)
    }


def redirected(call: SendCall, head: ResponseHead, where: Destination) -> SendCall:
    """Return the call that follows a redirect.

    :raises ResourceError: when following it could carry something where it must not go.
    """
    source = parse_url(call.url.partition("#")[0])
    target = _target(call.url, head.location or "")
    if isinstance(target, str):
        raise not_followed(head, f"the new address {target}")
    if source.origin.scheme == "https" and target.origin.scheme != "https":
        raise not_followed(head, "the new address is not https")
    method, with_body = rewritten(call, head.status)
    if call.trusted and allowed(where, target.origin):
        return SendCall(method, str(target), with_body=with_body)
    if call.method not in _SENT_ANYWHERE:
        raise not_followed(
            head,
            f"it leads to {target.origin}, where the token may not go, and only GET and HEAD are sent "
            "there without it. Add that origin to allowed_origins if it belongs to the API",
        )
    if is_loopback(target.origin.host) and not is_loopback(source.origin.host):
        raise not_followed(head, "it leads to this machine itself")
    # Sockets of ours refuse such addresses, too; a proxy and other libraries would connect to them.
    if is_forbidden_address(target.origin.host) and not host_allowed(target.origin, where.listed_hosts):
        raise not_followed(
            head,
            f"it leads to {target.origin}, an address that no server has (link-local, metadata, reserved)",
        )
    return SendCall(method, str(target), trusted=False, with_body=False)


def _target(url: str, location: str) -> Url | str:
    """Return where a redirect leads, or what is wrong with its address."""
    try:
        parts = urlsplit(location)
        if not parts.netloc and parts.path.startswith("//"):
            # For us a path on the same host; for requests and browsers ////evil.example is another host.
            return "begins with more slashes than it may"
        return parse_url(urljoin(url, location.partition("#")[0]))
    except UrlError as error:
        return str(error)
    except ValueError:
        return "is malformed"


def rewritten(call: SendCall, status: int) -> tuple[str, bool]:
    """Return the method, and whether the body goes along (RFC 9110 §15.4).

    303 turns into GET, and so, by old custom, does POST on 301 and 302.
    """
    if (status == 303 and call.method != "HEAD") or (status in {301, 302} and call.method == "POST"):
        return "GET", False
    return call.method, call.with_body


def not_followed(head: ResponseHead, reason: str) -> ResourceError:
    """Return the error for a redirect that is not followed."""
    return ResourceError(
        f"the API redirects (HTTP status {head.status}), which is not followed: {reason}",
        status=head.status,
    )
