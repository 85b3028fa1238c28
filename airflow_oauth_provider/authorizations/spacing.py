"""How fast a host may be asked that has refused a client: many lock an address after a few in a row."""

from __future__ import annotations

import threading
import time

from airflow_oauth_provider.authorizations.results import CheckResult
from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError
from airflow_oauth_provider.protocol.token.errors import CLIENT_ERRORS

SPACING = 1.0
"""Seconds between two requests to a host that has just refused a client."""


class HostSpacing:
    """Which hosts have refused a client and granted nothing since; times are monotonic seconds.

    Good for several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused_at: dict[str, float] = {}
        self._not_before: dict[str, float] = {}

    def wait(self, host: str, now: float) -> float:
        """Return the seconds until a host may be asked."""
        return self._not_before.get(host, now) - now

    def record_request(self, host: str, now: float) -> None:
        """Let the next request wait, where the host has refused."""
        if host in self._not_before:
            self._not_before[host] = now + SPACING

    def take_turn(self, host: str) -> None:
        """Wait until a host may be asked, and let the next one wait for this request."""
        while True:
            with self._lock:
                now = time.monotonic()
                seconds = self.wait(host, now)
                if seconds <= 0:
                    self.record_request(host, now)
                    return
            time.sleep(seconds)

    def record_outcome(self, host: str, checked: CheckResult, started_at: float) -> None:
        """Space out after a refusal, and no longer once a check that began later gets a token."""
        with self._lock:
            if _refuses_client(checked.error):
                self._refused_at[host] = now = time.monotonic()
                self._not_before[host] = now + SPACING
            elif checked.expires_at is not None and started_at > self._refused_at.get(host, started_at):
                del self._refused_at[host], self._not_before[host]


def _refuses_client(error: OAuthError | None) -> bool:
    return isinstance(error, TokenEndpointError) and error.error in CLIENT_ERRORS
