"""The README: its tables are current, its code runs, its commands work."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.manager import shared
from tests.demo.dag_runs import ROOT, AirflowHome
from tests.demo.orders import OrdersServer
from tests.readme import README, rendered
from tests.test_example_dags import needs_dag_test
from tests.test_provider_info import VERSION

pytestmark = pytest.mark.airflow
TEXT = README.read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def orders() -> Iterator[OrdersServer]:
    shared.clear()
    with OrdersServer() as server:
        yield server
    shared.clear()


@pytest.fixture(scope="module")
def names(orders: OrdersServer) -> dict[str, Any]:
    """What the blocks define and use; they build on each other, as readers do."""
    return {"BASE_URL": orders.connection()["extra"]["base_url"]}


def test_its_tables_are_those_of_the_code() -> None:
    assert rendered(TEXT) == TEXT, "run: make readme"


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_its_python_runs(
    number: int, names: dict[str, Any], orders: OrdersServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", json.dumps(orders.connection()))
    exec(compile(BLOCKS[number], f"README block {number}", "exec"), names)


def test_its_recipe_for_tests_passes(tmp_path: Path) -> None:
    """As a file of its own, in a process of its own, with pytest's own settings."""
    (recipe,) = [block for block in BLOCKS if "responses.RequestsMock" in block]
    file = tmp_path / "test_recipe.py"
    file.write_text(recipe + recipe[recipe.index("def test_orders") :].replace("test_orders", "test_again"))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
        cwd=tmp_path,
        env=AirflowHome(tmp_path / "home").environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr


def test_what_its_python_did(names: dict[str, Any]) -> None:
    assert [order["id"] for order in names["orders"]] == [4, 5, 6]
    assert names["health"].json() == {"status": "ok"}
    assert len(names["answer"].json()["orders"]) == 3
    assert names["headers"]["Authorization"] == f"Bearer {names['token'].value}"
    assert isinstance(names["fetch"](None), AccessToken)


@needs_dag_test
def test_the_first_dag_has_twelve_lines_and_works(orders: OrdersServer, tmp_path: Path) -> None:
    lines = BLOCKS[0].strip().splitlines()
    assert len(lines) <= 12
    file = tmp_path / "nightly.py"
    file.write_text(BLOCKS[0])
    home = AirflowHome(tmp_path / "home", dags=tmp_path)
    home.migrate()
    (outcome,), log = home.run(file, connections={"orders_api": orders.connection()})
    assert outcome.state == "success", log
    assert len(outcome.results["orders"]["orders"]) == 3


def shown_connection() -> dict[str, Any]:
    (block,) = [block for block in COMMANDS if block.startswith("AIRFLOW_CONN_")]
    connection: dict[str, Any] = json.loads(block.partition("=")[2].strip().strip("'"))
    return connection


def settings_of(stored: dict[str, Any]) -> ClientSettings:
    from airflow.sdk import Connection

    names = ("conn_type", "host", "login", "password", "port", "schema")
    extra = stored["extra"] if isinstance(stored["extra"], str) else json.dumps(stored["extra"])
    given = Connection(conn_id="orders_api", extra=extra, **{name: stored.get(name) for name in names})
    return resolve(given, Policy()).settings


@pytest.mark.skipif(VERSION < (3, 2), reason="providers bring commands since Airflow 3.2")
def test_its_command_to_create_one_is_accepted() -> None:
    (block,) = [block for block in COMMANDS if "airflow oauth2 create" in block]
    _, _, command = block.replace("\\\n", " ").partition("| airflow ")
    program = (
        "import sys, json; from airflow.cli.cli_parser import get_parser;"
        "print(json.dumps(get_parser().parse_args(sys.argv[1:]).set))"
    )
    given = shlex.split(command)
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *given], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "category=finance" in ended.stdout


@pytest.mark.slow
def test_its_connection_by_environment_by_command_and_by_file(tmp_path: Path) -> None:
    shown = shown_connection()
    by_environment = settings_of(shown)
    home = AirflowHome(tmp_path / "home")
    home.migrate()
    (command,) = [block for block in COMMANDS if block.startswith("airflow connections add")]
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"imported": shown}))
    for arguments in (shlex.split(command.replace("\\\n", " "))[1:], ["connections", "import", str(file)]):
        subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=home.environment,
            check=True,
            capture_output=True,
        )
    exported = tmp_path / "exported.json"
    subprocess.run(
        [sys.executable, "-m", "airflow", "connections", "export", str(exported), "--file-format", "json"],
        env=home.environment,
        check=True,
        capture_output=True,
    )
    found = json.loads(exported.read_text())
    assert set(found) == {"orders_api", "imported"}
    for name, stored in found.items():
        assert settings_of(stored) == by_environment, name


def test_the_files_it_links_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / target).exists(), target
