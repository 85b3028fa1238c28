"""The acquisitions of one connection's tokens: what the token engine is asked for, and the report of each.

A thread and a coroutine ask for the same flow, and report the same outcome: the one waits until the store has
it, the other does not.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_oauth_provider.client.handed_out import own_error
from airflow_oauth_provider.client.memory_hits import MemoryHits
from airflow_oauth_provider.client.report import Report
from airflow_oauth_provider.client.token_flow import Acquire
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.flows import adrive, drive
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.acquiring import carry_out
from airflow_oauth_provider.tokens.async_single_flight import acarry_out
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.search_cost import SearchCost
from airflow_oauth_provider.transport.stopping import Stop


class ReportedAcquisitions(MemoryHits):
    """A part of the client.

    ``cost`` says what the last search for a token cost.
    """

    cost: SearchCost
    stop: Stop
    _read_is_used: bool
    """An acquisition has used the settings: the next one reads the connection anew."""

    @property
    @abstractmethod
    def redactor(self) -> Redactor:
        """Removes what may not appear in an error."""

    def _acquire(self, acquire: Acquire) -> AccessToken | None:
        report = self._report(acquire.settings)
        with self._reported(report):
            report.token = drive(self._acquiring_flow(acquire, report), carry_out)
        return report.token

    async def _aacquire(self, acquire: Acquire) -> AccessToken | None:
        report = self._report(acquire.settings)
        with self._reported(report, in_loop=True):
            report.token = await adrive(self._acquiring_flow(acquire, report, in_loop=True), acarry_out)
        return report.token

    def _acquiring_flow(self, acquire: Acquire, report: Report, *, in_loop: bool = False) -> Any:
        self._read_is_used = True
        settings, sharing, refusal = acquire.settings, self.reader.sharing, acquire.refusal
        search: dict[str, Any] = {
            "stop": self.stop,
            "cost": report.cost,
            "before_asking": self.derived.remembering(settings),
        }
        if refusal is not None:
            return shared.renewing(settings, sharing, refusal.token, refusal.origin, **search)
        return shared.acquiring(settings, sharing, force=acquire.force, look_up=not in_loop, **search)

    def _report(self, settings: ClientSettings, *, saved: bool = True) -> Report:
        team = getattr(self.reader.connection, "team", None)
        return Report(
            self.conn_id,
            settings,
            self.reader.sharing,
            team=team,
            saved=saved,
            recorded=not self.derived.chosen,
            own=self.reader.own_settings,
        )

    @contextmanager
    def _reported(self, report: Report, *, in_loop: bool = False) -> Iterator[None]:
        """Name the connection in errors, and report the outcome, whichever it is."""
        self.cost = report.cost
        try:
            yield
        except OAuthError as error:
            report.error = error
            raise own_error(error, self.conn_id, self.redactor) from None
        finally:
            self._report_hits()
            if in_loop:
                report.end_in_loop()
            else:
                report.end()
