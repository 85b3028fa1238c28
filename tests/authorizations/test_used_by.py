"""What uses a connection, counted and put into words."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.declared_uses import DeclaredUse
from airflow_oauth_provider.authorizations.stored_dags import Schedule
from airflow_oauth_provider.authorizations.times import DAY
from airflow_oauth_provider.authorizations.used_by import LONGEST_TEXT, Use, UsedBy, UsingDag

pytestmark = pytest.mark.airflow

NOW = 1_700_000_000.0


def dag(name: str, *tasks: str | None, certain: bool = True, schedule: Schedule | None = None) -> UsingDag:
    uses = tuple(Use(name, task, "oauth2_conn_id", certain) for task in tasks)
    return UsingDag(name, uses, schedule or Schedule())


SOON = dag("soon", "a", "b", schedule=Schedule(next_run_at=NOW + 60))
RUNNING = dag("running", "a", None, schedule=Schedule(running=True))
LATER = dag("later", "a", schedule=Schedule(next_run_at=NOW + DAY + 1))
PAUSED = dag("paused", "a", schedule=Schedule(paused=True, running=True, next_run_at=NOW))
UNKNOWN = dag("unknown", "a", certain=False, schedule=Schedule(next_run_at=NOW))


@pytest.mark.parametrize(
    ("dags", "summary"),
    [
        pytest.param((), "No DAG is known to use it.", id="none"),
        pytest.param(
            (SOON,), "Used by 2 tasks of 1 DAG. In the next 24 hours 2 tasks of 1 DAG run.", id="one"
        ),
        pytest.param(
            (SOON, RUNNING, LATER, PAUSED),
            "Used by 5 tasks and 1 watcher or callback of 4 DAGs. In the next 24 hours 3 tasks and 1 watcher "
            "or callback of 2 DAGs run.",
            id="several",
        ),
        pytest.param(
            (LATER, PAUSED),
            "Used by 2 tasks of 2 DAGs. None of them is scheduled for the next 24 hours.",
            id="not-soon",
        ),
        pytest.param(
            (UNKNOWN,),
            "No DAG is known to use it. 1 more may: which connection it uses is known when it runs.",
            id="unknown",
        ),
    ],
)
def test_the_summary(dags: tuple[UsingDag, ...], summary: str) -> None:
    assert UsedBy("orders_api", dags, at=NOW).summary == summary


def test_one_that_has_not_looked_at_all_says_so() -> None:
    assert UsedBy("orders_api", (SOON,), at=NOW, complete=False).summary.endswith(
        "Not all DAGs were looked at."
    )


def test_the_next_run_is_one_of_a_dag_that_uses_it_and_is_not_paused() -> None:
    assert UsedBy("orders_api", (SOON, LATER, PAUSED, UNKNOWN), at=NOW).next_run_at == NOW + 60
    assert UsedBy("orders_api", (PAUSED, UNKNOWN), at=NOW).next_run_at is None


def test_dags_that_a_person_may_not_read_are_counted_and_not_named() -> None:
    uses = UsedBy("orders_api", (SOON, RUNNING, LATER), at=NOW).readable({"later"})
    report = uses.report()
    assert "soon" not in str(report["used_by"])
    assert [dag["dag_id"] for dag in report["used_by"]] == ["later"]
    assert (report["dags"], report["tasks"], report["hidden_dags"]) == (3, 4, 2)
    assert "running" not in uses.summary


def test_a_long_template_is_cut() -> None:
    use = Use.of(DeclaredUse("d", "t", "oauth2_conn_id", certain=False, text="{{ x }}" * 1000))
    assert use.text is not None
    assert len(use.text) <= LONGEST_TEXT
    assert use.text.endswith("…")
