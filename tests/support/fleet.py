"""Many cold processes that want a token at the same moment.

A conductor that has everything imported forks the processes, as Airflow's executors do; each has a memory
of its own. What they have in common is the store.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.support.preloaded import Preloaded

# What the process of a task has imported by the time it asks for a token.
_IMPORTED = (
    "airflow.sdk.definitions.connection",
    "airflow_oauth_provider.hooks.oauth2",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "requests",
)
_CONDUCTORS = Preloaded("tests.support.fleet_conductor:conduct", _IMPORTED)


@dataclass(frozen=True)
class Task:
    """What the processes do.

    :param connection: as ``AIRFLOW_CONN_…`` has it.
    :param store: option ``token_store``; *home* is Airflow's.
    :param processes: how many; each makes *calls* calls of ``get_token``.
    :param kill_after: seconds between which a process that asks the server is killed; ``None``: never.
    :param kills: at most so many.
    :param kill_when: a file; nobody is killed before it is there. ``None``: none is waited for.
    :param stop_leader: stop (SIGSTOP) the first process that asks, for ever.
    :param notes: a file that gets a line for what happens: ``waits`` when a process has looked for what is
        shared, ``killed``, ``stopped``; ``None`` for none. A server may wait for it.
    :param ahead: seconds by which their wall clocks are ahead.
    :param rounds: how often, each time as a client of another name.
    :param store_seconds: that an operation of Redis may take; ``None`` for as long as the package gives it.
    :param endpoint: each process calls it with its token instead of only getting one, where it is named.
    :param scopes: how many scopes the processes ask for, in turn, instead of the connection's; 0 for none.
    :param scope: of one process.
    :param library: ``ours``, ``authlib`` or ``requests_oauth2client``.
    """

    connection: dict[str, Any]
    store: str
    home: str
    processes: int
    calls: int = 1
    kill_after: tuple[float, float] | None = None
    kills: int = 0
    kill_when: str | None = None
    stop_leader: bool = False
    notes: str | None = None
    ahead: float = 0.0
    rounds: int = 1
    store_seconds: float | None = None
    endpoint: str | None = None
    scopes: int = 0
    scope: str | None = None
    library: str = "ours"
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What became of one process.

    :param token: it got; else *error* is the type of what was raised, *message* its text.
    :param seconds: of its first call, from the common start; of the slowest of all calls: *slowest*.
    :param stalled: seconds of its first call in which something on this machine waited for a core.
    :param engine: seconds from settings to token, without reading connection and configuration.
    """

    token: str | None = None
    error: str | None = None
    message: str = ""
    seconds: float = 0.0
    slowest: float = 0.0
    stalled: float = 0.0
    engine: float = 0.0


@dataclass(frozen=True)
class Report:
    """What became of all of them.

    :param killed: processes that were killed, round by round.
    :param requests: token requests in each round, by the server's own count where it offers one.
    """

    results: list[Result] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    @property
    def tokens(self) -> set[str]:
        return {result.token for result in self.results if result.token}

    @property
    def errors(self) -> set[str]:
        return {result.error for result in self.results if result.error}


def run(task: Task, *, timeout: float = 400) -> Report:
    """Run the processes below a conductor, with nothing in its memory but what is imported."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": task.home,
        "AIRFLOW__OAUTH2__TOKEN_STORE": task.store,
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "PYTHONWARNINGS": "ignore",
    }
    code, printed = _CONDUCTORS.run(json.dumps(asdict(task)), environment, timeout)
    if code:
        raise RuntimeError(f"the fleet failed:\n{printed[-3000:]}")
    report = json.loads(printed.strip().splitlines()[-1])
    results = [Result(**result) for result in report["results"]]
    return Report(results, report["killed"], report["requests"])
