"""A token that was refused is never used again, and an API that refuses everything costs little."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.flows import drive
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.acquiring import carry_out
from airflow_oauth_provider.tokens.cached_token import token_digest
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.manager import TokenManager
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from tests.support.service import Service

API = parse_url("https://api.example").origin
OTHER_API = parse_url("https://other.example").origin


@pytest.fixture
def sharing(tmp_path: Path) -> Sharing:
    return Sharing(GuardedStore(FileStore(tmp_path / "store")))


@pytest.fixture
def settings(service: Service) -> ClientSettings:
    return resolve(service.connection(), Policy()).settings


@pytest.fixture
def managers() -> list[TokenManager]:
    """Several stand for several processes."""
    return [TokenManager() for _ in range(3)]


@pytest.mark.fault("F80")
def test_the_store_does_not_bring_it_back(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, service: Service
) -> None:
    manager = managers[0]
    refused = manager.acquire(settings, sharing)
    manager.refuse(settings, sharing, refused)
    Entries(settings, sharing).granted(refused)  # somebody who was slower writes it again
    assert manager.acquire(settings, sharing).value == "tok-2"
    assert len(service.token_requests) == 2


@pytest.mark.fault("F80")
def test_a_search_that_began_before_does_not_bring_it_back(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing
) -> None:
    manager = managers[0]
    refused = manager.acquire(settings, sharing)
    flow = manager.acquiring(settings, sharing, force=True)
    waiting = next(flow)
    flight = waiting.flight  # type: ignore[union-attr]
    flight.wait(time.monotonic() + 10)
    flight.token, flight.asked_at = refused, None  # as if it had found the old token in the store
    with manager.slots.of(settings).lock:
        manager.slots.of(settings).refuse(refused)
    effect = flow.send(refused)
    assert effect.flight is not flight  # type: ignore[union-attr]
    effect.flight.wait(time.monotonic() + 10)  # type: ignore[union-attr]


@pytest.mark.fault("F80", "F81")
@pytest.mark.parametrize("older", [False, True])
def test_one_that_a_search_has_found_counts_as_granted_by_nobody(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, *, older: bool
) -> None:
    """Refused meanwhile, or issued before one that was."""
    manager = managers[0]
    slot = manager.slots.of(settings)
    flow = manager.acquiring(settings, sharing)
    flight = next(flow).flight  # type: ignore[union-attr]
    refused = flight.wait(time.monotonic() + 10)
    assert refused is not None
    manager.refuse(settings, sharing, refused)
    token = replace(refused, value="older", issued_at=refused.issued_at - 60) if older else refused
    flight.token, flight.asked_at = token, None  # as if it lay in the store
    manager._land(slot, flight)
    assert slot.current() is None
    effect = flow.send(token)
    assert effect.flight is not flight  # type: ignore[union-attr]
    effect.flight.wait(time.monotonic() + 10)  # type: ignore[union-attr]


@pytest.mark.fault("F81")
def test_what_a_person_authorizes_is_kept_though_a_later_one_was_refused(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing
) -> None:
    slot = managers[0].slots.of(settings)
    slot.refuse(AccessToken("later", "Bearer", 4e9, time.time() + 100))
    assert slot.current() is None
    token = managers[0].authorize(settings, sharing)
    assert slot.current() is token


@pytest.mark.fault("F80")
@pytest.mark.parametrize("force", [False, True])
def test_one_that_was_granted_and_refused_meanwhile_serves_no_other_caller(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, *, force: bool
) -> None:
    """He waits for the same flight, and comes to it when another caller's API has refused what it brought."""
    manager = managers[0]
    flow = manager.acquiring(settings, sharing, force=force)
    flight = next(flow).flight  # type: ignore[union-attr]
    granted = flight.wait(time.monotonic() + 10)
    assert granted is not None
    manager.refuse(settings, sharing, granted)
    effect = flow.send(granted)
    assert effect.flight is not flight  # type: ignore[union-attr]
    another = effect.flight.wait(time.monotonic() + 10)  # type: ignore[union-attr]
    assert (granted.value, another and another.value) == ("tok-1", "tok-2")


