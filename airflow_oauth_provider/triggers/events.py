"""What triggers tell the worker: an answer or an error, as plain JSON without anything secret."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowException
from requests import Response

from airflow_oauth_provider.calls.response import ReadResponse
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.error_record import RecordError, from_dict, to_dict
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.texts import plain
from airflow_oauth_provider.tasks.arguments import header_names
from airflow_oauth_provider.transport import call_failure  # noqa: F401  (an event may name its errors)

HEADERS = frozenset(
    {"content-type", "content-language", "date", "etag", "last-modified", "link", "retry-after"}
)
"""The headers of an answer that an event carries unasked."""
_NEVER = frozenset(
    {
        "authorization",
        "authentication-info",
        "dpop-nonce",
        "proxy-authenticate",
        "proxy-authentication-info",
        "set-cookie",
        "set-cookie2",
        "www-authenticate",
    }
)


def check_headers(names: str | Iterable[str]) -> tuple[str, ...]:
    """Check which headers an event is to carry.

    :raises ConfigurationError: for those that may hold something secret.
    """
    wanted = tuple(name.lower() for name in header_names(names))
    refused = sorted(_NEVER.intersection(wanted))
    if refused:
        raise ConfigurationError(
            f"an event never carries the header {', '.join(refused)}: leave it out",
            field="response_headers",
        )
    return wanted


def dump_response(
    response: Response, wanted: Iterable[str], redactor: Redactor, *, max_body: int | None
) -> dict[str, Any]:
    """Return an answer as JSON.

    :param max_body: bytes; a larger body is left out, and the content is ``None``.
    :param wanted: headers beside those of :data:`HEADERS`, in lower case.
    :param redactor: removes what is confidential: an API may repeat the token.
    """
    names = HEADERS.union(wanted) - _NEVER
    content: Any = response.content
    if content is not None and max_body is not None and len(content) > max_body:
        content = None
    if content is not None:
        content = base64.b64encode(redactor.data(content)).decode()
    return {
        "status_code": response.status_code,
        "reason": redactor.text(response.reason or ""),
        "url": redactor.text(_shown_url(response)),
        "headers": {
            name: redactor.text(value) for name, value in response.headers.items() if name.lower() in names
        },
        "content": content,
    }


def _shown_url(response: Response) -> str:
    """Return the address that was called; of one that it redirected to elsewhere, not the query.

    That of signed storage is as good as a password.
    """
    if not response.history:
        return response.url
    first, last = urlsplit(response.history[0].url), urlsplit(response.url)
    same = (first.scheme, first.netloc) == (last.scheme, last.netloc)
    return response.url if same else last._replace(query="").geturl()


def load_response(data: dict[str, Any]) -> Response:
    """Return the answer of an event; its content is ``None`` when it was too large for one."""
    content = data["content"]
    return ReadResponse(
        data["status_code"],
        data["reason"],
        data["url"],
        data["headers"].items(),
        None if content is None else base64.b64decode(content),
    )


def dump_error(error: Exception) -> dict[str, Any]:
    """Return an error as JSON; of one that is not ours only its type is told."""
    return to_dict(error) if isinstance(error, OAuthError) else {"type": type(error).__name__}


def load_error(record: Any) -> Exception:
    """Return the error of an event."""
    try:
        return from_dict(record)
    except RecordError:
        name = plain(record.get("type"))[:100] if isinstance(record, dict) else "an unknown error"
    failure: Exception = AirflowException(f"the trigger failed with {name}: its log tells more")
    return failure
