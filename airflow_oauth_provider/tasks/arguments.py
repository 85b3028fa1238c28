"""The arguments that operator, sensor, triggers and notifier share, refused by name as soon as possible.

What is no template is checked when the object is made, so that a typing error is an import error of the
DAG file; what is one when Airflow has rendered it. Imports next to nothing, since every DAG file does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, NoReturn

from airflow_oauth_provider.calls.options import COOL_DOWN, FLAGS, LONGEST, OPTIONS, is_time_limit
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.http_methods import KNOWN

NEVER_IN_EVENTS = frozenset(
    {
        "authorization",
        "authentication-info",
        "dpop-nonce",
        "proxy-authenticate",
        "proxy-authentication-info",
        "set-cookie",
        "set-cookie2",
        "www-authenticate",
    }
)
"""Headers that an event never carries: they may hold something secret."""
LATEST = 1e11
"""Seconds since the epoch that nobody means."""
_REQUEST = frozenset({"params", "json", "files", "cookies", "hooks"})
_PAGE = frozenset({"endpoint", "data", "headers", "extra_options"})


class Arguments:
    """Checks of one object's arguments.

    :param conn_id: of its connection, which each refusal names; left out where it is no text yet.
    """

    def __init__(self, conn_id: object) -> None:
        self._conn_id = conn_id if isinstance(conn_id, str) else None

    def refuse(self, name: str, message: str) -> NoReturn:
        """Refuse an argument.

        :raises ConfigurationError: always.
        """
        raise ConfigurationError(message, field=name, conn_id=self._conn_id)

    def method(self, value: object) -> None:
        """Check an HTTP method; its letters may be small."""
        if not isinstance(value, str):
            self.refuse("method", "must be the text of an HTTP method, such as GET")
        if value.upper() not in KNOWN:
            similar = get_close_matches(value.upper(), KNOWN, n=1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            self.refuse("method", f'"{value[:50]}" is no HTTP method that an API has{hint}')

    def flag(self, name: str, value: object) -> None:
        """Check what is true or false: the text "False" would be true."""
        if not isinstance(value, bool):
            self.refuse(name, "must be True or False")

    def text(self, name: str, value: object) -> None:
        """Check a text that may be left out."""
        if not isinstance(value, str | None):
            self.refuse(name, "must be text")

    def function(self, name: str, value: object) -> None:
        """Check a callable that may be left out."""
        if value is not None and not callable(value):
            self.refuse(name, "must be a callable, such as a function; a text is not called")

    def whole_number(self, name: str, value: object, *, least: int) -> None:
        """Check a whole number."""
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.refuse(name, f"must be a whole number of at least {least}")

    def time(self, name: str, value: object) -> None:
        """Check seconds since the epoch."""
        self.seconds(name, value, most=LATEST)

    def seconds(self, name: str, value: object, *, least: float = 0.0, most: float = LONGEST) -> None:
        """Check a duration in seconds or as ``timedelta``."""
        number = value.total_seconds() if isinstance(value, timedelta) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or not least <= number <= most:
            self.refuse(
                name, f"must be a number of seconds, at least {least:g}, or a timedelta; not for ever"
            )

    def headers(self, value: object, name: str = "headers") -> None:
        """Check the headers of a call, which may be left out."""
        if value is None:
            return
        if not isinstance(value, Mapping):
            self.refuse(name, "must be a dict of header names and values")
        for header, content in value.items():
            # Without a value, a header of the connection's is left out.
            if not isinstance(header, str | bytes) or not isinstance(content, str | bytes | None):
                self.refuse(name, f"the header {str(header)[:50]} must have a name and a value that are text")

    def options(self, value: object) -> None:
        """Check ``extra_options``, which may be left out."""
        if value is None:
            return
        if not isinstance(value, Mapping):
            self.refuse("extra_options", "must be a dict")
        self._known("extra_options", value, OPTIONS)
        for flag in FLAGS:
            if not isinstance(value.get(flag, False), bool):
                self.refuse("extra_options", f"{flag} must be True or False")
        timeout = value.get("timeout")
        pair = timeout if isinstance(timeout, tuple) and len(timeout) == 2 else (timeout,)
        if not all(map(is_time_limit, pair)):
            self.refuse(
                "extra_options",
                "timeout must be a number of seconds above 0, or two in a tuple, with None for no limit",
            )
        if value.get("cool_down") not in (None, *COOL_DOWN):
            self.refuse("extra_options", f"cool_down must be one of {', '.join(COOL_DOWN)}")
        if not is_time_limit(value.get("total_timeout")):
            self.refuse("extra_options", "total_timeout must be a finite number of seconds above 0")

    def body(self, method: str, *, data: object, json: object, request_kwargs: object) -> None:
        """Check that a call has one body at most, and that ``request_kwargs`` can be meant."""
        if not isinstance(request_kwargs, Mapping | None):
            self.refuse("request_kwargs", "must be a dict")
        request: Mapping[Any, Any] = request_kwargs or {}
        if "auth" in request:
            self.refuse("request_kwargs", "the OAuth 2.0 connection authenticates by itself: leave auth out")
        self._known("request_kwargs", request, _REQUEST)
        if json is not None and request.get("json") is not None:
            self.refuse("json", "give json itself or in request_kwargs, not both")
        # Of GET data are the query.
        if data and method.upper() != "GET" and (json is not None or request.get("json") is not None):
            self.refuse("json", "a call has one body: give json or data, not both")

    def page(self, value: object) -> None:
        """Check what a ``pagination_function`` has returned."""
        if not isinstance(value, Mapping):
            self.refuse("pagination_function", "must return a dict for the next page, or None after the last")
        self._known("pagination_function", value, _PAGE)
        self.text("pagination_function", value.get("endpoint"))
        self.headers(value.get("headers"), "pagination_function")
        self.options(value.get("extra_options"))

    def _known(self, name: str, value: Mapping[Any, Any], known: frozenset[str]) -> None:
        unknown = sorted(str(key)[:50] for key in value.keys() - known)
        if unknown:
            self.refuse(name, f"{', '.join(unknown)}: not known here; {', '.join(sorted(known))} are")


def header_names(names: str | Iterable[str], conn_id: object = None) -> tuple[str, ...]:
    """Return names of headers as a tuple; one alone may be given as text.

    :raises ConfigurationError: for those that an event never carries.
    """
    given = (names,) if isinstance(names, str) else tuple(names)
    arguments = Arguments(conn_id)
    for name in given:
        if not isinstance(name, str):
            arguments.refuse("response_headers", "must list names of headers")
    refused = sorted(NEVER_IN_EVENTS.intersection(name.lower() for name in given))
    if refused:
        arguments.refuse(
            "response_headers", f"an event never carries the header {', '.join(refused)}: leave it out"
        )
    return given


def http_statuses(values: Iterable[int | str], conn_id: object = None) -> frozenset[int]:
    """Read HTTP statuses, which may be given as text.

    :raises ConfigurationError: for anything else.
    """
    try:
        statuses = frozenset(int(value) for value in values)
    except (TypeError, ValueError):
        statuses = frozenset({0})
    if not all(100 <= status <= 999 for status in statuses):
        Arguments(conn_id).refuse("response_error_codes_allowlist", "must list HTTP statuses, such as 404")
    return statuses
