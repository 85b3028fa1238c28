"""What Python of the DAG's, or a library, raises: its own, but without what is confidential of ours.

A check that says what it has read, a parser that keeps the document: an API that repeats its request puts
secrets and tokens into such errors, and with them into the log. So does ``sys.exit(response.text)``.

An error that says nothing of the kind is raised as it is. The response that it keeps, as that of
``raise_for_status`` does, has its request without the token: whoever is told of the error reads the one, and
prints the other.

Nothing is known of the class of such an error: to print, copy or compare it may raise, too.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from requests import Response

from airflow_oauth_provider.protocol.redaction import WITHHELD, Redactor

log = logging.getLogger(__name__)

_CONTAINERS = (list, tuple, dict, set, frozenset)
_PLAIN = (str, bytes, bytearray, int, float, type(None), *_CONTAINERS)
# Of Python's own classes, what stands beside the arguments and is not among `vars()`.
_SET_APART = ("code", "filename", "filename2", "name", "object", "path", "strerror", "text", "value")


def called(function: Callable[..., Any], *arguments: Any, redactor: Redactor, name: str, **more: Any) -> Any:
    """Call a function of the DAG's.

    :param name: of the argument that it is.
    :raises BaseException: what it raises: as it is, or where that repeats a secret or a token, a redacted
        copy without traceback and chain; the log says where it came from.
    """
    try:
        return function(*arguments, **more)
    except BaseException as error:
        raised = without_secrets(error, redactor, name)
        if raised is error:
            raise
    raise raised


def without_secrets(error: BaseException, redactor: Redactor, name: str) -> BaseException:
    """Return what is raised for an error of the DAG's own code, as :func:`called` does."""
    try:
        if not _repeats(error, redactor):
            _hide_tokens(error)
            return error
    except BaseException as failed:  # of its class: what cannot be looked through is not passed on
        log.debug("%s cannot be looked through: %s", type(error).__name__, type(failed).__name__)
    log.error("%s", redactor.text(f"{name} raised {type(error).__name__} in {_places(error)}"))
    return _redacted(error, redactor, name)


def shown_traceback(error: BaseException, redactor: Redactor) -> str:
    """Return the traceback of an error for a log; only its places where it repeats too much."""
    redacted = redactor.text("".join(traceback.format_exception(error)).rstrip())
    return f"{type(error).__name__} in {_places(error)}" if redacted == WITHHELD else redacted


def _repeats(error: BaseException, redactor: Redactor) -> bool:
    return redactor.finds_in("\n".join(text for link in _chain(error) for text in _texts(link)))


def _hide_tokens(error: BaseException) -> None:
    # Not above: whoever parses DAG files needs this module, and nothing of tokens.
    from airflow_oauth_provider.protocol.call.credentials import TokenHeader

    for link in _chain(error):
        response: Any = None
        with suppress(Exception):  # a property of a library's own
            response = getattr(link, "response", None)
        if isinstance(response, Response):
            for past in (response, *response.history):
                headers = getattr(past.request, "headers", {})
                hidden = {
                    name: text.hidden for name, text in headers.items() if isinstance(text, TokenHeader)
                }
                headers.update(hidden)


def _texts(error: BaseException) -> Iterator[str]:
    """Yield what anybody can get to see of one error.

    :raises BaseException: of one that ends its process when it is printed: it would end it in Airflow's
        log, and nobody would read why.
    """
    yield from _shown(error, str)
    yield "".join(traceback.format_exception_only(error))  # with what Python adds: notes, a line of code
    yield from _shown(error.args)
    yield from _shown(_plain_attributes(error))


def _shown(value: Any, show: Callable[[Any], str] = repr, depth: int = 5) -> Iterator[str]:
    """Yield how a value is shown; of one with a part that cannot be, why not, and how the others are."""
    try:
        yield show(value)
    except Exception as failed:
        log.debug("%s cannot be shown: %s", type(value).__name__, type(failed).__name__)
        yield from traceback.format_exception_only(failed)  # some logs say this instead
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        if depth and isinstance(value, _CONTAINERS):
            for part in parts:
                yield from _shown(part, depth=depth - 1)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to those behind it, and to those of a group."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        link = pending.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            pending += [link.__cause__, link.__context__]
            pending += link.exceptions if isinstance(link, BaseExceptionGroup) else ()


def _redacted(error: BaseException, redactor: Redactor, name: str) -> BaseException:
    try:
        # As copying does it: some classes keep their arguments in places that cannot be written.
        how_to_copy: Any = error.__reduce_ex__(2)
        redacted: BaseException = how_to_copy[0](*redactor.value(how_to_copy[1]))
        vars(redacted).clear()
        vars(redacted).update(redactor.value(_of_dict(error)))
        if type(redacted) is type(error) and not _repeats(redacted, redactor):
            return redacted
    except BaseException as failed:  # whatever its class does when it is copied
        log.debug("%s cannot be copied: %s", type(error).__name__, type(failed).__name__)
    kind = redactor.text(type(error).__name__)  # a class may have been made of a response, too
    return RuntimeError(f"{name} raised {kind}, whose text repeats a secret or cannot be read")


def _of_dict(error: BaseException) -> dict[str, Any]:
    """Return what can be looked through; a response or a request that an error holds cannot."""
    return {name: value for name, value in vars(error).items() if isinstance(value, _PLAIN)}


def _plain_attributes(error: BaseException) -> dict[str, Any]:
    apart = {}
    for name in _SET_APART:
        with suppress(Exception):  # a property of a library's own, such as one that has no response yet
            apart[name] = getattr(error, name, None)
    return _of_dict(error) | {name: value for name, value in apart.items() if isinstance(value, _PLAIN)}


def _places(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return ", ".join(f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in frames)
