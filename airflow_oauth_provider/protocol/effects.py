"""What a flow of the protocol wants done, and how it learns the outcome.

A flow is a generator: it yields an effect, is sent an :class:`Outcome`, and returns its result or raises the
typed error. It never sleeps, sends or reads a clock itself, so flows compose by ``yield from``, one driver
(:mod:`airflow_oauth_provider.transport.driver`) carries all of them out, and every path of one can be tested
in microseconds.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.http import Failure, HttpResponse
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.metadata import KnownMetadata
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.protocol.token.response import Granted


@dataclass(frozen=True)
class Send:
    """Send a request; give up at *deadline* (monotonic seconds)."""

    request: TokenRequest
    deadline: float


@dataclass(frozen=True)
class Fetch:
    """GET a document that is nobody's secret; give up at *deadline* (monotonic seconds)."""

    url: str
    deadline: float


@dataclass(frozen=True)
class ReadAssertion:
    """Read the assertion that a request is about to carry; answered by a :class:`Secret`."""

    file: AssertionFile


@dataclass(frozen=True)
class AskProvider:
    """Call the ``custom`` provider."""


@dataclass(frozen=True)
class Sleep:
    """Wait.

    :param seconds: how long.
    :param reason: the error that will be tried again.
    """

    seconds: float
    reason: OAuthError


@dataclass(frozen=True)
class Remember:
    """Keep metadata that was just fetched, for those who come later."""

    metadata: KnownMetadata


Effect = Send | Fetch | Remember | ReadAssertion | AskProvider | Sleep


@dataclass(frozen=True)
class Outcome:
    """The outcome of an effect, and when it came."""

    moment: Moment
    result: HttpResponse | Failure | Granted | Secret | OAuthError | None = None


Result = TypeVar("Result")
Flow = Generator[Effect, Outcome, Result]
