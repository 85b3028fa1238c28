"""Triggers that end with one event: after one call of an API, or after a pause."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Collection
from typing import Any, Unpack

from airflow.triggers.base import BaseTrigger, TriggerEvent
from requests import Response

from airflow_oauth_provider.calls.foreign_errors import shown_traceback
from airflow_oauth_provider.client.running_task import run_for
from airflow_oauth_provider.connection.identifier import one_conn_id
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.call.http_methods import IDEMPOTENT
from airflow_oauth_provider.protocol.redaction import NOTHING
from airflow_oauth_provider.tasks.arguments import header_names
from airflow_oauth_provider.triggers.call import MAX_EVENT_BODY, Call, CallParameters
from airflow_oauth_provider.triggers.events import dump_error, dump_response

log = logging.getLogger(__name__)

PUBLIC_MODULE = "airflow_oauth_provider.triggers.oauth2"
"""Where Airflow's database looks for the triggers of this package, wherever their classes stand."""


def path_of(trigger: BaseTrigger) -> str:
    """Return where Airflow finds the class of a trigger again."""
    kind = type(trigger)
    return f"{kind.__module__}.{kind.__qualname__}"


class CallTrigger(BaseTrigger):
    """A trigger that calls an API and ends with one event.

    :param call: what it calls.
    :param not_before: seconds since the epoch before which it does nothing; so a triggerer that is
        started again does not begin to wait anew.
    :param response_headers: headers that the event carries beside the harmless ones.
    :param max_event_body: bytes; a larger body is left out of the event.
    """

    methods = IDEMPOTENT

    def __init__(
        self,
        call: Call,
        *,
        not_before: float | None,
        response_headers: str | Collection[str],
        max_event_body: int | None,
    ) -> None:
        super().__init__()
        self.call = call
        if call.method.upper() not in self.methods:
            raise ConfigurationError(
                f"a triggerer that is started again would send {call.method} again: let the worker "
                f"make this call; here only {', '.join(sorted(self.methods))}",
                field="method",
                conn_id=call.oauth2_conn_id,
            )
        self.not_before = not_before
        self.response_headers = header_names(response_headers, call.oauth2_conn_id)
        self.max_event_body = max_event_body

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments: no token, no secret of the connection."""
        return path_of(self), {
            **self.call.arguments(),
            "not_before": self.not_before,
            "response_headers": list(self.response_headers),
            "max_event_body": self.max_event_body,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event.

        :return: of ``{"status": "success", "response": …}`` or ``{"status": "error", "error": …}``.
        """
        yield TriggerEvent(await self._event())

    async def _event(self) -> dict[str, Any]:
        redactor = NOTHING
        run_for(self.task_instance)
        try:
            if self.not_before is not None:
                await asyncio.sleep(max(0.0, self.not_before - time.time()))
            async with self.call.hook() as hook:
                try:
                    response = await self._response(hook)
                finally:
                    redactor = hook.redactor
                dumped = dump_response(
                    response, self.response_headers, redactor, max_body=self.max_event_body
                )
        except OAuthError as error:
            return {"status": "error", "error": redactor.value(dump_error(error))}
        except Exception as error:  # an event ends the task; an exception here would say less
            log.error("The trigger failed: %s", shown_traceback(error, redactor))  # noqa: TRY400
            return {"status": "error", "error": dump_error(error)}
        else:
            return {"status": "success", "response": dumped}

    @property
    def _read_limit(self) -> int | None:
        """Bytes to read: rather more than an event may carry, since to cut a response ends its connection."""
        return None if self.max_event_body is None else max(self.max_event_body, MAX_EVENT_BODY)

    @abstractmethod
    async def _response(self, hook: Any) -> Response:
        """Return the response with which the trigger ends."""


class OAuth2HttpTrigger(CallTrigger):
    """Make one call.

    A triggerer that is started again makes it again: so only methods that are idempotent (RFC 9110
    §9.2.2) are accepted.

    :param oauth2_conn_id: Airflow connection id.
    :param not_before: seconds since the epoch before which it does nothing; ``None`` for at once.
    :param response_headers: headers that the event carries beside the usual harmless ones.
    :param max_event_body: bytes; a larger body is left out of the event; ``None`` for any size.
    :param http_conn_id: another name for *oauth2_conn_id*.
    :param call: what it calls: :class:`CallParameters`.
    :raises ConfigurationError: when an argument cannot be meant; it names the argument.
    """

    __module__ = PUBLIC_MODULE

    def __init__(
        self,
        oauth2_conn_id: str | None = None,
        *,
        not_before: float | None = None,
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

    async def _response(self, hook: Any) -> Response:
        return await self.call.make(hook, limit=self._read_limit)


class WaitTrigger(BaseTrigger):
    """Wait, and do nothing else: for calls that only the worker may make.

    :param until: seconds since the epoch.
    """

    __module__ = PUBLIC_MODULE

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its arguments."""
        return path_of(self), {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, in time."""
        await asyncio.sleep(max(0.0, self.until - time.time()))
        yield TriggerEvent({"status": "waited"})
