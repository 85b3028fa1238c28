"""A client whose connection is read before: for libraries that ask for tokens in threads of their own.

Airflow may not be called there: its channel to the supervisor has no lock in 3.0 and 3.1, and a forked
process shares that of its parent. Rules:

* The thread that reads the connection first is the client's home. There it is a client like any other: it
  reads the connection again before an acquisition, and so finds a rotated secret, or the connection gone.
* Every other thread, and every forked process, uses the connection as it was last read. Of secrets outside
  the connection it reads what is there now. What it masks, it masks in this process only.
* Clients for other parameters of the same connection have home and reading in common with it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.client.reading import KeptConnection
from airflow_oauth_provider.client.token_flow import Refusal, TokenFlow
from airflow_oauth_provider.connection.token_parameters import NONE_CHOSEN, TokenParameters
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken

_Thread = tuple[int, threading.Thread | None]
_NOWHERE: _Thread = (0, None)
"""No process and no thread: the connection is never read again."""


@dataclass
class _Home:
    """Where the connection may be read, and as what it was read there.

    :param thread: ``None`` while nobody has read it.
    """

    thread: _Thread | None = None
    kept: KeptConnection = field(default_factory=KeptConnection)


class PreparedClient(OAuth2Client):
    """A client that any thread may ask for a token, once its home has read the connection."""

    def __init__(
        self, conn_id: str, connection: Any = None, *, parameters: TokenParameters = NONE_CHOSEN
    ) -> None:
        super().__init__(conn_id, connection, parameters=parameters)
        self._live_at(_Home())

    def _live_at(self, home: _Home) -> None:
        self._home = home
        self.reader.kept = home.kept

    def used_with(self, parameters: TokenParameters) -> PreparedClient:
        """Return a client of the same connection for a use that asks for something else."""
        client = PreparedClient(self.conn_id, self.reader.connection, parameters=parameters)
        client._live_at(self._home)
        client.handed_out = self.handed_out
        return client

    def prepare(self, *, once: bool = False) -> ClientSettings:
        """Read the connection here, where Airflow may be called.

        :param once: it will not be read again, in this thread neither: the thread is the library's.
        :raises ConfigurationError: when the connection is wrong, or there is none.
        """
        settings = self._read()
        if once:
            self._home.thread = _NOWHERE
        return settings

    @property
    def may_read(self) -> bool:
        """Whether this thread may call Airflow."""
        return self._home.thread in (None, _here())

    def _read(self) -> ClientSettings:
        if not self.may_read:
            return self._use(self.reader.resolve_again())
        settings = super()._read()
        self._home.thread = _here()
        return settings

    async def _aread(self) -> ClientSettings:
        if not self.may_read:
            return self._use(await self.reader.aresolve_again())
        settings = await super()._aread()
        self._home.thread = _here()
        return settings

    def _run(self, flow: TokenFlow) -> AccessToken | None:
        with self._masking():
            return super()._run(flow)

    async def _arun(self, *, force: bool = False, refusal: Refusal | None = None) -> AccessToken | None:
        with self._masking():
            return await super()._arun(force=force, refusal=refusal)

    @contextmanager
    def _masking(self) -> Iterator[None]:
        if self.may_read:
            yield
        else:
            with masking.in_this_process_only():
                yield


def _here() -> _Thread:
    # The thread itself: its number is given to another one once it has ended.
    return os.getpid(), threading.current_thread()
