"""What a user of a slot sees, and when it stops seeing it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_oauth_provider.tokens import AccessToken, token_view
from airflow_oauth_provider.tokens.cached_token import Slot
from airflow_oauth_provider.tokens.token_view import VIEW_TIME, TokenView


@pytest.fixture
def token() -> AccessToken:
    now = time.time()
    return AccessToken("tok-1", "Bearer", now + 3600, now)


@pytest.fixture
def slot(token: AccessToken) -> Slot:
    slot = Slot("key")
    slot.put(token)
    return slot


def shows(view: TokenView) -> bool:
    return time.time() < view.renew_at and time.monotonic() < view.until


def test_a_token_is_shown(slot: Slot, token: AccessToken) -> None:
    view = TokenView()
    assert not shows(view)
    assert slot.show(view) is token
    assert shows(view)
    assert view.token is token


def test_for_a_second_at_the_most(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_view, "monotonic", lambda: 100.0)
    view = TokenView()
    slot.show(view)
    assert view.until == 100.0 + VIEW_TIME


def test_never_longer_than_the_token_is_good(token: AccessToken) -> None:
    view, until = TokenView(), time.monotonic() + VIEW_TIME / 2
    view.show(token, token.expires_at, until)
    assert view.until == until


def test_an_empty_slot_shows_nothing() -> None:
    view = TokenView()
    assert Slot("key").show(view) is None
    assert not shows(view)


CHANGES: dict[str, Callable[[Slot, AccessToken], object]] = {
    "refused": lambda slot, token: slot.refuse(token),
    "forgotten": lambda slot, _: slot.empty(),
    "renewed": lambda slot, token: slot.put(replace(token, value="tok-2"), granted=True),
    "renewal begins": lambda slot, _: slot.pause(30),
}


@pytest.mark.fault("F80")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_slot_ends_every_view_of_it(
    slot: Slot, token: AccessToken, change: Callable[[Slot, AccessToken], object]
) -> None:
    views = [TokenView() for _ in range(3)]
    for view in views:
        slot.show(view)
    change(slot, token)
    assert not any(shows(view) for view in views)
    assert len(slot._views) == 0, "they may show what another slot holds by now"


def test_a_slot_keeps_no_view_of_a_client_that_is_gone(slot: Slot) -> None:
    views = [TokenView() for _ in range(3)]
    for view in views:
        slot.show(view)
    del views, view
    gc.collect()
    assert len(slot._views) == 0


def test_hits_are_taken_once() -> None:
    view = TokenView()
    view.hits += 2
    assert [view.taken_hits(), view.taken_hits()] == [2, 0]
