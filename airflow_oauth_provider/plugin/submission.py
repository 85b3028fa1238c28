"""Read what the form's script sends; whatever else is sent is refused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.authorizations.form_values import WITH_ROWS
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY, STANDARD_FIELDS
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.plugin.form import DESCRIPTION, NAME
from airflow_oauth_provider.plugin.messages import PageError

_KNOWN = frozenset({*FIELDS_BY_KEY, *(entry.key for entry in STANDARD_FIELDS), NAME.key, DESCRIPTION.key})


@dataclass(frozen=True)
class Submission:
    """What the form's script sends, its types checked.

    :param fields: as of :func:`form_values.entered`.
    :param files: contents of key files, by field.
    :param digest: of the connection as it was when the form was opened.
    """

    fields: dict[str, Any] = field(repr=False)
    files: dict[str, bytes] = field(repr=False)
    preset: str = ""
    tenant: str = ""
    digest: str = ""

    @property
    def names(self) -> list[str]:
        """The fields that are concerned, and nothing else that anybody could have sent."""
        return sorted(_KNOWN & {*self.fields, *self.files})


def submission_of(body: Mapping[str, Any]) -> Submission:
    """Read it.

    :raises PageError: when it is nothing that the script sends.
    :raises ConfigurationError: naming the field at fault.
    """
    fields, files = body.get("fields", {}), body.get("files", {})
    texts = {name: body.get(name, "") for name in ("preset", "tenant", "digest")}
    if not isinstance(fields, dict) or not isinstance(files, dict) or not all(map(_is_text, texts.values())):
        raise _not_understood()
    printable = all(key.isprintable() for key in (*fields, *files))  # for the response that repeats one
    if not printable or not all(_is_entered(key, value) for key, value in fields.items()):
        raise _not_understood()
    return Submission(fields, {key: _content(key, data) for key, data in files.items()}, **texts)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_entered(key: str, value: Any) -> bool:
    """Whether the form sends such a value for a field: rows for those alone that have them."""
    entry = FIELDS_BY_KEY.get(key)
    has_rows = entry is not None and entry.kind in WITH_ROWS
    return value is None or _is_text(value) or (has_rows and _are_rows(value))


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and len(row) == 2 and all(map(_is_text, row)) for row in value
    )


def _content(key: str, data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (ValueError, TypeError, binascii.Error):
        reason = "the file did not arrive whole: choose it again"
    raise ConfigurationError(reason, field=key)


def _not_understood() -> PageError:
    return PageError(400, "Not understood", "This is not what the form sends, so nothing was done.")
