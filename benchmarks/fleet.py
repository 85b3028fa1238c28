"""Many cold processes that want a token at the same moment.

A conductor that has everything imported forks the processes, as Airflow's executors do; each has a memory
of its own. What they have in common is the store.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.support.preloaded import Preloaded
from tests.support.stopwatch import Stopwatch

# What the process of a task has imported by the time it asks for a token.
_IMPORTED = (
    "airflow.sdk.definitions.connection",
    "airflow_oauth_provider.hooks.oauth2",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "requests",
)
_CONDUCTORS = Preloaded("benchmarks.fleet:conduct", _IMPORTED)


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


def _ours(task: Task, leaders: int) -> Callable[[], str]:
    """Announce when the server is about to be asked."""
    from airflow.sdk import Connection

    from airflow_oauth_provider.tokens.stores import redis_store

    redis_store.OPERATION_TIMEOUT = task.store_seconds or redis_store.OPERATION_TIMEOUT
    from airflow_oauth_provider.client.oauth2_client import OAuth2Client
    from airflow_oauth_provider.connection.token_parameters import chosen_parameters
    from airflow_oauth_provider.tokens.single_flight import Flight

    fetch = Flight.fetch

    def announced(flight: Flight) -> Any:
        os.write(leaders, f"{os.getpid()}\n".encode())
        return fetch(flight)

    Flight.fetch = announced  # type: ignore[assignment,method-assign]
    if task.notes is not None:
        _note_waits(task)
    given = {**task.connection, "extra": json.dumps(task.connection["extra"])}
    connection = Connection(conn_id="fleet", **given)
    if task.endpoint is not None:
        return _calling(connection, task.endpoint)
    parameters = chosen_parameters("fleet", task.scope)
    client = OAuth2Client("fleet", connection, parameters=parameters)
    return lambda: client.get_token().value


def _note(task: Task, what: str) -> None:
    """Append a line, whole whoever else does."""
    if task.notes is None:
        return
    with open(task.notes, "ab", buffering=0) as notes:  # noqa: PTH123
        notes.write(f"{what}\n".encode())


def _note_waits(task: Task) -> None:
    """Note that a search has begun: what is shared from then on concerns it."""
    from airflow_oauth_provider.tokens import shared_acquisition

    class Noted(shared_acquisition._Wait):  # noqa: SLF001
        def __init__(self, search: shared_acquisition.Search) -> None:
            super().__init__(search)
            _note(task, "waits")

    shared_acquisition._Wait = Noted  # type: ignore[misc]  # noqa: SLF001


def _calling(connection: Any, endpoint: str) -> Callable[[], str]:
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

    hook = OAuth2Hook("fleet", "GET", connection=connection)

    def call() -> str:
        hook.run(endpoint)
        return hook.get_token().value

    return call


def _authlib(task: Task, _: int) -> Callable[[], str]:
    from authlib.integrations.requests_client import OAuth2Session

    given = task.connection
    session = OAuth2Session(given["login"], given["password"], token_endpoint=given["host"])

    def get_token() -> str:
        if session.token is None:
            session.fetch_token(grant_type="client_credentials")
        session.ensure_active_token(session.token)
        return str(session.token["access_token"])

    return get_token


def _requests_oauth2client(task: Task, _: int) -> Callable[[], str]:
    from requests_oauth2client import OAuth2Client, OAuth2ClientCredentialsAuth

    given = task.connection
    client = OAuth2Client(
        given["host"], client_id=given["login"], client_secret=given["password"], testing=True
    )
    auth = OAuth2ClientCredentialsAuth(client)

    def get_token() -> str:
        if auth.token is None or auth.token.is_expired():
            auth.renew_token()
        return str(auth.token.access_token)

    return get_token


_LIBRARIES: dict[str, Callable[[Task, int], Callable[[], str]]] = {
    "ours": _ours,
    "authlib": _authlib,
    "requests_oauth2client": _requests_oauth2client,
}


def _child(task: Task, start: int, ready: int, leaders: int, results: int) -> None:
    """Be one process, and tell at the end what came of it."""
    get_token = _LIBRARIES[task.library](task, leaders)
    os.write(ready, b"x")
    os.read(start, 1)
    watch = Stopwatch()
    try:
        token = get_token()
        first, stalled = watch.wall, watch.stalled
        slowest = first
        for _ in range(task.calls - 1):
            again = time.monotonic()
            token = get_token()
            slowest = max(slowest, time.monotonic() - again)
        result = Result(token=token, seconds=first, slowest=slowest, stalled=stalled, engine=_engine(task))
    except Exception as error:
        result = Result(
            error=type(error).__name__, message=str(error), seconds=watch.wall, stalled=watch.stalled
        )
    os.write(results, json.dumps(asdict(result)).encode() + b"\n")


def _engine(task: Task) -> float:
    """Measure, on the store that is warm now, from settings to token with a memory that is cold."""
    if task.library != "ours" or task.kill_after or task.scopes:
        return 0.0
    from airflow.sdk import Connection

    from airflow_oauth_provider.tokens.stores import redis_store

    redis_store.OPERATION_TIMEOUT = task.store_seconds or redis_store.OPERATION_TIMEOUT
    from airflow_oauth_provider.connection.resolving import resolve
    from airflow_oauth_provider.deployment.policy import read_policy
    from airflow_oauth_provider.tokens.manager import TokenManager
    from airflow_oauth_provider.tokens.sealing import sealer

    policy = read_policy()
    given = {**task.connection, "extra": json.dumps(task.connection["extra"])}
    settings = resolve(Connection(conn_id="fleet", **given), policy).settings
    sealer.cache_clear()
    began = time.monotonic()
    TokenManager().acquire(settings, policy.sharing)
    return time.monotonic() - began


class _Conductor:
    """Start the processes, kill those who ask if the task says so, collect what the others say."""

    def __init__(self, task: Task, chance: random.Random) -> None:
        self.task = task
        self.random = chance
        self.killed = 0
        self._lines: dict[int, bytes] = {}

    def run(self) -> tuple[list[Result], int]:
        """Run one round; return what came of it, and how many were killed."""
        start, go = os.pipe()
        standing, ready = os.pipe()
        leaders, announce = os.pipe()
        results, report = os.pipe()
        children = [
            self._fork(number, start, ready, announce, report) for number in range(self.task.processes)
        ]
        for pipe in (ready, announce, report):
            os.close(pipe)
        waiting = 0
        while waiting < self.task.processes:
            arrived = len(os.read(standing, self.task.processes))
            if not arrived:
                raise RuntimeError(f"{self.task.processes - waiting} processes ended before the start")
            waiting += arrived
        os.write(go, b"x" * self.task.processes)
        collected = self._collect(leaders, results)
        for child in children:
            os.kill(child, signal.SIGKILL)  # whoever was stopped; the others are zombies by now
            os.waitpid(child, 0)
        for pipe in (start, go, standing, leaders, results):
            os.close(pipe)
        return collected, self.killed

    def _fork(self, number: int, *pipes: int) -> int:
        child = os.fork()
        if child == 0:
            scope = f"scope-{number % self.task.scopes}" if self.task.scopes else None
            try:
                _child(replace(self.task, scope=scope), *pipes)
            finally:
                os._exit(0)
        return child

    def _collect(self, leaders: int, results: int) -> list[Result]:
        due: list[tuple[float, int]] = []
        collected: list[Result] = []
        stopped = 0
        while len(collected) < self.task.processes - self.killed - stopped:
            least = 0.0 if self.task.kill_when is None else 0.02
            wait = max(least, min(at for at, _ in due) - time.monotonic()) if due else 1.0
            ready, _, _ = select.select([leaders, results], [], [], min(1.0, wait))
            if leaders in ready:
                for line in self._read(leaders):
                    stopped += self._leader(int(line), due, stopped)
            if results in ready:
                collected += [Result(**json.loads(line)) for line in self._read(results)]
            for item in self._now(due):
                due.remove(item)
                os.kill(item[1], signal.SIGKILL)
                self.killed += 1
                _note(self.task, "killed")
        return collected

    def _now(self, due: list[tuple[float, int]]) -> list[tuple[float, int]]:
        """Return those who are to be killed now."""
        if self.task.kill_when is not None and not os.path.exists(self.task.kill_when):  # noqa: PTH110
            return []
        return [item for item in due if item[0] <= time.monotonic()]

    def _leader(self, pid: int, due: list[tuple[float, int]], stopped: int) -> int:
        if self.task.stop_leader and not stopped:
            os.kill(pid, signal.SIGSTOP)
            _note(self.task, "stopped")
            return 1
        if self.task.kill_after and self.killed + len(due) < self.task.kills:
            due.append((time.monotonic() + self.random.uniform(*self.task.kill_after), pid))
        return 0

    def _read(self, pipe: int) -> list[bytes]:
        data = self._lines.get(pipe, b"") + os.read(pipe, 65_536)
        *lines, self._lines[pipe] = data.split(b"\n")
        return lines


def conduct(text: str) -> None:
    """Run the processes of a task, and print the report."""
    import importlib
    import logging

    logging.disable(logging.CRITICAL)
    given = json.loads(text)
    task = Task(**{**given, "kill_after": tuple(given["kill_after"]) if given["kill_after"] else None})
    if task.ahead:
        real = time.time
        time.time = lambda: real() + task.ahead
    if task.store.startswith("redis"):
        importlib.import_module("redis")
    from airflow.sdk import Connection

    from airflow_oauth_provider.connection.resolving import resolve
    from airflow_oauth_provider.deployment.policy import read_policy
    from airflow_oauth_provider.tokens.stores import redis_store

    redis_store.OPERATION_TIMEOUT = task.store_seconds or redis_store.OPERATION_TIMEOUT
    resolve(
        Connection(
            conn_id="x",
            conn_type="oauth2_client_credentials",
            host="127.0.0.1",
            login="a",
            password="b" * 8,
        ),
        read_policy(),
    )
    if task.library != "ours":
        _LIBRARIES[task.library](task, 0)
    gc.freeze()  # what is there before the processes are made is copied for none of them
    report, chance, asked = Report(), random.Random(task.seed), _asked(task)
    for number in range(task.rounds):
        login = task.connection["login"] + (f"-{number}" if task.rounds > 1 else "")
        results, killed = _Conductor(
            replace(task, connection={**task.connection, "login": login}), chance
        ).run()
        report.results.extend(results)
        report.killed.append(killed)
        before, asked = asked, _asked(task)
        report.requests.append(asked - before)
    print(json.dumps(asdict(report)))


def _asked(task: Task) -> int:
    """Return the server's own count, where it is the benchmarks' server."""
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(task.connection["host"].replace("/token", "/counts")) as response:
            return int(json.load(response)["token"])
    except (URLError, ValueError, KeyError):
        return 0
