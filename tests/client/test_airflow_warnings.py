"""A form's defaults and a short scope are no secrets that would be too short."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_oauth_provider.client.reading import aget_connection, get_connection
from airflow_oauth_provider.connection.fields import CONNECTION_TYPE
from airflow_oauth_provider.connection.provider_form import default_extra

MASKERS = ("airflow.sdk._shared.secrets_masker.secrets_masker", "airflow.sdk.execution_time.secrets_masker")


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What Airflow's masker complains of; it does so once a process."""
    masker = next(sys.modules[name] for name in MASKERS if name in sys.modules)
    monkeypatch.setattr(masker.SecretsMasker, "_has_warned_short_secret", False)
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records if record.name in MASKERS]


@pytest.fixture(autouse=True)
def from_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"conn_type": CONNECTION_TYPE, "host": "https://idp.example/token", "password": "long enough"}
    extra = default_extra() | {"scope": "read"}
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", json.dumps(fields | {"extra": extra}))


def test_a_connection_of_the_form_is_read_without_a_warning(complaints: Callable[[], list[str]]) -> None:
    assert get_connection("orders_api").password == "long enough"
    assert complaints() == []


def test_nor_is_there_one_in_a_coroutine(complaints: Callable[[], list[str]]) -> None:
    assert asyncio.run(aget_connection("orders_api")).password == "long enough"
    assert complaints() == []


def test_whoever_else_reads_one_hears_airflow_as_before(complaints: Callable[[], list[str]]) -> None:
    get_connection("orders_api")
    complaining = sys.modules[next(name for name in MASKERS if name in sys.modules)]
    complaining.SecretsMasker._has_warned_short_secret = False
    BaseHook.get_connection("orders_api")
    assert len(complaints()) == 1
