"""What the page of a connection says of its users, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from airflow_oauth_provider.client.history import recorder
from tests.plugin.visiting import AUTHORIZED, MARKS, Visitor
from tests.support.service import Service
from tests.support.stored_dags import DagStore, content, stored_dags

pytestmark = MARKS

MANAGER = AUTHORIZED.removesuffix("is_authorized_connection")
SOON = datetime.now(UTC) + timedelta(hours=3)


@pytest.fixture
def dags(airflow_page: None) -> Iterator[DagStore]:
    with stored_dags() as store:
        yield store


def page_of(visitor: Visitor) -> str:
    response = visitor.get("/connections/orders")
    assert response.status_code == 200
    return str(response.text)


def test_it_names_them_and_counts(orders: Service, dags: DagStore, admin: Visitor) -> None:
    dags.add(content("nightly", oauth2_conn_id="orders"), next_run=SOON)
    dags.add(content("templated", oauth2_conn_id="{{ params.x }}"))
    page = page_of(admin)
    sentence = "Used by 1 task of 1 DAG. In the next 24 hours 1 task of 1 DAG runs. 1 more may:"
    assert page.count(sentence) == 2, "in its card, and before Forget"
    assert 'href="/dags/nightly"' in page
    assert "<code>{{ params.x }}</code>" in page


def test_who_edits_it_reads_it_first(orders: Service, dags: DagStore, admin: Visitor) -> None:
    dags.add(content("nightly", oauth2_conn_id="orders"), next_run=SOON)
    with reading():
        form = admin.get("/edit/orders").text
    assert "Used by 1 task of 1 DAG. In the next 24 hours 1 task of 1 DAG runs." in form
    assert "nightly" not in form
    assert 'id="uses"' not in admin.get("/new").text


def test_what_nobody_uses(orders: Service, dags: DagStore, admin: Visitor) -> None:
    assert "No DAG is known to use it." in page_of(admin)


def test_a_name_with_markup_is_text(orders: Service, dags: DagStore, admin: Visitor) -> None:
    """Airflow refuses such an id; the database does not."""
    dag = content('<img src=x onerror="x">', oauth2_conn_id="orders")
    dag["tasks"].append({"task_id": "<script>x</script>", "oauth2_conn_id": "{{ '<b>' }}orders"})
    dags.add(dag, timetable_summary="<i>daily</i>")
    page = page_of(admin)
    for markup in ("<img", "<script>x", "<b>", "<i>"):
        assert markup not in page
    assert "&lt;img src=x" in page
    assert 'href="/dags/%3Cimg' in page


def reading(*allowed: str, tasks: bool = True) -> Any:
    def is_authorized_dag(self: Any, *, access_entity: Any = None, details: Any = None, **_: Any) -> bool:
        return details is not None and details.id in allowed and (tasks or access_entity is None)

    return mock.patch(f"{MANAGER}is_authorized_dag", autospec=True, side_effect=is_authorized_dag)


def test_dags_that_a_person_may_not_read_are_only_counted(
    orders: Service, dags: DagStore, admin: Visitor
) -> None:
    for dag_id in ("mine", "secret_project", "other_project"):
        dags.add(content(dag_id, oauth2_conn_id="orders"))
    with reading("mine"):
        page = page_of(admin)
    assert "Used by 3 tasks of 3 DAGs." in page
    assert "mine" in page
    assert "_project" not in page
    assert "2 DAGs more not named here" in page
    with reading():
        nobody = page_of(admin)
    assert "Used by 3 tasks of 3 DAGs." in nobody
    assert "mine" not in nobody
    assert "3 DAGs not named here" in nobody


def test_who_may_read_dags_and_not_their_tasks_sees_counts(
    orders: Service, dags: DagStore, admin: Visitor
) -> None:
    dags.add(content("mine", oauth2_conn_id="orders"))
    with reading("mine", tasks=False):
        page = page_of(admin)
    assert "mine" not in page
    assert "Used by 1 task of 1 DAG." in page


def test_ten_thousand_uses_are_a_short_page(orders: Service, dags: DagStore, admin: Visitor) -> None:
    task = content("d", oauth2_conn_id="orders")["tasks"][0]["__var"]
    for number in range(100):
        tasks = [{"__var": task | {"task_id": f"t{at}"}, "__type": "operator"} for at in range(100)]
        dags.add({"dag_id": f"d{number:03}", "tasks": tasks})
    page = page_of(admin)
    assert "Used by 10000 tasks of 100 DAGs." in page
    assert "50 DAGs more not named here" in page
    assert page.count("and 90 more") == 50
    assert len(page) < 150_000


def test_tasks_that_have_used_it(
    orders: Service,
    dags: DagStore,
    admin: Visitor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "python_code")
    monkeypatch.setenv("AIRFLOW_CTX_TASK_ID", "load")
    recorder.reset()
    dags.add(content("python_code", op_args=["orders"]))
    assert admin.post("/authorize/orders").json()["ok"] is True
    page = page_of(admin)
    assert "Used by 1 task of 1 DAG." in page
    assert 'href="/dags/python_code"' in page
    assert "Last used <time" in page
