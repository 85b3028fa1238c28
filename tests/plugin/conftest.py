"""Airflow's database and authorization around the page's routes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugin.visiting import Visitor
from tests.support.migrated import migrate
from tests.support.service import Service


@pytest.fixture(scope="package")
def airflow_database() -> Iterator[None]:
    """A database, and the Simple auth manager."""
    migrate()
    from airflow.api_fastapi.app import init_auth_manager

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", secrets.token_hex(64))
        init_auth_manager()
        yield


@pytest.fixture
def airflow_page(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")


@pytest.fixture
def admin() -> Visitor:
    return Visitor("admin")


@pytest.fixture
def store() -> Iterator[Any]:
    """Add connections to the database; all are gone afterwards."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    def add(connection: Any, **columns: Any) -> None:
        names = ("conn_id", "conn_type", "description", "host", "login", "password", "port", "extra")
        values = {name: getattr(connection, name) for name in names}
        with create_session(scoped=False) as session:
            session.add(Connection(**values | columns))

    yield add
    with create_session(scoped=False) as session:
        session.execute(delete(Connection))


@pytest.fixture
def orders(service: Service, store: Any) -> Service:
    store(service.connection(conn_id="orders"))
    return service
