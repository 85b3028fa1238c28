"""One line of the log for each call."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from requests import Response

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.protocol.call.excerpts import url_excerpt
from airflow_oauth_provider.protocol.texts import clean

log = logging.getLogger(__name__)
_logged_by_caller: ContextVar[bool] = ContextVar("oauth2_calls_logged_by_caller", default=False)


@contextmanager
def logged_by_caller() -> Iterator[None]:
    """Leave out the lines of calls within: a caller that makes the same call again and again logs less."""
    before = _logged_by_caller.set(True)
    try:
        yield
    finally:
        _logged_by_caller.reset(before)


def log_call(client: OAuth2Client, method: str, response: Response, started: float) -> None:
    """Log method, address without the values of its query, status and seconds of a call.

    :param started: monotonic seconds at which it began.
    """
    if _logged_by_caller.get() or not log.isEnabledFor(logging.INFO):
        return
    redactor = client.redactor
    log.info(
        "%s %s answered %d %s in %.3f s",
        method,
        url_excerpt(response.url, redactor),
        response.status_code,
        clean(response.reason, redactor, most=100) or "",
        time.monotonic() - started,
    )
