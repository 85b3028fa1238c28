"""A renewal before its time: what it takes over, when it asks nobody, and what it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_oauth_provider.exceptions import InvalidClientError, TransportError
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.manager import TokenManager
from airflow_oauth_provider.tokens.shared_acquisition import Purpose, Search, _Wait
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Lease
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.builders import settings as built
from tests.support.servers.scripted import token_json
from tests.support.service import Service


def token(value: str, *, after: float = 0.0) -> AccessToken:
    issued_at = time.time() + after
    return AccessToken(value, "Bearer", issued_at + 3600, issued_at)


class OvertakenStore(FileStore):
    """Another process is faster: it does something once, just before a lease is taken here."""

    meanwhile: Callable[[], object] | None = None

    def lease(self, name: str) -> Lease | None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().lease(name)


class Renewal:
    """A renewal of one token, and its store.

    ``asked`` counts token requests, ``slept`` pauses.
    """

    def __init__(self, folder: Path) -> None:
        self.store = OvertakenStore(folder)
        self.settings: ClientSettings = built()
        self.held = token("held", after=-3000)
        self.entries.granted(self.held)
        self.asked = self.slept = 0
        self.fails: Exception | None = None

    @property
    def entries(self) -> Entries:
        return Entries(self.settings, Sharing(self.store))

    def run(
        self, accepts: Callable[[AccessToken], bool] = lambda _: True, purpose: Purpose = Purpose.EARLY
    ) -> AccessToken | None:
        budget = Budget.of(this_moment(), 10)
        return Search(self.entries, budget, purpose, self.held, accepts, self._fetch, self._sleep).run()

    def _sleep(self, seconds: float) -> None:
        self.slept += 1
        time.sleep(seconds)

    def _fetch(self) -> AccessToken:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return token("renewed")

    def is_free(self) -> bool:
        lease = self.entries.lease(0)
        if lease is not None:
            lease.release()
        return lease is not None


@pytest.fixture
def renewal(tmp_path: Path) -> Renewal:
    return Renewal(tmp_path / "store")


def test_it_asks_once_shares_what_it_gets_and_lets_go_of_the_lease(renewal: Renewal) -> None:
    renewed = renewal.run()
    assert renewed is not None
    assert (renewed.value, renewal.asked) == ("renewed", 1)
    assert renewal.entries.token() == renewed
    assert renewal.is_free()


def test_a_newer_one_of_the_store_is_taken_over(renewal: Renewal) -> None:
    newer = token("newer")
    renewal.entries.granted(newer)
    assert renewal.run() == newer
    assert renewal.asked == 0


@pytest.mark.fault("F80")
def test_a_newer_one_that_was_refused_here_is_not(renewal: Renewal) -> None:
    newer = token("newer", after=-1)
    renewal.entries.granted(newer)
    renewed = renewal.run(lambda candidate: candidate.value != "newer")
    assert renewed is not None
    assert (renewed.value, renewal.asked) == ("renewed", 1)


def test_one_that_another_process_has_renewed_meanwhile_is_taken_over(renewal: Renewal) -> None:
    """After the first look, and before this one had the lease."""
    newer = token("newer")
    renewal.store.meanwhile = lambda: renewal.entries.granted(newer)
    assert renewal.run() == newer
    assert renewal.asked == 0
    assert renewal.is_free()


def test_where_another_process_has_tried_meanwhile_nobody_is_asked(renewal: Renewal) -> None:
    renewal.store.meanwhile = renewal.entries.mark_early
    assert renewal.run() is None
    assert renewal.asked == 0
    assert renewal.is_free()


def test_where_another_process_is_asking_nobody_else_is_asked(renewal: Renewal) -> None:
    lease = renewal.entries.lease(0)
    assert renewal.run() is None
    assert renewal.asked == 0
    assert lease is not None
    lease.release()


def test_a_refusal_in_force_holds(renewal: Renewal) -> None:
    renewal.entries.refused(InvalidClientError("no", error="invalid_client", status=401), budget=10)
    assert renewal.run() is None
    assert renewal.asked == 0


def test_one_that_failed_shares_its_error_and_pauses(renewal: Renewal) -> None:
    renewal.fails = TransportError("no response")
    assert [renewal.run(), renewal.run()] == [None, None]
    assert renewal.asked == 1
    assert isinstance(renewal.entries.status().error, TransportError)
    assert renewal.is_free()


def test_a_killed_task_says_nothing_of_the_server(renewal: Renewal) -> None:
    renewal.fails = TaskStoppedError("killed")
    with pytest.raises(TaskStoppedError):
        renewal.run()
    assert renewal.entries.status().error is None
    assert renewal.is_free()


def test_while_another_process_is_asking_a_newer_one_is_taken_over(renewal: Renewal) -> None:
    newer, lease = token("newer"), renewal.entries.lease(0)
    renewal.entries.granted(newer)
    assert renewal.run() == newer
    assert renewal.run(purpose=Purpose.NEEDED) == newer
    assert (renewal.asked, renewal.slept) == (0, 0)
    assert lease is not None
    lease.release()


def test_a_store_that_has_lost_the_token_is_no_reason_not_to_renew_it(renewal: Renewal) -> None:
    renewal.entries.drop_token(renewal.held)
    renewed = renewal.run()
    assert renewed is not None
    assert renewed.value == "renewed"


def test_who_needs_a_token_takes_one_that_came_while_the_lease_was_taken(renewal: Renewal) -> None:
    renewal.entries.drop_token(renewal.held)
    newer = token("newer")
    renewal.store.meanwhile = lambda: renewal.entries.granted(newer)
    assert renewal.run(purpose=Purpose.NEEDED) == newer
    assert renewal.asked == 0


@pytest.mark.fault("F80")
def test_who_needs_a_token_takes_none_that_was_refused_here(renewal: Renewal) -> None:
    token = renewal.run(lambda candidate: candidate.value != "held", Purpose.NEEDED)
    assert token is not None
    assert (token.value, renewal.asked) == ("renewed", 1)


@pytest.mark.fault("F11")
@pytest.mark.parametrize("seconds, most", [(4, 1.0), (400, 10.0)])
def test_so_much_of_a_budget_is_left_for_asking_without_a_lease(
    renewal: Renewal, seconds: float, most: float
) -> None:
    budget = Budget.of(this_moment(), seconds)
    search = Search(
        renewal.entries, budget, Purpose.NEEDED, None, lambda _: True, lambda: token("new"), time.sleep
    )
    assert most / 2 <= _Wait(search)._alone_at <= most


@pytest.mark.fault("F80", "F81")
def test_no_caller_gets_a_refused_one_by_a_renewal(service: Service, tmp_path: Path) -> None:
    """Of another host, whose clock is ahead: newer than the one that this process was granted since."""
    sharing, manager = Sharing(GuardedStore(FileStore(tmp_path / "store"))), TokenManager()
    settings = service.settings()
    slot = manager.slots.of(settings)
    granted = manager.acquire(settings, sharing)
    refused = replace(granted, value="refused", issued_at=granted.issued_at + 30)
    with slot.lock:
        slot.refuse(refused)
        slot.put(granted, granted=True)
        slot.pause(-10_000)  # it is worth renewing now
    Entries(settings, sharing).granted(refused)  # somebody who was slower has written it again
    assert manager.acquire(settings, sharing).value in {"tok-1", "tok-2"}
    assert manager.acquire(settings, sharing).value in {"tok-1", "tok-2"}
    manager.clear()


@pytest.mark.fault("F81")
def test_what_was_just_granted_serves_its_caller_though_a_later_one_was_refused(
    service: Service, tmp_path: Path
) -> None:
    """Also where it is good for that call only, so that no memory holds it."""
    sharing, manager = Sharing(GuardedStore(FileStore(tmp_path / "store"))), TokenManager()
    settings = service.settings(max_wait=5)
    service.token = lambda _: token_json("for-one-call", expires_in=0)
    slot = manager.slots.of(settings)
    with slot.lock:
        slot.refuse(token("refused", after=3600))
    assert manager.acquire(settings, sharing).value == "for-one-call"
    assert len(service.token_requests) == 1
    manager.clear()
