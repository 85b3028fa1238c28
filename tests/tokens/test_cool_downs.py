"""What one process hears of an API, the others heed; and what it costs."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_oauth_provider.protocol.call.effects import CoolDown
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens import cool_down_records, cool_downs
from airflow_oauth_provider.tokens.cool_down_records import HeldCoolDown
from airflow_oauth_provider.tokens.cool_downs import ENTRY, FIRST, GLANCE, CoolDowns
from airflow_oauth_provider.tokens.sharing import ALONE, Sharing
from airflow_oauth_provider.tokens.stores.base import Reach
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from tests.support.builders import SECRET, settings

SETTINGS = settings()
API = parse_url("https://api.example/").origin
OTHER = parse_url("https://other.example/").origin


class Disk(MemoryStore):
    """What a process sees of a store that others share; counts what it does there."""

    reach = Reach.HOST

    def __init__(self, shared: OrderedDict[str, tuple[bytes, float]]) -> None:
        super().__init__()
        self._entries = shared
        self.reads = self.writes = 0

    def read(self, name: str) -> bytes | None:
        self.reads += 1
        return super().read(name)

    def write(self, name: str, data: bytes, *, until: float) -> None:
        self.writes += 1
        super().write(name, data, until=until)


class Process:
    """A process of its own, and what it does with the store that it shares with others."""

    def __init__(self, shared: OrderedDict[str, tuple[bytes, float]]) -> None:
        self.disk = Disk(shared)
        self.sharing = Sharing(self.disk)

    def of(self, client: ClientSettings = SETTINGS) -> CoolDowns:
        return CoolDowns(client, self.sharing)

    def sees(self, origin: Any = API, client: ClientSettings = SETTINGS) -> float | None:
        """Return the seconds left of the cool-down that a call sees now."""
        cool_down_of = self.of(client)
        if time.monotonic() < cool_down_of.board.quiet_until:
            return None
        cool_down_of.look()
        cool_down = cool_down_of.standing(origin)
        cool_down_of.board.settle()
        return None if cool_down is None else cool_down.left

    def hears(self, seconds: float, origin: Any = API, client: ClientSettings = SETTINGS) -> None:
        self.of(client).heard(origin, 429, seconds)
        self.of(client).publish()


class Clocks:
    """The clocks, as a test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.monotonic = 1_700_000_000.0, 1000.0
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(time, "monotonic", lambda: self.monotonic)
        for module in (cool_downs, cool_down_records):
            monkeypatch.setattr(module, "elapsed_clock", lambda: self.monotonic)

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.fixture
def shared() -> OrderedDict[str, tuple[bytes, float]]:
    return OrderedDict()


@pytest.fixture
def process(shared: OrderedDict[str, tuple[bytes, float]]) -> Callable[[], Process]:
    return lambda: Process(shared)


class TestWhoHears:
    def test_the_process_itself_and_every_other(self, clocks: Clocks, process: Any) -> None:
        one, early, late = process(), process(), process()
        assert early.sees() is None
        one.hears(5)
        clocks.go_on(1)
        assert [one.sees(), early.sees(), late.sees()] == [4, 4, 4]
        clocks.go_on(4)
        assert [one.sees(), early.sees(), late.sees()] == [None, None, None]

    def test_another_credential_does_not(self, clocks: Clocks, process: Any) -> None:
        process().hears(5)
        stranger = replace(SETTINGS, client_secret=Secret("another-secret-of-the-client"))
        assert process().sees(client=stranger) is None
        assert process().sees(client=replace(SETTINGS, client_id="another")) is None

    def test_other_parameters_of_the_same_credential_do(self, clocks: Clocks, process: Any) -> None:
        process().hears(5)
        assert process().sees(client=settings(request={"scope": ("other",)})) == 5

    def test_another_api_is_not_concerned(self, clocks: Clocks, process: Any) -> None:
        process().hears(5)
        assert process().sees(OTHER) is None

    def test_a_store_of_one_process_is_never_asked(self, clocks: Clocks) -> None:
        alone = CoolDowns(SETTINGS, ALONE)
        alone.board.clear()
        assert alone.board.quiet_until == float("inf")
        alone.heard(API, 429, 5)
        assert not alone.board.wants_writing()
        assert alone.standing(API) == CoolDown(5, 5, 429)
        alone.board.clear()

    def test_the_deployments_key_may_be_rotated(self, clocks: Clocks, process: Any) -> None:
        old, new = Secret("b2xk" * 11), Secret("bmV3" * 11)
        one, other = process(), process()
        one.sharing = Sharing(one.disk, (old,))
        other.sharing = Sharing(other.disk, (new, old))
        one.hears(5)
        assert other.sees() == 5


