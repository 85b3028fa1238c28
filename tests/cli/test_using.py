"""``airflow oauth2 used-by``, on DAGs that Airflow itself has serialized."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.stored_dags import Schedule
from airflow_oauth_provider.authorizations.used_by import Use, UsedBy, UsingDag
from airflow_oauth_provider.cli.using import MOST_ROWS, left_out, next_run, using_rows
from tests.authorizations.test_declared_uses import WATCHED
from tests.cli.arrangement import MARKS, create
from tests.cli.commands import CommandLine
from tests.support.service import Service
from tests.support.using_dags import CONN_ID, HEAD, using_file

pytestmark = MARKS

SCHEDULED = f"""
from datetime import datetime, timedelta
{HEAD}{WATCHED}
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
notify = AsyncCallback(OAuth2HttpNotifier, kwargs={{"oauth2_conn_id": "orders_api", "endpoint": "x"}})
late = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1), callback=notify)
yesterday = datetime(2026, 1, 1)
with DAG("hourly", schedule="@hourly", start_date=yesterday, catchup=False, is_paused_upon_creation=False):
    HttpOperator(task_id="t", http_conn_id="orders_api", endpoint="x")
with DAG("paused", schedule="@hourly", start_date=yesterday, catchup=False, is_paused_upon_creation=True):
    HttpOperator(task_id="t", http_conn_id="orders_api", endpoint="x")
with DAG("late", schedule=None, deadline=late, is_paused_upon_creation=False):
    EmptyOperator(task_id="t")
with DAG("watching", schedule=[prices], is_paused_upon_creation=False):
    EmptyOperator(task_id="t")
"""
FILES = [using_file(number) for number in range(6)]


@pytest.fixture(scope="module")
def dags(airflow_cli: CommandLine) -> CommandLine:
    folder = airflow_cli.home / "dags"
    folder.mkdir()
    for file in FILES:
        (folder / f"{file.dag_id}.py").write_text(file.source)
    (folder / "scheduled.py").write_text(SCHEDULED)
    serialized = airflow_cli("dags", "reserialize")
    assert serialized.code == 0, serialized.err
    return airflow_cli


@pytest.fixture
def connection(dags: CommandLine, service: Service) -> Iterator[None]:
    create(dags, service, CONN_ID)
    yield
    dags("connections", "delete", CONN_ID)


@pytest.mark.usefixtures("connection")
def test_json_has_all_of_it(dags: CommandLine) -> None:
    ended = dags("oauth2", "used-by", CONN_ID, "--json")
    assert ended.code == 0, ended.err
    by_dag = {dag["dag_id"]: dag for dag in ended.json["used_by"]}
    tasks = {
        dag_id: {use["task_id"] for use in dag["uses"] if use["how"] == "declared"}
        for dag_id, dag in by_dag.items()
    }
    expected = {file.dag_id: set(file.certain) for file in FILES if file.certain or file.uncertain}
    assert tasks == expected | {"hourly": {"t"}, "paused": {"t"}, "late": {None}, "watching": {None}}
    assert by_dag["hourly"]["next_run_at"] is not None
    assert (by_dag["hourly"]["paused"], by_dag["paused"]["paused"]) == (False, True)
    assert by_dag["late"]["uses"][0]["place"] == "callback of a deadline"
    assert ended.json["next_24_hours"] == {"dags": 1, "tasks": 1}
    assert ended.json["complete"] is True
    assert ended.json["hidden_dags"] == 0


@pytest.mark.usefixtures("connection")
def test_a_table_and_a_summary(dags: CommandLine) -> None:
    ended = dags("oauth2", "used-by", CONN_ID)
    assert ended.code == 0, ended.err
    first, _, *lines = ended.out.splitlines()
    assert [name.strip() for name in first.split("|")] == [
        *("dag", "task", "how", "where", "last use", "next run")
    ]
    (watching,) = (line for line in lines if line.startswith("watching"))
    assert "watcher changed of the asset prices" in watching
    assert "In the next 24 hours 1 task of 1 DAG runs." in ended.err


@pytest.mark.usefixtures("connection")
def test_it_is_said_before_the_connection_is_edited_or_its_token_forgotten(dags: CommandLine) -> None:
    for arguments in (("edit", CONN_ID, "--set", "category=x"), ("forget", CONN_ID)):
        ended = dags("oauth2", *arguments)
        assert ended.code == 0, ended.err
        assert "In the next 24 hours 1 task of 1 DAG runs." in ended.err


def test_what_nobody_uses(dags: CommandLine, service: Service) -> None:
    create(dags, service, "unused")
    try:
        ended = dags("oauth2", "used-by", "unused", "--json")
        assert ended.code == 0, ended.err
        assert ended.json["dags"] == 0
        assert ended.json["summary"].startswith("No DAG is known to use it.")
        assert "error" not in ended.json
        misspelt = dags("oauth2", "used-by", "unsued")
        assert misspelt.code == 1
        assert "there is no such connection; the metadata database has unused" in misspelt.err
    finally:
        dags("connections", "delete", "unused")


def test_a_connection_that_is_gone_fails_with_what_still_names_it(dags: CommandLine) -> None:
    ended = dags("oauth2", "used-by", CONN_ID)
    assert ended.code == 1
    assert "there is no such connection" in ended.err
    assert "watcher changed of the asset prices" in ended.out
    as_json = dags("oauth2", "used-by", CONN_ID, "--json")
    assert (as_json.code, as_json.json["ok"]) == (1, False)
    assert as_json.json["error"]["type"] == "ConnectionNotFoundError"
    assert as_json.json["used_by"]


def many(number: int) -> UsedBy:
    dags = (
        UsingDag(f"d{at}", tuple(Use(f"d{at}", f"t{task}", "oauth2_conn_id") for task in range(100)))
        for at in range(number // 100)
    )
    return UsedBy("orders_api", tuple(dags), at=0.0)


def test_a_table_is_bounded() -> None:
    uses = many(10_000)
    assert len(using_rows(uses)) == MOST_ROWS
    assert left_out(uses) == "And 9500 more: --json has all."
    assert left_out(many(100)) is None


def test_the_next_run_of_a_dag_that_is_gone() -> None:
    assert next_run(UsingDag("d", (), exists=False)) == "no such DAG any more"


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({"paused": True, "running": True}, "paused"),
        ({"running": True, "next_run_at": 0.0}, "runs now"),
        ({"next_run_at": 0.0}, "1970-01-01 00:00:00 UTC"),
        ({"summary": "Asset"}, "Asset"),
        ({}, ""),
    ],
)
def test_the_next_run(schedule: dict[str, Any], text: str) -> None:
    assert next_run(UsingDag("d", (), Schedule(**schedule))) == text
