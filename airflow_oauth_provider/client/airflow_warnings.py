"""Keep a warning of Airflow's from the log that is not so.

Airflow hands all of a connection's extra to its masker. That warns of a text with fewer than five
characters, before it looks whether the name is one of a secret: the defaults of this connection type
(``cool_down`` is 429) and a scope such as ``read`` would have each task say that a secret is too short to be
masked. Of a client secret that is so short this package warns itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_loggers = (
    logging.getLogger("airflow.sdk._shared.secrets_masker.secrets_masker"),
    logging.getLogger("airflow.sdk.execution_time.secrets_masker"),  # Airflow 3.0 and 3.1
)
_reading: ContextVar[bool] = ContextVar("oauth2_reads_connection", default=False)


class _NotWhileReading(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _reading.get()


_filter = _NotWhileReading()


@contextmanager
def without_false_alarm() -> Iterator[None]:
    """Read a connection in this block; other threads and coroutines hear the masker as before."""
    for logger in _loggers:
        if _filter not in logger.filters:
            logger.addFilter(_filter)
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)
