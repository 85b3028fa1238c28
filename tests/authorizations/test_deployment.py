"""What concerns all connections of a deployment alike."""

from __future__ import annotations

import socket

import pytest

from airflow_oauth_provider.authorizations import (
    deployment_warnings,
    store_note,
)
from airflow_oauth_provider.deployment.policy import Policy, read_policy


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_the_store_says_whose_use_it_knows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", kind)
    note = store_note(read_policy()) or ""
    assert (socket.gethostname() if kind == "file" else "this process") in note


def test_empty_allow_lists_are_warned_about() -> None:
    assert len(deployment_warnings(Policy())) == 2
    assert deployment_warnings(Policy(token_hosts=("a",), api_hosts=("b",))) == ()


def test_a_store_that_all_hosts_share_needs_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "redis://127.0.0.1:1/0")
    assert store_note(read_policy()) is None
