from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import NoReturn

import pytest

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.slots import MAX_SLOTS, Slots
from tests.support.builders import settings

KEPT = settings(client_id="kept")


def token() -> AccessToken:
    now = time.time()
    return AccessToken("tok-1", "Bearer", now + 3600, now)


def test_settings_that_ask_for_the_same_token_have_one_slot() -> None:
    slots = Slots()
    slot = slots.of(KEPT)
    assert slots.of(settings(client_id="kept", category="another")) is slot
    assert slots.of(settings(client_id="another")) is not slot


@pytest.mark.fault("P48")
def test_the_least_recently_used_goes_first() -> None:
    slots = Slots()
    kept, first = (weakref.ref(slots.of(given)) for given in (KEPT, settings(client_id="first")))
    for number in range(MAX_SLOTS - 2):
        slots.of(settings(client_id=f"other-{number}"))
    assert first() is not None
    assert slots.of(KEPT) is kept()
    slots.of(settings(client_id="one too many"))
    assert first() is None
    assert slots.of(KEPT) is kept()


@pytest.mark.fault("F80", "P48")
def test_of_what_was_refused_goes_first_what_was_used_least_recently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_oauth_provider.tokens.slots.MAX_SLOTS", 1)
    monkeypatch.setattr("airflow_oauth_provider.tokens.slots.MAX_KEYS", 2)
    slots, refused = Slots(), token()
    held = slots.of(KEPT)
    held.refuse(refused)
    slots.of(settings(client_id="first")).refuse(refused)
    slots.of(KEPT)
    slots.of(settings(client_id="second")).refuse(refused)
    slots.of(settings(client_id="third"))
    del held
    assert not slots.of(KEPT).accepts(refused)
    assert slots.of(settings(client_id="first")).accepts(refused), "one too many"


def crowd_out(slots: Slots) -> None:
    for number in range(MAX_SLOTS):
        slots.of(settings(client_id=f"other-{number}"))


@pytest.mark.fault("F80", "P48")
def test_a_key_has_one_slot_as_long_as_anybody_holds_on_to_it() -> None:
    """Else a hook would go on with a token that another one has seen refused."""
    slots = Slots()
    slot = slots.of(KEPT)
    crowd_out(slots)
    assert slots.of(KEPT) is slot


@pytest.mark.fault("P48")
@pytest.mark.parametrize(
    "forget", [lambda slots: slots.drop(token_key(KEPT)), lambda slots: slots.clear()], ids=["one", "all"]
)
def test_what_is_forgotten_is_held_by_nobody(forget: Callable[[Slots], None]) -> None:
    slots = Slots()
    slot = weakref.ref(slots.of(KEPT))
    forget(slots)
    assert slot() is None


def test_what_is_forgotten_is_forgotten_with_what_was_refused() -> None:
    slots, refused = Slots(), token()
    slots.of(KEPT).refuse(refused)
    crowd_out(slots)
    slots.of(KEPT)
    slots.drop(token_key(KEPT))
    assert slots.of(KEPT).accepts(refused)


@pytest.mark.fault("F80", "P16")
def test_what_was_refused_is_remembered_whenever_a_task_timeout_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class TaskTimeoutError(BaseException):
        pass

    def interrupt(*_: object) -> NoReturn:
        raise TaskTimeoutError

    slots, refused = Slots(), token()
    slots.of(KEPT).refuse(refused)
    crowd_out(slots)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_oauth_provider.tokens.slots.Slot", interrupt)
        with pytest.raises(TaskTimeoutError):
            slots.of(KEPT)
    assert not slots.of(KEPT).accepts(refused)


@pytest.mark.fault("F80", "P48")
def test_what_was_refused_is_remembered_of_a_slot_that_is_gone() -> None:
    slots, refused = Slots(), token()
    slots.of(KEPT).refuse(refused)
    crowd_out(slots)
    assert not slots.of(KEPT).accepts(refused)
    slots.of(KEPT).put(refused)
    assert slots.of(KEPT).current() is None, "the store still holds it"
    crowd_out(slots)
    assert slots.of(KEPT).has_refused(refused)


def test_of_keys_without_a_slot_as_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_oauth_provider.tokens.slots.MAX_KEYS", 3)
    slots, refused = Slots(), token()
    for number in range(5):
        slots.of(settings(client_id=f"refused-{number}")).refuse(refused)
    crowd_out(slots)
    known = [slots.of(settings(client_id=f"refused-{number}")).has_refused(refused) for number in range(5)]
    assert known == [False, False, True, True, True]


def test_a_slot_that_is_dropped_is_empty_for_those_who_hold_on_to_it() -> None:
    slots = Slots()
    slot = slots.of(KEPT)
    slot.put(token())
    slots.drop(slot.key)
    assert slot.current() is None
    assert slots.of(KEPT) is not slot
    slots.drop("of nobody")


def test_after_a_fork_the_tokens_are_there_and_locks_and_flights_are_not() -> None:
    slots = Slots()
    slot = slots.of(KEPT)
    slot.put(granted := token())
    slot.lock.acquire()  # by a thread that the child does not have
    slots.reset_after_fork()
    assert slots.of(KEPT).current() is granted
    assert slot.flight is None
    assert slot.lock.acquire(blocking=False)


def test_after_a_fork_a_slot_that_only_a_hook_holds_on_to_has_a_free_lock_too() -> None:
    slots = Slots()
    slot = slots.of(KEPT)
    for number in range(MAX_SLOTS):
        slots.of(settings(client_id=f"other-{number}"))
    slot.lock.acquire()  # by a thread that the child does not have
    slots.reset_after_fork()
    assert slot.lock.acquire(blocking=False)


def test_threads_that_come_at_once_have_one_slot() -> None:
    slots, start = Slots(), threading.Barrier(8)
    given: list[object] = []

    def ask() -> None:
        start.wait(60)
        given.append(slots.of(KEPT))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(given) == 8
    assert len({id(slot) for slot in given}) == 1


def test_a_slot_without_a_place_is_emptied_too_when_its_key_is_forgotten() -> None:
    slots = Slots()
    slot = slots.of(KEPT)
    slot.put(token())
    crowd_out(slots)
    slots.drop(slot.key)
    assert slot.current() is None


def test_cleared_it_knows_no_slot_and_nothing_that_was_refused() -> None:
    slots, refused = Slots(), token()
    slot, gone = slots.of(KEPT), settings(client_id="gone")
    slots.of(gone).refuse(refused)
    crowd_out(slots)
    slots.clear()
    assert slots.of(KEPT) is not slot
    assert slots.of(gone).accepts(refused)


def test_a_forked_process_has_none_of_its_parents_locks_and_flights() -> None:
    slots = Slots()
    slot = slots.of(KEPT)
    slot.put(token())
    slot.flight = object()  # type: ignore[assignment]
    with slots._lock, slot.lock:  # held by threads that the child does not have
        slots.reset_after_fork()
        assert not slots._lock.locked()
        assert not slot.lock.locked()
    assert slot.flight is None
    assert slots.of(KEPT).current() is not None
