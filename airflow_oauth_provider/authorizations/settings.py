"""A connection's settings as displays may show them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.client.masking import hides_value_of
from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS, FIELDS_BY_KEY, STANDARD_FIELDS
from airflow_oauth_provider.connection.parsing import FieldError, holds_private_key, parse_claims, parse_extra
from airflow_oauth_provider.connection.sections.unusual_servers import UNUSUAL_FIELDS
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.instance import PLACEHOLDER as INSTANCE
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor

SERVER = "Server and client"
"""The fields that every connection has, as a section."""
_METHOD = FIELDS_BY_KEY["auth_method"]


@dataclass(frozen=True)
class SettingsSection:
    """Fields that are filled in, of one section of the form.

    :param rows: label and value of each; *defaults* of each whose value is that of an empty field.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    defaults: tuple[tuple[str, str], ...] = ()


def display_settings(connection: Any) -> tuple[tuple[str, str], ...]:
    """Return label and value of each field that is filled in, as :func:`display_sections` does."""
    return tuple(
        row for section in display_sections(connection) for row in (*section.rows, *section.defaults)
    )


def display_sections(connection: Any) -> tuple[SettingsSection, ...]:
    """Return the fields that are filled in, by the form's sections; of a secret only that it is set.

    The method is there in any case, since one is used in any case. Named values of other fields are hidden
    where Airflow hides them in its own pages, by their names, and where they repeat a secret of the
    connection.
    """
    try:
        values = ConnectionValues.of(connection)
        extra = parse_extra(values.extra)
    except (ConfigurationError, FieldError):
        return ()
    redactor = connection_redactor(values, extra)
    server = [
        (entry.label, "set" if entry.key == "password" else redactor.text(displayable(value) or ""))
        for entry in STANDARD_FIELDS
        if (value := getattr(values, entry.key))
    ]
    rows: dict[str, list[tuple[str, str]]] = {SERVER: server}
    defaults: dict[str, list[tuple[str, str]]] = {}
    for entry in FIELDS:
        value = extra.get(entry.key)
        if value not in (None, "", [], {}):
            text = redactor.text(displayable(text_of(entry, value)) or "")
            kept = defaults if _is_default(entry, text) else rows
            kept.setdefault(entry.section, []).append((entry.label, text))
        elif entry is _METHOD:
            rows.setdefault(entry.section, []).append((entry.label, f"{entry.default} (the default)"))
    titles = dict.fromkeys(entry.section for entry in FIELDS)
    return tuple(
        SettingsSection(title, tuple(rows.get(title, ())), tuple(defaults.get(title, ())))
        for title in (SERVER, *titles)
        if rows.get(title) or defaults.get(title)
    )


def _is_default(entry: Field, text: str) -> bool:
    """Return whether a value is what an empty field means; the method is told in any case."""
    return entry is not _METHOD and entry.default is not None and text == text_of(entry, entry.default)


def connection_redactor(values: ConnectionValues, extra: dict[str, Any]) -> Redactor:
    """Return what takes a connection's secrets out of texts, right or wrong as its settings may be."""
    return Redactor(_secrets(values, extra), public=filter(None, (values.login, values.host)))


def _secrets(values: ConnectionValues, extra: dict[str, Any]) -> Iterator[str]:
    """Yield the secrets of a connection, right or wrong as its settings may be."""
    if values.password:
        yield values.password
    secret = {entry.key for entry in FIELDS if entry.secret}
    for key, value in extra.items():
        # A key in a field that is not masked is refused, and stored all the same.
        if key in secret or holds_private_key(value):
            yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a field; of name=value lines the values alone, too."""
    if isinstance(value, str):
        yield value
        yield from (content for line in value.splitlines() if (content := line.partition("=")[2].strip()))
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def unusual_settings(connection: Any) -> tuple[str, ...]:
    """Return, as ``field = value``, in what a connection deviates from RFC 6749 and RFC 6750."""
    try:
        given = ConnectionValues.of(connection)
        extra = parse_extra(given.extra)
    except (ConfigurationError, FieldError):
        return ()
    values = ((entry, extra.get(entry.key)) for entry in (*UNUSUAL_FIELDS, FIELDS_BY_KEY["dead_when"]))
    instance = str(extra.get("base_url") or "")
    named = (f"base_url = {displayable(instance)}",) if INSTANCE in instance else ()
    rows = named + tuple(
        f"{entry.key} = {displayable(', '.join(text_of(entry, value).splitlines()))}"
        for entry, value in values
        if value not in (None, "", [], {}, entry.default)
    )
    redactor = connection_redactor(given, extra) if rows else NOTHING
    return tuple(redactor.text(row) for row in rows)


def displayable(text: str | None) -> str | None:
    """Replace halves of characters, which JSON can carry and no page."""
    return None if text is None else str(text).encode(errors="replace").decode()


def text_of(entry: Field, value: Any) -> str:
    """Return a field's value as a person enters it; of a secret only that it is set."""
    if entry.secret:
        return "set"
    if entry.kind is Kind.JSON:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if entry.kind is Kind.PAIRS:
        return _pairs_text(value)
    if isinstance(value, list):
        return "\n".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pairs_text(value: Any) -> str:
    """Write name=value lines; of what Airflow takes for a secret by its name only the name."""
    try:
        pairs = parse_claims(value)
    except FieldError as error:
        return f"({error})"
    return "\n".join(f"{name}={_content(_hidden(name, content))}" for name, content in pairs.items())


def _hidden(name: Any, value: Any) -> Any:
    if hides_value_of(str(name)):
        return "***"
    if isinstance(value, dict):
        return {key: _hidden(key, item) for key, item in value.items()}
    return [_hidden(name, item) for item in value] if isinstance(value, list) else value


def _content(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
