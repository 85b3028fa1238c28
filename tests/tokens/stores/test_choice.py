from __future__ import annotations

from pathlib import Path

import pytest

from airflow_oauth_provider.tokens.stores.base import Reach
from airflow_oauth_provider.tokens.stores.choice import FOLDER, UnknownStoreError, memory, open_store
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore

URL = "redis://:the-password@127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("option", "kind", "reach"),
    [
        ("memory", "memory", Reach.PROCESS),
        ("file", "file", Reach.HOST),
        (URL, "redis", Reach.HOSTS),
        (URL.replace("redis:", "rediss:"), "redis", Reach.HOSTS),
    ],
)
def test_what_an_option_names(option: str, kind: str, reach: Reach, tmp_path: Path) -> None:
    store = open_store(option, tmp_path)
    assert (store.kind, store.reach) == (kind, reach)
    assert isinstance(store, GuardedStore) is (kind != "memory"), "one that can fail is guarded"
    assert open_store(option, tmp_path) is store


def test_memory_is_that_of_the_process_and_files_lie_in_airflows_home(tmp_path: Path) -> None:
    assert open_store("memory", tmp_path) is memory
    open_store("file", tmp_path).write("a", b"x", until=2e9)
    assert (tmp_path / FOLDER).is_dir()


@pytest.mark.parametrize("option", ["", "File", "files", "http://x", "redis:", "/the-password"])
def test_what_names_none(option: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownStoreError) as caught:
        open_store(option, tmp_path)
    assert "the-password" not in str(caught.value)
