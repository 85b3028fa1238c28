"""The trigger that polls an API until it answers as expected. Every path of a poll sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Unpack

from airflow.triggers.base import TriggerEvent
from requests import Response

from airflow_oauth_provider.connection.identifier import one_conn_id
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.call.http_methods import SAFE
from airflow_oauth_provider.response_check import Inspection, ResponseCheck
from airflow_oauth_provider.tasks.arguments import Arguments, http_statuses
from airflow_oauth_provider.tasks.polling import MAX_CONSECUTIVE_FAILURES, Polling, Progress, pause_between
from airflow_oauth_provider.triggers.call import MAX_BODY, MAX_EVENT_BODY, Call, CallParameters
from airflow_oauth_provider.triggers.call_trigger import PUBLIC_MODULE, CallTrigger

LEAST_INTERVAL = 0.1
"""Seconds between two polls at the least, whatever is asked for."""


class OAuth2HttpSensorTrigger(CallTrigger):
    """Poll until the API answers with a status below 400, and *response_check* holds.

    :param oauth2_conn_id: Airflow connection id.
    :param poke_interval: seconds between two polls.
    :param response_error_codes_allowlist: HTTP statuses that mean "not yet".
    :param response_check: a :class:`ResponseCheck`, or its arguments.
    :param max_consecutive_failures: temporary failures in a row after which to give up; ``None`` for any
        number.
    :param backoff_since: seconds since the epoch of the first poll, for pauses that grow; ``None`` for
        *poke_interval* each time.
    :param max_wait: seconds of a growing pause at the most; ``None`` for any.
    :param not_before: seconds since the epoch before which it does nothing; ``None`` for at once.
    :param ends_at: seconds since the epoch at which it ends, with an event that says what it saw last;
        ``None`` for never.
    :param progress: of the polls before, as an event has it.
    :param response_headers: headers that the event carries beside the usual harmless ones.
    :param max_event_body: bytes; a larger body is left out of the event; ``None`` for any size.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :param call: what it calls: :class:`CallParameters`.
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    __module__ = PUBLIC_MODULE

    methods = SAFE

    def __init__(  # noqa: PLR0913  (HttpSensorTrigger's parameters and ours)
        self,
        oauth2_conn_id: str | None = None,
        *,
        poke_interval: float = 60.0,
        response_error_codes_allowlist: Collection[int | str] = (404,),
        response_check: ResponseCheck | Mapping[str, Any] | None = None,
        max_consecutive_failures: int | None = MAX_CONSECUTIVE_FAILURES,
        backoff_since: float | None = None,
        max_wait: float | None = None,
        not_before: float | None = None,
        ends_at: float | None = None,
        progress: dict[str, Any] | None = None,
        response_headers: str | Collection[str] = (),
        max_event_body: int | None = MAX_EVENT_BODY,
        http_conn_id: str | None = None,
        **call: Unpack[CallParameters],
    ) -> None:
        super().__init__(
            Call(one_conn_id(oauth2_conn_id, http_conn_id), **call),
            not_before=not_before,
            response_headers=response_headers,
            max_event_body=max_event_body,
        )
        conn_id = self.call.oauth2_conn_id
        self.poke_interval = poke_interval
        self.response_error_codes_allowlist = http_statuses(response_error_codes_allowlist, conn_id)
        self.response_check = ResponseCheck.of(response_check)
        self.max_consecutive_failures = max_consecutive_failures
        self.backoff_since = backoff_since
        self.max_wait = max_wait
        self.ends_at = ends_at
        self._check(response_check)
        self._polling = Polling(
            self.response_error_codes_allowlist,
            max_consecutive_failures,
            progress=self._progress(progress),
        )

    def _check(self, response_check: object) -> None:
        arguments = Arguments(self.call.oauth2_conn_id)
        if response_check is not None and self.response_check is None:
            arguments.refuse(
                "response_check", "a trigger takes a ResponseCheck: Python callables run on the worker"
            )
        arguments.seconds("poke_interval", self.poke_interval)
        if self.max_wait is not None:
            arguments.seconds("max_wait", self.max_wait)
        for name in ("backoff_since", "ends_at", "not_before"):
            if getattr(self, name) is not None:
                arguments.time(name, getattr(self, name))
        if self.max_consecutive_failures is not None:
            arguments.whole_number("max_consecutive_failures", self.max_consecutive_failures, least=1)

    def _progress(self, state: dict[str, Any] | None) -> Progress:
        try:
            return Progress() if state is None else Progress.of(state)
        except ValueError as error:
            Arguments(self.call.oauth2_conn_id).refuse("progress", f"was made by another version: {error}")

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
            "ends_at": self.ends_at,
            "progress": self._polling.progress.state(),
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event.

        :return: as of :class:`OAuth2HttpTrigger`, or of ``{"status": "timeout"}``; with ``progress``.
        """
        left = None if self.ends_at is None else max(0.0, self.ends_at - time.time())
        try:
            async with asyncio.timeout(left) as limit:
                event = await self._event()
        except TimeoutError:
            if not limit.expired():
                raise
            event = {"status": "timeout"}
        yield TriggerEvent({**event, "progress": self._polling.progress.state()})

    async def _response(self, hook: Any) -> Response:
        polling = self._polling
        limit = self._read_limit if self.response_check is None else MAX_BODY
        while True:
            try:
                response = await self.call.poll(hook, limit=limit)
            except OAuthError as error:
                polling.failed(error)
            else:
                # Without a declared check the worker looks at the response, and counts the poll.
                if self.response_check is None or polling.inspected(self._inspect(response), hook.redact):
                    return response
            waited = None if self.backoff_since is None else time.time() - self.backoff_since
            pause = pause_between(self.poke_interval, waited=waited, longest=self.max_wait)
            pause = max(pause, polling.retry_after, LEAST_INTERVAL)
            polling.pausing(pause)
            await asyncio.sleep(pause)

    def _inspect(self, response: Response) -> Inspection:
        if response.content is None:
            raise ConfigurationError(
                f"the response is larger than {MAX_BODY} bytes, which is more than a check in the triggerer "
                "reads: give a Python callable, which runs on the worker",
                field="response_check",
                conn_id=self.call.oauth2_conn_id,
            )
        if self.response_check is None:
            raise AssertionError("there is a check")
        return self.response_check.inspect(response)
