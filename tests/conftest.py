"""Fixtures: real servers, and an environment that says nothing of its own."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Generator, Iterator
from typing import Any, NoReturn, TypeVar

import pytest

from tests.support.migrated import SHARED

_ours: str | None = None
"""The folder that all processes of the run share, where this one has made it."""
if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a database of its own
    os.environ.pop("AIRFLOW_HOME", None)
else:
    _ours = os.environ[SHARED] = tempfile.mkdtemp(prefix="tests-shared-")
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
# Tests of stores choose theirs; all others must not find each other's tokens.
os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
for _name in (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "NETRC",
):
    os.environ.pop(_name, None)
    os.environ.pop(_name.lower(), None)

from airflow_oauth_provider.client import masking  # noqa: E402
from airflow_oauth_provider.client.history import recorder  # noqa: E402
from airflow_oauth_provider.deployment.policy import forget_policy  # noqa: E402
from airflow_oauth_provider.testing.plugin import oauth2_connection, oauth2_server  # noqa: E402
from tests.support.library_versions import labelled  # noqa: E402
from tests.support.ports import free_port  # noqa: E402
from tests.support.servers.missing import ServerMissingError  # noqa: E402
from tests.support.servers.oidc_server import OidcServer  # noqa: E402
from tests.support.servers.proxy import Proxy  # noqa: E402
from tests.support.servers.redis_server import RedisServer  # noqa: E402
from tests.support.servers.scripted import ScriptedServer  # noqa: E402
from tests.support.service import Service, running_service  # noqa: E402
from tests.support.sides import Coroutines, Side, Threads  # noqa: E402

# Named here, they are there also where the installed package is one without their entry point.
__all__ = ["oauth2_connection", "oauth2_server"]

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


@pytest.fixture(autouse=True)
def _policy() -> None:
    """No test reads the policy that another one has made."""
    forget_policy()


@pytest.fixture(autouse=True)
def _history() -> Iterator[None]:
    """What a test has counted belongs to no store of a later one."""
    yield
    recorder.reset()


MASKERS = ("airflow.sdk._shared.secrets_masker", "airflow.sdk.execution_time.secrets_masker")


@pytest.fixture(autouse=True)
def _room_for_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process registers few secrets with Airflow's masker: each test begins as a new process does.

    The masker's regular expression is compiled anew for each secret: with those of all tests before, that
    would take longer than the tests themselves.
    """
    monkeypatch.setattr(masking, "_counts", Counter())
    monkeypatch.setattr(masking, "_known", OrderedDict())
    if any(name in sys.modules for name in MASKERS):
        masker = masking._masker()
        monkeypatch.setattr(masker, "patterns", set())
        monkeypatch.setattr(masker, "replacer", None)


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def unused_port() -> int:
    """A port on which nothing listens."""
    return free_port()


@pytest.fixture
def service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.fixture
def my_api(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection ``my_api`` to the service, in the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """A forward proxy; its parameter, if any, is ``user:password``."""
    try:
        with Proxy(getattr(request, "param", None)) as running:
            yield running
    except ServerMissingError as missing:
        require_server(str(missing))


def require_server(reason: str) -> NoReturn:
    """Skip where a server is missing; under CI that is a failure, since CI installs them."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have this server: {reason}")
    pytest.skip(reason)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the processes of the run have shared; a run within a test leaves that alone."""
    if _ours is not None and not hasattr(config, "workerinput"):
        shutil.rmtree(_ours, ignore_errors=True)


IN_CONSUMERS = os.environ.get("CONSUMERS") == "true"
"""Whether this is the environment of ``make test-consumers``, in which no test may be skipped."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip where a library that a test is for is not installed."""
    missing = ", ".join(name for name in _libraries(item) if not _is_installed(name))
    if missing:
        pytest.skip(f"not in this environment, make test-consumers has it: {missing}")


def _libraries(item: pytest.Item) -> list[str]:
    """Return the modules that a test is for."""
    return list(dict.fromkeys(name for marker in item.iter_markers("consumer") for name in marker.args))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _not_skipped((yield))


def _not_skipped(report: _Report) -> _Report:
    """Let a test or file that is skipped fail where all must run."""
    if IN_CONSUMERS and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"must run in this environment: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def oidc() -> Iterator[OidcServer]:
    try:
        with OidcServer() as server:
            yield server
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture(scope="session")
def _redis() -> Iterator[RedisServer]:
    try:
        with RedisServer() as server:
            yield server
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture
def redis_server(_redis: RedisServer) -> Iterator[RedisServer]:
    """An empty one."""
    _redis.client().flushall()
    yield _redis
    _redis.thaw()


@pytest.fixture(params=["requests", "aiohttp"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Threads, then coroutines."""
    made = Threads() if request.param == "requests" else Coroutines()
    yield made
    made.close()


@pytest.fixture
def _fault() -> None:
    """Carry the ids of the marker ``fault`` into a test's own id."""


@pytest.fixture(name="_libraries")
def _shown_libraries() -> None:
    """Carry the libraries of the marker ``consumer`` into a test's own id."""


TOGETHER = ("tests/system/browser/", "tests/system/interop/")


def _group(nodeid: str) -> str:
    """Return what one process runs, in its order: a file, or all tests that share servers which take long."""
    path = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if path.startswith(folder)), path)


def _weight(item: pytest.Item) -> float:
    """Return how long a test may take: what it says itself, else little."""
    timeout = item.get_closest_marker("timeout")
    if timeout:
        return float(timeout.args[0])
    return 10.0 if item.get_closest_marker("slow") else 0.1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those begin that take longest, where pytest-xdist hands out groups in this order."""
    if items and hasattr(items[0].config, "workerinput"):
        weights: defaultdict[str, float] = defaultdict(float)
        for item in items:
            weights[_group(item.nodeid)] += _weight(item)
        items.sort(key=lambda item: -weights[_group(item.nodeid)])


def pytest_collection_finish() -> None:
    """Take what is there for good out of the garbage collector's work.

    Hundreds of tests collect garbage to see that they have left no session open. Half a million objects of
    tests and modules, which are none, would cost a quarter of a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Do so again after a file, with the modules that have been imported for it."""
    if nextitem is not None and nextitem.path != item.path:
        pytest_collection_finish()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole groups; ``--dist loadgroup`` of pytest-xdist 3.8 does not, on pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByGroup(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name times by their argument: all processes of pytest-xdist have to list the same tests."""
    return argname if isinstance(val, float) and abs(val) > 1e9 else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Show in the test's id what its markers say.

    The ids of ``fault``, so that coverage can be counted by it; of ``consumer`` the libraries with the
    versions that they are tried with.
    """
    ids = [fault for marker in metafunc.definition.iter_markers("fault") for fault in marker.args]
    if ids:
        metafunc.fixturenames.append("_fault")
        metafunc.parametrize("_fault", [None], ids=["+".join(dict.fromkeys(ids))], indirect=True)
    libraries = [labelled(name) for name in _libraries(metafunc.definition)]
    if libraries:
        metafunc.fixturenames.append("_libraries")
        metafunc.parametrize("_libraries", [None], ids=[", ".join(libraries)], indirect=True)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What has been logged; where tasks and triggers log to differs between versions of Airflow."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text + capsys.readouterr().out
