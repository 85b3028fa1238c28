"""An entry of a folder is removed, while another process puts a newer one in its place."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.tokens.stores import file_store as file_module
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from tests.support.stores import soon

NAME = "a1b2c3"


def meanwhile(monkeypatch: pytest.MonkeyPatch, place: str, work: Callable[[], object]) -> None:
    """Do something once, just before ``delete_if`` comes to a place."""
    module = secrets if place == "token_hex" else file_module
    real, pending = getattr(module, place), [work]

    def called(*arguments: Any) -> Any:
        while pending:
            pending.pop()()
        return real(*arguments)

    monkeypatch.setattr(module, place, called)


@pytest.fixture
def store(folder: Path) -> FileStore:
    store = FileStore(folder)
    store.write(NAME, b"old", until=soon())
    return store


@pytest.mark.fault("F80")
def test_what_is_another_one_already_is_not_touched(store: FileStore, folder: Path) -> None:
    """Not even for a moment, in which a reader would miss it."""
    (entry,) = folder.glob("*.sealed")
    changed_at = entry.stat().st_ctime_ns
    store.delete_if(NAME, b"another")
    assert entry.stat().st_ctime_ns == changed_at


@pytest.mark.fault("F80")
@pytest.mark.parametrize("again", [False, True], ids=["one", "another one again"])
def test_the_newer_one_stays(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    def newest() -> None:
        store.write(NAME, b"newest", until=soon())

    def newer() -> None:
        store.write(NAME, b"newer", until=soon())
        if again:
            meanwhile(monkeypatch, "_content", newest)

    meanwhile(monkeypatch, "token_hex", newer)
    store.delete_if(NAME, b"old")
    assert store.read(NAME) == (b"newest" if again else b"newer")
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.sealed"], "no leftover"


@pytest.mark.fault("F80")
def test_one_that_somebody_else_has_removed(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, "token_hex", lambda: store.delete(NAME))
    store.delete_if(NAME, b"old")
    assert list(folder.iterdir()) == []
