"""What Airflow loads: everywhere little, on Airflow 3.0 nothing to see."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import airflow_oauth_provider
from airflow_oauth_provider.plugin.entry import NAME, PREFIX, OAuth2ServersPlugin

PACKAGE = Path(airflow_oauth_provider.__file__).parent
HAS_PAGES = hasattr(OAuth2ServersPlugin, "external_views")
#: Heavy, or not a stable API of Airflow.
RESERVED = ("airflow.api_fastapi", "airflow.models", "airflow.utils", "airflow.configuration")

pytestmark = pytest.mark.airflow


def imported_modules(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_entry_point_names_the_plugin() -> None:
    (point,) = entry_points(group="airflow.plugins", name="oauth2_servers")
    assert point.load() is OAuth2ServersPlugin


def test_airflow_loads_it_without_complaint() -> None:
    from airflow import plugins_manager

    plugins_manager.ensure_plugins_loaded()
    get_plugins = getattr(plugins_manager, "_get_plugins", None)
    plugins, errors = (
        get_plugins() if get_plugins else (plugins_manager.plugins, plugins_manager.import_errors)
    )
    assert "oauth2_servers" in [plugin.name for plugin in plugins]
    assert not errors


@pytest.mark.skipif(not HAS_PAGES, reason="Airflow 3.1 or later shows pages of plugins")
def test_it_puts_one_page_under_admin() -> None:
    (view,) = OAuth2ServersPlugin.external_views
    (app,) = OAuth2ServersPlugin.fastapi_apps
    assert (view["name"], view["category"], view["destination"]) == (NAME, "admin", "nav")
    assert not view["href"].startswith("/")
    assert f"/{view['href']}" == f"{PREFIX}/" == f"{app['url_prefix']}/"


@pytest.mark.skipif(HAS_PAGES, reason="Airflow 3.0 shows no pages of plugins")
def test_where_no_page_can_be_shown_no_routes_are_served() -> None:
    assert OAuth2ServersPlugin.fastapi_apps == []


def test_a_task_imports_nothing_heavy_with_it() -> None:
    program = (
        "import sys, airflow.plugins_manager; before = set(sys.modules);"
        "import airflow_oauth_provider.plugin.entry;"
        "print(*sorted(set(sys.modules) - before))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(ended.stdout.split()) <= {
        "airflow_oauth_provider",
        "airflow_oauth_provider.plugin",
        "airflow_oauth_provider.plugin.entry",
    }


def test_one_module_alone_knows_what_airflow_may_change() -> None:
    def reserved(file: Path) -> list[str]:
        return [name for name in imported_modules(file) if name.startswith(RESERVED)]

    knowing = [file.name for file in (PACKAGE / "plugin").glob("*.py") if reserved(file)]
    assert knowing == ["airflow_access.py"]


@pytest.mark.parametrize("name", ["base.html", "list.html", "connection.html", "message.html", "parts.html"])
def test_templates_leave_nothing_unescaped_and_load_nothing_from_elsewhere(name: str) -> None:
    text = (PACKAGE / "plugin" / "templates" / name).read_text()
    for unsafe in ("|safe", "| safe", "autoescape false", "http:", "https:", " style=", "<style", " onclick"):
        assert unsafe not in text


def test_static_files_load_nothing_from_elsewhere() -> None:
    for file in (PACKAGE / "plugin" / "static").iterdir():
        text = file.read_text()
        forbidden: list[Any] = [
            word for word in ("http:", "https:", "@import", "url(", "innerHTML", "eval(") if word in text
        ]
        assert forbidden == [], file.name
