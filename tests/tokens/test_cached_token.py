"""One token in memory, and clocks that misbehave."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest

from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.cached_token import MAX_REFUSED, Slot
from airflow_oauth_provider.tokens.token_view import TokenView
from tests.support.builders import NOW

TOKEN = AccessToken("tok-1", "Bearer", NOW + 3600, NOW)


class Clocks:
    """Two clocks set by hand: the wall's, and the one that counts what has passed."""

    def __init__(self) -> None:
        self.wall = NOW
        self.elapsed = 5000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr("airflow_oauth_provider.tokens.cached_token.time.time", lambda: clocks.wall)
    monkeypatch.setattr("airflow_oauth_provider.tokens.cached_token.elapsed_clock", lambda: clocks.elapsed)
    return clocks


@pytest.fixture
def slot(clocks: Clocks) -> Slot:
    slot = Slot("key")
    slot.put(TOKEN)
    return slot


def test_good_until_the_mandatory_margin(slot: Slot, clocks: Clocks) -> None:
    assert slot.current() is TOKEN
    clocks.pass_(3539)
    assert slot.current() is TOKEN
    clocks.pass_(1)
    assert slot.current() is None


@pytest.mark.fault("K01")
def test_issued_by_a_clock_that_was_ahead(clocks: Clocks) -> None:
    clocks.wall += 600
    slot = Slot("key")
    slot.put(replace(TOKEN, issued_at=NOW + 600, expires_at=NOW + 4200))
    assert slot.current() is not None
    clocks.wall -= 600
    assert slot.current() is None, "its expiry was counted on a clock that was wrong"
    slot.put(TOKEN)
    assert slot.current() is TOKEN, "issued earlier, by that clock only"


@pytest.mark.fault("K02")
def test_a_clock_set_back_keeps_nothing_alive(slot: Slot, clocks: Clocks) -> None:
    clocks.wall -= 200
    clocks.pass_(3541)
    assert slot.current() is None, "3,541 s have passed, whatever the wall clock says"


@pytest.mark.fault("K03")
def test_a_clock_set_forward_ends_it(slot: Slot, clocks: Clocks) -> None:
    clocks.wall += 7200
    assert slot.current() is None


@pytest.mark.fault("K04")
def test_a_suspended_machine(slot: Slot, clocks: Clocks) -> None:
    clocks.wall += 3 * 3600  # the elapsed clock of some systems stands still meanwhile
    assert slot.current() is None


@pytest.mark.fault("P51")
def test_an_older_token_does_not_replace_a_newer(slot: Slot) -> None:
    slot.put(replace(TOKEN, value="older", issued_at=NOW - 10))
    assert slot.current() is TOKEN
    for issued_at in (NOW, NOW + 1):
        slot.put(newer := replace(TOKEN, value=f"issued at {issued_at}", issued_at=issued_at))
        assert slot.current() is newer
    slot.put(granted := replace(TOKEN, value="granted", issued_at=NOW), granted=True)
    assert slot.current() is granted, "the server has just answered this process, whatever the clocks say"


@pytest.mark.fault("P51")
def test_only_the_refused_token_is_dropped(slot: Slot) -> None:
    slot.refuse(replace(TOKEN, value="another"))
    assert slot.current() is TOKEN
    slot.refuse(replace(TOKEN))
    assert slot.current() is None


@pytest.mark.parametrize("seconds", [10.5, 12], ids=["hardly good", "past"])
def test_a_newer_one_that_comes_too_late_does_not_replace_one_that_is_good(
    slot: Slot, clocks: Clocks, seconds: float
) -> None:
    clocks.pass_(seconds)
    slot.put(replace(TOKEN, value="late", issued_at=NOW + 1, expires_at=NOW + 11))
    assert slot.current() is TOKEN


def test_it_is_worth_renewing_in_the_last_minutes_which_begin_at_another_time_in_each_process(
    slot: Slot, clocks: Clocks
) -> None:
    assert len({Slot("key")._jitter for _ in range(9)}) > 1
    slot._jitter = 0.1
    slot.put(TOKEN)
    clocks.wall = TOKEN.advisory_at + 1
    assert slot.fresh() is TOKEN
    clocks.wall = TOKEN.mandatory_at - 1
    assert slot.fresh() is None
    assert slot.current() is TOKEN


