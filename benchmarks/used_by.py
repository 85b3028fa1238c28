"""What ``airflow oauth2 used-by`` finds of 40 generated DAGs, and how long it takes for 10,000 uses.

The DAG files of ``tests/support/using_dags.py`` are serialized by Airflow itself; each declares its uses in
other ways, beside names that are like ours. Tasks whose use no DAG declares are then run, each in a
process of its own as by an executor, and have to be found by the history.

Run it as ``python -m benchmarks.used_by``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Report, server
from tests.cli.commands import CommandLine
from tests.support.using_dags import CONN_ID, HEAD, using_file

DAGS = 40
RUN = 10
"""DAGs that are run; each uses the connection in code, which no DAG declares."""
MANY = 100
"""DAGs with as many tasks each: 10,000 uses."""

_IN_CODE = f"""{HEAD}
@task
def load():
    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
    OAuth2Hook("{CONN_ID}").get_token()

with DAG("DAG_ID", schedule=None, catchup=False) as the_dag:
    load()
"""
_MANY = f"""{HEAD}
for number in range({MANY}):
    with DAG(f"many_{{number:03}}", schedule=None, catchup=False) as dag:
        for index in range({MANY}):
            OAuth2HttpOperator(task_id=f"t{{index}}", oauth2_conn_id="many", endpoint="x", method="GET")
    globals()[dag.dag_id] = dag
"""
_TEST = """
import runpy, sys
names = runpy.run_path(sys.argv[1])
names["the_dag"].test()
"""

Found = set[tuple[str, str]]


def written(folder: Path) -> tuple[Found, Found]:
    """Write the DAG files; return the tasks that declare the connection, and those that may use it."""
    certain: Found = set()
    uncertain: Found = set()
    for number in range(DAGS):
        file = using_file(number)
        (folder / f"{file.dag_id}.py").write_text(file.source)
        certain |= {(file.dag_id, task_id) for task_id in file.certain}
        uncertain |= {(file.dag_id, task_id) for task_id in file.uncertain}
    for number in range(RUN):
        (folder / f"code_{number}.py").write_text(_IN_CODE.replace("DAG_ID", f"code_{number}"))
    return certain, uncertain


def run(airflow: CommandLine, file: Path) -> None:
    """Run a DAG in a process of its own."""
    environment = {**airflow.environment, "AIRFLOW__CORE__DAGS_FOLDER": str(file.parent)}
    subprocess.run([sys.executable, "-c", _TEST, str(file)], env=environment, check=True, capture_output=True)


def found(airflow: CommandLine) -> tuple[Found, Found]:
    """Return what the command finds: for certain, and perhaps."""
    report = airflow("oauth2", "used-by", CONN_ID, "--json").json
    uses = [(dag["dag_id"], use) for dag in report["used_by"] for use in dag["uses"]]
    certain = {(dag_id, use["task_id"]) for dag_id, use in uses if "unknown" not in use["how"]}
    return certain, {(dag_id, use["task_id"]) for dag_id, use in uses if "unknown" in use["how"]}


def main() -> None:
    report = Report("Used by")
    with tempfile.TemporaryDirectory() as name, server() as token_server:
        home = Path(name)
        folder = home / "dags"
        folder.mkdir()
        declared, uncertain = written(folder)
        seen: Found = {(f"code_{number}", "load") for number in range(RUN)}
        connection = token_server.connection()
        commands = CommandLine(home)
        commands.environment[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = json.dumps(connection)
        with commands as airflow:
            airflow("dags", "reserialize")
            for number in range(RUN):
                run(airflow, folder / f"code_{number}.py")
            certain, perhaps = found(airflow)
            expected = declared | seen
            right = len(certain & expected)
            report.figure("tasks that declare it, or were seen to use it", len(expected), None)
            report.figure("recall: missed of them", len(expected) - right, 0)
            report.figure("precision: told of others", len(certain - expected), 0)
            report.figure("unknown until they run: missed or too many", len(perhaps ^ uncertain), 0)
            (folder / "many.py").write_text(_MANY)
            airflow("dags", "reserialize")
            began = time.monotonic()
            many = airflow("oauth2", "used-by", "many", "--json").json
            report.figure("10,000 uses: the command, without its start", time.monotonic() - began, 5, " s")
            report.figure("  uses that it tells", many["tasks"], None)
    report.end()


if __name__ == "__main__":
    main()
