"""What a serialized DAG says of the connections it uses."""

from __future__ import annotations

import json
from typing import Any

import airflow.sdk
import pytest

from airflow_oauth_provider.authorizations.declared_uses import DeclaredUse, declared_uses
from tests.support.using_dags import CONN_ID, HEAD, WAYS, using_file

pytestmark = pytest.mark.airflow


def serialized(source: str) -> Any:
    """Return what Airflow stores of the last DAG of a file."""
    try:
        from airflow.serialization.serialized_objects import DagSerialization as Serialization
    except ImportError:  # before Airflow 3.2
        from airflow.serialization.serialized_objects import SerializedDAG as Serialization
    names: dict[str, Any] = {}
    exec(compile(source, "the_dag.py", "exec"), names)
    (dag,) = (value for value in names.values() if isinstance(value, airflow.sdk.DAG))
    return json.loads(json.dumps(Serialization.to_dict(dag), default=str))["dag"]


def one_task(*lines: str, dag: str = "schedule=None") -> Any:
    body = "\n".join(f"    {line}" for text in lines for line in text.splitlines())
    return serialized(f'{HEAD}with DAG("d", {dag}) as the_dag:\n{body}\n')


@pytest.mark.parametrize("number", range(40))
def test_forty_generated_dags(number: int) -> None:
    """Nothing is missed, and nothing is told that is not so."""
    file = using_file(number)
    uses = declared_uses(serialized(file.source), CONN_ID)
    assert {use.task_id for use in uses if use.certain} == file.certain
    assert {use.task_id for use in uses if not use.certain} == file.uncertain
    assert len(uses) == len(file.certain) + len(file.uncertain), "each task stands there once"


def test_they_have_every_way() -> None:
    assert frozenset().union(*(using_file(number).ways for number in range(40))) == set(WAYS)


@pytest.mark.parametrize(
    ("template", "may_be"),
    [
        pytest.param("{{ params.x }}", True, id="all"),
        pytest.param("{{ params.team }}_api", True, id="end"),
        pytest.param("orders_{{ 'api' }}", True, id="start"),
        pytest.param("o{{ 1 }}e{{ 2 }}s{{ 3 }}i", True, id="between"),
        pytest.param("{{ 1 }}orders_api{{ 2 }}", True, id="empty"),
        pytest.param("{{ params.team }}_crm", False, id="other-end"),
        pytest.param("crm_{{ ds }}", False, id="other-start"),
        pytest.param("orders_api{{ ds }}_api", False, id="too-long"),
        pytest.param("o{{ 1 }}s{{ 2 }}e{{ 3 }}i", False, id="other-order"),
        pytest.param("{{ 1 }}a" * 500, False, id="many"),
    ],
)
def test_a_template_is_unknown_only_where_it_fits(template: str, may_be: bool) -> None:
    dag = one_task(f'HttpOperator(task_id="t", http_conn_id="{template}", endpoint="x")')
    uses = declared_uses(dag, CONN_ID)
    expected = DeclaredUse("d", "t", "http_conn_id", certain=False, text=template)
    assert uses == ([expected] if may_be else [])


def test_the_default_of_a_mapped_operator() -> None:
    dag = one_task(
        'OAuth2HttpOperator.partial(task_id="ours").expand(endpoint=["x"])',
        'HttpOperator.partial(task_id="stock").expand(endpoint=["x"])',
        'OAuth2HttpOperator.partial(task_id="given", http_conn_id="b").expand(endpoint=["x"])',
    )
    assert [use.task_id for use in declared_uses(dag, "oauth2_default")] == ["ours"]
    assert [use.task_id for use in declared_uses(dag, "http_default")] == ["stock"]
    assert [use.task_id for use in declared_uses(dag, "b")] == ["given"]


def test_a_group_that_is_expanded_over_results_is_unknown() -> None:
    dag = one_task(
        "@task_group(group_id='g')",
        "def g(conn):",
        '    OAuth2HttpOperator(task_id="call", oauth2_conn_id=conn, endpoint="x", method="GET")',
        'g.expand(conn=listed("x"))',
    )
    assert declared_uses(dag, CONN_ID)[0].certain is False


WATCHED = """
from airflow.sdk import Asset, AssetWatcher
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger
prices = Asset("prices", watchers=[AssetWatcher(
    name="changed", trigger=OAuth2HttpEventTrigger("orders_api", endpoint="prices", poll_interval=2))])
"""


def test_a_watcher_of_an_asset() -> None:
    dag = serialized(
        f'{WATCHED}{HEAD}with DAG("d", schedule=[prices]) as the_dag:\n    EmptyOperator(task_id="t")\n'
    )
    assert declared_uses(dag, CONN_ID) == [
        DeclaredUse("d", None, "watcher changed of the asset prices"),
    ]
    assert declared_uses(dag, "orders") == []


@pytest.mark.skipif(not hasattr(airflow.sdk, "AsyncCallback"), reason="deadlines exist from Airflow 3.1 on")
def test_the_callback_of_a_deadline() -> None:
    source = f"""
from datetime import timedelta
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier
{HEAD}
late = DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1),
    callback=AsyncCallback(OAuth2HttpNotifier, kwargs={{"oauth2_conn_id": "orders_api", "endpoint": "x"}}))
with DAG("d", schedule=None, deadline=late) as the_dag:
    EmptyOperator(task_id="t")
"""
    dag = serialized(source)
    assert declared_uses(dag, CONN_ID) == [DeclaredUse("d", None, "callback of a deadline")]
    # As Airflow 3.2 stores it, in a table of its own.
    stored = dag.pop("deadline")
    assert declared_uses(dag, CONN_ID) == []
    assert declared_uses(dag, CONN_ID, stored) == [DeclaredUse("d", None, "callback of a deadline")]


DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "dag",
    [
        pytest.param(None, id="none"),
        pytest.param([], id="list"),
        pytest.param({"tasks": {"__var": 7, "__type": "list"}}, id="tasks"),
        pytest.param({"tasks": [None, 7, {"__var": None}, {"__var": {"task_id": 7}}]}, id="no-tasks"),
        pytest.param({"tasks": [{"task_id": "t", "template_fields": 7, "oauth2_conn_id": DEEP}]}, id="deep"),
        pytest.param({"tasks": [{"task_id": "t", "_is_mapped": True, "_expand_input_attr": 7}]}, id="mapped"),
        pytest.param({"task_group": {"children": {"a": 7, "b": ["taskgroup", 7]}}}, id="group"),
        pytest.param({"timetable": {"watchers": [7, {"trigger": 7}]}, "deadline": 7}, id="others"),
    ],
)
def test_what_is_no_dag_declares_nothing(dag: Any) -> None:
    assert all(not use.certain for use in declared_uses(dag, CONN_ID))