class TestWhatItCosts:
    def test_one_look_a_second_however_many_calls_and_connections(self, clocks: Clocks, process: Any) -> None:
        one = process()
        for number in range(100):
            clocks.go_on(0.1)
            for client in (SETTINGS, settings(client_id="another"), settings(client_id="third")):
                assert one.sees(client=client) is None, number
        assert one.disk.reads == 10
        assert one.disk.writes == 0

    def test_one_write_a_second_and_what_was_heard_meanwhile_follows(
        self, clocks: Clocks, process: Any
    ) -> None:
        one, other = process(), process()
        one.sees()
        one.hears(5)
        one.hears(50, OTHER)
        one.hears(7, client=settings(client_id="another"))
        assert (one.disk.reads, one.disk.writes) == (1, 1)
        assert other.sees(OTHER) is None
        clocks.go_on(1)
        one.sees()
        assert (one.disk.reads, one.disk.writes) == (2, 2)
        assert other.sees(OTHER) == 49
        assert other.sees(client=settings(client_id="another")) == 6

    def test_the_same_cool_down_heard_again_is_not_written_again(self, clocks: Clocks, process: Any) -> None:
        one = process()
        for _ in range(5):
            one.hears(5)
            clocks.go_on(0.05)
        assert one.disk.writes == 1

    def test_in_a_quiet_time_a_call_reads_one_number(self, clocks: Clocks, process: Any) -> None:
        one = process()
        assert one.sees() is None
        assert one.of().board.quiet_until == clocks.monotonic + 1

    def test_threads_look_once(self, process: Any) -> None:
        one = process()
        barrier = threading.Barrier(8)

        def look() -> None:
            barrier.wait()
            one.of().look()

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.disk.reads == 1


class TestWhoGoesFirst:
    def test_after_the_end_one_calls_and_the_others_wait_for_what_it_hears(
        self, clocks: Clocks, process: Any
    ) -> None:
        one = process()
        one.hears(5)
        clocks.go_on(5)
        assert [one.sees(), one.sees(), one.sees()] == [None, GLANCE, GLANCE]
        one.of().answered(API)
        assert [one.sees(), one.sees()] == [None, None]

    def test_of_threads_that_look_at_the_same_moment_one_does(self, clocks: Clocks, process: Any) -> None:
        one = process()
        one.hears(5)
        clocks.go_on(5)
        client = one.of()
        (held,) = client.board.held.values()
        results: list[CoolDown | None] = []
        other = threading.Thread(target=lambda: results.append(client.standing(API)))

        class Seen(HeldCoolDown):
            """One has just seen that nobody went, and another looks before it goes."""

            @property
            def first_until(self) -> float | None:
                seen = vars(self).get("seen")
                if not other.ident:
                    other.start()
                    other.join(0.1)  # it waits for its turn
                return seen

            @first_until.setter
            def first_until(self, value: float | None) -> None:
                vars(self)["seen"] = value

        (name,) = client.board.held
        seen = Seen.__new__(Seen)
        vars(seen).update(vars(held), seen=None)
        client.board.held[name] = seen
        results.append(client.standing(API))
        other.join(60)
        assert sorted(result is None for result in results) == [False, True]

    def test_if_it_is_asked_to_stay_away_again_all_wait(self, clocks: Clocks, process: Any) -> None:
        one = process()
        one.hears(5)
        clocks.go_on(5)
        assert one.sees() is None
        one.hears(5)
        assert [one.sees(), one.sees()] == [5, 5]

    def test_if_it_never_comes_back_the_others_go(self, clocks: Clocks, process: Any) -> None:
        one = process()
        one.hears(5)
        clocks.go_on(5)
        assert [one.sees(), one.sees()] == [None, GLANCE]
        clocks.go_on(FIRST)
        assert [one.sees(), one.sees()] == [None, None]

    def test_what_comes_back_before_the_end_says_nothing(self, clocks: Clocks, process: Any) -> None:
        one = process()
        one.hears(5)
        one.of().answered(API)
        assert one.sees() == 5

    def test_a_shorter_wish_does_not_shorten_a_longer_one(self, clocks: Clocks, process: Any) -> None:
        one = process()
        one.hears(50)
        one.hears(5)
        assert one.sees() == 50
        one.hears(60)
        assert one.sees() == 60


