"""The DAGs of the metadata database that may use a connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.migrated import migrate
from tests.support.stored_dags import DagStore, content, stored_dags

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.xdist_group("page"),  # one database
    pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy"),  # Airflow 3.1's models
]

LATER = datetime.now(UTC) + timedelta(hours=3)


@pytest.fixture(scope="module", autouse=True)
def _database() -> None:
    migrate()


@pytest.fixture
def dags() -> Iterator[DagStore]:
    with stored_dags() as store:
        yield store


def named(conn_id: str = "orders_api", team: str | None = None, seconds: float | None = None) -> list[str]:
    from airflow_oauth_provider.authorizations.stored_dags import StoredDags

    return sorted(dag.dag_id for dag in StoredDags(team).naming(conn_id, seconds))


@pytest.mark.parametrize("compressed", [False, True])
def test_the_newest_version_counts(dags: DagStore, compressed: bool) -> None:
    from airflow_oauth_provider.authorizations.stored_dags import StoredDags

    dags.add(content("d", oauth2_conn_id="before"), compressed=compressed)
    newest = content("d", oauth2_conn_id="orders_api")
    dags.add(newest, version=2, compressed=compressed)
    assert [dag.content for dag in StoredDags().naming("orders_api")] == [newest]


def test_the_database_leaves_out_what_names_nothing(dags: DagStore) -> None:
    """But never one that is compressed, or may name it only when it runs."""
    dags.add(content("other", x="orders"))
    dags.add(content("template", oauth2_conn_id="{{ params.x }}"))
    dags.add(content("named", snow_conn_id="orders_api"))
    dags.add(content("compressed", x="orders"), compressed=True)
    dags.add(content("gone", oauth2_conn_id="orders_api"), is_stale=True)
    assert named() == ["compressed", "named", "template"]


@pytest.mark.parametrize("conn_id", ["ordérs", "a\\b", "100%", "or_ers"])
def test_a_name_that_databases_spell_otherwise(dags: DagStore, conn_id: str) -> None:
    dags.add(content("d", some_conn_id=conn_id))
    dags.add(content("e", some_conn_id="1000 orxers"))
    assert named(conn_id) == ["d"]


def test_schedules(dags: DagStore) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from sqlalchemy import insert

    from airflow_oauth_provider.authorizations.stored_dags import StoredDags

    dags.add(content("runs", x="1"), next_run=LATER, timetable_summary="@hourly")
    dags.add(content("paused", x="1"), is_paused=True)
    dags.add(content("under_way", x="1"))
    row = {"dag_id": "under_way", "run_id": "r", "state": "running", "run_type": DagRunType.MANUAL}
    row |= {"run_after": LATER, "triggered_by": DagRunTriggeredByType.CLI, "queued_at": LATER}
    with create_session(scoped=False) as session:
        session.execute(insert(DagRun.__table__).values(clear_number=0, **row))
    stored = StoredDags()
    assert list(stored.naming("orders_api")) == []
    runs, paused, under_way = (stored.schedules[name] for name in ("runs", "paused", "under_way"))
    assert (runs.summary, runs.running) == ("@hourly", False)
    assert runs.next_run_at == LATER.timestamp()
    assert (paused.paused, paused.next_run_at) == (True, None)
    assert under_way.running


def test_when_time_is_up_it_says_so(dags: DagStore) -> None:
    from airflow_oauth_provider.authorizations.stored_dags import StoredDags

    dags.add(content("d", oauth2_conn_id="orders_api"))
    stored = StoredDags()
    assert list(stored.naming("orders_api", seconds=-1.0)) == []
    assert stored.complete is False
    assert list(stored.schedules) == ["d"]


def test_a_team_uses_its_own(dags: DagStore) -> None:
    try:
        from airflow.models.team import Team, dag_bundle_team_association_table
    except ImportError:
        pytest.skip("teams exist from Airflow 3.2 on")
    from airflow.utils.session import create_session
    from sqlalchemy import delete, insert

    dags.add(content("red", oauth2_conn_id="orders_api"), bundle_name="of-red")
    dags.add(content("blue", oauth2_conn_id="orders_api"), bundle_name="of-blue")
    with create_session(scoped=False) as session:
        session.merge(Team(name="red"))
        session.flush()
        link: dict[str, Any] = {"dag_bundle_name": "of-red", "team_name": "red"}
        session.execute(insert(dag_bundle_team_association_table).values(**link))
    try:
        assert named(team="red") == ["red"]
        assert named() == ["blue", "red"]
    finally:
        with create_session(scoped=False) as session:
            session.execute(delete(dag_bundle_team_association_table))


def test_an_entry_that_is_no_dag(dags: DagStore) -> None:
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    from airflow_oauth_provider.authorizations.used_by import used_by

    dags.add(content("d", oauth2_conn_id="orders_api"), compressed=True)
    with create_session(scoped=False) as session:
        session.execute(update(SerializedDagModel.__table__).values(data_compressed=b"no zip"))
    assert used_by("orders_api").dags == ()


def test_what_is_declared_and_what_was_seen_is_one_list(dags: DagStore) -> None:
    from airflow_oauth_provider.authorizations.used_by import used_by
    from airflow_oauth_provider.tokens.history.task_names import TaskUse, dumped_task

    long = "d" * 150
    dags.add(content("both", oauth2_conn_id="orders_api"))
    dags.add(content("declared", oauth2_conn_id="orders_api"))
    dags.add(content("templated", oauth2_conn_id="{{ params.x }}"))
    dags.add(content(long, oauth2_conn_id="orders_api"))
    dags.add(content("seen", x="1"), next_run=LATER)
    names = ("both", "templated", long, "seen", "removed")
    seen = [TaskUse.load(dumped_task(name, "t"), 1000.0 + at) for at, name in enumerate(names)]
    uses = used_by("orders_api", seen=seen)
    assert [(dag.dag_id, dag.exists, [(use.how, use.last_at) for use in dag.uses]) for dag in uses.dags] == [
        ("both", True, [("declared, seen", 1000.0)]),
        (long, True, [("declared, seen", 1002.0)]),
        ("declared", True, [("declared", None)]),
        ("seen", True, [("seen", 1003.0)]),
        ("templated", True, [("seen", 1001.0)]),
        ("removed", False, [("seen", 1004.0)]),
    ]
    assert uses.summary == ("Used by 5 tasks of 5 DAGs. In the next 24 hours 1 task of 1 DAG runs."), (
        "one that is gone uses nothing any more"
    )
    assert uses.last_at == 1004.0
