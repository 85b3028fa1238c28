from __future__ import annotations

from pathlib import Path

import pytest

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.tokens.sharing import ALONE, Sharing
from airflow_oauth_provider.tokens.stores.base import Store
from airflow_oauth_provider.tokens.stores.choice import memory
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore
from tests.support.builders import settings

FILES = FileStore(Path("/nonexistent"))
REDIS = RedisStore("redis://127.0.0.1:1/0")
KEYS = (Secret("newer key"), Secret("older key"))


@pytest.mark.parametrize(
    ("store", "keys", "leaves"),
    [(memory, (), False), (FILES, (), False), (REDIS, (), True), (REDIS, KEYS, False)],
)
def test_what_leaves_the_host(store: Store, keys: tuple[Secret, ...], leaves: bool) -> None:
    assert Sharing(store, keys).leaves_the_host is leaves


def test_a_client_without_a_credential_shares_only_under_a_key() -> None:
    without = settings(client_secret=None)
    assert Sharing(FILES).store_for(settings()) is FILES
    assert Sharing(FILES).store_for(without) is memory
    assert Sharing(FILES, KEYS).store_for(without) is FILES


def test_the_newest_key_seals_and_the_older_ones_open() -> None:
    before = Sharing(FILES, KEYS[1:]).sealers(settings())[0].seal("name", b"content")
    newest, older = Sharing(FILES, KEYS).sealers(settings())
    assert newest.open("name", before) is None
    assert older.open("name", before) == b"content"


def test_without_keys_the_credential_seals_and_without_both_this_process() -> None:
    (own,) = ALONE.sealers(settings())
    (of_process,) = ALONE.sealers(settings(client_secret=None))
    assert of_process.open("name", own.seal("name", b"x")) is None
    assert ALONE.sealers(settings(client_secret=None))[0].open("name", of_process.seal("name", b"x")) == b"x"


def test_keys_are_not_printed() -> None:
    assert "newer key" not in repr(Sharing(FILES, KEYS))
