"""What concerns all connections of a deployment alike."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_oauth_provider.authorizations.deployment import deployment_warnings, store_note
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.redis_store import RedisStore


@pytest.mark.parametrize(
    ("lists", "named"),
    [
        ({}, ["allowed_token_hosts", "allowed_api_hosts"]),
        ({"token_hosts": ("idp.example",)}, ["allowed_api_hosts"]),
        ({"api_hosts": ("api.example",)}, ["allowed_token_hosts"]),
        ({"token_hosts": ("a.example",), "api_hosts": ("b.example",)}, []),
    ],
)
def test_open_allow_lists_are_warned_of(lists: dict[str, tuple[str, ...]], named: list[str]) -> None:
    warnings = deployment_warnings(replace(Policy(), **lists))  # type: ignore[arg-type]
    assert [warning.split()[1] for warning in warnings] == named


def test_whose_use_the_displays_are_about() -> None:
    policy = Policy()
    assert "this process only" in (store_note(policy) or "")
    on_host = store_note(replace(policy, sharing=Sharing(FileStore(Path("/nonexistent")))))
    assert f"the host {socket.gethostname()} only" in (on_host or "")
    assert store_note(replace(policy, sharing=Sharing(RedisStore("redis://127.0.0.1:1/0")))) is None
