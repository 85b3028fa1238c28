"""The form of New and Edit: its sections and fields, and what a preset fills in.

Sections and fields are those of the one table of the connection; the first section has what the dialog of
the system has that this is modelled on, the others have the rest as Airflow's own form groups it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.authorizations.form_values import WITH_ROWS, FormValue
from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS, FIELDS_BY_KEY, STANDARD_FIELDS
from airflow_oauth_provider.connection.parsing import parse_claims
from airflow_oauth_provider.connection.presets import Preset, placed
from airflow_oauth_provider.connection.resolving import MAX_NAME
from airflow_oauth_provider.connection.sections.essentials import ESSENTIAL_FIELDS
from airflow_oauth_provider.protocol.client.methods import METHODS

NAME = Field(
    "conn_id", "", "Name", f"The connection id, by which DAGs name it: at most {MAX_NAME} characters."
)
DESCRIPTION = Field("description", "", "Description", "For people who look for a connection.", Kind.TEXT)
_STANDARD = {
    entry.key: Field(
        entry.key,
        "",
        entry.label,
        f"{entry.description}.",
        Kind.SECRET if entry.key == "password" else Kind.STRING,
    )
    for entry in STANDARD_FIELDS
}
_FIRST = (
    *("category", "host", "discovery", "auth_method", "login", "password", "scope", "include_scope"),
    *("max_retry_attempts", "max_wait", "query_params", "post_params"),
)
FIRST_SECTION = "OAuth 2.0 server"
_WITH_FILES = frozenset({"private_key", "certificate"})
_LINES = frozenset({Kind.TEXT, Kind.SECRET_TEXT, Kind.SECRET_PAIRS, Kind.LIST, Kind.JSON})
_NUMBERS = frozenset({Kind.INTEGER, Kind.SECONDS})


@dataclass(frozen=True)
class FormField:
    """A field with what stands in it.

    :param hint: what a preset asks for here.
    """

    entry: Field
    value: FormValue
    hint: str = ""

    @property
    def control(self) -> str:
        """By what it is entered: "rows", "lines", "choice", "box", "number", "secret" or "text"."""
        kind = self.entry.kind
        if kind in WITH_ROWS and not self.value.text:
            return "rows"
        if kind in _LINES or kind in WITH_ROWS:
            return "lines"
        if kind is Kind.SECRET:
            return "secret"
        if kind is Kind.BOOLEAN:
            return "box"
        if kind in _NUMBERS:
            return "number"
        return "choice" if kind is Kind.ENUM else "text"

    @property
    def text(self) -> str:
        """The text to begin with; the default of a field that has one and is empty."""
        if self.value.text or self.value.stored or self.entry.default is None:
            return self.value.text
        default = self.entry.default
        return str(default).lower() if isinstance(default, bool) else str(default)

    @property
    def help(self) -> str:
        """What to enter; that pairs are lines is true of Airflow's own form only."""
        text = self.entry.description
        return text.replace(": name=value, one a line", "") if self.control == "rows" else text

    @property
    def takes_file(self) -> bool:
        """Whether it can be filled in from a file."""
        return self.entry.key in _WITH_FILES

    @property
    def choices(self) -> Mapping[str, str]:
        """Value and label of each choice; an empty one where there is no default."""
        return self.entry.choices if self.entry.default is not None else {"": "", **self.entry.choices}

    @property
    def is_filled_in(self) -> bool:
        """Whether there is more in it than its default."""
        given = self.value
        return bool(given.stored or given.rows or (given.text and given.text != _default(self.entry)))


@dataclass(frozen=True)
class FormSection:
    """A section of the form."""

    title: str
    fields: tuple[FormField, ...] = field(default_factory=tuple)

    @property
    def is_filled_in(self) -> bool:
        """Whether a person wants to see it."""
        return any(entry.is_filled_in or entry.hint for entry in self.fields)


def _default(entry: Field) -> str:
    return FormField(entry, FormValue()).text


def sections(values: Mapping[str, FormValue], hints: Mapping[str, str]) -> tuple[FormSection, ...]:
    """Return the form, filled in.

    :param hints: what a preset asks for, by field.
    """

    def filled(entries: Iterable[Field]) -> tuple[FormField, ...]:
        return tuple(
            FormField(entry, values.get(entry.key, FormValue()), hints.get(entry.key, ""))
            for entry in entries
        )

    first = filled(_STANDARD.get(key) or FIELDS_BY_KEY[key] for key in _FIRST)
    others: dict[str, list[Field]] = {entry.section: [] for entry in ESSENTIAL_FIELDS}
    for entry in FIELDS:
        if entry.key not in _FIRST:
            others.setdefault(entry.section, []).append(entry)
    rest = (FormSection(title, filled(entries)) for title, entries in others.items())
    return (FormSection(FIRST_SECTION, (*first, *filled((DESCRIPTION,)))), *rest)


def method_needs() -> Mapping[str, str]:
    """Return which field each authentication method needs, for the form to lead there."""
    return {method.name: method.needs.value or "" for method in METHODS.values()}


def preset_values(preset: Preset, tenant: str | None) -> dict[str, FormValue]:
    """Return what a preset fills in.

    :param tenant: "" for none yet: then it still stands open in the address.
    :raises ConfigurationError: when the tenant's name is none.
    """
    values = {key: _preset_value(FIELDS_BY_KEY[key], value) for key, value in preset.extra.items()}
    for key, hint in preset.asks.items():
        name, separator, _ = hint.partition("=")
        if FIELDS_BY_KEY[key].kind in WITH_ROWS and separator:
            values[key] = FormValue(rows=((name, ""),))
    if preset.host:
        values["host"] = FormValue(placed(preset.host, tenant) if tenant else preset.host)
    return values


def _preset_value(entry: Field, value: Any) -> FormValue:
    if entry.kind in WITH_ROWS:
        return FormValue(rows=tuple((name, str(content)) for name, content in parse_claims(value).items()))
    if isinstance(value, list):
        return FormValue("\n".join(map(str, value)))
    return FormValue(str(value).lower() if isinstance(value, bool) else str(value))
