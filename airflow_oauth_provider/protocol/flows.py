"""Carry out a flow: a generator that decides, and says by each value it yields what is to be done.

A thread and a coroutine drive the same flow, so that nothing is decided twice. A flow is sent the result of
each step. An error of this package that a step raises is raised within the flow, which may go on; any other
exception ends the flow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from airflow_oauth_provider.exceptions import OAuthError

Step = TypeVar("Step")
Result = TypeVar("Result")


def drive(flow: Generator[Step, Any, Result], carry_out: Callable[[Step], Any]) -> Result:
    """Carry out a flow in this thread, and return its result.

    :param carry_out: does what a step asks for, and returns what the flow is sent.
    :raises OAuthError: as the flow does.
    """
    try:
        step = next(flow)
        while True:
            try:
                result = carry_out(step)
            except OAuthError as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        returned: Result = end.value
        return returned
    finally:
        flow.close()


async def adrive(flow: Generator[Step, Any, Result], carry_out: Callable[[Step], Awaitable[Any]]) -> Result:
    """Do what :func:`drive` does without blocking the loop."""
    try:
        step = next(flow)
        while True:
            try:
                result = await carry_out(step)
            except OAuthError as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        returned: Result = end.value
        return returned
    finally:
        flow.close()
