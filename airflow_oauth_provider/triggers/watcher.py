"""The trigger of an ``AssetWatcher``: an asset event whenever what an API serves has changed.

Many watchers of one resource share one poll and one token (Airflow 3.3+). What a watcher has seen is
kept in the asset's state store where Airflow has one (3.3+), so that a triggerer that is started again
tells nothing twice and misses nothing. Of a watcher that several assets have in common nothing is kept:
Airflow does not say which of their stores would be its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.response_check import ResponseCheck, parse_path
from airflow_oauth_provider.tasks.arguments import Arguments
from airflow_oauth_provider.triggers.call import MAX_BODY, Call
from airflow_oauth_provider.triggers.call_trigger import PUBLIC_MODULE, path_of
from airflow_oauth_provider.triggers.observation import Look, Observation

LONGEST_PAUSE = 3600.0
"""Seconds between two polls at the most while all of them fail, whatever the API asks for.

Unless ``poll_interval`` is longer.
"""
_STATE = "oauth2_watched"


@dataclass(frozen=True)
class _Seen:
    """What of an observation is remembered."""

    identity: str
    cursor: Any = None


class OAuth2HttpEventTrigger(BaseEventTrigger):
    """Poll an API, and fire whenever the resource is another one and *response_check* holds.

    A resource is another one when its ETag, its Last-Modified or, where the API sends neither, its body
    is; or with *cursor*, when the API's cursor is. What it is compared with is what was seen last, told or
    not. Polls are conditional (RFC 9110 §13.1). What is there at the first poll of all fires only with a
    *response_check* that holds.

    A watcher never ends: it logs what fails, and polls less often while it does. Of bodies above 8 MiB it
    only looks at the ETag and Last-Modified.

    :param oauth2_conn_id: Airflow connection id.
    :param endpoint: relative to the base URL, or absolute within the allowed origins.
    :param method: GET or HEAD.
    :param data: query parameters.
    :param headers: of the calls.
    :param extra_options: as of ``OAuth2Hook.run``.
    :param request_kwargs: further arguments of ``requests.Request``, e.g. ``{"params": …}``.
    :param base_url: of the API.
    :param poll_interval: seconds between two polls.
    :param response_check: a :class:`ResponseCheck`, or its arguments.
    :param cursor: for APIs that serve changes: ``{"json_path": where the next cursor stands in the
        answer, "param": the query parameter it is sent in}``; it stays when an answer has none.
    :param payload_path: JSON path of what the event carries of the answer; without it, nothing.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    __module__ = PUBLIC_MODULE

    def __init__(  # noqa: PLR0913  (those of a call, and ours)
        self,
        oauth2_conn_id: str | None = None,
        *,
        endpoint: str | None = None,
        method: str = "GET",
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        extra_options: dict[str, Any] | None = None,
        request_kwargs: dict[str, Any] | None = None,
        base_url: str | None = None,
        poll_interval: float = 60.0,
        response_check: ResponseCheck | Mapping[str, Any] | None = None,
        cursor: dict[str, str] | None = None,
        payload_path: str | None = None,
        http_conn_id: str | None = None,
    ) -> None:
        super().__init__()
        self.call = Call(
            oauth2_conn_id,
            endpoint=endpoint,
            method=method,
            data=data,
            headers=headers,
            extra_options=extra_options,
            request_kwargs=request_kwargs,
            base_url=base_url,
            http_conn_id=http_conn_id,
        )
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
            self._fail("method", "an answer to HEAD has no JSON for cursor and payload_path: use GET")
        self.cursor = cursor
        self.payload_path = payload_path
        self._look = Look(
            self.call.endpoint,
            None if cursor is None else parse_path(cursor["json_path"], field="cursor"),
            None if payload_path is None else parse_path(payload_path, field="payload_path"),
        )
        self._seen: _Seen | None = None

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
        """Tell which watchers can share a poll: those that make the same call as often.

        None with a cursor: where each of them has got to differs, and a shared poll cannot know it.
        """
        if self.cursor is not None:
            return None
        return self._everything_but("response_check")

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Poll for all who share it."""
        async with aclosing(cls(**kwargs).observations()) as observations:
            async for observation in observations:
                yield observation

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Turn what the shared poll sees into this watcher's events."""
        await self._recall()
        async for event in self._events(shared_stream):
            yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll for this watcher alone."""
        await self._recall()
        async with aclosing(self.observations()) as observations:
            async for event in self._events(observations):
                yield event

    async def _events(self, observations: AsyncIterator[Observation]) -> AsyncIterator[TriggerEvent]:
        """Tell what differs from what was seen last, if the check holds; remember it, told or not."""
        kept = True
        async for observation in observations:
            if self._seen is None or observation.identity != self._seen.identity:
                if self._worth_telling(observation):
                    yield TriggerEvent(observation.told)
                # After the event: rather told twice than never.
                self._seen = _Seen(observation.identity, observation.cursor_to_keep)
                kept = False
            kept = kept or await self._remembered()

    async def observations(self) -> AsyncGenerator[Observation, None]:
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
                            # Also when nothing has changed: who shares the poll may have come just now.
                            yield last
                        await asyncio.sleep(pause)
            except Exception as error:
                pause = self._longer(pause, error)
                if _is_cancelled():  # and closing failed, so that this error took the cancellation's place
                    raise asyncio.CancelledError from None
            # The connection may be mended by then: whoever comes anew reads it anew.
            await asyncio.sleep(pause)

    def _longer(self, pause: float, error: Exception) -> float:
        """Log a failed poll, and say how long to pause: longer each time, as long as all of them fail."""
        wanted = getattr(error, "retry_after", None) or 0.0
        self.log.error("Watching %s failed: %s", self.call.endpoint, _shown(error))
        return max(self.poll_interval, min(LONGEST_PAUSE, max(wanted, 2 * pause)))

    async def _observed(self, hook: Any, last: Observation | None) -> Observation | None:
        """Poll once; ``None`` when nothing has changed."""
        headers = dict(self.call.headers or {})
        data = self.call.data
        # The first poll goes on where the triggerer was before it was started again.
        before = last or self._seen
        cursor = before.cursor if before is not None else None
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
        return self._look.at(response, cursor=cursor, redactor=hook.redactor)

    def _worth_telling(self, observation: Observation) -> bool:
        if self.response_check is None:
            return self._seen is not None
        try:
            return self.response_check(observation.response)
        except Exception as error:
            self.log.error("Watching %s: the answer cannot be checked: %s", self.call.endpoint, _shown(error))  # noqa: TRY400  (it tells all there is)
            return False

    async def _recall(self) -> None:
        """Find what was seen last, before the triggerer was started again."""
        store = getattr(self, "asset_state_store", None)
        if store is None:
            return
        try:
            found = await store.aget(self._state_key)
        except ValueError:  # several assets have this watcher
            return
        except Exception as error:
            self.log.error("What was seen of %s cannot be read: %s", self.call.endpoint, _shown(error))  # noqa: TRY400
            return
        if isinstance(found, dict) and isinstance(found.get("identity"), str):
            self._seen = _Seen(found["identity"], found.get("cursor"))

    async def _remembered(self) -> bool:
        """Keep what has been seen; ``False`` when that is to be tried again."""
        store = getattr(self, "asset_state_store", None)
        if store is None or self._seen is None:
            return True
        try:
            await store.aset(self._state_key, asdict(self._seen))
        except ValueError:  # several assets have this watcher
            return True
        except Exception as error:
            self.log.error("What was seen of %s cannot be kept: %s", self.call.endpoint, _shown(error))  # noqa: TRY400
            return False
        return True

    @property
    def _state_key(self) -> str:
        """Where in an asset's store this watcher keeps what it has seen.

        An asset may have several watchers, and a watcher that is edited watches something else. How
        often it polls makes no difference.
        """
        watched = self._everything_but("poll_interval")
        return f"{_STATE}_{hashlib.sha256(watched.encode()).hexdigest()[:16]}"

    def _everything_but(self, name: str) -> str:
        path, arguments = self.serialize()
        del arguments[name]
        return json.dumps([path, arguments], sort_keys=True)

    def _fail(self, field: str, message: str) -> None:
        raise ConfigurationError(message, field=field, conn_id=self.call.oauth2_conn_id)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _shown(error: Exception) -> str:
    """Return what may be logged: the text of foreign errors may hold anything."""
    return str(error) if isinstance(error, OAuthError) else type(error).__name__
