"""The one redactor: what leaves this package for a log, an error, XCom, an event or a page passes it.

- A confidential value that stands whole in a text, in any spelling that is known, becomes ``***``.
  Spellings are those of :mod:`airflow_oauth_provider.protocol.spelling` (percent, JSON, HTML, one in
  another), and Base64 and hexadecimal digits.
- A text in which 12 consecutive characters of one survive that is withheld whole: the server has cut,
  wrapped or spelled it in a way that nobody here knows, and may have done so with the rest.
- A text without them is returned as it is. Most are so, and each call of an API has some: of every
  eight bytes, four are looked up in a set, whatever the number and length of the values.

It is applied before characters are cleaned and before a text is cut.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeVar

from airflow_oauth_provider.protocol.material import (
    BLOCK,
    STRIDE,
    WINDOW,
    Material,
    material_of,
    numbers_at,
)
from airflow_oauth_provider.protocol.spelling import ESCAPES, PLUS, Places, readings
from airflow_oauth_provider.protocol.strict_json import parse_value

ErrorType = TypeVar("ErrorType", bound=Exception)

REDACTED = "***"
WITHHELD = "(withheld: it repeats a secret)"
"""Stands for a text in which part of a confidential value survives."""

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_JWT = _LETTERS | {"."}
_UTF8_MOST = 4
"""Bytes of the longest character."""


class Redactor:
    """Removes confidential values; prepared when it is first used, since most are not.

    :param values: what must not be seen: secrets, keys, tokens. Those below four characters stay.
    :param public: texts that anybody may read, such as the client id: what stands in them does not count
        as part of a value that is longer.
    """

    def __init__(self, values: Iterable[str] = (), *, public: Iterable[str] = ()) -> None:
        self.values = tuple(dict.fromkeys(values))
        self._public = tuple(public)

    def with_values(self, *values: str) -> Redactor:
        """Return a redactor of these values, too."""
        return Redactor((*self.values, *values), public=self._public) if values else self

    def for_own_texts(self) -> Redactor:
        """Return the last net, for texts whose foreign parts are redacted: a short value may be a word."""
        long = (value for value in self.values if len(value) >= WINDOW)
        return Redactor(long, public=self._public)

    def text(self, text: str) -> str:
        """Return *text* without confidential values."""
        if not self.finds_in(text):
            return text
        spans = sorted(span for reading in self._traced(text) for span in reading)
        redacted = _without(text, spans)
        return WITHHELD if self.finds_in(redacted) else redacted

    def data(self, data: bytes) -> bytes:
        """Return *data*, an encoded text, without confidential values."""
        text = data.decode("utf-8", "surrogateescape")
        return self.text(text).encode("utf-8", "surrogateescape") if self.finds_in(text) else data

    def document(self, data: bytes) -> bytes:
        """Return a body without confidential values.

        One that is JSON stays JSON, also where texts in it are withheld.
        """
        redacted = self.data(data)
        if redacted == data:
            return data
        try:
            value = parse_value(data.decode())
        except ValueError:  # also of the decoding
            return redacted
        return json.dumps(self.value(value)).encode()

    def value(self, value: Any) -> Any:
        """Return what JSON, or Python, can say, with all texts in it redacted, names included.

        Lists, tuples, sets and mappings are looked through, however deep, and so are objects of dataclasses
        and of classes of attrs and pydantic. Other objects (a data frame, a response) are returned as they
        are: their maker knows what they hold. Half a surrogate pair, which no database takes, becomes "?".
        """
        texts = list(_texts(value))
        # To search all of them at once is cheap, to search each of a hundred thousand is not.
        joined = "\n".join(texts)
        return self._redacted_or_withheld(value) if self.finds_in(joined) or _broken(joined) else value

    def error(self, error: ErrorType) -> ErrorType:
        """Return a copy of *error* with its texts redacted, and without traceback and chain."""
        redacted = copy.copy(error)
        redacted.args = self.value(error.args)
        vars(redacted).update({name: self.value(value) for name, value in vars(error).items()})
        return redacted

    def finds_in(self, text: str) -> bool:
        """Whether a confidential value, or part of one, stands in *text* in any spelling."""
        return bool(self.values) and any(
            self._stands_in(reading) for reading, _ in readings(text, self._escapes)
        )

    @cached_property
    def _materials(self) -> tuple[Material, ...]:
        return tuple(material_of(value) for value in self.values)

    @cached_property
    def _blocks(self) -> frozenset[int]:
        return frozenset().union(*(material.blocks for material in self._materials))

    @cached_property
    def _short(self) -> tuple[str, ...]:
        """What is too short to have a window."""
        forms = (form for material in self._materials for form in (*material.wholes, *material.encoded))
        return tuple(form for form in forms if len(form) < WINDOW)

    @cached_property
    def _escapes(self) -> tuple[Any, ...]:
        spaced = any(" " in value for value in self.values)
        return (*ESCAPES, PLUS) if spaced else ESCAPES

    @cached_property
    def _harmless(self) -> tuple[str, ...]:
        """Public texts, but for those that hold a whole value: there it is a value all the same."""
        return tuple(text for text in self._public if not any(value in text for value in self.values))

    def _stands_in(self, text: str) -> bool:
        if any(short in text for short in self._short):
            return True
        if len(text) < WINDOW:
            return False
        data = text.encode("utf-8", "surrogatepass")
        numbers = numbers_at(data)[:: STRIDE // BLOCK]
        return not self._blocks.isdisjoint(numbers) and any(
            self._window_at(data, index * STRIDE)
            for index, number in enumerate(numbers)
            if number in self._blocks
        )

    def _window_at(self, data: bytes, start: int) -> bool:
        """Whether a window lies about the block at *start*."""
        reach = _UTF8_MOST * WINDOW
        around = data[max(0, start - reach) : start + reach].decode("utf-8", "ignore")
        windows = {around[at : at + WINDOW] for at in range(len(around) - WINDOW + 1)}
        return any(self._confidential(window) for window in windows)

    def _confidential(self, window: str) -> bool:
        return any(window in material.windows for material in self._materials) and not any(
            window in text for text in self._harmless
        )

    def _traced(self, text: str) -> Iterator[Iterator[tuple[int, int]]]:
        """Yield, of each reading, where in *text* whole values stand."""
        for reading, path in readings(text, self._escapes):
            if self._stands_in(reading):
                places = Places(text, path)
                yield (places.span(*span) for span in self._spans(reading))

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for material in self._materials:
            for whole in material.wholes:
                yield from ((at, at + len(whole)) for at in _positions(whole, text))
            for form in material.beginnings:
                yield from (
                    (at, _run_around(text, at, at + len(form), _JWT)[1]) for at in _positions(form, text)
                )
            for form in material.encoded:
                yield from (_run_around(text, at, at + len(form)) for at in _positions(form, text))

    def _redacted_or_withheld(self, value: Any) -> Any:
        try:
            return self._redacted(value)
        except RecursionError:
            return WITHHELD

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value).encode("utf-8", "replace").decode()
        if isinstance(value, bytes | bytearray):
            return type(value)(self.data(bytes(value)))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        return self._collection(value)

    def _number(self, value: float) -> Any:
        """Redact a number that is a secret; that it has the digits of a short one in it is an accident."""
        text = str(value)
        redacted = self.text(text)
        return redacted if redacted == REDACTED or (redacted != text and len(text) >= WINDOW) else value

    def _collection(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {self._redacted(name): self._redacted(inner) for name, inner in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self._redacted(inner) for inner in value))
        for kind in (list, tuple, set, frozenset):
            if isinstance(value, kind):
                return kind(self._redacted(inner) for inner in value)
        return self._record(value)

    def _record(self, value: Any) -> Any:
        names = _field_names(value)
        try:
            redacted = copy.copy(value) if names else value
            if redacted is not value:  # one that is its own copy belongs to others, too
                for name in names:
                    # Past a class that is frozen, or checks what is set.
                    object.__setattr__(redacted, name, self._redacted(getattr(value, name, None)))
        except (TypeError, AttributeError):  # it cannot be copied, or written to
            return WITHHELD
        return redacted

    def __repr__(self) -> str:
        return f"Redactor(<{len(self.values)} values>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Redactor cannot be pickled: it knows secrets")


NOTHING = Redactor()
"""Knows no value."""


def _positions(form: str, text: str) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + len(form))


def _run_around(text: str, start: int, end: int, letters: frozenset[str] = _LETTERS) -> tuple[int, int]:
    """Return where the letters and digits lie that were encoded in one go."""
    while start > 0 and text[start - 1] in letters:
        start -= 1
    while end < len(text) and text[end] in letters:
        end += 1
    return start, end


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    kept, done = [], 0
    for start, end in spans:
        if start >= done:
            kept += [text[done:start], REDACTED]
        done = max(done, end)
    return "".join((*kept, text[done:]))


def _broken(text: str) -> bool:
    """Whether *text* has half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in *value*, however deep, even where it holds itself."""
    stack, seen = [value], set()
    while stack:
        current = stack.pop()
        if isinstance(current, str):
            yield current
        elif isinstance(current, bytes | bytearray):
            yield current.decode("utf-8", "replace")
        elif isinstance(current, int | float) and not isinstance(current, bool):
            yield str(current)
        elif isinstance(current, Mapping | list | tuple | set | frozenset) and id(current) not in seen:
            seen.add(id(current))
            stack += [*current, *current.values()] if isinstance(current, Mapping) else current
        elif (names := _field_names(current)) and id(current) not in seen:
            seen.add(id(current))
            stack += [getattr(current, name, None) for name in names]


def _field_names(value: Any) -> tuple[str, ...]:
    """Return the names of the fields of a dataclass, or of a class of attrs' or pydantic's."""
    kind = type(value)
    if attributes := getattr(kind, "__attrs_attrs__", None):
        return tuple(attribute.name for attribute in attributes)
    if is_dataclass(kind):
        return tuple(entry.name for entry in fields(kind))
    return tuple(getattr(kind, "__pydantic_fields__", None) or ())
