"""DAG files whose tasks use connections in every way there is, with what is to be known of each.

Each way is the source of one task; a generated DAG has some of them, with our connection or one whose
name is like it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

CONN_ID = "orders_api"
LIKE_IT = ("orders_api2", "my_orders_api", "orders", "orders_apí", "ORDERS_API")


@dataclass(frozen=True)
class Way:
    """One way to use a connection.

    :param source: of the task named NAME with the connection CONN.
    :param declared: the serialized DAG says so; ``None`` where only its run will tell.
    :param task_id: of the task, where it is not NAME.
    """

    source: str
    declared: bool | None = True
    task_id: str = "NAME"

    def written(self, name: str, conn_id: str) -> str:
        """Return the source of a task."""
        return self.source.replace("NAME", name).replace("CONN", conn_id)


WAYS: dict[str, Way] = {
    "stock": Way('HttpOperator(task_id="NAME", http_conn_id="CONN", endpoint="x")'),
    "operator": Way('OAuth2HttpOperator(task_id="NAME", oauth2_conn_id="CONN", endpoint="x", method="GET")'),
    "synonym": Way('OAuth2HttpOperator(task_id="NAME", http_conn_id="CONN", endpoint="x", method="GET")'),
    "sensor": Way('OAuth2HttpSensor(task_id="NAME", oauth2_conn_id="CONN", endpoint="x")'),
    "check_list": Way('Check(task_id="NAME", oauth2_conn_ids=["other", "CONN"])'),
    "check_text": Way('Check(task_id="NAME", oauth2_conn_ids="other, CONN")'),
    "check_many": Way(
        'Check(task_id="NAME", oauth2_conn_ids=[f"{i:040}" for i in range(200)] + ["CONN"])', None
    ),
    "partial": Way(
        'OAuth2HttpOperator.partial(task_id="NAME", oauth2_conn_id="CONN").expand(endpoint=["x", "y"])'
    ),
    "expanded": Way(
        'OAuth2HttpOperator.partial(task_id="NAME", endpoint="x").expand(oauth2_conn_id=["other", "CONN"])'
    ),
    "expanded_dicts": Way(
        'OAuth2HttpOperator.partial(task_id="NAME")'
        '.expand_kwargs([{"oauth2_conn_id": "CONN", "endpoint": "x"}])'
    ),
    "expanded_over_results": Way(
        'OAuth2HttpOperator.partial(task_id="NAME", endpoint="x").expand(oauth2_conn_id=listed("x"))', None
    ),
    "mapped_group": Way(
        "@task_group(group_id='NAME')\n"
        "def NAME(conn):\n"
        '    OAuth2HttpOperator(task_id="call", oauth2_conn_id=conn, endpoint="x", method="GET")\n'
        'NAME.expand(conn=["other", "CONN"])',
        task_id="NAME.call",
    ),
    "group": Way(
        'with TaskGroup("NAME"):\n'
        '    OAuth2HttpOperator(task_id="call", oauth2_conn_id="CONN", endpoint="x", method="GET")',
        task_id="NAME.call",
    ),
    "argument": Way('noted.override(task_id="NAME")(oauth2_conn_id="CONN")'),
    "mapped_argument": Way('noted.override(task_id="NAME").expand(oauth2_conn_id=["CONN"])'),
    "partial_argument": Way('counted.override(task_id="NAME").partial(conn_id="CONN").expand(number=[1, 2])'),
    "read_in_a_template": Way('BashOperator(task_id="NAME", bash_command="echo {{ conn.CONN.host }}")'),
    "param": Way('HttpOperator(task_id="NAME", http_conn_id="{{ params.conn }}", endpoint="x")', None),
    "block": Way(
        'OAuth2HttpSensor(task_id="NAME", oauth2_conn_id="{% if 1 %}CONN{% endif %}", endpoint="x")', None
    ),
    # Texts that hold the name and use nothing.
    "body": Way('HttpOperator(task_id="NAME", http_conn_id="c", data={"conn_id": "CONN"})', False),
    "endpoint": Way('HttpOperator(task_id="NAME", http_conn_id="other", endpoint="CONN")', False),
    "docs": Way('EmptyOperator(task_id="NAME", doc_md="CONN", params={"oauth2_conn_id": "CONN"})', False),
    "other_template": Way('HttpOperator(task_id="NAME", http_conn_id="{{ ds }}_other", endpoint="x")', False),
    "longer": Way('BashOperator(task_id="NAME", bash_command="echo {{ conn.CONN_more.host }} CONN")', False),
}  # fmt: skip
"""Name → one way."""

HEAD = """
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TaskGroup, task, task_group
from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator as Check
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor

@task
def noted(oauth2_conn_id):
    return oauth2_conn_id

@task
def counted(number, conn_id):
    return number

@task
def listed(text):
    return [text]

"""


@dataclass(frozen=True)
class UsingFile:
    """A DAG file.

    :param ways: that are in it.
    :param certain: the tasks that are to be known to use ``CONN_ID``; *uncertain* those that may.
    """

    dag_id: str
    source: str
    certain: frozenset[str]
    uncertain: frozenset[str]
    ways: frozenset[str]


def using_file(number: int, *, most: int = 8, ways: Callable[[str], bool] = lambda _: True) -> UsingFile:
    """Return the DAG file of a number, always the same.

    :param ways: which may be in it.
    """
    chance = random.Random(number)
    dag_id = f"using_{number:02}"
    lines = [
        f'with DAG("{dag_id}", schedule=None, catchup=False, params={{"conn": "orders_api"}}) as the_dag:'
    ]
    certain, uncertain, written = set(), set(), set()
    names = [name for name in WAYS if ways(name)]
    for index in range(chance.randint(1, most)):
        kind = chance.choice(names)
        written.add(kind)
        way = WAYS[kind]
        conn_id = CONN_ID if chance.random() < 0.6 else chance.choice(LIKE_IT)
        name = f"t{index}"
        task_id = way.task_id.replace("NAME", name)
        lines += (f"    {line}" for line in way.written(name, conn_id).splitlines())
        if way.declared is None:
            uncertain.add(task_id)
        elif way.declared and conn_id == CONN_ID:
            certain.add(task_id)
    source = HEAD + "\n".join(lines) + "\n"
    return UsingFile(dag_id, source, frozenset(certain), frozenset(uncertain), frozenset(written))
