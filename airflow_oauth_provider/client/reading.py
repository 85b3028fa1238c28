"""Read one connection, check it and register its secrets with Airflow's masker.

One thread at a time calls Airflow: its channel to the supervisor mixes up the responses of concurrent callers
in 3.0 and 3.1.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.airflow_warnings import without_false_alarm
from airflow_oauth_provider.connection.external import names_external
from airflow_oauth_provider.connection.identifier import connection_not_found
from airflow_oauth_provider.connection.resolving import Resolved, resolve
from airflow_oauth_provider.connection.token_parameters import NONE_CHOSEN, TokenParameters
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.async_single_flight import AsyncSingleFlight, in_thread
from airflow_oauth_provider.tokens.sharing import ALONE

log = logging.getLogger(__name__)

_FIELDS = ("conn_id", "conn_type", "host", "port", "schema", "login", "password", "extra", "team_name")
FRESH_READ = 1.0
"""Seconds for which a connection that was just read need not be read again."""


class _Reading(NamedTuple):
    """What was read, and what it resolved to.

    :param digest: of the connection's fields.
    :param used: the settings of this use.
    :param own: the settings of the connection itself, whichever tenant this use has chosen.
    """

    digest: bytes
    policy: Policy
    resolved: Resolved
    used: ClientSettings
    own: ClientSettings


@dataclass
class KeptConnection:
    """A connection as it was last read, for those who resolve it where Airflow may not be called.

    All uses of it have one in common; nothing of it is shown.
    """

    connection: Any = field(default=None, repr=False)
    policy: Policy | None = field(default=None, repr=False)


class ConnectionReader:
    """The settings of one connection, as last read.

    :param connection: the connection itself, where the caller has it already; it is not read again then.
    :param masks: register every form of the secrets with Airflow's masker.
    :param parameters: of this use of the connection.

    :param on_change: called when the settings become others, before and after anybody can see those: what
        depends on them ends.

    ``kept`` is for those who call :meth:`resolve_again`; ``None`` for all others.

    ``own_settings`` are the connection's, without *parameters*. ``settings`` stays the same object while the
    connection does, so that all that depends on it stays too.
    """

    def __init__(
        self,
        conn_id: str,
        connection: Any = None,
        *,
        masks: bool = True,
        parameters: TokenParameters = NONE_CHOSEN,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self.parameters = parameters
        self._on_change = on_change
        self.own_settings: ClientSettings | None = None
        self.conn_id = conn_id
        self.connection = connection
        self.settings: ClientSettings | None = None
        self.sharing = ALONE
        self.warnings: tuple[str, ...] = ()
        self._masks = masks
        self._warned = False
        self._last: _Reading | None = None
        self.kept: KeptConnection | None = None
        self._read_at = float("-inf")
        self._single_flight: AsyncSingleFlight[ClientSettings] = AsyncSingleFlight()

    @property
    def is_recent(self) -> bool:
        """Whether the connection has been read within the last second."""
        return time.monotonic() - self._read_at <= FRESH_READ

    def read(self) -> ClientSettings:
        """Read the connection.

        :raises ConfigurationError: when it is wrong, or there is none of that id.
        """
        with masking.airflow_channel:
            reading = self._resolve(self.connection or get_connection(self.conn_id), read_policy())
            if reading is not self._last:
                self._mask(reading.resolved.settings)
        return self._keep(reading)

    async def aread(self) -> ClientSettings:
        """Read the connection without blocking the loop, once for all coroutines that want it now.

        :raises ConfigurationError: as :meth:`read` does.
        """
        return await self._single_flight.do("settings", self._aread)

    async def _aread(self) -> ClientSettings:
        connection, policy = self.connection or await aget_connection(self.conn_id), read_policy()
        if names_external(connection):  # whose file may lie on a disk that does not respond
            reading = await in_thread(lambda: self._resolve(connection, policy))
        else:
            reading = self._resolve(connection, policy)
        if reading is not self._last:
            await masking.amask_settings(reading.resolved.settings)
        return self._keep(reading)

    def resolve_again(self) -> ClientSettings:
        """Return the settings of the connection as it was read, without calling Airflow.

        What lies outside the connection is read again, since it may have been rotated.

        :raises ConfigurationError: when that cannot be read.
        """
        with masking.in_this_process_only():
            return self._keep(self._resolved_again())

    async def aresolve_again(self) -> ClientSettings:
        """Do what :meth:`resolve_again` does without blocking the loop."""
        return await in_thread(self.resolve_again)

    def _resolved_again(self) -> _Reading:
        kept, last = self.kept, self._last
        if kept is None or kept.policy is None:
            raise AssertionError("the connection is read before")
        reading = self._resolve(kept.connection, kept.policy)
        if reading is not last:
            self._mask(reading.resolved.settings)
        return reading

    def _mask(self, settings: ClientSettings) -> None:
        if self._masks:
            masking.mask_settings(settings)
        elif settings.external is not None:  # which Airflow has not read itself
            masking.mask_credential(settings)

    def _resolve(self, connection: Any, policy: Policy) -> _Reading:
        """Resolve what was read; what is as it was last time is resolved and checked already."""
        digest = _digest(connection)
        last = self._last
        if (
            last is not None
            and last.policy is policy
            and last.digest == digest
            and last.resolved.is_current()
        ):
            return last
        try:
            resolved = resolve(connection, policy, tenant=self.parameters.tenant)
            used = self.parameters.applied(resolved.settings)
            own = self._own(connection, policy, resolved)
        except ConfigurationError as caught:
            error = caught.for_connection(self.conn_id)
        else:
            if self.kept is not None:
                self.kept.connection, self.kept.policy = connection, policy
            return _Reading(digest, policy, resolved, used, own)
        del connection  # its repr, which tools show with a traceback, has the password
        raise error

    def _own(self, connection: Any, policy: Policy, resolved: Resolved) -> ClientSettings:
        if self.parameters.tenant is not None:
            with suppress(ConfigurationError):  # it may have no tenant of its own
                return resolve(connection, policy).settings
        return resolved.settings

    def _keep(self, reading: _Reading) -> ClientSettings:
        self._last = reading
        resolved = reading.resolved
        self.warnings = resolved.warnings
        if not self._warned:
            self._warned = True
            for warning in resolved.warnings:
                log.warning('Connection "%s": %s', self.conn_id, warning)
        self._read_at = time.monotonic()
        self.sharing = reading.policy.sharing
        settings = reading.used
        self.own_settings = reading.own
        if self.settings is None or self.settings != settings:
            self._on_change()
            self.settings = settings
            self._on_change()
        return self.settings


def _digest(connection: Any) -> bytes:
    fields = [getattr(connection, name, None) for name in _FIELDS]
    return hashlib.sha256(repr(fields).encode("utf-8", "surrogatepass")).digest()


def get_connection(conn_id: str) -> Any:
    """Read a connection through Airflow.

    :raises ConnectionNotFoundError: when there is none.
    """
    try:
        with without_false_alarm():
            return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise connection_not_found(conn_id) from None


async def aget_connection(conn_id: str) -> Any:
    """Do what :func:`get_connection` does without blocking the loop."""
    from airflow.providers.common.compat.connection import get_async_connection

    if _loops.ended_by_fork or _is_for_threads_only():
        return await in_thread(partial(_get_alone, conn_id))
    _loops.used = True
    try:
        with without_false_alarm():
            return await get_async_connection(conn_id)
    except AirflowNotFoundException:
        raise connection_not_found(conn_id) from None


def _is_for_threads_only() -> bool:
    """Whether Airflow's channel knows no coroutines: they would be told that there is no such connection.

    ``dag.test()`` and ``airflow dags test`` run triggers with such a channel.
    """
    task_runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    channel = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return hasattr(channel, "send") and not hasattr(channel, "asend")


def _get_alone(conn_id: str) -> Any:
    with masking.airflow_channel:
        return get_connection(conn_id)


@dataclass
class _Loops:
    """Whether event loops may read connections by Airflow's own way.

    Airflow reads in a thread that asgiref keeps. A forked process does not have it, and would wait for ever
    for the thread of its parent.
    """

    used: bool = False
    ended_by_fork: bool = False


_loops = _Loops()


def _reset_after_fork() -> None:
    _loops.ended_by_fork |= _loops.used


os.register_at_fork(after_in_child=_reset_after_fork)
