"""The tables of the README come from the tables in the code: ``make readme`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow_oauth_provider.connection.fields import FIELDS, STANDARD_FIELDS, Field, Kind
from airflow_oauth_provider.deployment.options import OPTIONS

README = Path(__file__).parents[1] / "README.md"


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
        shown = entry.section if entry.section != section else ""
        section = entry.section
        yield (
            f"| {shown} | {entry.label} | `{entry.key}` | {_kind(entry)} | {_default(entry.default)} "
            f"| {entry.description} |"
        )


def option_table() -> Iterator[str]:
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    for name, option in OPTIONS.items():
        example = f" Example: `{option['example']}`" if option["example"] else ""
        yield f"| `{name}` | {_default(option['default'])} | {option['description']}{example} |"


def rendered(text: str) -> str:
    """Return *text* with its tables as they should be."""
    for name, table in (("fields", field_table()), ("options", option_table())):
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = before + start + "".join(f"{line}\n" for line in table) + end + after
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
