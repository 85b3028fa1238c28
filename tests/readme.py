"""README and docs: their tables come from the tables in the code, which ``make readme`` writes into them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from airflow_oauth_provider.cli.definition import get_oauth2_cli_commands
from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS, STANDARD_FIELDS
from airflow_oauth_provider.connection.presets import presets
from airflow_oauth_provider.deployment.options import OPTIONS
from airflow_oauth_provider.get_provider_info import get_provider_info
from tests.manual.consumers import consumer_table
from tests.manual.diagrams import write as write_diagrams
from tests.manual.servers import server_part
from tests.manual.troubleshooting import sentence_table

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (
    README,
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts),
)


def _kind(entry: Field) -> str:
    if entry.choices:
        return ", ".join(f"`{choice}`" for choice in entry.choices)
    return entry.kind.value


def _default(value: object) -> str:
    if value is None or value == "":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def field_table() -> Iterator[str]:
    yield "| section | field | key | value | default | meaning |"
    yield "|---|---|---|---|---|---|"
    for standard in STANDARD_FIELDS:
        kind = Kind.SECRET if standard.key == "password" else Kind.STRING
        yield f"| | **{standard.label}** | `{standard.key}` | {kind.value} | | {standard.description} |"
    section = ""
    for entry in FIELDS:
        name = entry.section if entry.section != section else ""
        section = entry.section
        yield (
            f"| {name} | {entry.label} | `{entry.key}` | {_kind(entry)} | {_default(entry.default)} "
            f"| {entry.description} |"
        )


def option_table() -> Iterator[str]:
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    for name, option in OPTIONS.items():
        example = f" Example: `{option['example']}`" if option["example"] else ""
        yield f"| `{name}` | {_default(option['default'])} | {option['description']}{example} |"


def command_table() -> Iterator[str]:
    yield "| command | argument | meaning |"
    yield "|---|---|---|"
    (group,) = get_oauth2_cli_commands()
    for command in group.subcommands:
        more = (command.description or "").removeprefix(f"{command.help}.")
        yield f"| `{command.name}` | | **{command.help}.**{more} |"
        for argument in command.args:
            options = [flag for flag in argument.flags if flag.startswith("-")]
            name = " ".join([*options, argument.kwargs.get("metavar") or ""]).strip()
            if "--verbose" not in options:
                yield f"| | `{name}` | {argument.kwargs['help']} |"


def preset_table() -> Iterator[str]:
    yield "| preset | API | access token URL | fills in | you give | from |"
    yield "|---|---|---|---|---|---|"
    for preset in presets().values():
        gives = [f"`--tenant`: {preset.tenant}"] if preset.tenant else []
        gives += [] if preset.host else ["`--token-url` or `--discovery`"]
        gives += [f"`{key}`: {hint}" for key, hint in preset.asks.items()]
        fills = "<br>".join(f"`{key}` = `{_preset_value(value)}`" for key, value in preset.extra.items())
        host = f"`{preset.host}`" if preset.host else ""
        notes = f" {preset.notes}" if preset.notes else ""
        yield (
            f"| [`{preset.name}`](servers/{preset.name}.md) | **{preset.title}.**{notes} | {host} | {fills} "
            f"| {'<br>'.join(gives)} "
            f"| [page]({preset.link}), {preset.checked} |"
        )


def _preset_value(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


PARTS: dict[str, Callable[[str], Iterator[str]]] = {
    "server": server_part,
    "sentences": sentence_table,
}
"""Parts that a page has of one thing among several: ``<!-- server zendesk -->``."""
TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "fields": field_table,
    "options": option_table,
    "commands": command_table,
    "presets": preset_table,
    "consumers": consumer_table,
}


_MARKED = re.compile(r"<!-- (?P<name>[\w-]+)(?: (?P<of>[\w-]+))? -->\n.*?<!-- /(?P=name) -->", re.DOTALL)


def rendered(text: str) -> str:
    """Return *text* with its tables, and whatever else is written from the code, as they should be."""

    def part(match: re.Match[str]) -> str:
        name, of = match["name"], match["of"]
        if name not in (PARTS if of else TABLES):
            return match[0]
        lines = PARTS[name](of) if of else TABLES[name]()
        return "\n".join([f"<!-- {' '.join(filter(None, (name, of)))} -->", *lines, f"<!-- /{name} -->"])

    return _MARKED.sub(part, text)


PROVIDER_YAML = ROOT / "airflow_oauth_provider" / "provider.yaml"


def provider_yaml() -> str:
    """Return the metadata in the form that Airflow's own providers keep it in."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["publishing"]
    of_the_release = {
        "state": "ready",
        "lifecycle": "incubation",
        "source-date-epoch": about["source-date-epoch"],
    }
    content = yaml.safe_dump(
        {**get_provider_info(), **of_the_release}, sort_keys=False, allow_unicode=True, width=110
    )
    return f"# Written by `make readme` from get_provider_info.py: change it there.\n{content}"


if __name__ == "__main__":
    PROVIDER_YAML.write_text(provider_yaml())
    write_diagrams(ROOT / "docs" / "pictures")
    for page in PAGES:
        page.write_text(rendered(page.read_text()))
