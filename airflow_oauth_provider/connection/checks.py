"""The rules that need more than one field.

Each check returns what is wrong as (field, message); the caller adds the connection's name.
"""

from __future__ import annotations

import pkgutil
import re
import ssl
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_oauth_provider.connection.parsing import FieldError
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol import settings as s
from airflow_oauth_provider.protocol.client.proof import Problems
from airflow_oauth_provider.protocol.token.request import RESERVED_HEADERS, RESERVED_PARAMETERS
from airflow_oauth_provider.protocol.urls import (
    Origin,
    Url,
    UrlError,
    check_characters,
    host_allowed,
    is_absolute_uri,
    is_forbidden_address,
    parse_url,
    with_scheme,
)
from airflow_oauth_provider.transport.tls import check_ca_certificates

_RESERVED_API_HEADERS = frozenset({"authorization", "host", "content-length", "cookie", "dpop"})
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
_GRANT_NAME = re.compile(r"[A-Za-z0-9._:/#-]{1,200}\Z")
_QUOTED = re.compile(r"(https?://)?[\"'`\u2018\u2019\u201c\u201d]")
_OPEN = re.compile(r"[{<][^{}<>]*[}>]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\uffff\t]*\Z")


class PortError(UrlError):
    """The connection's port does not fit its host."""


def is_scope_token(text: str) -> bool:
    """Whether *text* is a scope-token (RFC 6749 §3.3)."""
    return _SCOPE_TOKEN.match(text) is not None


def odd_ends(text: str) -> str | None:
    """Return what was pasted along with a text, as it seems."""
    if text != text.strip():
        return "begins or ends with a space"
    quoted = len(text) > 2 and text[0] == text[-1] and text[0] in "\"'`"
    return "stands in quotation marks" if quoted else None


def parse_address(text: str, *, query_allowed: bool = True) -> Url:
    """Parse an address that a person has entered.

    :raises UrlError: for what no server has, and for what was copied without being filled in.
    """
    if _QUOTED.match(text):
        raise UrlError("stands in quotation marks: leave them out")
    if _OPEN.search(text):
        raise UrlError("has a placeholder in braces or angle brackets: put its value there")
    return parse_url(text, query_allowed=query_allowed)


def forbidden(url: Url) -> bool:
    """Whether the host is, literally, an address no token server or API has."""
    return is_forbidden_address(url.origin.host)


def token_url_text(connection: Any) -> str:
    """Put the access token URL together from host, port and schema.

    :raises UrlError: when there is no host.
    :raises PortError: when the port is none, or contradicts the host's own.
    """
    host = (connection.host or "").rstrip()
    if not host:
        raise UrlError("is missing: enter it as the connection's host")
    schema = (connection.schema or "").strip()
    text = with_scheme(host, schema if schema in {"http", "https"} else "https")
    scheme, _, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    if not slash and "?" not in authority and schema not in {"", "http", "https"}:
        # In a connection URI the path of oauth2-client-credentials://id:secret@host/path is the schema.
        slash, path = "/", schema.lstrip("/")
    return f"{scheme}://{_with_port(authority, connection.port)}{slash}{path}"


def _with_port(authority: str, port: Any) -> str:
    if port in (None, ""):
        return authority
    text = str(port).strip()
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535 or isinstance(port, bool):
        raise PortError("must be a number from 1 to 65535, or empty")
    own = re.search(r":([0-9]*)\Z", authority) if not authority.endswith("]") else None
    if own and int(own.group(1) or 0) != int(text):
        raise PortError("contradicts the port in the access token URL: leave one of them out")
    return authority if own else f"{authority}:{int(text)}"


def bad_request(request: s.RequestSettings, token_url: Url) -> Problems:
    """Check the parameters and headers of the token request."""
    if not _GRANT_NAME.match(request.grant_name):
        yield "grant_name", "must be a name or a URI of ASCII letters, digits and -._:/# (RFC 6749 §A.10)"
    for resource in request.resources:
        if not is_absolute_uri(resource):
            yield "resource", "must be absolute URIs without fragment (RFC 8707 §2)"
    if not all(map(is_scope_token, request.allowed_scopes)):
        yield (
            "allowed_scopes",
            'must list words of printable ASCII without " and \\, one a line (RFC 6749 §3.3)',
        )
    taken = {"audience"} if request.audience else set()
    taken |= {"resource"} if request.resources else set()
    taken |= {"authorization_details"} if request.rich_requests else set()
    for field, pairs in (("post_params", request.post_params), ("secret_params", request.secret_params)):
        for name, _ in pairs:
            if name.lower() in RESERVED_PARAMETERS:
                yield field, f"must not set {name.lower()}: it has a field of its own, or is fixed"
            if name in taken:
                yield field, f"sets {printable(name)} a second time (RFC 6749 §3.2)"
            taken.add(name)
    yield from _bad_query(request, token_url)
    yield from _bad_headers("request_headers", request.headers, RESERVED_HEADERS)
    secret_headers = tuple((name, value.reveal()) for name, value in request.secret_headers)
    yield from _bad_headers("secret_headers", secret_headers, RESERVED_HEADERS)


