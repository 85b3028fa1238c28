"""Report the outcome of a search for a token: one log line, metrics, the display index.

All of it on the caller's side, after the search: the token engine itself never calls Airflow. What
fails here costs a figure, never a token.

What reaches the index: each search that made a request, each token that came from the store (which is
what sharing saves: a task starts cold, and its first token costs nobody a request), and the first use
of changed settings. Tokens from memory are counted in this process and recorded with the next of these:
a write for each would cost more than the token.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Stats

from airflow_oauth_provider.client.history import Subject, recorder
from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError
from airflow_oauth_provider.protocol.access_token import AccessToken, scopes_text
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.display_index import DisplayIndex, display_fingerprint
from airflow_oauth_provider.tokens.history.counts import Counts
from airflow_oauth_provider.tokens.search_cost import SearchCost, Source
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.worker_threads import run_in_thread
from airflow_oauth_provider.transport.stopping import TaskStoppedError

log = logging.getLogger(__name__)

REQUESTS = "oauth2.token_requests"
RETRIES = "oauth2.token_retries"
REFUSALS = "oauth2.token_refusals"
HITS = "oauth2.token_hits"
WAIT = "oauth2.token_wait"
UNSAVED = "(test)"
"""Stands in metrics for the random name under which Airflow tests a connection."""

_KNOWN = 1024
# (connection id → fingerprint) as this process has recorded or seen it in the index.
_recorded: OrderedDict[str, str] = OrderedDict()
# (connection id → tokens served without a request) that are not in the index yet.
_unrecorded_hits: OrderedDict[str, int] = OrderedDict()
_FROM = {Source.STORE: "from_store", Source.FLIGHT: "from_flight"}
WAIT_COUNTS = 1.0
"""Seconds from which the history counts a wait."""
_not_in_a_tag = re.compile(r"[^A-Za-z0-9_.()-]+")
_plain_value = re.compile(r"[A-Za-z0-9_.:/-]+")


class Report:
    """One search for a token.

    :param team: that owns the connection, where that is known.
    :param saved: the connection exists under this id, so that displays may speak of it.
    :param recorded: the search was for the connection's own token, so that displays speak of it.
    :param own: settings of the connection itself, where those of the search are others.

    Set ``token`` or ``error``, have ``cost`` filled in, and call :meth:`end`.
    """

    def __init__(
        self,
        conn_id: str,
        settings: ClientSettings,
        sharing: Sharing,
        *,
        team: str | None = None,
        saved: bool = True,
        recorded: bool = True,
        own: ClientSettings | None = None,
    ) -> None:
        self.cost = SearchCost()
        self.token: AccessToken | None = None
        self.error: OAuthError | None = None
        self._conn_id = conn_id
        self._settings = settings
        self._sharing = sharing
        self._team = team
        self._saved = saved
        self._recorded = recorded
        self._subject = Subject(conn_id, own or settings, sharing)
        self._began = time.monotonic()

    def end(self) -> None:
        """Write the log line, the metrics and the index."""
        if self._has_outcome():
            self._publish()
            if self._worth_recording():
                self._record()

    def end_in_loop(self) -> None:
        """Do what :meth:`end` does without blocking an event loop: the store may take a while."""
        if self._has_outcome():
            self._publish()
            if self._worth_recording():
                with suppress(OAuthError):  # a display's affair
                    run_in_thread(self._record, "oauth2-display-index")

    def _has_outcome(self) -> bool:
        """Whether there is an outcome; a task that is being killed says nothing of the server."""
        return (self.token or self.error) is not None and not isinstance(self.error, TaskStoppedError)

    def _publish(self) -> None:
        seconds = time.monotonic() - self._began
        if self.cost.requests:
            log.info("%s", self._line(seconds))
        if self.token is not None and not self.cost.requests and self._saved and self._recorded:
            _count_hits(self._conn_id, 1)
        if self._saved:
            with suppress(Exception):  # a figure, never a token
                recorder.count(self._subject, self._counts(seconds))
        with suppress(Exception):  # whatever a metrics backend raises
            self._emit(seconds)

    def _line(self, seconds: float) -> str:
        """Return the log line: a few words, then name=value, as logfmt has it."""
        values: dict[str, Any] = {
            "connection": self._conn_id,
            "host": self._settings.server.origin.authority,
            "client": self._settings.client_id,
            "requests": self.cost.requests,
            "retries": self.cost.retries,
            "wait": f"{seconds:.2f}",
        }
        if self.token is not None:
            values |= {"lifetime": f"{self.token.lifetime:.0f}", "scopes": scopes_text(self.token)}
            word = "kept, since it could not be renewed yet" if self.cost.kept else "acquired"
            return f"Access token {word}: {_logfmt(values)}"
        values["error"] = error_code(self.error)
        return f"No access token: {_logfmt(values)}"

    def _counts(self, seconds: float) -> Counts:
        """Return what the history counts of this search."""
        requests = self.cost.requests
        return Counts(
            requests=requests,
            retries=self.cost.retries,
            waits=int(seconds >= WAIT_COUNTS),
            waited_ms=int(seconds * 1000),
            **dict.fromkeys(self._outcomes(), 1),
        )

    def _outcomes(self) -> tuple[str, ...]:
        """Return the names of what it counts as."""
        cost = self.cost
        if self.error is not None:
            if not cost.asked:
                return ("cool_downs",)
            return ("failed" if self.error.retryable else "refused",)
        if cost.kept:
            return ("from_memory", "failed") if cost.requests else ("from_memory",)
        if cost.requests:
            return ("granted", "renewals") if cost.renewed else ("granted",)
        return (_FROM.get(cost.source, "from_memory"),)

    def _emit(self, seconds: float) -> None:
        tags = metric_tags(self._conn_id if self._saved else UNSAVED, self._settings)
        requests = self.cost.requests
        if requests:
            Stats.incr(REQUESTS, requests, tags=tags)
        if self.cost.retries:
            Stats.incr(RETRIES, self.cost.retries, tags=tags)
        if self.error is not None:
            kind = {"error": _tag(error_code(self.error)), "retryable": str(self.error.retryable).lower()}
            Stats.incr(REFUSALS, tags=tags | kind)
        elif self.cost.kept or not requests:
            Stats.incr(HITS, tags={**tags, "level": self._level()})
        Stats.timing(WAIT, timedelta(seconds=seconds), tags=tags)

    def _level(self) -> str:
        return (Source.MEMORY if self.cost.kept else self.cost.source).value

    def _worth_recording(self) -> bool:
        if not self._saved or not self._recorded:
            return False
        fingerprint = display_fingerprint(self._settings)
        known = _recorded.get(self._conn_id) == fingerprint
        _recorded[self._conn_id] = fingerprint
        _forget_oldest(_recorded)
        return bool(self.cost.requests) or self._came_from_the_store() or not known

    def _came_from_the_store(self) -> bool:
        return self.token is not None and self.cost.source is Source.STORE

    def _record(self) -> None:
        hits = _unrecorded_hits.pop(self._conn_id, 0)
        index = DisplayIndex(self._sharing, self._conn_id, self._team)
        recorded = index.record(
            self._settings,
            token=self.token,
            error=self.error,
            requests=self.cost.requests,
            hits=hits,
        )
        if not recorded:
            _count_hits(self._conn_id, hits)


def forget(conn_id: str) -> None:
    """Record the connection anew when it is used next."""
    _recorded.pop(conn_id, None)
    _unrecorded_hits.pop(conn_id, None)


def reset() -> None:
    """Know no more than a new process does."""
    _recorded.clear()
    _unrecorded_hits.clear()
    recorder.reset()


def _count_hits(conn_id: str, hits: int) -> None:
    _unrecorded_hits[conn_id] = _unrecorded_hits.get(conn_id, 0) + hits
    _forget_oldest(_unrecorded_hits)


def _forget_oldest(known: OrderedDict[str, Any]) -> None:
    while len(known) > _KNOWN:
        with suppress(KeyError):  # another thread was faster
            known.popitem(last=False)


def report_memory_hits(
    conn_id: str, settings: ClientSettings, hits: int, *, subject: Subject, recorded: bool = True
) -> None:
    """Count tokens that came straight from memory, for metrics, the index and the history.

    :param recorded: as of :class:`Report`.
    """
    if recorded:
        _count_hits(conn_id, hits)
    with suppress(Exception):  # a figure, never a token
        recorder.count(subject, Counts(from_memory=hits))
    with suppress(Exception):  # whatever a metrics backend raises
        Stats.incr(HITS, hits, tags=metric_tags(conn_id, settings) | {"level": Source.MEMORY.value})


def metric_tags(conn_id: str, settings: ClientSettings) -> dict[str, str]:
    """Return what distinguishes metrics; no secret, and no character that StatsD gives a meaning."""
    return {"connection": _tag(conn_id), "host": _tag(settings.server.origin.host)}


def error_code(error: OAuthError | None) -> str:
    """Return the OAuth error code, else the HTTP status, else the kind of the error."""
    if isinstance(error, TokenEndpointError):
        return error.error or f"http_{error.status}"
    return type(error).__name__


def _tag(value: str) -> str:
    return _not_in_a_tag.sub("_", value)[:100]


def _logfmt(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={_quoted(str(value))}" for name, value in values.items())


def _quoted(text: str) -> str:
    return text if _plain_value.fullmatch(text) else json.dumps(text)
