"""README and docs: tables are current, code runs, commands work, links lead somewhere."""

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
from airflow_oauth_provider.deployment.options import OPTIONS
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.manager import shared
from tests.demo.dag_runs import ROOT, AirflowHome
from tests.demo.orders import OrdersServer
from tests.readme import PAGES, README, rendered
from tests.system.test_example_dags import needs_dag_test
from tests.test_get_provider_info import VERSION

pytestmark = pytest.mark.airflow
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}


def blocks(language: str) -> list[tuple[str, str]]:
    """Return page and content of each code block, in order."""
    fenced = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    return [(page, block) for page, text in TEXTS.items() for block in fenced.findall(text)]


# Blocks of these pages want libraries that are not here: their tests stand in tests/recipes.
PYTHON = [block for block in blocks("python") if not block[0].startswith("docs/consumers/")]
COMMANDS = [block for _, block in blocks("sh")]


@pytest.fixture(scope="module")
def orders() -> Iterator[OrdersServer]:
    shared.clear()
    with OrdersServer() as server:
        yield server
    shared.clear()


@pytest.fixture(scope="module")
def names(orders: OrdersServer) -> dict[str, dict[str, Any]]:
    """What the blocks of a page define and use; they build on each other, as readers do."""
    addresses = {"BASE_URL": orders.connection()["extra"]["base_url"], "SERVER": orders.url}
    return {page: dict(addresses) for page in TEXTS}


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", TEXTS)
def test_its_tables_are_those_of_the_code(page: str) -> None:
    assert rendered(TEXTS[page]) == TEXTS[page], "run: make readme"


@pytest.mark.parametrize(
    ("page", "code"), PYTHON, ids=[f"{page}-{number}" for number, (page, _) in enumerate(PYTHON)]
)
def test_its_python_runs(
    page: str,
    code: str,
    names: dict[str, dict[str, Any]],
    orders: OrdersServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", json.dumps(orders.connection()))
    exec(compile(code, page, "exec"), names[page])


def recipe(fragment: str) -> str:
    (code,) = [block for _, block in PYTHON if fragment in block]
    return code


def test_its_recipe_for_tests_passes(tmp_path: Path) -> None:
    """As a file of its own, in a process of its own, with pytest's own settings."""
    mocked, plugin = recipe("responses.RequestsMock"), recipe("def test_a_token_that_ends_in_mid_run")
    (tmp_path / "test_plugin.py").write_text(plugin)
    (tmp_path / "test_mocked.py").write_text(
        mocked + mocked[mocked.index("def test_orders") :].replace("test_orders", "test_again")
    )
    options = ["-q", "-p", "no:cacheprovider", "-p", "airflow_oauth_provider.testing.plugin"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=tmp_path,
        env=AirflowHome(tmp_path / "home").environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "6 passed" in ended.stdout, ended.stdout + ended.stderr


def test_what_its_python_did(
    names: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, orders: OrdersServer
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", json.dumps(orders.connection()))
    calls, connections = names["docs/hook.md"], names["docs/connections.md"]
    assert [order["id"] for order in calls["orders"]] == [4, 5, 6]
    assert calls["health"].json() == {"status": "ok"}
    assert len(calls["response"].json()["orders"]) == 3
    assert calls["headers"]["Authorization"] == f"Bearer {calls['token'].value}"
    assert (calls["about"]["active"], calls["about"]["scope"]) == (True, "orders.read orders.write")
    assert calls["hook"].introspect(calls["token"], endpoint=f"{calls['SERVER']}/oauth2/introspect") == {
        "active": False
    }
    assert isinstance(connections["fetch"](None), AccessToken)


@needs_dag_test
def test_the_first_dag_has_twelve_lines_and_works(orders: OrdersServer, tmp_path: Path) -> None:
    page, first = PYTHON[0]
    assert page == "README.md"
    lines = first.strip().splitlines()
    assert len(lines) <= 12
    file = tmp_path / "nightly.py"
    file.write_text(first)
    home = AirflowHome(tmp_path / "home", dags=tmp_path)
    home.migrate()
    (outcome,), log = home.run(file, connections={"orders_api": orders.connection()})
    assert outcome.state == "success", log
    assert len(outcome.results["orders"]["orders"]) == 3


def documented_connection() -> dict[str, Any]:
    (block,) = [block for block in COMMANDS if block.startswith("AIRFLOW_CONN_")]
    connection: dict[str, Any] = json.loads(block.partition("=")[2].strip().strip("'"))
    return connection


def settings_of(stored: dict[str, Any]) -> ClientSettings:
    from airflow.sdk import Connection

    names = ("conn_type", "host", "login", "password", "port", "schema")
    extra = stored["extra"] if isinstance(stored["extra"], str) else json.dumps(stored["extra"])
    given = Connection(conn_id="orders_api", extra=extra, **{name: stored.get(name) for name in names})
    return resolve(given, Policy()).settings


OURS = [
    command
    for block in COMMANDS
    for line in block.replace("\\\n", " ").splitlines()
    for command in line.split(" | ")
    if command.startswith("airflow oauth2 ")
]


@pytest.mark.skipif(VERSION < (3, 2), reason="providers bring commands since Airflow 3.2")
def test_its_commands_are_accepted() -> None:
    program = (
        "import sys, json; from airflow.cli.cli_parser import get_parser; parser = get_parser();"
        "print(json.dumps([parser.parse_args(line)._get_kwargs()[0][0] for line in json.load(sys.stdin)]))"
    )
    given = json.dumps([shlex.split(command)[1:] for command in OURS])
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(OURS) >= 4
    assert any("create" in command for command in OURS)


def test_its_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for text in TEXTS.values() for name in re.findall(r"`make ([a-z-]+)", text)}
    lines = [line for block in COMMANDS for line in block.splitlines()]
    named |= {line.removeprefix("make ") for line in lines if line.startswith("make ")}
    assert named >= {"demo", "test", "readme"}
    assert named <= targets


def test_its_options_exist() -> None:
    named = {name for text in TEXTS.values() for name in re.findall(r"\[oauth2\] (?!in\b)([a-z_]+)", text)}
    assert named
    assert named <= set(OPTIONS)


@pytest.mark.slow
def test_its_connection_by_environment_by_command_and_by_file(tmp_path: Path) -> None:
    connection = documented_connection()
    by_environment = settings_of(connection)
    home = AirflowHome(tmp_path / "home")
    home.migrate()
    (command,) = [block for block in COMMANDS if block.startswith("airflow connections add")]
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"imported": connection}))
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
    connections = json.loads(exported.read_text())
    assert set(connections) == {"orders_api", "imported"}
    for name, stored in connections.items():
        assert settings_of(stored) == by_environment, name


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS)
def test_its_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", TEXTS[page])
    for target, _, anchor in (link.partition("#") for link in links if "://" not in link):
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), f"{target}#{anchor}"


def test_every_page_stands_in_the_table_of_contents() -> None:
    trees = re.findall(r"^```{toctree}\n(.*?)```", TEXTS["docs/index.md"], re.DOTALL | re.MULTILINE)
    listed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    assert len(listed) == len(set(listed))
    manual = {page.removeprefix("docs/").removesuffix(".md") for page in TEXTS if page.startswith("docs/")}
    assert set(listed) == manual - {"index"}
