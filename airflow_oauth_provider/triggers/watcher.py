"""The trigger of an ``AssetWatcher``: an asset event whenever what an API serves has changed.

Many watchers of one resource share one poll and one token (Airflow 3.3+). How far a watcher has got is
kept in the asset's state store where Airflow has one (3.3+), so that a triggerer that is started again
reports nothing twice and misses nothing. Of a watcher that several assets share nothing is kept: Airflow
does not say which of their stores would be its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Mapping
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, Unpack

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_oauth_provider.connection.identifier import one_conn_id
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.call.excerpts import url_excerpt
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.arguments import Arguments
from airflow_oauth_provider.tasks.polling import asked_to_wait, one_line
from airflow_oauth_provider.triggers.call import MAX_BODY, Call, CallParameters
from airflow_oauth_provider.triggers.call_trigger import PUBLIC_MODULE, path_of
from airflow_oauth_provider.triggers.snapshot import Checkpoint, Selection, Snapshot

LONGEST_PAUSE = 3600.0
"""Seconds between two polls at the most while all of them fail, whatever the API asks for.

Unless ``poll_interval`` is longer.
"""
MAX_WARNINGS = 20
"""Warnings of one watcher at the most, each once: names that change with each response would make more."""
_STATE = "oauth2_watched"


class OAuth2HttpEventTrigger(BaseEventTrigger):
    """Poll an API, and fire whenever the resource is another one and *response_check* holds.

    A resource is another one when its ETag, its Last-Modified or, where the API sends neither, its body
    is; or with *cursor*, when the API's cursor is. It is compared with the state of the last poll, whether
    that was an event or not. Polls are conditional (RFC 9110 §13.1). The state at the first poll of all is
    an event only with a *response_check* that holds.

    A watcher never ends: it logs what fails, and polls less often while it does. Of bodies above 8 MiB it
    only reads the ETag and Last-Modified.

    :param oauth2_conn_id: Airflow connection id.
    :param poll_interval: seconds between two polls.
    :param response_check: a :class:`ResponseCheck`, or its arguments.
    :param cursor: for APIs that serve changes: ``{"json_path": where the next cursor stands in the
        response, "param": the query parameter it is sent in}``; it stays when a response has none.
    :param payload_path: JSON path of what the event carries of the response; without it, nothing.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :param call: what it calls: :class:`CallParameters`.
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    __module__ = PUBLIC_MODULE

    def __init__(
        self,
        oauth2_conn_id: str | None = None,
        *,
        poll_interval: float = 60.0,
        response_check: ResponseCheck | Mapping[str, Any] | None = None,
        cursor: dict[str, str] | None = None,
        payload_path: str | None = None,
        http_conn_id: str | None = None,
        **call: Unpack[CallParameters],
    ) -> None:
        super().__init__()
        self.call = Call(one_conn_id(oauth2_conn_id, http_conn_id), **call)
        if self.call.method not in {"GET", "HEAD"}:
            self._fail("method", "only GET and HEAD are for polling")
        Arguments(self.call.oauth2_conn_id).seconds("poll_interval", poll_interval, least=1)
        self.poll_interval = poll_interval
        self.response_check = ResponseCheck.of(response_check)
        if response_check is not None and self.response_check is None:
            self._fail(
                "response_check", "must be a ResponseCheck: Python callables do not run in the triggerer"
            )
        if cursor is not None and set(cursor) != {"json_path", "param"}:
            self._fail("cursor", 'must be {"json_path": …, "param": …}')
        if cursor is not None and not isinstance(self.call.data, dict | None):
            self._fail("data", "must be a dict, to which the cursor is added")
        if self.call.method == "HEAD" and (cursor is not None or payload_path is not None):
            self._fail("method", "a response to HEAD has no JSON for cursor and payload_path: use GET")
        self.cursor = cursor
        self.payload_path = payload_path
        json_path = None if cursor is None else cursor["json_path"]
        self._selection = Selection(self.call.endpoint, json_path, payload_path)
        self._checkpoint: Checkpoint | None = None
        self._warned: set[str] = set()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        return path_of(self), {
            **self.call.arguments(),
            "poll_interval": self.poll_interval,
            "response_check": self.response_check.arguments() if self.response_check else None,
            "cursor": self.cursor,
            "payload_path": self.payload_path,
        }

    def shared_stream_key(self) -> Hashable | None:
        """Return what watchers that can share a poll have in common: they make the same call as often.

        None with a cursor: the watchers may have got to different places, which a shared poll cannot know.
        """
        if self.cursor is not None:
            return None
        return self._arguments_without("response_check")

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Poll for all who share it."""
        async with aclosing(cls(**kwargs).snapshots()) as snapshots:
            async for snapshot in snapshots:
                yield snapshot

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Turn the snapshots of the shared poll into this watcher's events."""
        await self._load_checkpoint()
        async for event in self._events(shared_stream):
            yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll for this watcher alone."""
        await self._load_checkpoint()
        async with aclosing(self.snapshots()) as snapshots:
            async for event in self._events(snapshots):
                yield event

    async def _events(self, snapshots: AsyncIterator[Snapshot]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each new state of the resource for which the check holds."""
        saved = True
        async for snapshot in snapshots:
            for text in snapshot.missing:
                self._warn_once(text)
            if self._checkpoint is None or snapshot.identity != self._checkpoint.identity:
                if self._fires_for(snapshot):
                    yield TriggerEvent(snapshot.event)
                # After the event: rather twice than never.
                self._checkpoint = snapshot.checkpoint
                saved = False
            saved = saved or await self._save_checkpoint()

    async def snapshots(self) -> AsyncGenerator[Snapshot, None]:
        """Poll, and yield the state of the resource each time, be it new or not."""
        last: Snapshot | None = None
        pause = self.poll_interval
        while True:
            try:
                async with self.call.hook() as hook:
                    while True:
                        last = await self._poll(hook, last) or last
                        pause = self.poll_interval
                        if last is not None:
                            # Also when nothing has changed: a watcher may just have joined the poll.
                            yield last
                        await asyncio.sleep(pause)
            except Exception as error:
                pause = self._longer_pause(pause, error)
                if _is_cancelled():  # and closing failed, so that this error took the cancellation's place
                    raise asyncio.CancelledError from None
            # The hook is left meanwhile: a new one reads the connection anew, which may be mended by then.
            await asyncio.sleep(pause)

    def _longer_pause(self, pause: float, error: Exception) -> float:
        """Log a failed poll, and return the next pause: longer each time, as long as all polls fail."""
        self._log_error("Watching %s failed: %s", error)
        return max(self.poll_interval, min(LONGEST_PAUSE, max(asked_to_wait(error), 2 * pause)))

    async def _poll(self, hook: Any, last: Snapshot | None) -> Snapshot | None:
        """Poll once; ``None`` when nothing has changed."""
        headers = dict(self.call.headers or {})
        data = self.call.data
        # The first poll goes on where the triggerer was before it was started again.
        before = last or self._checkpoint
        cursor = before.cursor if before is not None else None
        if self.cursor is not None and cursor is not None:
            data = {**(data or {}), self.cursor["param"]: cursor}
        elif self.cursor is None and last is not None:
            if last.etag:
                headers["If-None-Match"] = last.etag
            if last.last_modified:
                headers["If-Modified-Since"] = last.last_modified
        call = Call(**{**self.call.arguments(), "headers": headers, "data": data})
        # What HEAD says of a body's length is not about its own response.
        response = await call.poll(hook, limit=None if self.call.method == "HEAD" else MAX_BODY)
        if response.status_code == 304:
            return None
        return self._selection.snapshot(response, cursor=cursor, redactor=hook.redactor)

    def _fires_for(self, snapshot: Snapshot) -> bool:
        """Decide whether a new state is an event, and log the decision."""
        first = self._checkpoint is None
        fires, reason = not first, ""
        if self.response_check is not None:
            try:
                inspection = self.response_check.inspect(snapshot.response)
                fires = inspection.holds
            except Exception as error:
                self._log_error("Watching %s: the response cannot be checked: %s", error)
                return False
            if inspection.lacks_path:
                self._warn_once(f"the response has no {self.response_check.json_path}")
            reason = f"; {self.response_check}: {'yes' if fires else 'no'}"
        state = f"{'first' if first else 'new'} state, HTTP status {snapshot.response.status_code}{reason}"
        self.log.info("Watching %s: %s", self._address, state)
        return fires

    @property
    def _address(self) -> str:
        """What is watched, for the log."""
        return url_excerpt(self.call.endpoint or "")

    def _log_error(self, text: str, error: Exception) -> None:
        """Log an error; of a foreign one, whose text may hold anything, only the type."""
        reason = str(error) if isinstance(error, OAuthError) else type(error).__name__
        self.log.error(text, self._address, reason)

    def _warn_once(self, text: str) -> None:
        if text not in self._warned and len(self._warned) < MAX_WARNINGS:
            self._warned.add(text)
            self.log.warning("Watching %s: %s", self._address, one_line(text))

    async def _load_checkpoint(self) -> None:
        """Read how far the watcher had got before the triggerer was started again."""
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return
        try:
            self._checkpoint = Checkpoint.of(await store.aget(self._state_key))
        except ValueError:  # several assets have this watcher
            return
        except Exception as error:
            self._log_error("What was seen of %s cannot be read: %s", error)

    async def _save_checkpoint(self) -> bool:
        """Keep how far the watcher has got; ``False`` when that is to be tried again."""
        store = getattr(self, "asset_state_store", None)
        if store is None or self._checkpoint is None:
            return True
        try:
            await store.aset(self._state_key, asdict(self._checkpoint))
        except ValueError:  # several assets have this watcher
            return True
        except Exception as error:
            self._log_error("What was seen of %s cannot be kept: %s", error)
            return False
        return True

    @property
    def _state_key(self) -> str:
        """Where in an asset's store this watcher keeps its checkpoint.

        An asset may have several watchers, and a watcher that is edited watches something else. How
        often it polls makes no difference.
        """
        arguments = self._arguments_without("poll_interval")
        return f"{_STATE}_{hashlib.sha256(arguments.encode()).hexdigest()[:16]}"

    def _arguments_without(self, name: str) -> str:
        path, arguments = self.serialize()
        del arguments[name]
        return json.dumps([path, arguments], sort_keys=True)

    def _fail(self, field: str, message: str) -> None:
        raise ConfigurationError(message, field=field, conn_id=self.call.oauth2_conn_id)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