def test_a_pause_ends_with_the_token(slot: Slot, clocks: Clocks) -> None:
    slot.pause(10_000)
    clocks.wall = TOKEN.mandatory_at - 1
    assert slot.fresh() is TOKEN
    clocks.wall = TOKEN.mandatory_at + 1  # while the machine slept
    assert slot.fresh() is None


@pytest.mark.fault("K02")
def test_a_clock_set_back_keeps_nothing_fresh(
    slot: Slot, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, renew_at, until, bounds = slot.held
    slot.held = token, renew_at, until - 3540, bounds  # as many seconds have passed
    assert slot.fresh() is None


@pytest.mark.fault("F80", "F81")
def test_what_the_server_has_just_granted_is_good_though_a_later_one_was_refused(clocks: Clocks) -> None:
    """Another host's clock was ahead, or ours has been set back; the store then holds it, too."""
    slot = Slot("key")
    slot.refuse(replace(TOKEN, value="later", issued_at=NOW + 100))
    slot.put(TOKEN)
    assert slot.current() is None
    slot.put(TOKEN, granted=True)
    assert slot.current() is TOKEN
    assert slot.accepts(replace(TOKEN)), "found in the store"
    assert not slot.accepts(replace(TOKEN, value="older", issued_at=NOW - 1))


def test_one_that_is_granted_again_may_be_refused_again(slot: Slot) -> None:
    slot.refuse(TOKEN)
    slot.put(TOKEN, granted=True)
    assert not slot.has_refused(TOKEN)


def test_so_many_refused_ones_are_remembered_and_the_latest_are(slot: Slot) -> None:
    refused = [replace(TOKEN, value=f"{number}") for number in range(MAX_REFUSED + 5)]
    for token in refused:
        slot.refuse(token)
    assert [slot.has_refused(token) for token in refused] == [False] * 5 + [True] * MAX_REFUSED


@pytest.mark.fault("F10")
def test_which_apis_have_accepted_a_token_is_known_until_it_is_refused(slot: Slot) -> None:
    one, other = (parse_url(f"https://{host}.example").origin for host in ("one", "other"))
    another = replace(TOKEN, value="another")
    slot.accepted_by(one, TOKEN)
    slot.accepted_by(other, another)
    assert slot.was_accepted_by(one, TOKEN)
    assert not slot.was_accepted_by(one, another)
    slot.refuse(TOKEN)
    assert not slot.was_accepted_by(one, TOKEN)
    assert slot.was_accepted_by(other, another)


@pytest.mark.fault("P16", "F80")
def test_a_refusal_that_a_task_timeout_interrupts_may_be_made_again() -> None:
    class TaskTimeoutError(BaseException):
        pass

    class View(TokenView):
        def end(self) -> None:
            if next(interrupted) == 0:
                raise TaskTimeoutError
            super().end()

    interrupted = itertools.count()
    slot, view, now = Slot("key"), View(), time.time()
    token = AccessToken("tok-1", "Bearer", now + 3600, now)
    slot.put(token)
    slot.show(view)
    with pytest.raises(TaskTimeoutError):
        slot.refuse(token)
    assert not slot.has_refused(token), "else nobody would refuse it again"
    slot.refuse(token)
    assert slot.current() is None
    assert time.time() > view.renew_at, "nobody sees it"


@pytest.mark.parametrize("lifetime", [0, -5], ids=["0[T18]", "past"])
def test_what_is_good_for_one_call_only_is_not_kept(clocks: Clocks, lifetime: float) -> None:
    slot = Slot("key")
    slot.put(replace(TOKEN, expires_at=NOW + lifetime))
    assert slot.current() is None


@pytest.mark.fault("F81")
def test_an_older_token_that_is_refused_later_makes_none_in_between_good() -> None:
    slot = Slot("key")
    for value, issued_at in (("newer", NOW), ("older", NOW - 100)):
        slot.refuse(AccessToken(value, "Bearer", NOW + 3600, issued_at))
    for issued_at in (NOW - 50, NOW):
        assert not slot.accepts(AccessToken("in-between", "Bearer", NOW + 3600, issued_at))
    assert slot.accepts(AccessToken("newest", "Bearer", NOW + 3600, NOW + 1))
