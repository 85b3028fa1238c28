"""What a watcher sees in an answer: whether it is another one, and what an event says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from requests import Response

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.strict_json import MAX_DEPTH
from airflow_oauth_provider.response_check import MISSING, at_path, document_of
from airflow_oauth_provider.triggers.call import MAX_BODY

_Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Observation:
    """What a poll saw.

    :param identity: differs when the resource does; a hash, so it can be kept anywhere.
    :param told: what an event says of it, without anything confidential.
    :param cursor: as the API sent it.
    """

    identity: str
    told: dict[str, Any]
    response: Response = field(repr=False)
    etag: str | None = field(repr=False)
    last_modified: str | None = field(repr=False)
    cursor: Any = field(repr=False)

    @property
    def cursor_to_keep(self) -> Any:
        """The cursor, unless it repeats something confidential: where it is kept, others read it."""
        return self.cursor if self.told["cursor"] == self.cursor else None


@dataclass(frozen=True)
class Look:
    """What to look at.

    :param endpoint: that an event names.
    :param cursor: where in the JSON of an answer the API's cursor stands; ``None`` for an API without.
    :param payload: where what an event carries stands; ``None`` for nothing.
    """

    endpoint: str | None
    cursor: _Steps | None = None
    payload: _Steps | None = None

    def at(self, response: Response, *, cursor: Any, redact: Callable[[str], str]) -> Observation:
        """Look at an answer.

        :param cursor: the last one; it stays when the answer has none.
        :param redact: removes what is confidential.
        :raises ResourceError: when the body is too large or too deep for what is wanted of it.
        """
        etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        self._require_body(response, etag or modified)
        wants_json = self.cursor is not None or self.payload is not None
        document = document_of(response) if wants_json else MISSING
        told: dict[str, Any] = {"etag": etag, "last_modified": modified, "cursor": None}
        if self.cursor is not None:
            found = at_path(document, self.cursor)
            # Many APIs say null while there is nothing new: to begin anew then would tell all again.
            cursor = told["cursor"] = cursor if found is MISSING or found is None else found
            seen: tuple[Any, ...] = ("cursor", cursor)
        elif etag or modified:
            seen = ("validators", etag, modified)
        else:
            told["digest"] = hashlib.sha256(response.content).hexdigest()
            seen = ("digest", response.status_code, told["digest"])
        if self.payload is not None:
            payload = at_path(document, self.payload)
            told["payload"] = None if payload is MISSING else payload
        told = {name: redacted(value, redact) for name, value in told.items()}
        told = {"endpoint": self.endpoint, "status_code": response.status_code, **told}
        return Observation(_hash(seen), told, response, etag, modified, cursor)

    def _require_body(self, response: Response, validators: str | None) -> None:
        enough = validators and self.cursor is None and self.payload is None
        if response.content is None and not enough:
            raise ResourceError(
                f"the body is larger than {MAX_BODY} bytes: without cursor and payload_path, and with an "
                "ETag or Last-Modified of the API's, it would not have to be read"
            )


def redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """Return JSON with *redact* applied to the texts in it, names included.

    Not to its JSON as a text: there a secret with a quotation mark looks different, and one that reads
    ``null`` is found where none is.

    :raises ResourceError: when it is nested more deeply than the rest of Airflow should have to read.
    """
    text = "\n".join(_texts(value))
    # A look at all of it at once is cheap, one at each of a hundred thousand texts is not.
    return value if _fit(text, redact) == text else _each(value, redact)


def _fit(text: str, redact: Callable[[str], str]) -> str:
    """Return what may be told; half a surrogate pair, which JSON can hold and UTF-8 cannot, as "?"."""
    return redact(text).encode("utf-8", "replace").decode()


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ResourceError(f"what an event is to carry is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, depth + 1)


def _each(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return _fit(value, redact)
    if isinstance(value, dict):
        return {_fit(name, redact): _each(inner, redact) for name, inner in value.items()}
    if isinstance(value, list):
        return [_each(inner, redact) for inner in value]
    return value


def _hash(seen: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
