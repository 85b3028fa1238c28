"""Cool-downs as a store holds them: one entry for all credentials, each record sealed under its own.

What comes from a store may be anything: a record that is not what it should be is none, and spoils no other.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.protocol.access_token import CLOCK_TOLERANCE
from airflow_oauth_provider.protocol.call.cool_down import LONGEST
from airflow_oauth_provider.tokens.clocks import elapsed_clock
from airflow_oauth_provider.tokens.record_values import UNREADABLE, RecordError, number, whole

MOST_RECORDS = 128
_NAME = re.compile(r"[0-9a-f]{40}\Z")
_LONGEST_RECORD = 256
Record = tuple[float, str]
"""The wall time at which a cool-down is over, and its sealed record."""


@dataclass
class HeldCoolDown:
    """A cool-down in memory.

    :param ends_at: on the elapsed clock.
    :param first_until: until when others wait for the call that goes first; ``None`` while none has gone.
    """

    ends_at: float
    whole: float
    status: int
    first_until: float | None = None


def sealed_record(held: HeldCoolDown, seal: Callable[[bytes], bytes]) -> Record:
    """Return the record of a cool-down that begins now.

    :param seal: makes of it what only its own client can open.
    """
    now = time.time()
    content = json.dumps({"at": now, "seconds": held.whole, "status": held.status}).encode()
    return now + held.whole, base64.b64encode(seal(content)).decode()


def opened_record(sealed: str, unseal: Callable[[bytes], bytes | None]) -> HeldCoolDown | None:
    """Return the cool-down of a record; ``None`` when it is over, or no record of this client's.

    :param unseal: opens it.
    """
    try:
        return _opened(unseal(base64.b64decode(sealed, validate=True)))
    except UNREADABLE:
        return None


def _opened(content: bytes | None) -> HeldCoolDown | None:
    """Read a record.

    :raises Exception: of :data:`UNREADABLE`, for one that is not what it should be.
    """
    record = json.loads(content or b"null")
    now = time.time()
    began_at = number(record["at"], 0, now + CLOCK_TOLERANCE)
    seconds, status = number(record["seconds"], 0, LONGEST), whole(record["status"], 599)
    if status < 400:
        raise RecordError("it is no status by which an API asks for anything")
    left = min(began_at + seconds - now, seconds)
    return HeldCoolDown(elapsed_clock() + left, seconds, status) if left > 0 else None


def read_records(content: bytes | None, now: float) -> dict[str, Record]:
    """Return the records of an entry that are not over.

    :param now: seconds since the epoch.
    """
    try:
        listed: Any = json.loads(content or b"{}")
    except UNREADABLE:
        return {}
    records: dict[str, Record] = {}
    for name, record in list(listed.items())[:MOST_RECORDS] if isinstance(listed, dict) else ():
        try:
            until, sealed = record
            if not isinstance(sealed, str) or len(sealed) > _LONGEST_RECORD or not _NAME.match(name):
                continue
            records[name] = number(until, now, now + LONGEST + CLOCK_TOLERANCE), sealed
        except UNREADABLE:
            continue
    return records


def dump_records(records: dict[str, Record]) -> tuple[bytes, float]:
    """Return an entry with the latest of these records, and the wall time at which all of them are over."""
    latest = sorted(records.items(), key=lambda item: item[1][0])[-MOST_RECORDS:]
    return json.dumps(dict(latest)).encode(), max(until for _, (until, _) in latest)
