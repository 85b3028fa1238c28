"""How an API's response may tell, whatever its status, that the token has ended: ``dead_when``.

Some APIs say so in the body of a 200. A body that is too large, no JSON, or not strict JSON tells nothing.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any, NamedTuple

from airflow_oauth_provider.protocol.json_path import PathError, Step, parse_query, values_at
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_value

MAX_BODY = 64 * 1024
"""Bytes of the largest body that is looked into."""
MAX_VALUES = 64
MAX_RULE = 2000
"""Characters of the longest rule: some texts take a time that grows with the square of their length."""
_RULE = re.compile(r"(\$.*?)\s+in\s+(.+)\Z")
_QUOTED = re.compile(r"([\"'])(.*)\1\Z")


class SignError(ValueError):
    """The text is no such rule."""


class DeadTokenSign(NamedTuple):
    """A place in the JSON of a body, and the values there that mean a dead token.

    :param path: with at most one ``[*]``.
    :param values: as texts; a number equals its text.
    """

    path: tuple[Step, ...]
    values: tuple[str, ...]

    def shows_in(self, body: bytes | None) -> bool:
        """Whether a body has one of the values there.

        :param body: ``None`` for one that was not kept.
        """
        if body is None or len(body) > MAX_BODY:
            return False
        body = body.removeprefix(BOM_UTF8)
        if body.lstrip()[:1] not in {b"{", b"["}:
            return False
        try:
            document = parse_value(body.decode())
        except (JsonError, UnicodeDecodeError):
            return False
        return any(text in self.values for value in values_at(document, self.path) for text in _texts(value))


def parse_sign(text: str) -> DeadTokenSign:
    """Read a rule such as ``$.errors[*].code in 601, 602``.

    :raises SignError: when it is none.
    """
    rule = _RULE.match(text.strip()) if len(text) <= MAX_RULE else None
    if rule is None:
        raise SignError("must be one line like $.errors[*].code in 601, 602")
    try:
        path = parse_query(rule[1])
    except PathError as error:
        reason = str(error)
    else:
        values = tuple(_unquoted(value.strip()) for value in rule[2].split(","))
        if path and all(values) and len(values) <= MAX_VALUES:
            return DeadTokenSign(path, values)
        reason = "needs a path, and a value between the commas"
    raise SignError(f"{reason}: write it like $.errors[*].code in 601, 602")


def _unquoted(value: str) -> str:
    quoted = _QUOTED.match(value)
    return quoted[2] if quoted else value


def _texts(value: Any) -> tuple[str, ...]:
    """Return how a value may stand in a rule; a number that is whole also without its decimals."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, str):
        return (value,)
    if isinstance(value, float) and value.is_integer():
        return str(value), f"{value:.0f}"
    return (str(value),) if isinstance(value, int | float) else ()
