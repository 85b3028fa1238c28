"""The arguments of a call, checked one by one: what cannot be sent is refused by its name.

What a caller gives may be of any type, and code of the caller's own runs while it is encoded. Whatever that
raises becomes a ``ConfigurationError`` that names the argument and the class of the error: its text may
repeat what was to be sent, and a traceback would show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import requests.utils
from requests import PreparedRequest, Request
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from airflow_oauth_provider.calls.options import is_time_limit
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError

DEFAULT_TIMEOUT = 60.0
"""Seconds for connecting and between two received bytes, where the caller does not say."""
_T = TypeVar("_T")
_USUAL_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ADVICE = {
    "method": "the method must be one word, such as GET",
    "endpoint": "it is no address that can be called",
    "params": "give a dict, a list of pairs or text",
    "headers": "names and values must be text without line breaks, in ISO 8859-1",
    "cookies": "give a dict of text",
    "data": "give a dict, text, bytes, a file or an iterable of bytes",
    "json": "give what JSON can say: dicts, lists, text, finite numbers, booleans, None",
    "files": "give a dict of names and files",
    "hooks": "a response hook raised it",
}


class Timeouts(NamedTuple):
    """Limits of one call, in seconds; ``None`` for none.

    :param connect: for connecting.
    :param read: from one received byte to the next; the head of the response must be complete by then.
    :param total: for all of it.
    """

    connect: float | None = DEFAULT_TIMEOUT
    read: float | None = DEFAULT_TIMEOUT
    total: float | None = None


def refused_argument(name: str, error: BaseException | None = None) -> ConfigurationError:
    """Return the error for an argument that cannot be sent.

    :param error: raised by it; only its class is named.
    """
    reason = f" ({type(error).__name__})" if error is not None else ""
    return ConfigurationError(f"cannot be sent{reason}: {_ADVICE[name]}", field=name)


def encoded(name: str, encode: Callable[..., _T], *arguments: Any) -> _T:
    """Return what *encode* makes of an argument.

    :raises ConfigurationError: naming the argument, for whatever *encode* raises.
    """
    try:
        return encode(*arguments)
    except OAuthError as error:
        refused: OAuthError = error
    except Exception as error:  # code of the caller's own may run in it
        refused = refused_argument(name, error)
    raise refused


def is_empty(value: Any) -> bool:
    """Whether an argument says nothing; what cannot tell is encoded, and refused by its name then."""
    try:
        return not value
    except Exception:  # code of the caller's own: that of a data frame, for example
        return False


def culprit(request: Request) -> str:
    """Return which argument of a request cannot be prepared; the last one when all can by themselves."""
    trials: dict[str, Callable[[PreparedRequest], Any]] = {
        "method": lambda trial: trial.prepare_method(request.method),
        "headers": lambda _: check_headers(request.headers),
        "params": lambda trial: trial.prepare_url("https://host.invalid/", request.params),
        "endpoint": lambda trial: trial.prepare_url(request.url, None),
        "json": lambda trial: trial.prepare_body(None, None, request.json),
        "files": lambda trial: trial.prepare_body(None, request.files),
        "cookies": lambda _: RequestsCookieJar().update(request.cookies or {}),
        "data": lambda trial: trial.prepare_body(request.data, None),
    }
    for name, attempt in trials.items():
        trial = PreparedRequest()
        trial.headers = CaseInsensitiveDict()
        try:
            attempt(trial)
        except Exception:  # whatever it is, the caller's argument is to blame
            return name
    return name


def check_headers(headers: Any) -> dict[str, str]:
    """Return headers as text.

    :raises Exception: whatever ``requests`` and the encoding of HTTP/1.1 have against them.
    """
    checked: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if value is None:
            continue  # of a session's headers this call leaves it out
        requests.utils.check_header_validity((name, value))
        checked[_text(name)] = _text(value)
    return checked


def _text(value: str | bytes) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    text.encode("latin-1")
    return text


def timeouts(timeout: Any = None, total: Any = None) -> Timeouts:
    """Read timeouts as ``requests`` does: seconds, or a pair for connecting and reading.

    :param timeout: ``None`` for the default; within a pair for no limit.
    :param total: seconds for the whole call; ``None`` for no limit.
    :raises ConfigurationError: when they are none.
    """
    if timeout is None and total is None:
        return DEFAULT_LIMITS
    pair = timeout if isinstance(timeout, tuple) else (DEFAULT_TIMEOUT if timeout is None else timeout,) * 2
    if len(pair) != 2 or not all(map(is_time_limit, pair)):
        raise ConfigurationError(
            "must be seconds above 0, or a pair of them, with None for no limit", field="timeout"
        )
    if not is_time_limit(total):
        raise ConfigurationError("must be a finite number of seconds above 0", field="total_timeout")
    return Timeouts(*pair, total)


DEFAULT_LIMITS = Timeouts()


def require_method(method: object, conn_id: str | None = None) -> None:
    """Refuse what is no HTTP method (RFC 9110 §9.1).

    :raises ConfigurationError: then.
    """
    if method not in _USUAL_METHODS and not (isinstance(method, str) and _METHOD.fullmatch(method)):
        refused = refused_argument("method")
        raise refused.for_connection(conn_id) if conn_id else refused


def require_known(given: Iterable[str], known: frozenset[str]) -> None:
    """Refuse arguments that a call does not have.

    :raises ConfigurationError: naming the first of them.
    """
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigurationError(
            f"a call has no such argument; it has {', '.join(sorted(known))}", field=str(unknown[0])
        )


def call_arguments(
    method: str, data: Any, headers: Mapping[str, Any] | None, request_kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Put *data* where Airflow's HTTP hook puts it: into the query of GET, else into the body."""
    arguments = request_kwargs
    if headers is not None:
        arguments["headers"] = headers
    if method == "GET":
        if data is not None and not is_empty(data):
            arguments["params"] = data
    elif method != "HEAD" and data is not None:
        arguments["data"] = data
    return arguments
