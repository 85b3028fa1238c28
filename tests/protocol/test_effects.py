from __future__ import annotations

from typing import get_args

import pytest

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.protocol.effects import AskProvider, Effect, Fetch, Flow, Outcome, Send, Sleep
from airflow_oauth_provider.protocol.moments import Moment

MOMENT = Moment(1.7e9, 50.0)


def one() -> Flow[str]:
    outcome = yield Fetch("https://idp.example/doc", 60.0)
    return f"at {outcome.moment.monotonic}"


def two() -> Flow[str]:
    first = yield from one()
    yield Sleep(1.5, TransportError("x"))
    return f"{first}, then slept"


def test_flows_compose() -> None:
    flow = two()
    assert next(flow) == Fetch("https://idp.example/doc", 60.0)
    sleep = flow.send(Outcome(MOMENT))
    assert isinstance(sleep, Sleep)
    assert sleep.seconds == 1.5
    with pytest.raises(StopIteration) as caught:
        flow.send(Outcome(MOMENT))
    assert caught.value.value == "at 50.0, then slept"


def test_each_effect_is_told_apart_by_its_type() -> None:
    assert {Send, Fetch, AskProvider, Sleep} <= set(get_args(Effect))
    assert Outcome(MOMENT).result is None
