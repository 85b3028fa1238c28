"""The trigger of an ``AssetWatcher``: an asset event whenever what an API serves has changed.

Many watchers of one resource share one poll and one token (Airflow 3.3+). What a watcher has told of
is kept in the asset's state store where Airflow has one (3.3+), so that a triggerer that is started
again tells nothing twice and misses nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Hashable
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, ResourceError
from airflow_oauth_provider.response_check import ResponseCheck, parse_path
from airflow_oauth_provider.triggers.calls import Call
from airflow_oauth_provider.triggers.observing import MAX_BODY, Look, Observation

LONGEST_PAUSE = 3600.0
"""Seconds between two polls at the most while all of them fail."""
_STATE = "oauth2_watched"


class OAuth2HttpEventTrigger(BaseEventTrigger):
    """Poll an API, and fire whenever the resource is another one and *response_check* holds.

    A resource is another one when its ETag, its Last-Modified or, where the API sends neither, its body
    is; or with *cursor*, when the API's cursor is. Polls are conditional (RFC 9110 §13.1). What is there
    at the first poll fires only with a *response_check* that holds.

    A watcher never ends: it logs what fails, and polls less often while it does.

    :param oauth2_conn_id: Airflow connection id.
    :param poll_interval: seconds between two polls.
    :param response_check: a :class:`ResponseCheck`, or its arguments.
    :param cursor: for APIs that serve changes: ``{"json_path": where the next cursor stands in the
        answer, "param": the query parameter it is sent in}``.
    :param payload_path: JSON path of what the event carries of the answer; without it, nothing.
    :param call: ``endpoint``, ``data``, ``headers``, ``extra_options``, ``request_kwargs``, ``base_url``
        as of ``OAuth2Hook.run``.
    """

    def __init__(
        self,
        oauth2_conn_id: str | None = None,
        *,
        poll_interval: float = 60.0,
        response_check: ResponseCheck | dict[str, Any] | None = None,
        cursor: dict[str, str] | None = None,
        payload_path: str | None = None,
        **call: Any,
    ) -> None:
        super().__init__()
        self.call = Call(oauth2_conn_id, **call)
        if self.call.method not in {"GET", "HEAD"}:
            self._fail("method", "only GET and HEAD are for polling")
        if poll_interval < 1:
            self._fail("poll_interval", "must be at least 1 second")
        self.poll_interval = poll_interval
        self.response_check = ResponseCheck.of(response_check)
        if response_check is not None and self.response_check is None:
            self._fail(
                "response_check", "must be a ResponseCheck: Python callables do not run in the triggerer"
            )
        if cursor is not None and set(cursor) != {"json_path", "param"}:
            self._fail("cursor", 'must be {"json_path": …, "param": …}')
        self.cursor = cursor
        self.payload_path = payload_path
        self._look = Look(
            self.call.endpoint,
            None if cursor is None else parse_path(cursor["json_path"], field="cursor"),
            None if payload_path is None else parse_path(payload_path, field="payload_path"),
        )
        self._seen: str | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            **self.call.arguments(),
            "poll_interval": self.poll_interval,
            "response_check": self.response_check.arguments() if self.response_check else None,
            "cursor": self.cursor,
            "payload_path": self.payload_path,
        }

    def shared_stream_key(self) -> Hashable | None:
        """Tell which watchers can share a poll: those that make the same call as often."""
        polled = {name: value for name, value in self.serialize()[1].items() if name != "response_check"}
        return "oauth2", json.dumps(polled, sort_keys=True)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Poll for all who share it."""
        async for observation in cls(**kwargs).observations():
            yield observation

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Turn what the shared poll sees into this watcher's events."""
        seen = await self._told_before()
        async for observation in shared_stream:
            if observation.identity == seen:
                continue
            if await self._worth_telling(observation, first=seen is None):
                yield TriggerEvent(observation.told)
            elif self.response_check is not None:
                continue
            # After the event: rather told twice than never.
            seen = observation.identity
            await self._remember(seen)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll for this watcher alone."""
        async for event in self.filter_shared_stream(self.observations()):
            yield event

    async def observations(self) -> AsyncIterator[Observation]:
        """Poll, and yield what is seen each time, be it new or not."""
        last: Observation | None = None
        pause = self.poll_interval
        while True:
            try:
                async with self.call.hook() as hook:
                    while True:
                        last = await self._observed(hook, last) or last
                        pause = self.poll_interval
                        if last is not None:
                            yield last
                        await asyncio.sleep(pause)
            except Exception as error:
                pause = self._longer(pause, error)
            # The connection may be mended by then: whoever comes anew reads it anew.
            await asyncio.sleep(pause)

    def _longer(self, pause: float, error: Exception) -> float:
        """Log a failed poll, and say how long to pause: longer each time, as long as all of them fail."""
        wanted = getattr(error, "retry_after", None) or 0.0
        self.log.error("Watching %s failed: %s", self.call.endpoint, _shown(error))
        return max(self.poll_interval, wanted, min(2 * pause, LONGEST_PAUSE))

    async def _observed(self, hook: Any, last: Observation | None) -> Observation | None:
        """Poll once; ``None`` when nothing has changed."""
        headers = dict(self.call.headers or {})
        data = self.call.data
        cursor = last.cursor if last is not None else None
        if self.cursor is not None and cursor is not None:
            data = {**(data or {}), self.cursor["param"]: cursor}
        elif self.cursor is None and last is not None:
            if last.etag:
                headers["If-None-Match"] = last.etag
            if last.last_modified:
                headers["If-Modified-Since"] = last.last_modified
        call = Call(**{**self.call.arguments(), "headers": headers, "data": data})
        # What HEAD says of a body's length is not about its own answer.
        response = await call.make(hook, limit=None if self.call.method == "HEAD" else MAX_BODY)
        if response.status_code == 304:
            return None
        return self._look.at(response, cursor=cursor, redact=hook.redact)

    async def _worth_telling(self, observation: Observation, *, first: bool) -> bool:
        if self.response_check is None:
            return not first
        try:
            return self.response_check(observation.response)
        except ResourceError as error:
            self.log.error("Watching %s: %s", self.call.endpoint, error)  # noqa: TRY400  (it tells all there is)
            return False

    async def _told_before(self) -> str | None:
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return self._seen
        try:
            found = await store.aget(_STATE)
        except ValueError:  # several assets share this watcher: it remembers by itself
            return self._seen
        return found if isinstance(found, str) else None

    async def _remember(self, identity: str) -> None:
        self._seen = identity
        store = getattr(self, "asset_state_store", None)
        if store is not None:
            try:
                await store.aset(_STATE, identity)
            except ValueError:
                return

    def _fail(self, field: str, message: str) -> None:
        raise ConfigurationError(message, field=field, conn_id=self.call.oauth2_conn_id)


def _shown(error: Exception) -> str:
    """Return what may be logged: the text of foreign errors may hold anything."""
    return str(error) if isinstance(error, OAuthError) else type(error).__name__