def _bad_query(request: s.RequestSettings, token_url: Url) -> Problems:
    own_query = {name for name, _ in parse_qsl(token_url.query, keep_blank_values=True)}
    for name in (*own_query, *(name for name, _ in request.query_params)):
        if name.lower() in RESERVED_PARAMETERS:
            field = "host" if name in own_query else "query_params"
            yield field, f"must not carry {name.lower()} in the URL (RFC 6749 §2.3.1)"
    for name, _ in request.query_params:
        if name in own_query:
            yield "query_params", f"sets {printable(name)} a second time: the access token URL has it already"


def _bad_headers(field: str, pairs: s.Pairs, reserved: frozenset[str]) -> Problems:
    for name, value in pairs:
        if not _HEADER_NAME.match(name):
            yield field, "has a name that is no header name"
        elif name.lower() in reserved:
            yield field, f"must not set {name}"
        elif not _HEADER_VALUE.match(value):
            yield field, f"has control characters in the value of {name}"
        elif value[:1].isspace():
            yield field, f"begins the value of {name} with a blank, which a header cannot carry"
        elif not _latin1(value):
            yield field, f"has characters in the value of {name} that a header cannot carry"


def _latin1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def bad_api(api: s.ApiSettings) -> Problems:
    """Check the API section."""
    reserved = _RESERVED_API_HEADERS | {api.header_name.lower()}
    yield from _bad_headers("api_headers", api.headers, reserved)
    path = api.probe_path
    if path is None:
        return
    if api.base_url is None and api.instance is None:
        yield "probe_path", "needs base_url"
    try:
        check_characters(path)
    except UrlError as error:
        yield "probe_path", str(error)
    if path.startswith("//") or "://" in path.partition("?")[0]:
        yield "probe_path", "must be a path below base_url, for example /health"


def bad_network(network: s.NetworkSettings, policy: Policy) -> Problems:
    """Check TLS and proxy settings against each other and against ``airflow.cfg``."""
    if not network.verify_tls and not policy.allow_unverified_tls:
        yield (
            "verify_tls",
            "may be off only when [oauth2] allow_unverified_tls is True; else fill in ca_certificates",
        )
    if network.ca_certificates is not None:
        try:
            check_ca_certificates(network.ca_certificates)
        except (ssl.SSLError, ValueError):
            yield (
                "ca_certificates",
                "must be certificates in PEM form (-----BEGIN CERTIFICATE-----): their text, no path",
            )
    if network.proxy_url is None:
        return
    if network.ca_certificates is not None:
        yield (
            "proxy_url",
            "cannot be set together with ca_certificates: the two could be used to read the secret",
        )
    origin = _proxy_origin(network.proxy_url.reveal())
    if origin is None:
        yield "proxy_url", "must be a URL like http://proxy.example:3128"
    elif not host_allowed(origin, policy.proxies):
        yield "proxy_url", f"the proxy {origin.authority} is not in [oauth2] allowed_proxies of airflow.cfg"


def _proxy_origin(text: str) -> Origin | None:
    try:
        check_characters(text)
        parts = urlsplit(text)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        # A proxy is reached in plain http as a rule: only host and port are checked here.
        if parts.scheme not in {"http", "https"}:
            return None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return parse_url(f"https://{host}:{port}").origin
    except (UrlError, ValueError):
        return None


def load_custom_provider(name: str | None, policy: Policy) -> s.CustomProvider:
    """Import the callable that ``airflow.cfg`` has under *name*; a connection never names a path.

    :raises FieldError: when it is not listed or cannot be imported.
    """
    known = ", ".join(sorted(policy.custom_providers)) or "none"
    if name is None:
        raise FieldError("is missing: name an entry of [oauth2] custom_providers")
    path = policy.custom_providers.get(name)
    if path is None:
        raise FieldError(f"is not in [oauth2] custom_providers of airflow.cfg (known: {known})")
    function, failure = None, None
    try:
        function = pkgutil.resolve_name(path)
    except Exception as error:  # whatever the foreign module raises
        failure = type(error).__name__
    if failure is not None:
        raise FieldError(f"cannot be imported from {path} ({failure})")
    if not callable(function):
        raise FieldError(f"is not callable: {path}")
    return s.CustomProvider(name, path, function)


def printable(name: str) -> str:
    """Return a name that somebody else chose, fit for a message."""
    return re.sub(r"[^\x20-\x7e]", "?", name)[:60]
