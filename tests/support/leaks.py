"""What an error carries beside its text: whoever logs, stores or reports it shows that, too."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import OAuthError

_DEPTH = 5


def leaks(error: BaseException, *confidential: str) -> list[str]:
    """Return where in an error one of the confidential texts stands.

    Looked through are causes and contexts (suppressed ones, too), arguments, attributes, notes, the pickled
    form, and the locals of each frame of the traceback, as tools that report errors show them: texts, also
    within containers, and the ``repr`` of everything else. Frames of the tests themselves are left out.
    """
    return [place for place, text in _texts(error) if any(value in text for value in confidential)]


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return all that records of the log carry."""
    return [f"{record.getMessage()} {record.__dict__} {record.exc_text}" for record in caplog.records]


def stored_below(folder: Path) -> list[bytes]:
    """Return what stands in all files of a folder."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def _texts(error: BaseException) -> Iterator[tuple[str, str]]:
    pending: list[tuple[str, Any]] = [(type(error).__name__, error)]
    seen: set[int] = set()
    while pending:
        name, link = pending.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield f"{name}: str", str(link)
        yield f"{name}: traceback", "".join(traceback.format_exception(link, chain=False))
        for part in ("args", "__dict__"):
            yield from ((f"{name}.{part}", text) for text in _rendered(getattr(link, part), _DEPTH))
        if isinstance(link, OAuthError):
            yield f"{name}: pickled", pickle.dumps(link).decode("latin-1")
        yield from _locals(name, link.__traceback__)
        pending += [(f"{name}.__cause__", link.__cause__), (f"{name}.__context__", link.__context__)]
        pending += [(f"{name}.args", argument) for argument in link.args]


def _locals(name: str, traceback: TracebackType | None) -> Iterator[tuple[str, str]]:
    while traceback is not None:
        code, line = traceback.tb_frame.f_code, traceback.tb_lineno
        if "/tests/" not in code.co_filename:
            place = f"{name}: {code.co_filename.rsplit('/', 1)[-1]}:{line} {code.co_name}"
            for local, value in traceback.tb_frame.f_locals.items():
                yield from ((f"{place}: {local}", text) for text in _rendered(value, _DEPTH))
        traceback = traceback.tb_next


def _rendered(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield str.__str__(value)
    elif isinstance(value, bytes | bytearray):
        yield bytes(value).decode("latin-1")
    elif isinstance(value, Mapping) and depth:
        held = (
            dict[Any, Any].items(value) if isinstance(value, dict) else value.items()
        )  # whatever its class does
        for key, inner in list(held):
            yield from _rendered(key, depth - 1)
            yield from _rendered(inner, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset) and depth:
        for inner in list(value):
            yield from _rendered(inner, depth - 1)
    else:
        yield repr(value)
