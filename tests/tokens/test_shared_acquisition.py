"""Who asks when several share a store, and that somebody always does."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from airflow_oauth_provider.exceptions import OAuthError, TransportError, UnexpectedError
from airflow_oauth_provider.protocol.moments import Budget, Moment
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.manager import TokenManager
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.shared_acquisition import Purpose, Search
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import NoLease
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.transport.stopping import Latch, Stop
from tests.support.servers.scripted import CloseNow, Delay, Json, ScriptedResponse, token_json
from tests.support.service import Service
from tests.support.stores import SHARED, new_store


@pytest.fixture(params=SHARED)
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Sharing:
    return Sharing(GuardedStore(new_store(request.param, tmp_path / "store", request)))


@pytest.mark.fault("F06")
def test_one_asks_after_a_cool_down_however_old_the_waiters_are(
    sharing: Sharing, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The oldest waiters are older, and the response takes far less.
    monkeypatch.setattr("airflow_oauth_provider.tokens.shared_acquisition.TAKEOVER", 1.5)
    settings = service.settings(max_retry_attempts=0)
    service.token = lambda _: Json({}, 429, [("Retry-After", "2")])
    with pytest.raises(OAuthError):
        TokenManager().acquire(settings, sharing)
    service.token = lambda _: Delay(0.2, token_json("the-token"))
    with ThreadPoolExecutor(6) as pool:
        waiting = []
        for _ in range(6):
            waiting.append(pool.submit(TokenManager().acquire, settings, sharing))
            time.sleep(0.25)
        assert {pending.result().value for pending in waiting} == {"the-token"}
    assert len(service.token_requests) == 2


@pytest.mark.fault("P10")
@pytest.mark.parametrize("response", [CloseNow(), Json({}, 503, [("Retry-After", "1")])], ids=["cut", "503"])
def test_a_failure_of_a_host_whose_clock_is_ahead_is_nobody_elses_for_as_long(
    response: ScriptedResponse, sharing: Sharing, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = service.settings(max_retry_attempts=0)
    service.token = lambda _: response
    with monkeypatch.context() as ahead:
        ahead.setattr("airflow_oauth_provider.tokens.entries.time.time", lambda real=time.time: real() + 120)
        with pytest.raises(OAuthError):
            TokenManager().acquire(settings, sharing)
    service.token = None
    assert TokenManager().acquire(settings, sharing).value == "tok-1"


@pytest.mark.fault("F11")
def test_leases_that_are_squatted_cost_the_wait_and_not_the_token(sharing: Sharing, service: Service) -> None:
    settings = service.settings(max_wait=4)
    squatted = [Entries(settings, sharing).lease(number) for number in range(20)]
    assert all(squatted)
    assert TokenManager().acquire(settings, sharing).value == "tok-1"
    assert len(service.token_requests) == 1


@pytest.mark.fault("F84")
def test_half_of_a_short_budget_is_enough_to_take_over(
    sharing: Sharing, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without its last part, in which it would ask without any lease.
    monkeypatch.setattr("airflow_oauth_provider.tokens.shared_acquisition.LAST_PART", 0.0)
    settings = service.settings(max_wait=4)
    held = Entries(settings, sharing).lease(0)
    assert TokenManager().acquire(settings, sharing).value == "tok-1"
    assert held is not None
    held.release()


@pytest.mark.fault("F83")
def test_a_caller_that_is_thrown_out_lets_go_of_the_lease(sharing: Sharing, service: Service) -> None:
    """Airflow's execution_timeout raises in the middle of the caller's code; then the process ends."""

    class TaskTimeoutError(BaseException):
        pass

    def alarm(*_: Any) -> None:
        raise TaskTimeoutError

    service.token = lambda _: Delay(20, token_json("late"))
    settings = service.settings()
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(TaskTimeoutError):
            TokenManager().acquire(settings, sharing)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    free = Entries(settings, sharing).lease(0)
    assert free is not None
    free.release()


@pytest.mark.fault("F05")
def test_a_clock_that_is_set_back_makes_nobody_ask_again(
    sharing: Sharing, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, manager = service.settings(max_wait=5), TokenManager()
    manager.acquire(settings, sharing)
    real, behind = time.time, threading.Event()
    monkeypatch.setattr(time, "time", lambda: real() - (5 if behind.is_set() else 0))
    flow = manager.acquiring(settings, sharing, force=True)
    behind.set()  # before anybody asks: the token seems to be issued before it was wanted
    service.token = lambda _: token_json("forced")
    from airflow_oauth_provider.protocol.flows import drive
    from airflow_oauth_provider.tokens.acquiring import carry_out

    assert drive(flow, carry_out).value == "forced"
    assert len(service.token_requests) == 2
    assert manager.acquire(settings, sharing).value == "forced", "it counts as the newest"
    assert TokenManager().acquire(settings, sharing).value == "forced"
    assert len(service.token_requests) == 2


@pytest.mark.fault("F05")
@pytest.mark.parametrize("lifetime", [0, 3600], ids=["for-one-call", "kept"])
def test_nor_does_one_that_is_set_back_after_a_refusal(
    sharing: Sharing, service: Service, monkeypatch: pytest.MonkeyPatch, lifetime: int
) -> None:
    """What this process is granted then is the newest, though it seems to be issued before."""
    settings, manager = service.settings(max_wait=5), TokenManager()
    manager.refuse(settings, sharing, manager.acquire(settings, sharing))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 5)
    service.token = lambda _: token_json("new", expires_in=lifetime)
    assert manager.acquire(settings, sharing).value == "new"
    assert len(service.token_requests) == 2


@pytest.mark.fault("F05")
def test_what_lay_in_the_store_before_is_no_new_token(sharing: Sharing, service: Service) -> None:
    """Another host's clock may be ahead."""
    settings, now = service.settings(), time.time()
    ahead = AccessToken("of-another-host", "Bearer", now + 3700, now + 100, frozenset())
    Entries(settings, sharing).granted(ahead)
    assert TokenManager().acquire(settings, sharing, force=True).value == "tok-1"


