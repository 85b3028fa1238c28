"""What a form shows of a connection, and what a person has entered there.

No secret goes into a form, nor anything that Airflow's own pages hide or that repeats a secret: of these the
form knows only that they are stored, and what is left empty there stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.authorizations.editing import Entered, stored_fields
from airflow_oauth_provider.authorizations.entered_values import MAX_KEY_FILE, PAIRS, key_text, pairs_value
from airflow_oauth_provider.authorizations.entered_values import stored_value as value_of_text
from airflow_oauth_provider.authorizations.faults import Faults
from airflow_oauth_provider.authorizations.settings import connection_redactor, displayable, text_of
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.client.masking import hides_value_of
from airflow_oauth_provider.connection.extra import MASKED
from airflow_oauth_provider.connection.field_kinds import Field, Kind
from airflow_oauth_provider.connection.fields import FIELDS, FIELDS_BY_KEY
from airflow_oauth_provider.connection.parsing import FieldError, parse_claims
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.redaction import Redactor

TEXTS = ("host", "login", "description")
"""Fields that every connection has, the secret apart."""
SECRET = "password"
MAX_FILE = 64 * 1024
"""Bytes of the largest file that is looked at."""
WITH_ROWS = frozenset({Kind.PAIRS, Kind.PATHS})
"""Kinds of fields that are entered as rows of name and value."""
_FILES = frozenset({"private_key", "certificate"})


@dataclass(frozen=True)
class FormValue:
    """What a form shows of one field.

    :param rows: names and values, where a field has them; a hidden value is ``***``.
    :param stored: there is a value that is not shown.
    """

    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    stored: bool = False


def form_values(connection: Any) -> dict[str, FormValue]:
    """Return what a form shows of a connection, by field.

    :raises ConfigurationError: when a stored value cannot be read.
    """
    values = ConnectionValues.of(connection)
    extra = stored_fields(values)
    redactor = connection_redactor(values, extra)
    shown = {name: _shown_text(getattr(values, name), redactor) for name in TEXTS}
    shown[SECRET] = FormValue(stored=bool(values.password))
    return shown | {entry.key: _shown(entry, extra.get(entry.key), redactor) for entry in FIELDS}


def _shown_text(value: Any, redactor: Redactor) -> FormValue:
    text = displayable(value) or ""
    return FormValue(text) if redactor.text(text) == text else FormValue(stored=True)


def _shown(entry: Field, value: Any, redactor: Redactor) -> FormValue:
    if value in (None, "", [], {}):
        return FormValue()
    if entry.secret:
        return FormValue(stored=True)
    if entry.kind not in WITH_ROWS:
        return _shown_text(text_of(entry, value), redactor)
    try:
        pairs = parse_claims(value)
    except FieldError:
        return FormValue(stored=True)
    if not all(isinstance(content, str) for content in pairs.values()):
        return _shown_object(pairs, redactor)
    return FormValue(rows=tuple((name, _shown_content(entry, name, pairs[name], redactor)) for name in pairs))


def _shown_object(pairs: dict[str, Any], redactor: Redactor) -> FormValue:
    """Show what lines cannot say as JSON, unless something in it is hidden."""
    text = json.dumps(pairs, ensure_ascii=False)
    if any(hides_value_of(str(name)) for name in pairs) or redactor.text(text) != text:
        return FormValue(stored=True)
    return FormValue(displayable(text) or "")


def _shown_content(entry: Field, name: str, content: str, redactor: Redactor) -> str:
    hides_name = entry.kind is Kind.PAIRS and hides_value_of(name)  # a path is no secret, whatever its name
    hidden = hides_name or redactor.text(content) != content
    return MASKED if hidden else displayable(content) or ""


def entered(
    given: Mapping[str, Any],
    faults: Faults,
    files: Mapping[str, bytes] | None = None,
    stored: Mapping[str, Any] | None = None,
) -> Entered:
    """Read what a person has entered.

    :param given: text, or rows of name and value, by field; ``None`` empties a secret, "" leaves it.
    :param faults: takes all that is wrong; of those fields nothing is returned.
    :param files: contents of key files, by field.
    :param stored: fields of the connection that is edited, for values that the form did not show.
    """
    fields: dict[str, Any] = {}
    for key, value in given.items():
        entry = FIELDS_BY_KEY.get(key)
        left_as_it_is = entry is not None and entry.secret and value == ""
        if key not in (*TEXTS, SECRET) and not left_as_it_is:
            with faults.gathered():
                fields[key] = _entered_value(key, value, (stored or {}).get(key))
    for key, data in (files or {}).items():
        with faults.gathered():
            fields[key] = _file_text(key, data)
    texts = {name: given[name].strip() for name in TEXTS if isinstance(given.get(name), str)}
    secret = given.get(SECRET, "")
    restored = frozenset(key for key in fields if _has_hidden(given.get(key)))
    return Entered(
        **texts,
        password="" if secret is None else secret or None,
        fields=fields,
        restored=restored,
    )


def _has_hidden(value: Any) -> bool:
    return isinstance(value, list) and any(content.strip() == MASKED for _, content in value)


def _entered_value(key: str, value: Any, stored: Any) -> Any:
    entry = FIELDS_BY_KEY.get(key)
    if entry is None:
        raise ConfigurationError("is no field of these connections", field=key)
    if value is None:
        return None
    if isinstance(value, str):
        return value_of_text(entry, [value])
    pairs = [(name.strip(), content.strip()) for name, content in value if name.strip() or content.strip()]
    if not all(name for name, _ in pairs):
        raise ConfigurationError("must have a name beside each value", field=entry.key)
    pairs = _with_hidden(entry, pairs, stored)
    if entry.kind in PAIRS:
        if len(dict(pairs)) < len(pairs):
            raise ConfigurationError("has a name twice", field=entry.key)
        return pairs_value(entry, pairs)
    return value_of_text(entry, ["\n".join(f"{name}={content}" for name, content in pairs)])


def _with_hidden(entry: Field, pairs: list[tuple[str, str]], stored: Any) -> list[tuple[str, str]]:
    """Put the stored values in place of those that the form did not show."""
    if not any(content == MASKED for _, content in pairs):
        return pairs
    try:
        before = parse_claims(stored)
    except FieldError:
        before = {}
    for name, content in pairs:
        if content == MASKED and name not in before:
            raise ConfigurationError(f"{name} has the placeholder {MASKED}: enter its value", field=entry.key)
    return [(name, before[name] if content == MASKED else content) for name, content in pairs]


def _file_text(key: str, data: bytes) -> str:
    if key not in _FILES:
        raise ConfigurationError("is not read from a file", field=key)
    if len(data) > MAX_FILE:
        reason = f"the file has {len(data) / 1024:.0f} KiB: a key file has at most {MAX_KEY_FILE // 1024} KiB"
        raise ConfigurationError(reason, field=key)
    return key_text(data, key)
