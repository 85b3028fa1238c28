"""The keys of tokens of other parameters: appended by many, taken by one, believed only where they open."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TokenEndpointError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens import AccessToken, derived_keys
from airflow_oauth_provider.tokens.derived_keys import MAX_DERIVED, DerivedKeys
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.base import Store, StoreError
from airflow_oauth_provider.tokens.stores.choice import memory
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.tokens.stores.memory_store import MemoryStore
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore
from tests.support.builders import settings
from tests.support.servers.redis_server import RedisServer
from tests.support.stores import EVERY, SHARED, address_of, new_store

FORK = multiprocessing.get_context("fork")
OWN = settings()


@pytest.fixture(autouse=True)
def _nothing_in_memory() -> Iterator[None]:
    memory.clear()
    yield
    memory.clear()


@pytest.fixture(params=EVERY)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return new_store(request.param, tmp_path / "store", request)


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def keys_in(store: Store, own: ClientSettings = OWN, keys: tuple[Secret, ...] = ()) -> DerivedKeys:
    return DerivedKeys(own, Sharing(store, keys))


def test_what_is_forgotten_is_gone_with_its_token(store: Store) -> None:
    use = settings(request={"scope": ("other",)})
    entries, sharing = Entries(use, Sharing(store)), Sharing(store)
    entries.granted(AccessToken("a-token", "Bearer", time.time() + 3600, time.time()))
    DerivedKeys(OWN, sharing).remember(token_key(use))
    assert entries.token() is not None
    assert DerivedKeys(OWN, sharing).forget() == (token_key(use),)
    assert Entries(use, sharing).token() is None
    assert Entries(use, sharing).status().authorized_at is None
    assert DerivedKeys(OWN, sharing).forget() == ()


def test_each_counts_once_and_the_latest_do(store: Store) -> None:
    kept = keys_in(store)
    for number in (1, *range(MAX_DERIVED + 6), 2, 2):
        kept.remember(key(number))
    forgotten = kept.forget()
    assert len(forgotten) == MAX_DERIVED
    assert set(forgotten) == {key(2), *map(key, range(7, MAX_DERIVED + 6))}


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_and_threads_at_once_lose_none_of_each_others(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    barrier = FORK.Barrier(6)
    address_of(kind, request)  # so that its server is nobody's child of theirs

    def remember(number: int) -> None:
        mine = keys_in(new_store(kind, tmp_path / "store", request))
        barrier.wait(60)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: mine.remember(key(number * 10 + one)), range(10)))

    processes = [FORK.Process(target=remember, args=(number,)) for number in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    forgotten = keys_in(new_store(kind, tmp_path / "store", request)).forget()
    assert set(forgotten) == set(map(key, range(60)))


def test_they_are_of_the_credential_and_of_no_other(store: Store) -> None:
    keys_in(store).remember(key(1))
    others = (
        replace(OWN, client_secret=Secret("another-secret-of-the-client")),
        replace(OWN, client_id="another"),
    )
    for other in others:
        assert keys_in(store, other).forget() == ()
    assert keys_in(store, settings(request={"scope": ("edited",)})).forget() == (key(1),)


def test_the_deployments_key_may_be_rotated(store: Store) -> None:
    old, new = Secret("b2xk" * 11), Secret("bmV3" * 11)
    keys_in(store, keys=(old,)).remember(key(1))
    rotated = keys_in(store, keys=(new, old))
    rotated.remember(key(2))
    assert set(rotated.forget()) == {key(1), key(2)}
    rotated.remember(key(3))
    assert keys_in(store, keys=(new,)).forget() == (key(3),), "it lies under the newest"


def test_one_that_was_interrupted_is_repeated(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("who takes from memory lives as long as it does")
    keys_in(store).remember(key(1))
    with monkeypatch.context() as interrupted:
        interrupted.setattr(DerivedKeys, "_remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            keys_in(store).forget()
    for number in (1, 2):
        keys_in(store).remember(key(number))
    assert sorted(keys_in(store).forget()) == sorted([key(1), key(2)]), "each once"


def test_one_who_forgets_waits_for_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = keys_in(store)
    kept.remember(key(1))
    lease = kept._turn()
    monkeypatch.setattr(derived_keys, "TURN", 60.0)
    forgotten: list[Any] = []
    waiting = threading.Thread(target=lambda: forgotten.append(keys_in(store).forget()))
    waiting.start()
    if not isinstance(store, MemoryStore):
        waiting.join(0.1)
        assert forgotten == []
    lease.release()
    waiting.join(60)
    assert forgotten == [(key(1),)]


def test_but_not_for_one_that_never_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived_keys, "TURN", 0.05)
    kept = keys_in(store)
    kept.remember(key(1))
    lease = kept._turn()
    assert keys_in(store).forget() == (key(1),)
    lease.release()


def test_who_has_forgotten_lets_the_next_one_begin_at_once(store: Store) -> None:
    kept = keys_in(store)
    kept.remember(key(1))
    kept.forget()
    lease = kept._lease("derived", kept._credential_key)
    assert lease is not None
    lease.release()


def test_uses_of_one_credential_take_turns(store: Store) -> None:
    if isinstance(store, MemoryStore):
        pytest.skip("within one process there is one flight per key")
    lease = keys_in(store)._turn()
    edited = keys_in(store, settings(request={"scope": ("edited",)}))
    assert edited._lease("derived", edited._credential_key) is None
    lease.release()


def test_a_token_is_removed_before_its_key_is_told(store: Store) -> None:
    """Who forgets may be thrown out in between: then the next one finds the key again."""
    use = settings(request={"scope": ("other",)})
    Entries(use, Sharing(store)).granted(AccessToken("a-token", "Bearer", time.time() + 3600, time.time()))
    kept = keys_in(store)
    kept.remember(token_key(use))
    assert next(iter(kept._forgotten())) == token_key(use)
    assert Entries(use, Sharing(store)).token() is None


def test_what_was_refused_is_forgotten_by_this_process_too(store: Store) -> None:
    use = settings(request={"scope": ("other",)})
    Entries(use, Sharing(store)).refused(TokenEndpointError("m", status=400, error="invalid_scope"), budget=1)
    kept = keys_in(store)
    kept.remember(token_key(use))
    kept.forget()
    assert Entries(use, Sharing(store)).status().error is None


def test_where_the_store_works_memory_keeps_none(store: Store) -> None:
    kept = keys_in(store)
    kept.remember(key(1))
    assert not memory.has_appended(kept._name(kept._sealers[0]))


def test_without_a_store_this_process_remembers() -> None:
    class Broken(MemoryStore):
        def append(self, *_: Any, **__: Any) -> bool:
            raise StoreError("it does not work")

    store = GuardedStore(Broken())
    keys_in(store).remember(key(1))
    assert keys_in(store).forget() == (key(1),)
    assert keys_in(store).forget() == ()


def test_what_lies_in_the_store_is_foreign(store: Store) -> None:
    kept = keys_in(store)
    sealer = kept._sealers[0]
    name = kept._name(sealer)
    wrong = [b"{", b"../x", b"a" * 63, b"A" * 64, json.dumps([key(3)]).encode(), key(3).encode() + b"\n"]
    items = [sealer.seal(f"{name}.key", content) for content in wrong]
    moved = sealer.seal(name, key(4).encode())
    store.append(name, [*items, moved, b"", b"\0" * 100, key(5).encode()], until=4e9)
    kept.remember(key(1))
    assert kept.forget() == (key(1),)


def test_a_key_of_another_kind_does_not_stand_in_the_way(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url)
    kept = keys_in(store)
    redis_server.client().set(
        store._lists(kept._name(kept._sealers[0]))[1], "text, where what was taken lies"
    )
    kept.remember(key(1))
    assert kept.forget() == (key(1),)


def test_they_say_nothing_of_anybody(store: Store) -> None:
    kept = keys_in(store)
    kept.remember(key(1))
    (item,) = store.take_appended(kept._name(kept._sealers[0])) or ()
    assert key(1).encode() not in item
