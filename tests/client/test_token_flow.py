"""When the connection is read again, and whether a refused credential has changed; without any I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_oauth_provider.client.token_flow import Acquire, Read, Refusal, token_flow
from airflow_oauth_provider.exceptions import InvalidClientError, TransportError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.manager import shared
from tests.support.builders import settings

GIVEN = settings()
ROTATED = replace(GIVEN, client_secret=Secret("the-rotated-client-secret-0123456789"))


def token(value: str = "tok", ago: float = 0.0) -> AccessToken:
    now = this_moment().wall - ago
    return AccessToken(value, "Bearer", now + 3600, now)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    shared.clear()
    yield
    shared.clear()


def steps(flow: Any, *results: Any) -> tuple[list[Any], Any]:
    """Return what the flow wants in turn, and its result; an error among the responses is thrown in."""
    effects = [next(flow)]
    for result in results:
        try:
            advance = flow.throw if isinstance(result, Exception) else flow.send
            effects.append(advance(result))
        except StopIteration as end:
            return effects, end.value
    return effects, None


def test_a_connection_that_was_not_read_is_read_once() -> None:
    granted = token()
    effects, result = steps(token_flow("c", None, read_anew=True), GIVEN, granted)
    assert effects == [Read(), Acquire(GIVEN)]
    assert result is granted


def test_it_is_read_again_before_a_new_acquisition() -> None:
    effects, _ = steps(token_flow("c", GIVEN, read_anew=True), ROTATED, token())
    assert effects == [Read(), Acquire(ROTATED)]


def test_a_token_in_memory_needs_nothing() -> None:
    held = token()
    shared.slots.of(GIVEN).put(held)
    with pytest.raises(StopIteration) as end:
        next(token_flow("c", GIVEN, read_anew=True))
    assert end.value.value is held
    assert isinstance(next(token_flow("c", GIVEN, read_anew=True, force=True)), Read)


def test_a_refused_token_is_replaced_by_a_newer_one_in_memory() -> None:
    refused, newer = token("refused", ago=10), token("newer")
    shared.slots.of(GIVEN).put(newer)
    with pytest.raises(StopIteration) as end:
        next(token_flow("c", GIVEN, read_anew=False, refusal=Refusal(refused, None)))
    assert end.value.value is newer
    assert shared.slots.of(GIVEN).has_refused(refused)


def test_a_refused_token_is_not_handed_out_again() -> None:
    refused = token("refused")
    shared.slots.of(GIVEN).put(refused)
    refusal = Refusal(refused, None)
    effects, result = steps(token_flow("c", GIVEN, read_anew=False, refusal=refusal), None)
    assert effects == [Acquire(GIVEN, refusal=refusal)]
    assert result is None, "renewing it cannot help"


class TestARefusedClient:
    """One more try, and only with another credential."""

    def test_whose_secret_has_changed(self) -> None:
        granted = token()
        flow = token_flow("c", GIVEN, read_anew=False)
        effects, result = steps(flow, InvalidClientError("no"), ROTATED, granted)
        assert effects == [Acquire(GIVEN), Read(), Acquire(ROTATED)]
        assert result is granted

    def test_whose_secret_has_not(self) -> None:
        flow = token_flow("c", GIVEN, read_anew=False)
        next(flow)
        flow.throw(InvalidClientError("no"))
        with pytest.raises(InvalidClientError):
            flow.send(GIVEN)

    def test_that_is_refused_again(self) -> None:
        flow = token_flow("c", GIVEN, read_anew=False)
        next(flow)
        flow.throw(InvalidClientError("no"))
        flow.send(ROTATED)
        with pytest.raises(InvalidClientError):
            flow.throw(InvalidClientError("no"))

    def test_other_errors_end_it(self) -> None:
        flow = token_flow("c", GIVEN, read_anew=False)
        next(flow)
        with pytest.raises(TransportError):
            flow.throw(TransportError("no"))
