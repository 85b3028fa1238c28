"""Waiting until an API may be called again that has asked all its callers to stay away (RFC 9110 §10.2.3).

A generator that decides for every HTTP library alike; it yields effects
(:mod:`airflow_oauth_provider.protocol.call.effects`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.effects import CoolDown, LookUpCoolDown, Pause
from airflow_oauth_provider.protocol.urls import Origin

LONGEST = 300.0
"""Seconds of a cool-down at the most, whatever an API asks for."""
SPREAD = 1.0
"""Seconds after its end over which callers come back at the most: else they would all come at once."""
_SHARE = 0.25
"""Of the whole cool-down, for those that are shorter."""
WaitForEnd = Generator[LookUpCoolDown | Pause, CoolDown | None, CoolDown | None]


def wait_for_end(origin: Origin, most: float | None, random: Callable[[], float]) -> WaitForEnd:
    """Wait while an API's cool-down lasts, and the next one, if it asks for another meanwhile.

    :param most: seconds for which the call waits; ``None`` for as long as it takes.
    :param random: returns a float in [0, 1).
    :return: ``None`` when the call may be sent; else the cool-down that lasts longer than the call waits.
    """
    waited = 0.0
    while (cool_down := (yield LookUpCoolDown(origin))) is not None:
        left = None if most is None else most - waited
        if left is not None and cool_down.left > left:
            return cool_down
        seconds = cool_down.left + random() * min(SPREAD, cool_down.whole * _SHARE)
        seconds = min(seconds, LONGEST if left is None else min(left, LONGEST))
        waited += seconds
        yield Pause(seconds, cool_down)
    return None


def not_sent(cool_down: CoolDown, method: str, url: str) -> ResourceError:
    """Return the error of a call that does not wait so long.

    :param url: without the values of its query.
    """
    error = ResourceError(
        f"{method} {url} was not sent: the API has asked all callers to stay away (HTTP status "
        f"{cool_down.status}), for another {cool_down.left:.1f} s, which is longer than this call waits",
        status=cool_down.status,
        retryable=True,
        retry_after=cool_down.left,
        method=method,
        url=url,
        sent=False,
    )
    return error.with_advice(
        'raise its timeout, or give extra_options={"cool_down": "ignore"} to call all the same'
    )
