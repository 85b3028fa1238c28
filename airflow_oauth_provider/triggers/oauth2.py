"""Triggers: make a call, or poll until an answer is the one that is waited for.

They tell of errors by events and never raise for an authorization problem; no event holds a token, a
secret or a cookie. Every path of a poll sleeps.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Collection
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from requests import Response

from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.call.http_methods import IDEMPOTENT, SAFE
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.polling import MAX_CONSECUTIVE_FAILURES, Polling, pause_between
from airflow_oauth_provider.triggers.call import MAX_BODY, MAX_EVENT_BODY, Call
from airflow_oauth_provider.triggers.events import check_headers, dump_error, dump_response
from airflow_oauth_provider.triggers.watcher import OAuth2HttpEventTrigger

LEAST_INTERVAL = 0.1
"""Seconds between two polls at the least, whatever is asked for."""


class _CallTrigger(BaseTrigger):
    """A trigger that calls an API and ends with one event.

    :param not_before: seconds since the epoch before which it does nothing; so a triggerer that is
        started again does not begin to wait anew.
    :param response_headers: headers that the event carries beside the harmless ones.
    :param max_event_body: bytes; of a larger body the event tells nothing.
    :param call: as of :class:`~airflow_oauth_provider.triggers.call.Call`.
    """

    methods = IDEMPOTENT

    def __init__(
        self,
        oauth2_conn_id: str | None = None,
        *,
        not_before: float | None = None,
        response_headers: Collection[str] = (),
        max_event_body: int | None = MAX_EVENT_BODY,
        **call: Any,
    ) -> None:
        super().__init__()
        self.call = Call(oauth2_conn_id, **call)
        if self.call.method.upper() not in self.methods:
            raise ConfigurationError(
                f"a triggerer that is started again would send {self.call.method} again: let the worker "
                f"make this call; here only {', '.join(sorted(self.methods))}",
                field="method",
                conn_id=self.call.oauth2_conn_id,
            )
        self.not_before = not_before
        self.response_headers = check_headers(response_headers)
        self.max_event_body = max_event_body

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments: no token, no secret of the connection."""
        kind = type(self)
        return f"{kind.__module__}.{kind.__qualname__}", {
            **self.call.arguments(),
            "not_before": self.not_before,
            "response_headers": list(self.response_headers),
            "max_event_body": self.max_event_body,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event.

        :return: of ``{"status": "success", "response": …}`` or ``{"status": "error", "error": …}``.
        """
        yield TriggerEvent(await self._outcome())

    async def _outcome(self) -> dict[str, Any]:
        try:
            if self.not_before is not None:
                await asyncio.sleep(max(0.0, self.not_before - time.time()))
            async with self.call.hook() as hook:
                response = await self._answer(hook)
                told = dump_response(
                    response, self.response_headers, hook.redactor, max_body=self.max_event_body
                )
        except OAuthError as error:
            return {"status": "error", "error": dump_error(error)}
        except Exception as error:  # an event ends the task; an exception here would say less
            self.log.exception("The trigger failed")
            return {"status": "error", "error": dump_error(error)}
        else:
            return {"status": "success", "response": told}

    @property
    def _read_limit(self) -> int | None:
        """Bytes to read: rather more than an event may carry, since to cut an answer ends its connection."""
        return None if self.max_event_body is None else max(self.max_event_body, MAX_EVENT_BODY)

    @abstractmethod
    async def _answer(self, hook: Any) -> Response:
        """Return the answer that ends it."""


class OAuth2HttpTrigger(_CallTrigger):
    """Make one call.

    A triggerer that is started again makes it again: so only methods that are idempotent (RFC 9110
    §9.2.2) are accepted.
    """

    async def _answer(self, hook: Any) -> Response:
        return await self.call.make(hook, limit=self._read_limit)


class OAuth2HttpSensorTrigger(_CallTrigger):
    """Poll until the API answers with a status below 400, and *response_check* holds.

    :param poke_interval: seconds between two polls.
    :param response_error_codes_allowlist: HTTP statuses that mean "not yet".
    :param response_check: a :class:`ResponseCheck`, or its arguments.
    :param max_consecutive_failures: passing failures in a row after which to give up.
    :param backoff_since: seconds since the epoch of the first poll, for pauses that grow; ``None`` for
        *poke_interval* each time.
    :param max_wait: seconds of a growing pause at the most; ``None`` for any.
    """

    methods = SAFE

    def __init__(
        self,
        oauth2_conn_id: str | None = None,
        *,
        poke_interval: float = 60.0,
        response_error_codes_allowlist: Collection[int | str] = (404,),
        response_check: ResponseCheck | dict[str, Any] | None = None,
        max_consecutive_failures: int | None = MAX_CONSECUTIVE_FAILURES,
        backoff_since: float | None = None,
        max_wait: float | None = None,
        **call: Any,
    ) -> None:
        super().__init__(oauth2_conn_id, **call)
        self.poke_interval = poke_interval
        self.response_error_codes_allowlist = statuses(response_error_codes_allowlist)
        self.response_check = ResponseCheck.of(response_check)
        if response_check is not None and self.response_check is None:
            raise ConfigurationError(
                "a trigger takes a ResponseCheck: Python callables run on the worker",
                field="response_check",
                conn_id=self.call.oauth2_conn_id,
            )
        self.max_consecutive_failures = max_consecutive_failures
        self.backoff_since = backoff_since
        self.max_wait = max_wait

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        path, arguments = super().serialize()
        return path, {
            **arguments,
            "poke_interval": self.poke_interval,
            "response_error_codes_allowlist": sorted(self.response_error_codes_allowlist),
            "response_check": self.response_check.arguments() if self.response_check else None,
            "max_consecutive_failures": self.max_consecutive_failures,
            "backoff_since": self.backoff_since,
            "max_wait": self.max_wait,
        }

    async def _answer(self, hook: Any) -> Response:
        polling = Polling(self.response_error_codes_allowlist, self.max_consecutive_failures)
        limit = self._read_limit if self.response_check is None else MAX_BODY
        while True:
            wanted = 0.0
            try:
                response = await self.call.make(hook, limit=limit)
                polling.answered()
                if self._holds(response):
                    return response
            except OAuthError as error:
                wanted = polling.failed(error)
            waited = None if self.backoff_since is None else time.time() - self.backoff_since
            pause = pause_between(self.poke_interval, waited=waited, longest=self.max_wait)
            await asyncio.sleep(max(pause, wanted, LEAST_INTERVAL))

    def _holds(self, response: Response) -> bool:
        if self.response_check is None:
            return True
        if response.content is None:
            raise ConfigurationError(
                f"the answer is larger than {MAX_BODY} bytes, which is more than a check in the triggerer "
                "reads: give a Python callable, which runs on the worker",
                field="response_check",
                conn_id=self.call.oauth2_conn_id,
            )
        return self.response_check(response)


class WaitTrigger(BaseTrigger):
    """Wait, and do nothing else: for calls that only the worker may make.

    :param until: seconds since the epoch.
    """

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, in time."""
        await asyncio.sleep(max(0.0, self.until - time.time()))
        yield TriggerEvent({"status": "waited"})


def statuses(values: Collection[int | str]) -> frozenset[int]:
    """Read HTTP statuses, which may be given as text.

    :raises ConfigurationError: for anything else.
    """
    try:
        return frozenset(int(value) for value in values)
    except (TypeError, ValueError):
        raise ConfigurationError("must list HTTP statuses", field="response_error_codes_allowlist") from None


__all__ = [
    "OAuth2HttpEventTrigger",
    "OAuth2HttpSensorTrigger",
    "OAuth2HttpTrigger",
    "WaitTrigger",
    "statuses",
]
