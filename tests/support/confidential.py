"""What an error gives away: in its texts, its chain, its attributes, and the frames of its traceback."""

from __future__ import annotations

import pickle
import traceback as tracebacks
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from tests.support.spellings import disclosed

TESTS = str(Path(__file__).parents[1])
"""Whose frames know the secrets that they are about."""
DEPTH = 6
SET_APART = ("code", "filename", "filename2", "name", "object", "path", "strerror", "text", "value")
"""What Python's own classes keep beside arguments and dictionary."""


def assert_nothing_confidential(error: BaseException, values: Iterable[str], *, ours: bool = True) -> None:
    """Look wherever somebody who catches, logs, stores or reports *error* could.

    :param values: that must not be seen, in whatever spelling.
    :param ours: it can be pickled.
    """
    said = dict(_said(error))
    if ours:
        said["pickled"] = pickle.dumps(error).decode("latin-1")
    joined = "\n".join(said.values())
    if not disclosed(joined, values):
        return
    places = {place: names for place, text in said.items() if (names := disclosed(text, values))}
    raise AssertionError(f"{type(error).__name__} gives away {places}")


def _said(error: BaseException) -> Iterator[tuple[str, str]]:
    for number, link in enumerate(_chain(error)):
        name = f"{number} {type(link).__name__}"
        yield f"{name}: printed", "".join(tracebacks.format_exception_only(link))
        yield f"{name}: str", _rendered(link, str)
        yield f"{name}: repr", _rendered(link)
        yield f"{name}: set apart", "\n".join(_texts([_part(link, part) for part in SET_APART]))
        yield f"{name}: args", "\n".join(_texts(link.args))
        yield f"{name}: attributes", "\n".join(_texts(vars(link)))
        for frame in _frames(link.__traceback__):
            where = f"{name}: {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"
            for local, value in frame.f_locals.items():
                yield f"{where}, local {local}", "\n".join(_texts(value, attributes=False))


def _part(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except Exception as raised:  # a property of its class
        return str(raised)


def _chain(error: BaseException) -> Iterator[BaseException]:
    pending: list[Any] = [error]
    seen: set[int] = set()
    while pending:
        link = pending.pop()
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            pending += [link.__cause__, link.__context__, *getattr(link, "exceptions", ())]


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(TESTS):
            yield traceback.tb_frame
        traceback = traceback.tb_next


def _texts(value: Any, depth: int = DEPTH, *, attributes: bool = True) -> Iterator[str]:
    """Yield the texts that somebody who looks at *value* sees.

    :param attributes: look into objects, too, as one can who has got hold of the error; tools that show
        the locals of frames print their ``repr``.
    """
    if depth == 0 or isinstance(value, type | ModuleType | FunctionType):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value).decode("latin-1")
        yield bytes(value).decode("utf-8", "replace")
    elif isinstance(value, Mapping):
        for pair in list(value.items()):
            for item in pair:
                yield from _texts(item, depth - 1, attributes=attributes)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in list(value):
            yield from _texts(item, depth - 1, attributes=attributes)
    else:
        yield _rendered(value)
        if attributes:
            yield from _texts(getattr(value, "__dict__", {}), depth - 1)


def _rendered(value: Any, render: Callable[[Any], str] = repr) -> str:
    try:
        return render(value)
    except Exception as error:  # an object that cannot be shown shows nothing
        return type(error).__name__
