"""Run DAG files with ``dag.test()`` in a process of their own, on a fresh Airflow home.

Half of this module prepares the home and starts the process; the other half is what runs there. The first
process imports Airflow and all that runs a DAG, which takes longer than the DAG; the next ones are its forks.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.migrated import migrate
from tests.support.preloaded import Preloaded

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "example_dags"
_PROGRESS = "PROGRESS "
#: Seconds for one process, on a busy machine.
_LIMIT = 500.0
#: What a process has imported before it runs a DAG.
_IMPORTED = (
    "airflow.sdk",
    "airflow.models.xcom",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.api_fastapi.execution_api.app",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.serialization.serialized_objects",
    "airflow_oauth_provider.operators.oauth2",
)


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    :param state: ``success`` or ``failed``.
    :param results: task id → the value the task returned.
    :param started_at: seconds since the epoch; likewise *ended_at*.
    """

    state: str
    results: Mapping[str, Any]
    started_at: float
    ended_at: float


class AirflowHome:
    """A migrated Airflow home.

    :param folder: empty folder to use.
    :param dags: the DAGs folder.
    """

    def __init__(self, folder: Path, dags: Path = EXAMPLES) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }

    def migrate(self) -> None:
        """Create the database."""
        migrate(self.environment)

    def run(
        self,
        *files: Path,
        connections: Mapping[str, Any],
        conf: Mapping[str, Any] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> tuple[list[Outcome], str]:
        """Run the DAG of each file, one after the other in one process.

        :param connections: connection id → connection.
        :param conf: of the runs, which overrides ``params``.
        :param progress: is called with a line whenever something has begun or ended.
        :return: what became of them, and all that was printed and logged.
        """
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        given = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()}
        text = json.dumps([str(report), conf or {}, [str(file) for file in files]])
        printed: list[str] = []
        if progress and not _RUNS.imported:
            progress("Airflow is being imported …")

        def line(text: str) -> None:
            if not text.startswith(_PROGRESS):
                printed.append(text)
            elif progress:
                progress(text.removeprefix(_PROGRESS).strip())

        _RUNS.run(text, {**self.environment, **given}, _LIMIT, line)
        if not report.exists():
            raise RuntimeError(f"the DAGs could not be run:\n{''.join(printed)}")
        # What Airflow's own processes tell each other is no task log; 3.0 prints even that, secrets included.
        log = [line for line in printed if "MaskSecret(" not in line]
        return [Outcome(**outcome) for outcome in json.loads(report.read_text())], "".join(log)


def _test_dag(file: Path, conf: dict[str, Any]) -> dict[str, Any]:
    from airflow.sdk import DAG

    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    dags = [value for value in vars(module).values() if isinstance(value, DAG)] or _made_by(module)
    dag = dags[0]
    if not hasattr(dag, "test"):  # Airflow 3.0.0
        dag = DAG.from_sdk_dag(dag)
    started_at = time.time()
    run = dag.test(run_conf=conf)
    ended_at = time.time()
    _say(f"{run.dag_id}: {run.state!s} after {ended_at - started_at:.1f} s")
    return {
        "state": str(run.state),
        "results": _results(run.dag_id, run.run_id),
        "started_at": started_at,
        "ended_at": ended_at,
    }


def _say(text: str) -> None:
    print(f"\n{_PROGRESS}{text}", flush=True)


def _made_by(module: Any) -> list[Any]:
    """A function under ``@dag`` is called at the end of the file, and its DAG is not kept in a name."""
    made = [value for value in vars(module).values() if hasattr(value, "__wrapped__") and callable(value)]
    return [make() for make in made]


def _results(dag_id: str, run_id: str) -> dict[str, Any]:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(XComModel.task_id, XComModel.value).where(
            XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == "return_value"
        )
        rows = session.execute(query).all()
    return {task: _decoded(value) for task, value in rows}


def _decoded(value: Any) -> Any:
    """Read what may be JSON: Airflow 3.0 stores all of it as text, operators a response that is JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def run_files(text: str) -> None:
    """Run the files and write the report."""
    report, conf, files = json.loads(text)
    from airflow import settings

    # Of this run's home, not of the one for which Airflow has been imported.
    settings.configure_vars()
    settings.reconfigure_orm()
    runs = [_test_dag(Path(file), conf) for file in files]
    Path(report).write_text(json.dumps(runs))


_RUNS = Preloaded("tests.demo.dag_runs:run_files", _IMPORTED)
