"""Who gets which token: threads, forks, cancelled callers, remembered refusals."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import (
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.protocol.flows import drive
from airflow_oauth_provider.protocol.settings import ClientSettings, CustomProvider, RetrySettings
from airflow_oauth_provider.tokens import AccessToken, own_records
from airflow_oauth_provider.tokens.acquiring import carry_out
from airflow_oauth_provider.tokens.cached_token import Slot
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.manager import TokenManager
from airflow_oauth_provider.tokens.search_cost import SearchCost, Source
from airflow_oauth_provider.tokens.sharing import ALONE, Sharing
from airflow_oauth_provider.tokens.single_flight import Flight
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from tests.support.servers.scripted import Delay, Held, Json, RecordedRequest, Text, token_json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until


def slow_token(seconds: float) -> Callable[[RecordedRequest], Any]:
    return lambda _: Delay(seconds, token_json("slow-token"))


def refuse(code: str, status: int = 400, headers: Any = ()) -> Callable[[RecordedRequest], Any]:
    return lambda _: Json({"error": code}, status, headers)


class TestThreads:
    """One request per key, however many ask."""

    def test_a_cold_start_of_32(self, manager: TokenManager, service: Service) -> None:
        service.token = slow_token(0.2)
        settings = service.settings()
        with ThreadPoolExecutor(32) as pool:
            tokens = list(pool.map(lambda _: manager.acquire(settings).value, range(200)))
        assert set(tokens) == {"slow-token"}
        assert len(service.token_requests) == 1

    def test_different_clients_do_not_wait_for_each_other(
        self, manager: TokenManager, service: Service
    ) -> None:
        service.token = lambda request: (
            Delay(2.0, token_json("slow")) if b"slow" in request.body else token_json("fast")
        )
        slow, fast = service.settings(scope="slow"), service.settings(scope="fast")
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(manager.acquire, slow)
            watch = Stopwatch()
            assert manager.acquire(fast).value == "fast"
            assert watch.seconds < 1.5
            assert pending.result().value == "slow"

    @pytest.mark.fault("P11")
    def test_all_who_wait_share_a_refusal(self, manager: TokenManager, service: Service) -> None:
        service.token = lambda _: Delay(0.3, Json({"error": "invalid_client"}, 401))
        settings = service.settings()
        errors = self.errors_of(16, lambda: manager.acquire(settings))
        assert {type(error) for error in errors} == {InvalidClientError}
        assert len({id(error) for error in errors}) == 16, "each caller raises a copy of its own"
        assert len(service.token_requests) == 1

    @pytest.mark.fault("P10")
    def test_all_who_wait_share_a_failure(self, manager: TokenManager, service: Service) -> None:
        service.token = lambda _: Delay(0.3, Json({}, 503, [("Retry-After", "30")]))
        settings = service.settings(max_retry_attempts=0, max_wait=5)
        errors = self.errors_of(16, lambda: manager.acquire(settings))
        assert {type(error) for error in errors} == {TokenEndpointError}
        assert len(service.token_requests) == 1

    @staticmethod
    def errors_of(callers: int, call: Callable[[], Any]) -> list[BaseException]:
        with ThreadPoolExecutor(callers) as pool:
            errors = [pool.submit(call).exception() for _ in range(callers)]
        return [error for error in errors if error is not None]

    @pytest.mark.fault("P16")
    def test_a_cancelled_caller_disturbs_nobody(
        self, manager: TokenManager, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Airflow's task timeout raises an exception at any place of the caller's code."""
        import signal

        class TaskTimeoutError(BaseException):
            pass

        def alarm(*_: Any) -> None:
            raise TaskTimeoutError

        alarmed = threading.Event()
        service.token = lambda _: Held(alarmed, token_json("slow-token"))
        settings = service.settings()
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(manager.acquire, settings)
            until(lambda: service.token_requests, "the request")
            before = signal.signal(signal.SIGALRM, alarm)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                with pytest.raises(TaskTimeoutError):
                    manager.acquire(settings)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
                alarmed.set()
            assert other.result().value == "slow-token"
        assert manager.acquire(settings).value == "slow-token"
        assert len(service.token_requests) == 1, "the flight went on for the other caller"

    @pytest.mark.fault("P16", "F83")
    def test_a_caller_that_is_thrown_out_before_its_flight_begins_leaves_none(
        self, manager: TokenManager, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class TaskTimeoutError(BaseException):
            pass

        def interrupt(*_: Any) -> NoReturn:
            raise TaskTimeoutError

        settings = service.settings(max_wait=5)
        held = manager.acquire(settings)
        manager.slots.of(settings).pause(-10_000)
        with monkeypatch.context() as patch:
            patch.setattr(Slot, "pause", interrupt)
            with pytest.raises(TaskTimeoutError):
                manager.acquire(settings)
        manager.refuse(settings, ALONE, held)
        assert manager.acquire(settings).value == "tok-2"

    @pytest.mark.parametrize(
        "way, looks",
        [
            pytest.param("needed", 1, id="needed"),
            pytest.param("held", 0, id="held"),
            pytest.param("forced", 0, id="forced"),
            pytest.param("coroutine", 0, id="of-a-coroutine"),
            pytest.param("under-way", 0, id="a-search-is-under-way"),
        ],
    )
    def test_the_caller_itself_looks_into_the_store_where_a_token_may_lie_and_nobody_does(
        self, way: str, looks: int, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked: list[Slot] = []
        monkeypatch.setattr(TokenManager, "_look_up", lambda _, slot, *_more: looked.append(slot))
        manager, settings = TokenManager(), service.settings()
        slot, flight = manager.slots.of(settings), Flight.__new__(Flight)
        if way == "held":
            now = time.time()
            slot.put(AccessToken("tok-1", "Bearer", now + 3600, now))
        slot.flight = flight if way == "under-way" else None
        manager.acquiring(settings, ALONE, force=way == "forced", look_up=way != "coroutine")
        assert looked == [slot] * looks

    @pytest.mark.fault("P06")
    def test_nobody_waits_for_a_search_under_way_while_the_token_held_is_good(
        self, manager: TokenManager, service: Service
    ) -> None:
        settings = service.settings()
        held = manager.acquire(settings)
        slot = manager.slots.of(settings)
        slot.pause(-10_000)  # it is worth renewing
        slot.flight = Flight.__new__(Flight)
        assert manager.acquire(settings) is held
        slot.flight = None

    def test_what_lies_in_the_store_is_worth_no_thread(
        self, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings, sharing = service.settings(), Sharing(FileStore(tmp_path / "store"))
        cost = SearchCost()
        token = TokenManager().acquire(settings, sharing, cost=cost)
        assert (cost.source, cost.requests) == (Source.REQUEST, 1)
        monkeypatch.setattr(Flight, "start", lambda _: pytest.fail("a flight begins"))
        cost = SearchCost()
        assert TokenManager().acquire(settings, sharing, cost=cost) == token
        assert (cost.source, cost.requests) == (Source.STORE, 0)

    def test_all_who_wait_get_a_token_that_is_good_for_a_call_only(
        self, manager: TokenManager, service: Service
    ) -> None:
        settings = service.settings()
        slot = manager.slots.of(settings)
        service.token = lambda _: Held(
            lambda: slot.flight and len(slot.flight._callers) == 4, token_json("brief", expires_in=0)
        )
        with ThreadPoolExecutor(4) as pool:
            tokens = list(pool.map(lambda _: manager.acquire(settings).value, range(4)))
        assert tokens == ["brief"] * 4
        assert len(service.token_requests) == 1


class TestCost:
    """Whoever asks is told what it cost."""

    def test_of_a_renewal(self, manager: TokenManager, service: Service) -> None:
        settings, cost = service.settings(), SearchCost()
        refused = manager.acquire(settings)
        assert drive(manager.renewing(settings, ALONE, refused, None, cost=cost), carry_out) != refused
        assert (cost.source, cost.requests, cost.renewed) == (Source.REQUEST, 1, True)

    def test_of_one_that_another_has_made(self, manager: TokenManager, service: Service) -> None:
        settings, cost = service.settings(), SearchCost()
        refused = manager.acquire(settings)
        manager.acquire(settings, force=True)
        assert drive(manager.renewing(settings, ALONE, refused, None, cost=cost), carry_out) != refused
        assert (cost.source, cost.requests, cost.renewed) == (Source.MEMORY, 0, False)

    @pytest.mark.parametrize("works", [True, False])
    def test_of_a_person_who_authorizes(self, works: bool, manager: TokenManager, service: Service) -> None:
        cost = SearchCost()
        service.token = None if works else refuse("invalid_client", 401)
        with nullcontext() if works else pytest.raises(InvalidClientError):
            manager.authorize(service.settings(), cost=cost)
        assert (cost.source, cost.requests, cost.asked) == (Source.REQUEST, 1, True)


class TestKept:
    """What memory and store keep, and what is taken out of them."""

    def test_nothing(self, manager: TokenManager, service: Service) -> None:
        settings, now = service.settings(), time.time()
        assert manager.kept(settings, ALONE) == ()
        manager.slots.of(settings)._hold(
            (AccessToken("past", "Bearer", now - 1, now - 3600), 0, 0, (0, 0, 0))
        )
        assert manager.kept(settings, ALONE) == ()

    def test_each_token_once(self, manager: TokenManager, service: Service) -> None:
        settings = service.settings()
        held = manager.acquire(settings)
        assert manager.kept(settings, ALONE) == (held,)
        other = TokenManager().acquire(settings, force=True)
        assert manager.kept(settings, ALONE) == (held, other)

    def test_nothing_that_is_forgotten(self, manager: TokenManager, service: Service) -> None:
        settings = service.settings()
        manager.acquire(settings)
        other = TokenManager()
        other.acquire(settings)
        manager.forget(settings, ALONE)
        assert manager.kept(settings, ALONE) == (), "neither here nor in the store"
        assert len(other.kept(settings, ALONE)) == 1, "the memory of others is theirs"

    def test_nothing_of_a_process_that_is_to_know_nothing(
        self, manager: TokenManager, service: Service, tmp_path: Path
    ) -> None:
        settings, sharing = service.settings(), Sharing(FileStore(tmp_path / "store"))
        for one in (ALONE, sharing):
            manager.acquire(settings, one, force=True)
        service.token = refuse("invalid_client", 401)
        with pytest.raises(InvalidClientError):
            manager.acquire(settings, force=True)
        service.token = None
        assert own_records._own
        manager.clear()
        assert not own_records._own
        assert manager.kept(settings, ALONE) == ()
        assert len(manager.kept(settings, sharing)) == 1, "what is shared lies there"
        assert manager.acquire(settings).value == "tok-3", "no refusal is known either"

    def test_one_that_is_revoked_is_used_no_more_and_authorizes_nobody(
        self, manager: TokenManager, service: Service
    ) -> None:
        settings = service.settings()
        token = manager.acquire(settings)
        manager.withdraw(settings, ALONE, token)
        assert manager.kept(settings, ALONE) == ()
        assert manager.slots.of(settings).has_refused(token)
        assert Entries(settings, ALONE).status().revoked_issue == token.issued_at

    def test_one_of_somebody_else_that_is_revoked_says_nothing_of_ours(
        self, manager: TokenManager, service: Service
    ) -> None:
        settings = service.settings()
        token = manager.acquire(settings)
        manager.withdraw(settings, ALONE, AccessToken("foreign", "Bearer", time.time() + 60, 0.0))
        assert manager.kept(settings, ALONE) == (token,)
        assert Entries(settings, ALONE).status().revoked_issue is None


class TestForks:
    """Celery and LocalExecutor fork workers while threads are running."""

    @pytest.mark.fault("P20")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_a_child_forked_within_an_acquisition(self, service: Service) -> None:
        from airflow_oauth_provider.tokens.manager import shared

        forked = threading.Event()
        service.token = lambda _: Held(forked, token_json("slow-token"))
        client = OAuth2Client("my_api", service.connection())
        background = threading.Thread(target=client.get_token)
        background.start()
        until(lambda: service.token_requests, "the request")
        with shared.slots._lock:  # as a thread might hold it at the moment of the fork
            child = os.fork()
        if child == 0:
            token = OAuth2Client("my_api", service.connection(max_wait=20)).get_token()
            os._exit(0 if token.value == "slow-token" else 1)
        forked.set()
        background.join()
        assert self.exit_code(child, within=60) == 0
        assert len(service.token_requests) == 2, "the parent's flight is not the child's"

    @pytest.mark.fault("P22")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_a_child_opens_its_own_connections(self, service: Service) -> None:
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        hook = OAuth2Hook(method="GET", connection=service.connection())
        assert hook.run("parent").status_code == 200
        child = os.fork()
        if child == 0:
            os._exit(0 if hook.run("child").json()["target"] == "/api/child" else 1)
        assert self.exit_code(child, within=60) == 0
        assert hook.run("parent-again").status_code == 200
        by_target = {call.target: call.connection for call in service.calls}
        assert by_target["/api/parent"] == by_target["/api/parent-again"]
        assert by_target["/api/child"] != by_target["/api/parent"]

    @staticmethod
    def exit_code(child: int, *, within: float) -> int:
        ends_at = time.monotonic() + within
        while time.monotonic() < ends_at:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")


class TestRefusals:
    """What is not asked again for a while."""

    @pytest.mark.fault("P49")
    def test_one_request_a_minute_for_a_bad_secret(
        self, manager: TokenManager, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service.token = refuse("invalid_client", 401)
        clock = time.time()
        monkeypatch.setattr("airflow_oauth_provider.tokens.entries.time.time", lambda: clock)
        settings = service.settings(scope="a")
        for given in (settings, settings, service.settings(scope="b")):
            with pytest.raises(InvalidClientError):
                manager.acquire(given)
        assert len(service.token_requests) == 1, "whatever the scope: it is the credential that is refused"
        clock += 59
        with pytest.raises(InvalidClientError):
            manager.acquire(settings)
        assert len(service.token_requests) == 1
        clock += 2
        with pytest.raises(InvalidClientError):
            manager.acquire(settings)
        assert len(service.token_requests) == 2

    @pytest.mark.fault("P49")
    def test_a_new_secret_is_tried_at_once(self, manager: TokenManager, service: Service) -> None:
        service.token = refuse("invalid_client", 401)
        with pytest.raises(InvalidClientError):
            manager.acquire(service.settings())
        service.token = None
        assert manager.acquire(service.settings(password="a-new-secret")).value == "tok-1"

    def test_another_refusal_concerns_its_own_key_only(self, manager: TokenManager, service: Service) -> None:
        service.token = lambda request: (
            Json({"error": "invalid_scope"}, 400) if b"bad" in request.body else token_json("tok")
        )
        for _ in range(2):
            with pytest.raises(TokenEndpointError):
                manager.acquire(service.settings(scope="bad"))
        assert manager.acquire(service.settings(scope="good")).value == "tok"
        assert len(service.token_requests) == 2

    @pytest.mark.fault("F69")
    @pytest.mark.parametrize(
        "response",
        [
            pytest.param(Json({}, 401), id="bare-401[H09]"),
            pytest.param(Json({}, 403), id="bare-403[H16]"),
            pytest.param(Json({"ErrorCode": "invalid_client"}, 401), id="apigee"),
            pytest.param(Text(400, ""), id="empty-400"),
        ],
    )
    def test_a_bare_refusal_is_one_request(
        self, manager: TokenManager, service: Service, response: Text
    ) -> None:
        service.token = lambda _: response
        for _ in range(50):
            with pytest.raises(TokenEndpointError):
                manager.acquire(service.settings())
        assert len(service.token_requests) == 1
        with pytest.raises(TokenEndpointError):
            manager.acquire(service.settings(scope="other"))
        assert len(service.token_requests) == 2, "other settings are asked about by themselves"

    def test_a_page_is_no_refusal(self, manager: TokenManager, service: Service) -> None:
        service.token = lambda _: Text(403, "<html>a firewall</html>", "text/html")
        for _ in range(2):
            with pytest.raises(TokenEndpointError):
                manager.acquire(service.settings())
        assert len(service.token_requests) == 2

    @pytest.mark.fault("P50", "H25")
    @pytest.mark.parametrize("named", ["7200", "Fri, 31 Dec 9999 23:59:59 GMT"])
    def test_a_server_that_wants_a_rest_gets_it(
        self, manager: TokenManager, service: Service, named: str
    ) -> None:
        service.token = refuse("slow_down", 429, [("Retry-After", named)])
        settings = service.settings()
        for _ in range(3):
            with pytest.raises(TokenEndpointError) as caught:
                manager.acquire(settings)
        assert len(service.token_requests) == 1
        assert caught.value.retry_after is not None
        assert 3590 < caught.value.retry_after <= 3600, "capped"

    @pytest.mark.fault("P50")
    def test_a_short_rest_is_waited_for(self, manager: TokenManager, service: Service) -> None:
        service.token = refuse("slow_down", 429, [("Retry-After", "1")])
        with pytest.raises(TokenEndpointError):
            manager.acquire(service.settings(max_retry_attempts=0))
        service.token = None
        watch = Stopwatch()
        assert manager.acquire(service.settings(max_retry_attempts=0)).value == "tok-1"
        assert watch.wall > 0.5
        assert watch.seconds < 5

    def test_force_bypasses_tokens_and_not_refusals(self, manager: TokenManager, service: Service) -> None:
        settings = service.settings()
        assert manager.acquire(settings).value == "tok-1"
        assert manager.acquire(settings, force=True).value == "tok-2"
        assert manager.acquire(settings).value == "tok-2", "a forced token replaces the other"
        service.token = refuse("invalid_client", 401)
        for _ in range(2):
            with pytest.raises(InvalidClientError):
                manager.acquire(settings, force=True)
        assert len(service.token_requests) == 3
        assert manager.acquire(settings).value == "tok-2", "a failed renewal takes nothing away"

    def test_authorizing_bypasses_them_and_writes_successes_only(
        self, manager: TokenManager, service: Service
    ) -> None:
        settings = service.settings()
        service.token = refuse("invalid_client", 401)
        with pytest.raises(InvalidClientError):
            manager.authorize(settings)
        service.token = None
        assert manager.acquire(settings).value == "tok-1", "its refusal was not remembered"
        service.token = refuse("invalid_client", 401)
        with pytest.raises(InvalidClientError):
            manager.acquire(settings, force=True)
        service.token = None
        assert manager.authorize(settings).value == "tok-2"
        assert manager.acquire(settings, force=True).value == "tok-3", "a success clears the refusal"


class TestBudgets:
    """A wait that is kept."""

    @pytest.mark.fault("N06")
    def test_foreign_code_that_hangs_holds_nobody(self, manager: TokenManager, service: Service) -> None:
        release = threading.Event()
        settings = self.custom(service, lambda _: release.wait(30))
        watch = Stopwatch()
        with pytest.raises(TransportError, match="max_wait"):
            manager.acquire(settings)
        assert watch.seconds < 1.0
        release.set()

    @pytest.mark.fault("N39")
    def test_a_jump_of_the_wall_clock_changes_no_budget(
        self, manager: TokenManager, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service.token = lambda _: Delay(5.0, token_json("late"))
        real, jumps = time.time, iter([0.0])
        monkeypatch.setattr(
            "airflow_oauth_provider.tokens.clocks.time.time", lambda: real() + next(jumps, -7200.0)
        )
        settings = service.settings(max_wait=0.8, max_retry_attempts=0)
        watch = Stopwatch()
        with pytest.raises(TransportError) as caught:
            manager.acquire(settings)
        assert watch.wall > 0.5
        assert watch.seconds < 2.0
        assert 0 <= caught.value.elapsed < 3600

    @pytest.mark.fault("N38")
    def test_no_success_after_the_deadline(self, manager: TokenManager, service: Service) -> None:
        """Whoever was held up elsewhere is not given a token that came too late for its budget."""
        service.token = lambda _: Delay(1.2, token_json("late"))
        settings = service.settings(max_wait=0.6, max_retry_attempts=0)
        with pytest.raises(TransportError):
            manager.acquire(settings)

    def test_what_foreign_code_raises_is_not_repeated(self, manager: TokenManager, service: Service) -> None:
        def leak(settings: ClientSettings) -> AccessToken:
            raise RuntimeError("my secret is hunter2hunter2")

        with pytest.raises(TokenResponseError, match="RuntimeError") as caught:
            manager.acquire(self.custom(service, leak))
        chain: BaseException | None = caught.value
        while chain is not None:
            assert "hunter2" not in f"{chain!r} {chain}"
            chain = chain.__cause__ or chain.__context__

    def test_a_typed_error_of_foreign_code_passes(self, manager: TokenManager, service: Service) -> None:
        def refuse_(settings: ClientSettings) -> AccessToken:
            raise InvalidClientError("expired licence", status=401, error="invalid_client")

        with pytest.raises(InvalidClientError, match="expired licence"):
            manager.acquire(self.custom(service, refuse_))

    @staticmethod
    def custom(service: Service, function: Callable[[ClientSettings], Any]) -> ClientSettings:
        return replace(
            service.settings(),
            auth_method="custom",
            client_secret=None,
            custom=CustomProvider("corp", "company.tokens.fetch", function),
            retry=RetrySettings(0, 0.5),
        )


class TestMemory:
    """Bounded, and nothing kept that is not needed."""

    @pytest.mark.fault("L32")
    def test_a_dropped_token_is_gone(self, service: Service) -> None:
        """Tokens have slots and no weak references: what is checked is who still refers to them."""
        client = OAuth2Client("my_api", service.connection())
        token = client.get_token()
        service.token = refuse("invalid_scope")
        with pytest.raises(OAuthError) as caught:
            client.renew(token)
        gc.unfreeze()  # a holder may be older than the test
        gc.collect()
        holders = [
            holder
            for holder in gc.get_referrers(token)
            if holder is not locals() and type(holder).__name__ not in {"frame", "cell"}
        ]
        assert [type(holder).__name__ for holder in holders if isinstance(holder, tuple | list)] == []
        assert token.value not in f"{vars(caught.value)}"

    def test_flights_do_not_outlive_their_use(self, manager: TokenManager, service: Service) -> None:
        settings = service.settings()
        seen = threading.Event()
        service.token = lambda _: Held(seen, token_json("slow-token"))
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(manager.acquire, settings)
            until(lambda: manager.slots.of(settings).flight is not None, "the flight")
            flight = weakref.ref(manager.slots.of(settings).flight)
            seen.set()
            pending.result()
        ends_at = time.monotonic() + 60
        while flight() is not None and time.monotonic() < ends_at:
            gc.collect()
            time.sleep(0.01)
        assert flight() is None

    @pytest.mark.fault("F83")
    def test_a_start_that_a_timeout_interrupts_costs_one_more_request(
        self, manager: TokenManager, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first goes on without its slot: when it ends, the second one still has it."""
        settings, first, second, start = (
            service.settings(),
            threading.Event(),
            threading.Event(),
            Flight.start,
        )

        def respond(request: RecordedRequest) -> Any:
            assert (first if len(service.token_requests) == 1 else second).wait(30)
            return token_json(f"tok-{len(service.token_requests)}")

        def interrupted(flight: Flight) -> None:
            start(flight)
            raise TimeoutError

        service.token = respond
        monkeypatch.setattr(Flight, "start", interrupted)
        with pytest.raises(TimeoutError):
            manager.acquire(settings)
        monkeypatch.setattr(Flight, "start", start)
        slot = manager.slots.of(settings)
        until(lambda: service.token_requests, "the request of the interrupted one")
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(manager.acquire, settings, force=True)
            until(lambda: len(service.token_requests) == 2, "the request of the second one")
            flight = slot.flight
            first.set()
            until(lambda: slot.current() is not None, "the token of the first")
            assert slot.flight is flight is not None
            second.set()
            pending.result()
        assert slot.flight is None

    @pytest.mark.fault("P55")
    def test_one_connection_id_with_two_contents(self, service: Service) -> None:
        first = OAuth2Client("my_api", service.connection(scope="a"))
        second = OAuth2Client("my_api", service.connection(scope="b"))
        assert first.get_token().value != second.get_token().value


@pytest.mark.fault("P54")
def test_the_interpreter_ends_during_an_acquisition(service: Service) -> None:
    import subprocess
    import sys

    service.token = slow_token(20)
    program = """
import os, sys, threading
from airflow.sdk import Connection
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
client = OAuth2Client("my_api", Connection.from_uri(os.environ["URI"], conn_id="my_api"))
threading.Thread(target=client.get_token, daemon=True).start()
sys.stdin.read()
"""
    environment = {**os.environ, "URI": service.connection().get_uri()}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        until(lambda: service.token_requests or process.poll() is not None, "the request")
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"Traceback" not in errors, errors.decode()
    assert len(service.token_requests) == 1
