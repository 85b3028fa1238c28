"""Tell what came of a search for a token: one log line, metrics, the display index.

All of it on the caller's side, after the search: the token engine itself never calls Airflow. What
fails here costs a figure, never a token.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError
from airflow_oauth_provider.protocol.access_token import AccessToken, scopes_text
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.display_index import DisplayIndex, display_fingerprint
from airflow_oauth_provider.tokens.search_cost import Source, Trace
from airflow_oauth_provider.tokens.sharing import Sharing
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
# (connection id → fingerprint) as this process has noted or seen it in the index.
_noted: OrderedDict[str, str] = OrderedDict()
# Tokens served without a request and not in the index yet: a write for each would cost more than it.
_served: OrderedDict[str, int] = OrderedDict()
_not_in_a_tag = re.compile(r"[^A-Za-z0-9_.()-]+")


class Report:
    """One search for a token.

    :param team: that owns the connection, where that is known.
    :param saved: the connection exists under this id, so that displays may speak of it.

    Set ``token`` or ``error``, have ``trace`` filled in, and call :meth:`end`.
    """

    def __init__(
        self,
        conn_id: str,
        settings: ClientSettings,
        sharing: Sharing,
        *,
        team: str | None = None,
        saved: bool = True,
    ) -> None:
        self.trace = Trace()
        self.token: AccessToken | None = None
        self.error: OAuthError | None = None
        self._conn_id = conn_id
        self._settings = settings
        self._sharing = sharing
        self._team = team
        self._saved = saved
        self._began = time.monotonic()

    def end(self) -> None:
        """Tell."""
        if self._counts():
            self._tell()
            if self._worth_a_note():
                self._note()

    def end_in_loop(self) -> None:
        """Tell without blocking an event loop: the store may take a while."""
        if self._counts():
            self._tell()
            if self._worth_a_note():
                threading.Thread(target=self._note, name="oauth2-display-index", daemon=True).start()

    def _counts(self) -> bool:
        """Whether anything came of it; a task that is being killed says nothing of the server."""
        return (self.token or self.error) is not None and not isinstance(self.error, TaskStoppedError)

    def _tell(self) -> None:
        seconds = time.monotonic() - self._began
        if self.trace.requests:
            log.info("%s", self._line(seconds))
        if self.token is not None and not self.trace.requests and self._saved:
            _serve(self._conn_id, 1)
        with suppress(Exception):  # whatever a metrics backend raises
            self._emit(seconds)

    def _line(self, seconds: float) -> str:
        """Return the log line: a few words, then name=value, as logfmt has it."""
        said: dict[str, Any] = {
            "connection": self._conn_id,
            "host": self._settings.token_url.origin.authority,
            "client": self._settings.client_id,
            "requests": self.trace.requests,
            "retries": self.trace.retries,
            "wait": f"{seconds:.2f}",
        }
        if self.token is not None:
            said |= {"lifetime": f"{self.token.lifetime:.0f}", "scopes": scopes_text(self.token)}
            word = "kept, since it could not be renewed yet" if self.trace.kept else "acquired"
            return f"Access token {word}: {_logfmt(said)}"
        said["error"] = error_code(self.error)
        return f"No access token: {_logfmt(said)}"

    def _emit(self, seconds: float) -> None:
        from airflow.providers.common.compat.sdk import Stats

        tags = metric_tags(self._conn_id if self._saved else UNSAVED, self._settings)
        requests = self.trace.requests
        if requests:
            Stats.incr(REQUESTS, requests, tags=tags)
        if self.trace.retries:
            Stats.incr(RETRIES, self.trace.retries, tags=tags)
        if self.error is not None:
            Stats.incr(REFUSALS, tags={**tags, "error": _tag(error_code(self.error))})
        elif self.trace.kept or not requests:
            Stats.incr(HITS, tags={**tags, "level": self._level()})
        Stats.timing(WAIT, timedelta(seconds=seconds), tags=tags)

    def _level(self) -> str:
        return (Source.MEMORY if self.trace.kept else self.trace.source).value

    def _worth_a_note(self) -> bool:
        if not self._saved:
            return False
        fingerprint = display_fingerprint(self._settings)
        known = _noted.get(self._conn_id) == fingerprint
        _noted[self._conn_id] = fingerprint
        while len(_noted) > _KNOWN:
            with suppress(KeyError):
                _noted.popitem(last=False)
        return bool(self.trace.requests) or not known

    def _note(self) -> None:
        hits = _served.pop(self._conn_id, 0)
        index = DisplayIndex(self._sharing, self._conn_id, self._team)
        noted = index.note(
            display_fingerprint(self._settings),
            token=self.token,
            error=self.error,
            requests=self.trace.requests,
            hits=hits,
        )
        if not noted:
            _serve(self._conn_id, hits)


def forgotten(conn_id: str) -> None:
    """Note the connection anew when it is used next."""
    _noted.pop(conn_id, None)
    _served.pop(conn_id, None)


def _serve(conn_id: str, hits: int) -> None:
    _served[conn_id] = _served.get(conn_id, 0) + hits
    while len(_served) > _KNOWN:
        with suppress(KeyError):
            _served.popitem(last=False)


def tell_memory_hits(conn_id: str, settings: ClientSettings, hits: int) -> None:
    """Tell metrics of tokens that came straight from memory."""
    _serve(conn_id, hits)
    with suppress(Exception):  # as above
        from airflow.providers.common.compat.sdk import Stats

        Stats.incr(HITS, hits, tags=metric_tags(conn_id, settings) | {"level": Source.MEMORY.value})


def metric_tags(conn_id: str, settings: ClientSettings) -> dict[str, str]:
    """Return what metrics are told apart by; no secret, and no character that StatsD gives a meaning."""
    return {"connection": _tag(conn_id), "host": _tag(settings.token_url.origin.host)}


def error_code(error: OAuthError | None) -> str:
    """Return the OAuth error code, else the HTTP status, else the kind of the error."""
    if isinstance(error, TokenEndpointError):
        return error.error or f"http_{error.status}"
    return type(error).__name__


def _tag(value: str) -> str:
    return _not_in_a_tag.sub("_", value)[:100]


def _logfmt(said: dict[str, Any]) -> str:
    return " ".join(f"{name}={_quoted(str(value))}" for name, value in said.items())


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_.:/-]+", text) else json.dumps(text)
