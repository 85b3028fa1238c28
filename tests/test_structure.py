"""Limits of the structure; ``python -m tests.structure`` prints the figures."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import pytest

from tests.structure import Module, at_the_root, circle, modules, untested

MODULES = modules()
AT_THE_ROOT = {"__init__", "get_provider_info", "exceptions", "auth", "response_check", "retry_policy"}
MOST_LINES = 300
MOST_OF_AN_ADAPTER = 40
IMPORT = "from airflow_oauth_provider import loose"


def test_the_root_holds_what_users_import_or_airflow_demands() -> None:
    assert at_the_root(MODULES) == AT_THE_ROOT


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(MODULES) == []


def test_files_and_functions_are_short() -> None:
    assert {module.name: module.lines for module in MODULES if module.lines > MOST_LINES} == {}
    bodies = [lines for module in MODULES for lines in module.bodies()]
    assert statistics.median(bodies) <= 8
    assert statistics.quantiles(bodies, n=10)[-1] <= 20


def test_adapters_are_thin() -> None:
    """What a library is told is decided below, once for all of them."""
    adapters = {module.name: module.code_lines for module in MODULES if ".adapters." in module.name}
    assert len(adapters) == 6
    assert {name: lines for name, lines in adapters.items() if lines > MOST_OF_AN_ADAPTER} == {}


def test_modules_have_tests_at_the_mirrored_path() -> None:
    assert [str(module.test) for module in untested(MODULES)] == []


FINDINGS = {
    *(f"F{number:02}" for number in range(1, 30) if number != 19),
    *(f"F{number}" for number in range(40, 53)),
    *(f"F{number}" for number in (*range(60, 74), *range(80, 90))),
}


def test_every_finding_has_a_test() -> None:
    """Read from the tests' own sources: collecting all of them again would take half a minute."""
    here = Path(__file__)
    sources = (path.read_text() for path in here.parent.rglob("test_*.py") if path != here)
    named = {finding for source in sources for finding in re.findall(r"\bF[0-9]{2}\b", source)}
    assert FINDINGS - named == set()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A package with everything that the limits are about."""
    files = {
        "__init__.py": "",
        "loose.py": "from airflow_oauth_provider.room import one\n",
        "room/__init__.py": "",
        "room/one.py": "def f() -> int:\n    '''Doc.'''\n    x = 1\n    return x\n",
        "room/two.py": "\n".join(("from typing import TYPE_CHECKING", "if TYPE_CHECKING:", f"    {IMPORT}")),
    }
    for name, text in files.items():
        path = tmp_path / "airflow_oauth_provider" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_figures_find_what_is_there(made: Path) -> None:
    everything = modules(made)
    names = [module.name.removeprefix("airflow_oauth_provider") for module in everything]
    assert names == ["", ".loose", ".room", ".room.one", ".room.two"]
    assert at_the_root(everything) == {"__init__", "loose"}
    one = next(module for module in everything if module.name.endswith("one"))
    assert (one.lines, one.code_lines, list(one.bodies())) == (4, 3, [2])
    assert one.test == Path("tests/room/test_one.py")
    assert untested(everything, made) == [one], "the others only hold what another reads"
    assert circle(everything) == [], "what only a type checker imports makes no circle"


def test_a_circle_is_found_also_within_functions(made: Path) -> None:
    one = made / "airflow_oauth_provider" / "room" / "one.py"
    one.write_text("def f() -> None:\n    from airflow_oauth_provider.loose import x\n")
    assert {name.rpartition(".")[2] for name in circle(modules(made))} >= {"loose", "one"}


def test_a_body_does_not_count_its_docstring() -> None:
    assert list(Module("x", Path(__file__)).bodies())
