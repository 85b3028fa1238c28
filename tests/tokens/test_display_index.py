"""What a connection was last used with: written by many at once, and believed by nobody unchecked."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import display_index as index
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.tokens.last_use import LastUse
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.sealing import sealer
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from tests.support.builders import SECRET, settings
from tests.support.stopwatch import Stopwatch

RECORD = """
import sys
from pathlib import Path
from airflow_oauth_provider.tokens import display_index
from airflow_oauth_provider.tokens.display_index import DisplayIndex
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from tests.support.builders import settings
from tests.support.stopwatch import Stopwatch
display_index.TURN = 30.0
index = DisplayIndex(Sharing(FileStore(Path(sys.argv[1]))), "orders")
for _ in range(20):
    index.record(settings(), requests=1)
"""
NOW = time.time()
WITHOUT_CREDENTIAL: dict[str, Any] = {"auth_method": "custom", "client_secret": None}


def token(lifetime: float = 60.0) -> AccessToken:
    return AccessToken("tok", "Bearer", time.time() + lifetime, time.time())


def new_key() -> Secret:
    return Secret(base64.b64encode(os.urandom(32)).decode())


def last_use(sharing: Sharing, current: ClientSettings | None = None, conn_id: str = "orders") -> LastUse:
    entry = DisplayIndex(sharing, conn_id).read(current or settings())
    assert entry is not None
    assert entry.last_use is not None
    return entry.last_use


@pytest.fixture(params=["file", "memory"])
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Sharing:
    return Sharing(FileStore(tmp_path / "store") if request.param == "file" else MemoryStore())


class TestCounts:
    """Requests, refusals and hits, whoever writes at the same time."""

    def test_threads_lose_no_record(self, sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
        def record(_: int) -> None:
            DisplayIndex(sharing, "orders").record(settings(), token=token(), requests=1, hits=2)

        monkeypatch.setattr(index, "TURN", 30.0)  # here nobody gives up, however busy the machine is
        monkeypatch.setattr(index, "TURN", 30.0)  # here nobody gives up, however busy the machine is
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(record, range(160)))
        counted = last_use(sharing)
        assert (counted.requests, counted.hits, counted.refusals) == (160, 320, 0)

    def test_processes_lose_no_record(self, tmp_path: Path) -> None:
        arguments = [sys.executable, "-c", RECORD, str(tmp_path / "store")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        running = [subprocess.Popen(arguments, env=environment) for _ in range(4)]
        assert [process.wait() for process in running] == [0] * 4
        assert last_use(Sharing(FileStore(tmp_path / "store"))).requests == 80

    def test_a_holder_that_hangs_costs_half_a_second_and_no_record(self, tmp_path: Path) -> None:
        sharing = Sharing(FileStore(tmp_path / "store"))
        display = DisplayIndex(sharing, "orders")
        watch = Stopwatch()
        with display._turn():
            ended = threading.Thread(target=display.record, args=(settings(),), kwargs={"requests": 1})
            ended.start()
            ended.join(60)
        assert watch.wall >= index.TURN
        assert watch.seconds < 3 * index.TURN
        assert last_use(sharing).requests == 1

    @pytest.mark.parametrize(
        ("requests", "granted", "without"), [(1, True, 0), (3, True, 2), (1, False, 1), (4, False, 4)]
    )
    def test_requests_that_brought_no_token(
        self, sharing: Sharing, requests: int, granted: bool, without: int
    ) -> None:
        outcome: dict[str, Any] = {"token": token()} if granted else {"error": TransportError("no response")}
        display = DisplayIndex(sharing, "orders")
        for times in (1, 2):
            assert display.record(settings(), requests=requests, **outcome)
            counted = last_use(sharing)
            assert (counted.requests, counted.refusals) == (requests * times, without * times)

    @pytest.mark.fault("F43")
    def test_what_is_wrong_on_this_machine_only_is_no_outcome(self, sharing: Sharing) -> None:
        error = ConfigurationError("the file does not exist", field="assertion_file")
        DisplayIndex(sharing, "orders", None).record(settings(), error=error, requests=1)
        assert last_use(sharing).status == Status()

    def test_hits_alone_are_recorded(self, sharing: Sharing) -> None:
        display = DisplayIndex(sharing, "orders")
        for _ in range(3):
            assert display.record(settings(), token=token(), hits=2)
        assert (last_use(sharing).requests, last_use(sharing).hits) == (0, 6)

    def test_what_cost_and_served_nothing_is_recorded_once(self, sharing: Sharing) -> None:
        display = DisplayIndex(sharing, "orders")
        refused = TransportError("no response")
        assert display.record(settings(), error=refused), "the first use"
        assert not display.record(settings(), error=refused)
        assert display.record(settings(client_id="another"), error=refused), "changed settings"


class TestSealing:
    """Who can make the index say something."""

    def entry_file(self, folder: Path) -> Path:
        (entry,) = folder.glob("*.sealed")
        return entry

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "store"

    @pytest.fixture
    def sharing(self, folder: Path) -> Sharing:
        return Sharing(FileStore(folder))

    @pytest.mark.fault("F22")
    @pytest.mark.parametrize("data", [b"", b"garbage", b"\0" * 500, b'{"at": 1}'])
    def test_what_is_no_entry_at_all_is_none(self, folder: Path, sharing: Sharing, data: bytes) -> None:
        display = DisplayIndex(sharing, "orders")
        display.record(settings(), token=token(), requests=1)
        self.entry_file(folder).write_bytes(data)
        assert display.read(settings()) is None

    @pytest.mark.fault("F22")
    def test_who_knows_only_the_name_can_neither_read_nor_write_it(
        self, folder: Path, sharing: Sharing
    ) -> None:
        display = DisplayIndex(sharing, "orders")
        display.record(settings(), token=token(), requests=1)
        by_name = sealer(Secret("\0orders"), None)
        file = self.entry_file(folder)
        assert file.stem == next(display._names()), "its place is known to whoever knows the name"
        assert by_name.open(file.stem, file.read_bytes()) is None
        forged = last_use(sharing).dump()
        file.write_bytes(by_name.seal(file.stem, forged))
        entry = display.read(settings())
        assert entry is not None
        assert (entry.last_use, entry.edited) == (None, True)

    @pytest.mark.fault("F22")
    def test_a_rotated_secret_is_an_edit_without_details(self, sharing: Sharing) -> None:
        display = DisplayIndex(sharing, "orders")
        display.record(settings(), token=token(), requests=1)
        entry = display.read(settings(client_secret=Secret("a new secret")))
        assert entry is not None
        assert (entry.last_use, entry.edited, entry.verified) == (None, True, True)
        display.record(settings(client_secret=Secret("a new secret")), token=token(), requests=1)
        assert last_use(sharing, settings(client_secret=Secret("a new secret"))).requests == 1

    @pytest.mark.fault("F22")
    def test_an_entry_in_the_place_of_another_is_not_believed(self, folder: Path, sharing: Sharing) -> None:
        """Two connections of one client, so that the credential is no difference."""
        DisplayIndex(sharing, "orders").record(settings(), token=token(), requests=1)
        orders = self.entry_file(folder)
        content = orders.read_bytes()
        orders.unlink()
        DisplayIndex(sharing, "crm").record(settings(), error=TransportError("no response"), requests=1)
        crm = self.entry_file(folder)
        crm.write_bytes(content)
        entry = DisplayIndex(sharing, "crm").read(settings())
        assert entry is not None
        assert entry.last_use is None

    def test_changed_settings_are_an_edit_with_details(self, sharing: Sharing) -> None:
        display = DisplayIndex(sharing, "orders")
        display.record(settings(), token=token(), requests=1)
        entry = display.read(settings(client_id="another"))
        assert entry is not None
        assert entry.edited
        assert entry.last_use is not None

    @pytest.mark.fault("F22")
    def test_without_a_credential_nothing_is_verified(self, sharing: Sharing) -> None:
        display, custom = DisplayIndex(sharing, "orders"), settings(**WITHOUT_CREDENTIAL)
        display.record(custom, token=token(), requests=1)
        entry = display.read(custom)
        assert entry is not None
        assert not entry.verified
        assert entry.last_use is not None

    @pytest.mark.fault("F22")
    @pytest.mark.parametrize("changes", [{}, WITHOUT_CREDENTIAL], ids=["credential", "without"])
    def test_with_a_store_key_it_is_needed(self, folder: Path, changes: dict[str, Any]) -> None:
        key, current = new_key(), settings(**changes)
        keyed = Sharing(FileStore(folder), (key,))
        DisplayIndex(keyed, "orders").record(current, token=token(), requests=1)
        entry = DisplayIndex(keyed, "orders").read(current)
        assert entry is not None
        assert entry.verified
        for others in (Sharing(FileStore(folder)), Sharing(FileStore(folder), (new_key(),))):
            assert DisplayIndex(others, "orders").read(current) is None

    @pytest.mark.parametrize("changes", [{}, WITHOUT_CREDENTIAL], ids=["credential", "without"])
    def test_a_store_key_can_be_rotated(self, folder: Path, changes: dict[str, Any]) -> None:
        old, new, current = new_key(), new_key(), settings(**changes)
        DisplayIndex(Sharing(FileStore(folder), (old,)), "orders").record(current, token=token(), requests=1)
        both = Sharing(FileStore(folder), (new, old))
        assert last_use(both, current).requests == 1
        DisplayIndex(both, "orders").record(current, token=token(), requests=1)
        assert last_use(Sharing(FileStore(folder), (new,)), current).requests == 2
        DisplayIndex(both, "orders").forget()
        assert DisplayIndex(both, "orders").read(current) is None
        assert not list(folder.glob("*.sealed"))

    def test_nothing_secret_is_in_it(self, sharing: Sharing) -> None:
        DisplayIndex(sharing, "orders").record(settings(), token=token(), requests=1)
        written = last_use(sharing).dump().decode()
        assert SECRET not in written
        assert "tok" not in str(json.loads(written)["status"])


@pytest.mark.parametrize("lifetime", [float("inf"), 10.0**12])
def test_a_token_for_ever_is_known_for_a_year(sharing: Sharing, lifetime: float) -> None:
    """A custom provider may return one."""
    DisplayIndex(sharing, "orders").record(settings(), token=token(lifetime), requests=1)
    ends = last_use(sharing).status.expires_at
    assert ends is not None
    assert ends < time.time() + 367 * 86_400


@pytest.mark.fault("P16")
def test_a_task_timeout_at_the_moment_of_its_turn_leaves_it_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class TaskTimeoutError(BaseException):
        pass

    class Interrupted:
        """The lock, whose holder does not learn that it has it."""

        def __init__(self) -> None:
            self.lock = index._one_at_a_time
            self.release = self.lock.release

        def acquire(self, timeout: float) -> NoReturn:
            assert self.lock.acquire(timeout=timeout)
            raise TaskTimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(index, "_one_at_a_time", Interrupted())
        with pytest.raises(TaskTimeoutError):
            DisplayIndex(Sharing(MemoryStore()), "orders").record(settings(), requests=1)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(index._one_at_a_time.acquire, blocking=False).result()
        pool.submit(index._one_at_a_time.release).result()
