"""What a watcher keeps of a response: whether the resource is another one, and what an event says of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Self

from requests import Response

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.json_path import MISSING, at_path
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.strict_json import MAX_DEPTH
from airflow_oauth_provider.response_check import document_of, names_beside, parse_path
from airflow_oauth_provider.triggers.call import MAX_BODY
from airflow_oauth_provider.triggers.events import MAX_HEADER


@dataclass(frozen=True)
class Snapshot:
    """The state of a resource at one poll.

    :param identity: differs when the resource does; a hash, so it can be kept anywhere.
    :param event: what an event says of it, without anything confidential.
    :param cursor: as the API sent it.
    :param missing: the JSON paths that the response does not have, and what it has instead, without
        anything confidential.
    """

    identity: str
    event: dict[str, Any]
    response: Response = field(repr=False)
    etag: str | None = field(repr=False)
    last_modified: str | None = field(repr=False)
    cursor: Any = field(repr=False)
    missing: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        """What is kept of it, without a cursor that repeats something confidential: others read it there."""
        return Checkpoint(self.identity, self.cursor if self.event["cursor"] == self.cursor else None)


@dataclass(frozen=True)
class Checkpoint:
    """How far a watcher has got.

    :param identity: of the last snapshot.
    :param cursor: of the API; ``None`` for none.
    """

    identity: str
    cursor: Any = None

    @classmethod
    def of(cls, state: Any) -> Self | None:
        """Return the checkpoint that was kept; ``None`` for what is none of this version."""
        if not isinstance(state, dict) or not isinstance(state.get("identity"), str):
            return None
        cursor = state.get("cursor")
        return cls(state["identity"], cursor) if isinstance(cursor, str | int | float | None) else None


@dataclass(frozen=True)
class Selection:
    """What a watcher takes from a response.

    :param endpoint: that an event names.
    :param cursor: JSON path of the API's cursor; ``None`` for an API without.
    :param payload: JSON path of what an event carries; ``None`` for nothing.
    :raises ConfigurationError: when a path is malformed.
    """

    endpoint: str | None
    cursor: str | None = None
    payload: str | None = None

    def __post_init__(self) -> None:
        """Check the paths."""
        for name, path in (("cursor", self.cursor), ("payload_path", self.payload)):
            if path is not None:
                parse_path(path, field=name)

    def snapshot(self, response: Response, *, cursor: Any, redactor: Redactor) -> Snapshot:
        """Take a snapshot of the resource.

        :param cursor: the last one; it stays when the response has none.
        :param redactor: removes what is confidential.
        :raises ResourceError: when the body is too large or too deep for what is taken from it.
        """
        etag, modified = (_short(response.headers.get(name)) for name in ("ETag", "Last-Modified"))
        self._require_body(response, etag or modified)
        event: dict[str, Any] = {"etag": etag, "last_modified": modified, "cursor": None}
        document = document_of(response) if self._needs_json else MISSING
        missing = []
        if self.cursor is not None:
            value = at_path(document, parse_path(self.cursor))
            if value is MISSING and cursor is None:
                missing.append(names_beside(document, self.cursor))
            # Many APIs say null while there is nothing new: to begin anew would report all again.
            cursor = event["cursor"] = cursor if value is MISSING or value is None else value
        if self.payload is not None:
            payload = at_path(document, parse_path(self.payload))
            if payload is MISSING:
                missing.append(names_beside(document, self.payload))
            event["payload"] = None if payload is MISSING else payload
        identity = self._identity(response, event)
        for value in event.values():
            _require_depth(value)
        event = {name: redactor.value(value) for name, value in event.items()}
        event = {"endpoint": self.endpoint, "status_code": response.status_code, **event}
        return Snapshot(
            identity, event, response, etag, modified, cursor, tuple(redactor.text(text) for text in missing)
        )

    @property
    def _needs_json(self) -> bool:
        return self.cursor is not None or self.payload is not None

    def _identity(self, response: Response, event: dict[str, Any]) -> str:
        """Return the hash of what identifies a state of the resource."""
        etag, modified = event["etag"], event["last_modified"]
        state: tuple[Any, ...]
        if self.cursor is not None:
            state = ("cursor", event["cursor"])
        elif etag or modified:
            state = ("validators", etag, modified)
        else:
            event["digest"] = hashlib.sha256(response.content).hexdigest()
            state = ("digest", response.status_code, event["digest"])
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()

    def _require_body(self, response: Response, validators: str | None) -> None:
        if response.content is None and (self._needs_json or not validators):
            raise ResourceError(
                f"the body is larger than {MAX_BODY} bytes: without cursor and payload_path, and with an "
                "ETag or Last-Modified of the API's, it would not have to be read"
            )


def _short(value: str | None) -> str | None:
    """Return a validator; one out of all measure, which each event would carry, is none."""
    return value if value is not None and len(value) <= MAX_HEADER else None


def _require_depth(value: Any, depth: int = 0) -> None:
    """Look how deep JSON is nested: the rest of Airflow has to read it, too.

    :raises ResourceError: when it is deeper than that.
    """
    if depth > MAX_DEPTH:
        raise ResourceError(f"what an event is to carry is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _require_depth(inner, depth + 1)