class TestClocks:
    def test_no_cool_down_is_longer_than_five_minutes(self, clocks: Clocks, process: Any) -> None:
        one = process()
        one.hears(999_999_999)
        assert [one.sees(), process().sees()] == [300, 300]

    @pytest.mark.parametrize("jump", [-86_400, -200, -4, 4, 200, 86_400])
    def test_a_wall_clock_that_jumps_makes_nobody_wait_longer(
        self, clocks: Clocks, process: Any, jump: float
    ) -> None:
        one, other = process(), process()
        one.hears(300)
        assert other.sees() == 300
        clocks.wall += jump
        clocks.go_on(150)
        assert (one.sees(), other.sees()) == (150, 150)
        assert (process().sees() or 0) <= 300
        clocks.go_on(150)
        assert (one.sees(), other.sees()) == (None, None)
        clocks.wall -= jump
        clocks.go_on(FIRST)
        assert (one.sees(), other.sees()) == (None, None)


class TestForeignRecords:
    """Whatever stands in the store is a miss, and never an error."""

    @pytest.mark.parametrize("entry", [b"", b"{", b"[]", b"\xff" * 100, b"x" * 200_000])
    def test_an_entry_that_is_none(self, clocks: Clocks, process: Any, entry: bytes) -> None:
        one, other = process(), process()
        one.disk.write(ENTRY, entry, until=clocks.wall + 100)
        assert other.sees() is None
        other.hears(5)
        assert process().sees() == 5

    @pytest.mark.parametrize("how", ["cut", "flipped", "moved", "of another"])
    def test_a_record_that_its_own_client_has_not_sealed(
        self, clocks: Clocks, process: Any, how: str
    ) -> None:
        one = process()
        stranger = settings(client_secret=Secret("another-secret-of-the-client"))
        one.hears(5, client=stranger if how == "of another" else SETTINGS)
        records = one.of().board.records
        ((name, (until, sealed)),) = records.items()
        wrong = {"cut": sealed[:-8], "flipped": sealed[:40] + sealed[40:].swapcase()}.get(how, sealed)
        place = name if how in {"cut", "flipped"} else one.of()._names(OTHER if how == "moved" else API)[0]
        content, _ = cool_down_records.dump_records({place: (until, wrong)})
        one.disk.write(ENTRY, content, until=until)
        assert process().sees(OTHER if how == "moved" else API) is None

    def test_the_store_has_neither_names_nor_times_of_anybody(self, clocks: Clocks, process: Any) -> None:
        one = process()
        one.hears(5)
        entry = one.disk.read(ENTRY)
        for text in (SECRET, "my-client", "api.example", "429"):
            assert text.encode() not in entry

    def test_what_another_process_has_overwritten_is_written_again(
        self, clocks: Clocks, process: Any
    ) -> None:
        one, other = process(), process()
        one.hears(50)
        one.disk.write(ENTRY, b"{}", until=clocks.wall + 100)
        clocks.go_on(1)
        assert one.sees() == 49
        assert other.sees() == 49


def test_a_forked_process_goes_on_with_what_is_known(process: Any) -> None:
    one = process()
    one.hears(200)
    board = one.of().board
    with board._lock, board._store_lock:  # as a thread of the parent's may hold them
        child = os.fork()
        if child == 0:
            os._exit(0 if (one.sees() or 0) > 100 else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_a_new_process_knows_nothing(process: Any) -> None:
    one = process()
    one.hears(200)
    one.disk.delete(ENTRY)
    cool_downs.clear()
    assert one.sees() is None


@pytest.mark.fault("F05")
def test_what_another_thread_hears_at_this_moment_is_not_passed_over() -> None:
    """One has just seen that no cool-down is known, and is about to say so."""
    client = CoolDowns(SETTINGS, ALONE)
    board = client.board
    hearing = threading.Thread(target=client.heard, args=(API, 429, 60.0))

    class Seen(dict[str, Any]):
        def __len__(self) -> int:
            board.held = {}
            hearing.start()
            hearing.join(0.1)  # it waits for its turn
            return 0

    board.held = Seen()
    board.settle()
    hearing.join(60)
    assert client.standing(API) is not None
    assert time.monotonic() >= board.quiet_until, "a call looks"