class Waiter:
    """A search by a clock of its own, while somebody else holds the first lease and brings no token."""

    def __init__(self, service: Service, sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = self.began = 1e9
        settings = service.settings(max_wait=600)
        entries = Entries(settings, sharing)
        clock = SimpleNamespace(time=lambda: self.seconds, monotonic=lambda: self.seconds)
        monkeypatch.setattr("airflow_oauth_provider.tokens.shared_acquisition.time", clock)
        self.status = Status()
        self.refusal: tuple[OAuthError, float] | None = None
        self.token: AccessToken | None = None
        monkeypatch.setattr(entries, "token", lambda: self.token)
        monkeypatch.setattr(entries, "status", lambda: self.status)
        monkeypatch.setattr(entries, "standing", self._standing)
        monkeypatch.setattr(entries, "lease", lambda number: NoLease() if number else None)
        budget = Budget.of(Moment(self.seconds, self.seconds), 600)
        self.search = Search(entries, budget, Purpose.NEEDED, None, lambda _: True, self._fetch, self._sleep)

    def run(self, *, happens_at: float, what: Callable[[Waiter], object]) -> float:
        """Return after how many seconds it asks, beside the one who holds the first lease."""
        self._at, self._what = self.began + happens_at, what
        with pytest.raises(_AskedError):
            self.search.run()
        return self.seconds - self.began

    def bring(self) -> AccessToken:
        """Put a token into the store, as the one who holds the lease does."""
        self.token = AccessToken("tok-1", "Bearer", self.seconds + 3600, self.seconds)
        return self.token

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.seconds >= self._at:
            self._at = float("inf")
            self._what(self)

    def _standing(self, _: object) -> tuple[OAuthError, float] | None:
        if self.refusal is None or self.seconds >= self.refusal[1]:
            return None
        return self.refusal[0], self.refusal[1] - self.seconds

    def _fetch(self) -> NoReturn:
        raise _AskedError


class _AskedError(Exception):
    pass


def cools_down(waiter: Waiter) -> None:
    waiter.refusal = TransportError("busy"), waiter.seconds + 30


def fails(waiter: Waiter) -> None:
    """The one who holds the lease has had less time than this waiter has left."""
    waiter.status = Status(refused_at=waiter.seconds, error=TransportError("busy"), budget=5.0)


@pytest.mark.fault("P02")
def test_what_another_brings_is_taken_without_a_lease(
    service: Service, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiter = Waiter(service, sharing, monkeypatch)
    waiter._at, waiter._what = waiter.began + 1.0, Waiter.bring
    assert waiter.search.run() is waiter.token
    assert 1.0 <= waiter.seconds - waiter.began < 2.0


@pytest.mark.fault("P02")
def test_nobody_asks_for_what_has_come_before_the_lease(
    service: Service, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has asked shares the token first, and gives the lease back then."""
    waiter = Waiter(service, sharing, monkeypatch)

    def lease(_: int) -> NoLease:
        waiter.bring()
        return NoLease()

    monkeypatch.setattr(waiter.search.entries, "lease", lease)
    assert waiter.search.run() is waiter.token


@pytest.mark.fault("F06")
@pytest.mark.parametrize(
    "what, least",
    [(lambda _: None, 10.0), (cools_down, 9.0 + 30 + 10), (fails, 9.0 + 10)],
    ids=["nothing", "cool-down", "failure"],
)
def test_turns_are_counted_anew(
    service: Service,
    sharing: Sharing,
    monkeypatch: pytest.MonkeyPatch,
    what: Callable[[Waiter], object],
    least: float,
) -> None:
    """Else all who have waited before would ask at once, each by a lease of its own."""
    after = Waiter(service, sharing, monkeypatch).run(happens_at=9.0, what=what)
    assert least <= after < least + 2


@pytest.mark.fault("F85")
def test_a_failed_early_renewal_warns_with_its_reason(
    sharing: Sharing, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    settings, manager = service.settings(), TokenManager()
    held = manager.acquire(settings, sharing)
    service.token = lambda _: Json({"error": "invalid_scope", "error_description": "gone"}, 400)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            manager.slots.of(settings).pause(-10_000)
            assert manager.acquire(settings, sharing) is held
    warnings = [record.getMessage() for record in caplog.records if "renewed before" in record.getMessage()]
    assert len(warnings) == 1
    assert "invalid_scope" in warnings[0]
    assert "gone" in warnings[0]


@pytest.mark.fault("F85")
def test_all_processes_pause_after_a_failed_early_renewal(
    sharing: Sharing, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where what the server said is over sooner than that."""
    monkeypatch.setattr(Entries, "standing", lambda *_: None)
    settings, processes = service.settings(), [TokenManager(), TokenManager()]
    held = processes[0].acquire(settings, sharing)
    assert processes[1].acquire(settings, sharing) == held
    service.token = lambda _: Json({}, 503)
    for manager in processes * 2:
        manager.slots.of(settings).pause(-10_000)
        assert manager.acquire(settings, sharing) == held
    assert len(service.token_requests) == 2, "one for the token, one before its time"


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    "place, doing",
    [
        ("protocol.token.acquisition.read_token_response", "the token request"),
        ("tokens.single_flight.Entries.status", "the search for a token"),
        ("tokens.single_flight.Search.ask", "the search for a token"),
    ],
)
def test_whatever_an_acquisition_raises_is_a_typed_error(
    sharing: Sharing, service: Service, monkeypatch: pytest.MonkeyPatch, place: str, doing: str
) -> None:
    def explode(*_: Any, **__: Any) -> Any:
        secret = "a-client-secret"
        raise OverflowError(f"int too large, and the secret is {secret}")

    monkeypatch.setattr(f"airflow_oauth_provider.{place}", explode)
    with pytest.raises(UnexpectedError) as caught:
        TokenManager().acquire(service.settings(), sharing)
    assert f"{doing} failed unexpectedly (OverflowError" in str(caught.value)
    assert "a-client-secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    traceback = caught.value.__traceback__
    while traceback is not None:
        if "airflow_oauth_provider" in traceback.tb_frame.f_code.co_filename:
            assert "a-client-secret" not in repr(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next


@pytest.mark.fault("F12")
def test_whatever_a_store_raises_costs_speed_only(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileStore(tmp_path / "store")

    def explode(*_: Any, **__: Any) -> Any:
        raise RecursionError("with something confidential")

    for name in ("read", "write", "delete", "delete_if", "lease"):
        monkeypatch.setattr(store, name, explode)
    token = TokenManager().acquire(service.settings(), Sharing(GuardedStore(store)))
    assert token.value == "tok-1"
    assert "RecursionError" in caplog.text
    assert "confidential" not in caplog.text


@pytest.mark.fault("F83")
def test_one_of_several_callers_that_is_thrown_out_harms_no_other(sharing: Sharing, service: Service) -> None:
    class ThrownOutError(BaseException):
        pass

    class Alarm(Stop):
        def wait_for(self, latch: Latch, until: float) -> bool:
            raise ThrownOutError

    service.token = lambda _: Delay(0.3, token_json("the-token"))
    effect: Any = next(TokenManager().acquiring(service.settings(), sharing))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(effect.flight.wait, effect.until)
        while not effect.flight._callers:
            time.sleep(0.001)
        with pytest.raises(ThrownOutError):
            effect.flight.wait(effect.until, Alarm())
        assert other.result().value == "the-token"
