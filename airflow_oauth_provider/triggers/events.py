"""What triggers report to the worker: a response or an error, as plain JSON without anything secret."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowException
from requests import Response

from airflow_oauth_provider.calls.response import ReadResponse
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.error_record import RecordError, from_dict, to_dict
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.texts import excerpt, plain
from airflow_oauth_provider.tasks.arguments import NEVER_IN_EVENTS
from airflow_oauth_provider.transport import call_failure  # noqa: F401  (an event may name its errors)

HEADERS = frozenset(
    {"content-type", "content-language", "date", "etag", "last-modified", "link", "retry-after"}
)
"""The headers of a response that an event carries unasked."""
MAX_HEADER = 8 * 1024
"""Characters of the longest header that an event carries: half of an address would be another one."""
MAX_REASON = 200


def dump_response(
    response: Response, header_names: Iterable[str], redactor: Redactor, *, max_body: int | None
) -> dict[str, Any]:
    """Return a response as JSON.

    :param max_body: bytes; a larger body is left out, and the content is ``None``.
    :param header_names: headers beside those of :data:`HEADERS`.
    :param redactor: removes what is confidential: an API may repeat the token.
    """
    names = HEADERS.union(name.lower() for name in header_names) - NEVER_IN_EVENTS
    content: Any = response.content
    if content is not None and max_body is not None and len(content) > max_body:
        content = None
    if content is not None:
        content = base64.b64encode(redactor.document(content)).decode()
    return {
        "status_code": response.status_code,
        "reason": excerpt(response.reason or "", MAX_REASON, redactor),
        "url": redactor.text(_address_of(response)),
        "headers": {
            name: redactor.text(value)
            for name, value in response.headers.items()
            if name.lower() in names and len(value) <= MAX_HEADER
        },
        "content": content,
    }


def _address_of(response: Response) -> str:
    """Return the address that was called; of one that it redirected to elsewhere, not the query.

    That of signed storage is as good as a password.
    """
    if not response.history:
        return response.url
    first, last = urlsplit(response.history[0].url), urlsplit(response.url)
    same = (first.scheme, first.netloc) == (last.scheme, last.netloc)
    return response.url if same else last._replace(query="").geturl()


def dump_error(error: Exception) -> dict[str, Any]:
    """Return an error as JSON; of one that is not ours only its type."""
    return to_dict(error) if isinstance(error, OAuthError) else {"type": type(error).__name__}


class EventError(OAuthError):
    """An event, or what a task has kept for it, is none of this version's.

    Workers and triggerers are upgraded one after the other, and a deferred task outlives that. Retryable:
    the task's next try defers anew.
    """

    retryable = True


@dataclass(frozen=True)
class Report:
    """What an event reports.

    :param status: ``success``, ``error``, ``timeout`` or ``waited``.
    :param response: of a success; its content is ``None`` when it was too large for an event.
    :param error: of an error.
    :param progress: of polls; not checked yet.
    """

    status: str
    response: Response | None = None
    error: Exception | None = None
    progress: Any = None


def read_event(event: object, *expected: str, conn_id: str) -> Report:
    """Read an event of one of our triggers.

    :param expected: the statuses that the task's triggers report.
    :raises EventError: for an event of another shape.
    """
    with read_state("event", conn_id):
        if not isinstance(event, dict):
            raise TypeError("an event is a JSON object")
        status = event.get("status")
        if status not in expected:
            raise ValueError("an event has a status")
        response = load_response(event.get("response")) if status == "success" else None
        error = load_error(event.get("error")) if status == "error" else None
        return Report(status, response, error, event.get("progress"))


@contextmanager
def read_state(name: str, conn_id: str) -> Iterator[None]:
    """Read what was written by a triggerer, or by a task before it deferred.

    :param name: of what is read.
    :raises EventError: when it has another shape.
    """
    try:
        yield
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        reason = str(error) if isinstance(error, RecordError) else ""
    else:
        return
    raise EventError(
        f"the {name} of the deferral was made by another version of airflow-oauth-provider"
        f"{f' ({reason})' if reason else ''}: run the task again when workers and triggerers have the same",
        conn_id=conn_id,
    )


def load_response(record: object) -> Response:
    """Return the response of an event; its content is ``None`` when it was too large for one.

    :raises ValueError: when there is none; likewise ``TypeError``.
    """
    if not isinstance(record, dict):
        raise TypeError("a response is a JSON object")
    status, content = record.get("status_code"), record.get("content")
    reason, url, headers = record.get("reason"), record.get("url"), record.get("headers")
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
        raise ValueError("status_code is an HTTP status")
    if not isinstance(reason, str) or not isinstance(url, str) or not isinstance(headers, dict):
        raise TypeError("reason and url are texts, headers an object")
    if not all(isinstance(value, str) for value in headers.values()):
        raise TypeError("the values of headers are texts")
    if "content" not in record or not isinstance(content, str | None):
        raise TypeError("content is a text or null")
    body = None if content is None else base64.b64decode(content, validate=True)
    return ReadResponse(status, reason, url, headers.items(), body)


def load_error(record: object) -> Exception:
    """Return the error of an event.

    :raises ValueError: when there is none; likewise ``TypeError``.
    """
    if isinstance(record, dict) and record.keys() == {"type"} and isinstance(record["type"], str):
        name = plain(record["type"])[:100]
        failure: Exception = AirflowException(f"the trigger failed with {name}: its log says more")
        return failure
    return from_dict(record)
