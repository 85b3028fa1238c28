"""Fresh, worth renewing, unusable: who asks, who goes on, and what a failure costs."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import OAuthError, TransportError
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.manager import EARLY_WAIT, TokenManager
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from tests.support.servers.scripted import Delay, Json, token_json
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import until


@pytest.fixture
def sharing(tmp_path: Path) -> Sharing:
    return Sharing(GuardedStore(FileStore(tmp_path / "store")))


def worth_renewing(manager: TokenManager, settings: ClientSettings) -> None:
    """Let the token in memory be in its advisory window now."""
    manager.slots.of(settings).pause(-10_000)
    assert manager.slots.of(settings).fresh() is None
    assert manager.slots.of(settings).current() is not None


class TestEarly:
    """The advisory window."""

    @pytest.mark.fault("P06")
    def test_one_renews_and_the_others_go_on(
        self, manager: TokenManager, sharing: Sharing, service: Service
    ) -> None:
        settings = service.settings()
        old = manager.acquire(settings, sharing)
        worth_renewing(manager, settings)
        service.token = lambda _: Delay(0.5, token_json("renewed"))
        took: list[tuple[float, float]] = []

        def call(_: int) -> str:
            watch = Stopwatch()
            value = manager.acquire(settings, sharing).value
            took.append((watch.wall, watch.seconds))
            return value

        with ThreadPoolExecutor(20) as pool:
            values = list(pool.map(call, range(100)))
        assert set(values) == {old.value, "renewed"}
        assert len(service.token_requests) == 2
        assert max(wall for wall, _ in took) > 0.3
        assert sum(seconds > 0.3 for _, seconds in took) <= 1, "only the one who renews waits"
        assert manager.acquire(settings, sharing).value == "renewed"

    def test_a_failed_renewal_goes_on_with_the_old_token(
        self, manager: TokenManager, sharing: Sharing, service: Service
    ) -> None:
        settings = service.settings()
        old = manager.acquire(settings, sharing)
        service.token = lambda _: Json({}, 500)
        for _ in range(3):
            worth_renewing(manager, settings)
            assert manager.acquire(settings, sharing) is old
        assert len(service.token_requests) == 2, "one try, without retries, and a pause of 30 s"

    def test_the_pause_is_shared(self, sharing: Sharing, service: Service) -> None:
        settings = service.settings()
        processes = [TokenManager() for _ in range(5)]
        for manager in processes:
            manager.acquire(settings, sharing)
        service.token = lambda _: Json({}, 403)
        for manager in processes:
            worth_renewing(manager, settings)
            assert manager.acquire(settings, sharing).value == "tok-1"
        assert len(service.token_requests) == 2

    def test_what_another_process_has_renewed_is_taken_over(self, sharing: Sharing, service: Service) -> None:
        settings = service.settings()
        one, other = TokenManager(), TokenManager()
        one.acquire(settings, sharing)
        other.acquire(settings, sharing)
        worth_renewing(one, settings)
        assert one.acquire(settings, sharing).value == "tok-2"
        worth_renewing(other, settings)
        assert other.acquire(settings, sharing).value == "tok-2"
        assert len(service.token_requests) == 2

    def test_a_server_that_hangs_delays_the_one_who_renews_a_little(
        self, manager: TokenManager, sharing: Sharing, service: Service
    ) -> None:
        settings = service.settings()
        old = manager.acquire(settings, sharing)
        worth_renewing(manager, settings)
        service.token = lambda _: Delay(30, token_json("late"))
        watch = Stopwatch()
        assert manager.acquire(settings, sharing) is old
        assert watch.wall > EARLY_WAIT - 0.1
        assert watch.seconds < EARLY_WAIT + 1
        watch = Stopwatch()
        assert manager.acquire(settings, sharing) is old
        assert watch.seconds < 0.5


class TestMandatory:
    """Below the margin nobody uses the token."""

    @pytest.mark.fault("P08")
    def test_no_token_is_better_than_one_that_is_about_to_end(
        self, manager: TokenManager, sharing: Sharing, service: Service
    ) -> None:
        service.token = lambda _: token_json("short", expires_in=2)
        settings = service.settings(max_retry_attempts=0)
        manager.acquire(settings, sharing)
        time.sleep(1.85)
        service.token = lambda _: Json({}, 500)
        with pytest.raises(OAuthError):
            manager.acquire(settings, sharing)

    @pytest.mark.fault("R34")
    def test_a_session_looks_at_its_token_before_each_call(self, service: Service) -> None:
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        service.token = lambda _: token_json(f"tok-{len(service.token_requests)}", expires_in=2)
        hook = OAuth2Hook(method="GET", connection=service.connection())
        session = hook.get_conn()
        url = f"{service.base_url}/x"
        first = session.get(url).json()["authorization"]
        time.sleep(1.9)
        assert session.get(url).json()["authorization"] != first


class TestSharing:
    """Several managers on one store stand for several processes."""

    def test_the_second_process_asks_nobody(
        self, sharing: Sharing, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = service.settings()
        with caplog.at_level(logging.DEBUG):
            first = TokenManager().acquire(settings, sharing)
            second = TokenManager().acquire(settings, sharing)
        assert first == second
        assert len(service.token_requests) == 1
        assert sum("Access token acquired" in record.getMessage() for record in caplog.records) == 1

    def test_a_forced_token_replaces_the_shared_one(self, sharing: Sharing, service: Service) -> None:
        settings = service.settings()
        one, other = TokenManager(), TokenManager()
        one.acquire(settings, sharing)
        assert one.acquire(settings, sharing, force=True).value == "tok-2"
        assert other.acquire(settings, sharing).value == "tok-2"

    @pytest.mark.fault("P52")
    def test_many_tasks_whose_token_is_refused_make_one_request(
        self, service: Service, sharing: Sharing
    ) -> None:
        settings = service.settings()
        managers = [TokenManager() for _ in range(20)]
        refused, *_ = [manager.acquire(settings, sharing) for manager in managers]
        service.token = lambda _: Delay(0.2, token_json("next"))

        def task(manager: TokenManager) -> str:
            manager.refuse(settings, sharing, refused)
            return manager.acquire(settings, sharing).value

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(task, managers)) == {"next"}
        assert len(service.token_requests) == 2

    @pytest.mark.fault("P55")
    def test_two_connections_that_differ_do_not_share(self, sharing: Sharing, service: Service) -> None:
        one = TokenManager().acquire(service.settings(audience="a"), sharing)
        other = TokenManager().acquire(service.settings(audience="b"), sharing)
        assert one.value != other.value

    def test_two_connections_with_equal_settings_do(
        self, service: Service, monkeypatch: Any, tmp_path: Any
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
        first = OAuth2Client("one", service.connection(conn_id="one", category="x"))
        second = OAuth2Client("two", service.connection(conn_id="two", max_wait=5))
        assert first.get_token() == second.get_token()
        assert len(service.token_requests) == 1

    def test_authorizing_ends_what_others_remember(self, sharing: Sharing, service: Service) -> None:
        settings = service.settings()
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        task, person = TokenManager(), TokenManager()
        for _ in range(2):
            with pytest.raises(OAuthError):
                task.acquire(settings, sharing)
        assert len(service.token_requests) == 1
        service.token = None
        person.authorize(settings, sharing)
        assert task.acquire(settings, sharing).value == "tok-1"
        assert Entries(settings, sharing).status().error is None

    def test_a_caller_with_more_time_is_not_ended_by_one_with_less(
        self, manager: TokenManager, sharing: Sharing, service: Service
    ) -> None:
        service.token = lambda _: Delay(0.8, token_json("slow"))
        hasty = service.settings(max_wait=0.4, max_retry_attempts=0)
        patient = service.settings(max_wait=20)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(manager.acquire, hasty, sharing)
            until(lambda: service.token_requests, "the hasty one's request")
            assert manager.acquire(patient, sharing).value == "slow"
            assert isinstance(first.exception(), TransportError)

    def test_stopping_one_caller_concerns_no_other_process(
        self, manager: TokenManager, sharing: Sharing, service: Service
    ) -> None:
        from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError

        service.token = lambda _: Delay(5, token_json("late"))
        settings, stop = service.settings(), Stop()
        threading.Timer(0.3, stop.stop).start()
        watch = Stopwatch()
        with pytest.raises(TaskStoppedError):
            manager.acquire(settings, sharing, stop=stop)
        assert watch.seconds < 2
        service.token = lambda _: token_json("for-others")
        assert TokenManager().acquire(settings, sharing).value == "for-others"
        assert watch.seconds < 3, "neither a lease nor an error was left behind"
