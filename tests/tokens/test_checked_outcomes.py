"""What a check remembers: by whom it can be written, and what of it is believed."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.checked_outcomes import (
    MOST_MARKS,
    CheckedOutcome,
    OutcomeMemory,
    Remembered,
)
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from tests.support.builders import SECRET, settings

NOW = time.time()
REFUSED = CheckedOutcome("refused", ("a",), NOW, NOW)
WRONG = CheckedOutcome("wrong_configuration", (), NOW, NOW)
OTHER = settings(client_secret=Secret("another-secret-of-the-client"))
WITHOUT = settings(client_secret=None, auth_method="custom")


@pytest.fixture
def sharing() -> Sharing:
    return Sharing(MemoryStore())


def memory(
    sharing: Sharing, given: ClientSettings | None = None, checker: str = "daily", conn_id: str = "a"
) -> OutcomeMemory:
    return OutcomeMemory(sharing, checker, conn_id, given)


def test_what_is_written_is_read_again(sharing: Sharing) -> None:
    memory(sharing, settings()).write(Remembered("run 1", REFUSED))
    entry, foreign = memory(sharing, settings()).read()
    assert entry is not None
    assert (entry.now, entry.before, foreign) == (REFUSED, None, False)


def test_each_check_and_each_connection_has_its_own(sharing: Sharing) -> None:
    memory(sharing, settings()).write(Remembered("run 1", REFUSED))
    assert memory(sharing, settings(), checker="other").read() == (None, False)
    assert memory(sharing, settings(), conn_id="b").read() == (None, False)


def test_a_run_that_is_repeated_compares_with_the_run_before(sharing: Sharing) -> None:
    ok = replace(REFUSED, state="ok")
    memory(sharing, settings()).write(Remembered("run 2", REFUSED, ok))
    entry, _ = memory(sharing, settings()).read()
    assert entry is not None
    assert entry.before_run("run 2") == ok
    assert entry.before_run("run 3") == REFUSED


def test_of_another_credential_is_only_known_that_there_was_one(sharing: Sharing) -> None:
    memory(sharing, settings()).write(Remembered("run 1", REFUSED))
    assert memory(sharing, OTHER).read() == (None, True)


def test_with_a_store_key_a_rotated_secret_changes_nothing(sharing: Sharing) -> None:
    keyed = replace(sharing, keys=(Secret("a-store-key"),))
    memory(keyed, settings()).write(Remembered("run 1", REFUSED))
    entry, _ = memory(keyed, OTHER).read()
    assert entry is not None
    assert entry.now == REFUSED
    rotated = replace(sharing, keys=(Secret("a-newer-key"), Secret("a-store-key")))
    assert memory(rotated, settings()).read()[0] is not None


def test_who_can_write_to_the_store_cannot_make_a_refusal_look_old(sharing: Sharing) -> None:
    """Without any credential one can seal under a name; of a client that has one it is not believed."""
    memory(sharing, None).write(Remembered("run 1", REFUSED))
    assert memory(sharing, settings()).read() == (None, True)
    memory(sharing, None).write(Remembered("run 1", WRONG))
    entry, _ = memory(sharing, settings()).read()
    assert entry is not None
    assert entry.now == WRONG


def test_a_client_without_a_credential_is_remembered_too(sharing: Sharing) -> None:
    memory(sharing, WITHOUT).write(Remembered("run 1", REFUSED))
    entry, _ = memory(sharing, WITHOUT).read()
    assert entry is not None
    assert entry.now == REFUSED


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"state": "well"}, id="state"),
        pytest.param({"state": 7}, id="no-text"),
        pytest.param({"marks": ["x"] * (MOST_MARKS + 1)}, id="many"),
        pytest.param({"marks": "x"}, id="no-list"),
        pytest.param({"since": NOW + 10**6}, id="future"),
        pytest.param({"told_at": float("nan")}, id="nan"),
    ],
)
def test_what_does_not_hold_together_is_not_known(change: dict[str, Any]) -> None:
    content = json.loads(Remembered("run 1", REFUSED).dump())
    assert Remembered.load(json.dumps(content).encode()) is not None
    content["now"] |= change
    assert Remembered.load(json.dumps(content).encode()) is None
    assert Remembered.load(b"[]") is None


def test_an_entry_shows_no_secret(sharing: Sharing) -> None:
    entry = Remembered("run 1", REFUSED)
    assert SECRET.encode() not in entry.dump()
    assert "run 1" not in entry.dump().decode()
