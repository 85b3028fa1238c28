"""Find an authorization server's metadata (RFC 8414 §3; OpenID Connect Discovery 1.0 §4)."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.configured_server import METADATA_PATHS
from airflow_oauth_provider.protocol.effects import Fetch, Flow
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.token.errors import RETRYABLE_STATUSES
from airflow_oauth_provider.protocol.token.metadata import DocumentError, Metadata, allowed_url, read_document
from airflow_oauth_provider.protocol.token.retry import retry_after
from airflow_oauth_provider.protocol.urls import Url, UrlError

AUTHORIZATION_SERVER, OPENID_CONFIGURATION = METADATA_PATHS

Discovery = Flow[Metadata]


def check_issuer(text: str, patterns: Sequence[str]) -> Url:
    """Check an issuer before anything is sent (RFC 8414 §2: https, no query, no fragment).

    :param patterns: ``allowed_token_hosts``; empty for any host.
    :raises ConfigurationError: when it is no acceptable issuer.
    """
    try:
        return allowed_url(text, patterns, query_allowed=False)
    except (UrlError, DocumentError) as error:
        reason = str(error)
    raise ConfigurationError(f"the issuer {reason}", field="issuer")


def discovery(issuer: str, patterns: Sequence[str], *, deadline: float) -> Discovery:
    """Find an issuer's metadata; a flow of its own, or a part of another by ``yield from``.

    :param patterns: as of :func:`check_issuer`; they hold for every address in the document too.
    :param deadline: monotonic seconds at which to give up.
    :raises ConfigurationError: when there is no document that can be used.
    :raises TransportError: when the server gives no response.
    """
    check_issuer(issuer, patterns)
    refused: list[str] = []
    for url in well_known_urls(issuer):
        outcome = yield Fetch(url, deadline)
        response = outcome.result
        if isinstance(response, Failure):
            if response.fault is Fault.MALFORMED:
                refused.append(f"{response.detail} ({url})")
                continue
            raise TransportError(
                response.text(url),
                host=_host_of(url),
                retryable=response.fault.retryable,
                retry_after=response.retry_after,
            ).with_advice(response.advice)
        if not isinstance(response, HttpResponse):
            raise TypeError(f"a fetch cannot end with {type(response).__name__}")
        if response.status in RETRYABLE_STATUSES:
            seconds = retry_after(response, now=outcome.moment.wall)
            text = f"HTTP status {response.status} from {url}"
            raise TransportError(text, host=_host_of(url), retry_after=seconds)
        try:
            return _read(response, issuer, url, patterns)
        except DocumentError as error:
            refused.append(f"{error} ({url})")
    raise ConfigurationError(f"no usable metadata: {'; '.join(refused)}", field="issuer")


def well_known_urls(issuer: str) -> tuple[str, str]:
    """Return where the document may be: inserted before the path (RFC 8414 §3.1), and appended
    (OpenID Connect Discovery §4.1).
    """  # noqa: D205  (one sentence)
    scheme, _, rest = issuer.partition("://")
    authority, slash, path = rest.rstrip("/").partition("/")
    origin = f"{scheme}://{authority}"
    return f"{origin}{AUTHORIZATION_SERVER}{slash}{path}", f"{origin}{slash}{path}{OPENID_CONFIGURATION}"


def issuer_of_metadata_at(address: str) -> str:
    """Return the issuer whose document would be at an address; any other address as it is."""
    for part in METADATA_PATHS:
        address = address.replace(part, "", 1)
    return address


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _read(response: HttpResponse, issuer: str, url: str, patterns: Sequence[str]) -> Metadata:
    if response.status != 200:
        raise DocumentError(f"HTTP status {response.status}")
    if response.compressed:
        raise DocumentError("the response is compressed, although that was not asked for")
    return read_document(response.body, issuer, url, patterns)
