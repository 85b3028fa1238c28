"""A metadata database, and a process that runs commands on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from cryptography.fernet import Fernet

from tests.cli.arrangement import SECRET
from tests.cli.commands import CommandLine
from tests.support.service import Service


@pytest.fixture(scope="package")
def airflow_cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    with CommandLine(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def cli(airflow_cli: CommandLine) -> Iterator[CommandLine]:
    yield airflow_cli
    for row in airflow_cli("oauth2", "list", "--json").json:
        airflow_cli("oauth2", "forget", row["conn_id"])
        airflow_cli("connections", "delete", row["conn_id"])


@pytest.fixture
def sealed(cli: CommandLine, service: Service) -> Iterator[str]:
    """A connection as a deployment with another Fernet key has stored it; Airflow cannot even delete it."""
    password = Fernet(Fernet.generate_key()).encrypt(SECRET.encode()).decode()
    row = ("oauth2_client_credentials", f"{service.server.url}/token", "c", password, True, False, "{}")
    columns = "conn_id, conn_type, host, login, password, is_encrypted, is_extra_encrypted, extra"
    with closing(sqlite3.connect(cli.home / "airflow.db")) as database:
        with database:
            database.execute(
                f"INSERT INTO connection ({columns}) VALUES ('sealed', ?, ?, ?, ?, ?, ?, ?)", row
            )
        yield "sealed"
        with database:
            database.execute("DELETE FROM connection WHERE conn_id = 'sealed'")