@pytest.mark.fault("F80")
def test_memory_is_without_it_before_the_store_is(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the other order another thread could bring it back in between."""
    manager = managers[0]
    refused = manager.acquire(settings, sharing)
    in_memory: list[AccessToken | None] = []
    drop = Entries.drop_token

    def noted(entries: Entries, token: AccessToken) -> None:
        in_memory.append(manager.slots.of(settings).current())
        drop(entries, token)

    monkeypatch.setattr(Entries, "drop_token", noted)
    manager.refuse(settings, sharing, refused)
    assert in_memory == [None]


@pytest.mark.fault("F80")
def test_a_newer_one_that_comes_while_it_is_looked_for_stays(
    managers: list[TokenManager], settings: ClientSettings, tmp_path: Path
) -> None:
    newer = AccessToken("newer", "Bearer", time.time() + 3600, time.time() + 1)

    class Busy(FileStore):
        """Another process writes right after this one has read."""

        pending: ClassVar[list[bool]] = []

        def read(self, name: str) -> bytes | None:
            data = super().read(name)
            while self.pending:
                self.pending.pop()
                Entries(settings, Sharing(FileStore(self.folder))).granted(newer)
            return data

    store = Busy(tmp_path / "store")
    sharing = Sharing(GuardedStore(store))
    refused = managers[0].acquire(settings, sharing)
    store.pending.append(True)
    Entries(settings, sharing).drop_token(refused)
    assert store.pending == []
    shared_token = Entries(settings, sharing).token()
    assert shared_token is not None
    assert shared_token.value == "newer"


@pytest.mark.fault("F81")
def test_an_older_one_of_the_store_is_no_replacement(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing
) -> None:
    manager = managers[0]
    current = manager.acquire(settings, sharing)
    older = replace(current, value="older", issued_at=current.issued_at - 60)
    Entries(settings, sharing).drop_token(current)
    Entries(settings, sharing).granted(older)
    manager.refuse(settings, sharing, current)
    assert manager.acquire(settings, sharing).value == "tok-2"


@pytest.mark.fault("F80", "F81")
def test_a_newer_one_of_the_store_is(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, service: Service
) -> None:
    one, other, _ = managers
    refused = one.acquire(settings, sharing)
    other.acquire(settings, sharing)
    newer = other.acquire(settings, sharing, force=True)
    one.refuse(settings, sharing, refused)
    assert one.acquire(settings, sharing) == newer
    assert len(service.token_requests) == 2


def test_a_server_that_grants_the_same_token_again_is_believed(
    managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, service: Service
) -> None:
    from tests.support.servers.scripted import token_json

    service.token = lambda _: token_json("always-the-same")
    manager = managers[0]
    manager.refuse(settings, sharing, manager.acquire(settings, sharing))
    assert manager.acquire(settings, sharing).value == "always-the-same"
    assert len(service.token_requests) == 2, "asked once, not for ever"


class TestHopeless:
    """An API that refuses a token that was only just granted will refuse the next one too."""

    def renewed(
        self, manager: TokenManager, settings: ClientSettings, sharing: Sharing, token: AccessToken, api: Any
    ) -> AccessToken | None:
        renewed: AccessToken | None = drive(manager.renewing(settings, sharing, token, api), carry_out)
        return renewed

    @pytest.mark.fault("F10")
    def test_a_thousand_calls_make_two_requests(
        self, managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, service: Service
    ) -> None:
        first = managers[0].acquire(settings, sharing)
        second = self.renewed(managers[0], settings, sharing, first, API)
        assert second is not None
        managers[0].refused_again(settings, sharing, second, API)
        for number in range(1000):
            manager = managers[number % len(managers)]
            token = manager.acquire(settings, sharing)
            assert self.renewed(manager, settings, sharing, token, API) is None
        assert len(service.token_requests) == 2

    @pytest.mark.fault("F10")
    def test_it_concerns_that_token_that_api_and_a_minute_only(
        self,
        managers: list[TokenManager],
        settings: ClientSettings,
        sharing: Sharing,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        one, other, third = managers
        token = one.acquire(settings, sharing)
        one.refused_again(settings, sharing, token, API)
        assert self.renewed(other, settings, sharing, token, API) is None
        newer = self.renewed(other, settings, sharing, token, OTHER_API)
        assert newer is not None
        assert self.renewed(third, settings, sharing, newer, API) is not None, "another token"
        third.refused_again(settings, sharing, third.acquire(settings, sharing), API)
        now = time.time()
        monkeypatch.setattr("airflow_oauth_provider.tokens.entries.time.time", lambda: now + 61)
        assert self.renewed(third, settings, sharing, third.acquire(settings, sharing), API) is not None

    @pytest.mark.fault("F10")
    @pytest.mark.parametrize(
        "until", [61.0, 1e6, float("inf"), float("nan"), pytest.param(10**400, id="huge")]
    )
    def test_a_record_that_would_last_longer_than_a_minute_is_none(
        self, managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, until: float
    ) -> None:
        """A clock may have been wrong when it was written."""
        token = managers[0].acquire(settings, sharing)
        until = until if until > 1e300 else until + time.time()
        record = json.dumps({"digest": token_digest(token), "until": until}).encode()
        entries = Entries(settings, sharing)
        entries._write(f"bad-token {API}", token_key(settings), record, until=time.time() + 1000)
        assert not Entries(settings, sharing).is_bad_token(token, API)

    @pytest.mark.fault("F10")
    def test_a_process_for_which_it_worked_renews(
        self, managers: list[TokenManager], settings: ClientSettings, sharing: Sharing
    ) -> None:
        one, other, _ = managers
        token = one.acquire(settings, sharing)
        one.refused_again(settings, sharing, token, API)
        other.slots.of(settings).accepted_by(API, token)
        assert self.renewed(other, settings, sharing, token, API) is not None

    @pytest.mark.fault("F10")
    def test_one_that_is_out_of_use_already_is_replaced_without_a_second_look(
        self, managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, service: Service
    ) -> None:
        """A slower call carried it, too; another process may have found the same API hopeless meanwhile."""
        one, other, _ = managers
        token = one.acquire(settings, sharing)
        newer = self.renewed(one, settings, sharing, token, API)
        other.refused_again(settings, sharing, token, API)
        steps: list[Any] = []

        def noted(step: Any) -> Any:
            steps.append(step)
            return carry_out(step)

        assert drive(one.renewing(settings, sharing, token, API), noted) == newer
        assert steps == [], "nothing had to be looked up or waited for"
        assert len(service.token_requests) == 2

    @pytest.mark.fault("F10")
    def test_a_store_that_loses_it(
        self, managers: list[TokenManager], settings: ClientSettings, sharing: Sharing, tmp_path: Path
    ) -> None:
        token = managers[0].acquire(settings, sharing)
        managers[0].refused_again(settings, sharing, token, API)
        for entry in (tmp_path / "store").iterdir():
            entry.unlink()
        assert self.renewed(managers[0], settings, sharing, token, API) is None


@pytest.mark.fault("P52")
def test_threads_that_met_the_dead_token_later_take_the_new_one(service: Service) -> None:
    client = OAuth2Client("my_api", service.connection())
    dead = client.get_token()
    with ThreadPoolExecutor(8) as pool:
        renewed = set(pool.map(lambda _: client.renew(dead), range(64)))
    assert len(renewed) == 1
    assert len(service.token_requests) == 2
