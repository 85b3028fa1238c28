"""What Python of the DAG's, or a library, raises: its own, but without what is confidential of ours.

A check that says what it has read, a parser that keeps the document: an API that repeats its request puts
secrets and tokens into such errors, and with them into the log.
"""

from __future__ import annotations

import copy
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_oauth_provider.protocol.redaction import WITHHELD, Redactor

log = logging.getLogger(__name__)

_PLAIN = (str, bytes, bytearray, int, float, type(None), list, tuple, dict, set, frozenset)


def called(function: Callable[..., Any], *arguments: Any, redactor: Redactor, name: str, **more: Any) -> Any:
    """Call a function of the DAG's.

    :param name: of the argument that it is.
    :raises Exception: what it raises: as it is, or where that repeats a secret or a token, a redacted copy
        without traceback and chain; the log says where it came from.
    """
    try:
        return function(*arguments, **more)
    except Exception as error:
        raised = without_secrets(error, redactor, name)
        if raised is error:
            raise
    raise raised


def without_secrets(error: Exception, redactor: Redactor, name: str) -> Exception:
    """Return what is raised for an error of the DAG's own code, as :func:`called` does."""
    if not _repeats(error, redactor):
        return error
    log.error("%s raised %s in %s", name, type(error).__name__, _places(error))
    return _redacted(error, redactor, name)


def shown_traceback(error: BaseException, redactor: Redactor) -> str:
    """Return the traceback of an error for a log; only its places where it repeats too much."""
    redacted = redactor.text("".join(traceback.format_exception(error)).rstrip())
    return f"{type(error).__name__} in {_places(error)}" if redacted == WITHHELD else redacted


def _repeats(error: BaseException, redactor: Redactor) -> bool:
    texts = ("\n".join((str(link), repr(link.args), repr(_plain_attributes(link)))) for link in _chain(error))
    return redactor.finds_in("\n".join(texts))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        link = pending.pop()
        if link is not None and link not in seen:
            seen.append(link)
            yield link
            pending += [link.__cause__, link.__context__]


def _redacted(error: Exception, redactor: Redactor, name: str) -> Exception:
    try:
        redacted = copy.copy(error)
        redacted.args = redactor.value(error.args)
        vars(redacted).clear()
        vars(redacted).update(redactor.value(_plain_attributes(error)))
        if not _repeats(redacted, redactor):
            return redacted
    except Exception as failed:  # whatever its class does when it is copied
        log.debug("%s cannot be copied: %s", type(error).__name__, type(failed).__name__)
    return RuntimeError(f"{name} raised {type(error).__name__}, whose text repeats a secret")


def _plain_attributes(error: BaseException) -> dict[str, Any]:
    """Return what can be looked through; a response or a request that an error holds cannot."""
    return {name: value for name, value in vars(error).items() if isinstance(value, _PLAIN)}


def _places(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return ", ".join(f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in frames)
