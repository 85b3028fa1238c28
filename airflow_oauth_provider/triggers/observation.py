"""What a watcher sees in an answer: whether it is another one, and what an event says of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from requests import Response

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.redaction import Redactor
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

    def at(self, response: Response, *, cursor: Any, redactor: Redactor) -> Observation:
        """Look at an answer.

        :param cursor: the last one; it stays when the answer has none.
        :param redactor: removes what is confidential.
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
        for value in told.values():
            _require_depth(value)
        told = {name: redactor.value(value) for name, value in told.items()}
        told = {"endpoint": self.endpoint, "status_code": response.status_code, **told}
        return Observation(_hash(seen), told, response, etag, modified, cursor)

    def _require_body(self, response: Response, validators: str | None) -> None:
        enough = validators and self.cursor is None and self.payload is None
        if response.content is None and not enough:
            raise ResourceError(
                f"the body is larger than {MAX_BODY} bytes: without cursor and payload_path, and with an "
                "ETag or Last-Modified of the API's, it would not have to be read"
            )


def _require_depth(value: Any, depth: int = 0) -> None:
    """Look how deep JSON is nested: the rest of Airflow has to read it, too.

    :raises ResourceError: when it is deeper than that.
    """
    if depth > MAX_DEPTH:
        raise ResourceError(f"what an event is to carry is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _require_depth(inner, depth + 1)


def _hash(seen: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
