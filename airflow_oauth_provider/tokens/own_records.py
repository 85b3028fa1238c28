"""What this process has written last, by entry: what lies there unchanged need not be opened to be known.

A long-lived process finds nearly always what it wrote itself. To decrypt and check that again cost, with the
pools that :class:`OneRequestAdapter` does without, a tenth of a new token's CPU time
(``python -m benchmarks.new_token --store file``).

A record is known by the bytes that were sealed, which no other writer can have made, and as long as the wall
clock is not set back behind the writing: then its times are to be checked anew.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from airflow_oauth_provider.tokens.sealing import Sealer

MOST = 1024
_own: OrderedDict[tuple[bytes, str], tuple[bytes, Any, float]] = OrderedDict()


def keep(sealer: Sealer, name: str, data: bytes, record: Any) -> None:
    """Know *record* by what was just sealed of it."""
    _own[sealer.name_key, name] = data, record, time.time()
    while len(_own) > MOST:
        with suppress(KeyError):  # another thread was faster
            _own.popitem(last=False)


def known(sealer: Sealer, name: str, data: bytes) -> Any:
    """Return the record of an entry that is as this process has written it; ``None`` of any other."""
    own = _own.get((sealer.name_key, name))
    if own is None or own[0] != data or time.time() < own[2]:
        return None
    return own[1]


def drop(sealer: Sealer, name: str) -> None:
    """Forget what was written."""
    _own.pop((sealer.name_key, name), None)


def clear() -> None:
    """Know no more than a new process does."""
    _own.clear()
