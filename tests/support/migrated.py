"""Databases of Airflow: ``airflow db migrate`` runs once in a run of the tests, which copy what it made.

It takes a core three seconds, and some twenty tests and fixtures begin with it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

#: Names the folder that all processes of a run share (``tests/conftest.py``); without it nothing is kept.
SHARED = "TESTS_SHARED_FOLDER"
_ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def migrate(environment: Mapping[str, str] | None = None) -> None:
    """Make the database of an Airflow home, if it has none.

    :param environment: of the processes that use it; ``None`` for this process and its own.
    """
    given = os.environ if environment is None else environment
    shared, home = os.environ.get(SHARED), Path(given["AIRFLOW_HOME"])
    if not shared or not given.get(_ADDRESS, f"sqlite:///{home}/airflow.db").startswith(
        f"sqlite:///{home}/airflow.db"
    ):
        _run(given)
        return
    home.mkdir(parents=True, exist_ok=True)
    made = _template(Path(shared))
    with (
        closing(sqlite3.connect(made / "airflow.db")) as template,
        closing(sqlite3.connect(home / "airflow.db", timeout=60)) as database,
    ):
        if not _is_migrated(database):
            template.backup(database)
    configuration = home / "airflow.cfg"
    if not configuration.exists():  # several components that begin at once would all write it
        configuration.write_text((made / "airflow.cfg").read_text().replace(str(made), str(home)))


def _is_migrated(database: sqlite3.Connection) -> bool:
    query = "select count(*) from sqlite_master where name = 'alembic_version'"
    return bool(database.execute(query).fetchone()[0])


def _template(shared: Path) -> Path:
    """Return a home with nothing but the database; the first who asks makes it."""
    home, done = shared / "migrated", shared / "migrated.done"
    with (shared / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            clean = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
            _run({**clean, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"})
            done.touch()
    return home


def _run(environment: Mapping[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"the database could not be made:\n{ended.stdout[-3000:]}")
