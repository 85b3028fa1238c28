"""What an acquisition does, step by step, for whoever observes it.

A thread that nobody observes, as nearly all are, only looks for an observer and finds none. Steps hold
no secret: hosts, addresses, statuses, durations, and what errors of this package say. They are recorded
where the work is done, so that a failure is at the step that failed.

Rules:

* A step that another one contains is recorded first, and the other counts its time from there on.
* A failure that follows directly upon another is the same one, seen from outside: it is not recorded, and
  gives its words to the first where that has none.
* A step that has begun and not ended is one, too: a server that stays silent is silent at some step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from types import TracebackType
from typing import Self

from airflow_oauth_provider.exceptions import OAuthError

MOST_STEPS = 100
"""Of one trace; an acquisition with four attempts by discovery has some forty."""

_local = threading.local()


class StepName(Enum):
    """What is done in a step; the value is its name in JSON."""

    SETTINGS = "settings"
    ASSERTION = "assertion"
    PROXY = "proxy"
    RESOLVE = "resolve"
    CONNECT = "connect"
    TUNNEL = "tunnel"
    TLS = "tls"
    DISCOVERY = "discovery"
    REQUEST = "request"
    PROVIDER = "provider"
    PAUSE = "pause"
    TOKEN = "token"
    SCOPES = "scopes"
    PROBE = "probe"


@dataclass(frozen=True)
class Step:
    """A step that has ended.

    :param host: that it is about; ``None`` for none.
    :param text: its result in a few words.
    :param addresses: that the host's name resolved to, or the one that was connected to: they tell of the
        network, and are for those who may edit connections.
    :param chain_ends_at: when the first certificate of the server's chain ends (seconds since the epoch).
    :param seconds: it took.
    """

    name: StepName
    ok: bool = True
    host: str | None = None
    text: str = ""
    addresses: tuple[str, ...] = ()
    chain_ends_at: float | None = None
    seconds: float = 0.0


@dataclass
class Trace:
    """The steps of one acquisition, in the order in which they ended.

    One thread at a time records; another may look at any moment.
    """

    _steps: list[Step] = field(default_factory=list)
    _open: list[Recording] = field(default_factory=list)
    _inner_ended_at: float = 0.0

    def add(self, ended: Step) -> None:
        """Record a step."""
        last = self._steps[-1] if self._steps else None
        if last is not None and not last.ok and not ended.ok:
            if not last.text:
                self._steps[-1] = replace(last, text=ended.text)
        elif len(self._steps) < MOST_STEPS:
            self._steps.append(ended)

    def steps(self, error: OAuthError | None = None) -> tuple[Step, ...]:
        """Return them.

        :param error: that everything ended with: it is what happened in a step that has not ended. Where
            there is none, nothing was asked at all, since there was a reason not to.
        """
        ended, unended = list(self._steps), self._open[-1:]
        if error is None:
            return tuple(ended)
        if ended and not ended[-1].ok:
            last = ended.pop()
            ended.append(last if last.text else replace(last, text=error.message))
        elif unended:
            ended.append(unended[0].ended(time.monotonic(), ok=False, text=error.message))
        else:
            ended.append(Step(StepName.TOKEN, ok=False, text=f"{error.message} (no request was made)"))
        return tuple(ended)

    def begin(self, begun: Recording) -> None:
        """Note a step that begins."""
        self._open.append(begun)

    def end(self, ending: Recording, error: BaseException | None) -> None:
        """Record a step that ends.

        :param error: that ends it.
        """
        self._open.remove(ending)
        ending.began_at = max(ending.began_at, self._inner_ended_at)
        self._inner_ended_at = now = time.monotonic()
        text = error.message if isinstance(error, OAuthError) else "" if error else ending.text
        self.add(ending.ended(now, ok=error is None and not ending.failed, text=text))


class observed:  # noqa: N801  (used like a function)
    """Have what this thread does recorded.

    :param trace: ``None`` to record nothing.
    """

    __slots__ = ("_before", "_trace")

    def __init__(self, trace: Trace | None) -> None:
        self._trace = trace

    def __enter__(self) -> None:
        self._before = observer()
        _local.trace = self._trace

    def __exit__(self, *_: object) -> None:
        _local.trace = self._before


def observer() -> Trace | None:
    """Return who observes this thread."""
    trace: Trace | None = getattr(_local, "trace", None)
    return trace


class Recording:
    """Something that is done within a ``with`` statement; what is left of it is a :class:`Step`.

    Set its attributes meanwhile, but only if it is ``observed``.
    """

    __slots__ = ("_trace", "addresses", "began_at", "chain_ends_at", "failed", "host", "name", "text")
    observed = True
    _trace: Trace

    def __init__(self, trace: Trace, name: StepName, host: str | None) -> None:
        self._trace = trace
        self.name = name
        self.host = host
        self.text = ""
        self.addresses: tuple[str, ...] = ()
        self.chain_ends_at: float | None = None
        self.failed = False
        self.began_at = time.monotonic()

    def note(self, text: str) -> None:
        """Say what came of it."""
        self.text = text

    def fail(self, text: str) -> None:
        """Say that it has failed, where no exception says so."""
        self.failed, self.text = True, text

    def resolved(self, addresses: Iterable[str]) -> None:
        """Say which addresses it is about."""
        self.addresses = tuple(dict.fromkeys(addresses))

    def ended(self, now: float, *, ok: bool, text: str) -> Step:
        """Return the step as it ends.

        :param now: monotonic seconds.
        """
        seconds = max(0.0, now - self.began_at)
        return Step(self.name, ok, self.host, text, self.addresses, self.chain_ends_at, seconds)

    def __enter__(self) -> Self:
        self._trace.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trace.end(self, error)


class _Unobserved(Recording):
    """What nobody observes: one object for all of it, which keeps nothing."""

    __slots__ = ()
    observed = False

    def __init__(self) -> None:
        """Keep nothing."""

    def note(self, text: str) -> None:
        """Keep nothing."""

    def fail(self, text: str) -> None:
        """Keep nothing."""

    def resolved(self, addresses: Iterable[str]) -> None:
        """Keep nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Keep nothing."""


_UNOBSERVED = _Unobserved()


def recording(name: StepName, host: str | None = None) -> Recording:
    """Record a step, for whoever observes this thread, in a ``with`` statement.

    :param host: that it is about.
    """
    trace = observer()
    return _UNOBSERVED if trace is None else Recording(trace, name, host)
