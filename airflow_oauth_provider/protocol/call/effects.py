"""What a protected call asks of its driver, and what it is sent back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from airflow_oauth_provider.protocol.urls import Origin


class SendCall(NamedTuple):
    """Send the request; its outcome is a :class:`ResponseHead`.

    :param trusted: false for an origin that may see nothing of ours: no token, cookie or header
        of the connection's.
    :param with_body: false when a redirect has turned the call into a GET.
    :param nonce: that the API has just named for the proof of this very call; ``None`` for whichever it has
        named last to anybody.
    """

    method: str
    url: str
    trusted: bool = True
    with_body: bool = True
    nonce: str | None = None


@dataclass(frozen=True)
class RenewToken:
    """Get another token than the one just refused; its outcome is whether there is one.

    :param origin: that refused it.
    """

    origin: Origin


@dataclass(frozen=True)
class ReportRefusal:
    """Report that a token was refused which had only just been renewed; its outcome is ``False``.

    :param origin: that refused it.
    """

    origin: Origin


@dataclass(frozen=True)
class ReportCoolDown:
    """Report that an API asks to be left alone; its outcome is ``False``.

    :param origin: that asks.
    :param status: by which it does.
    :param seconds: for which.
    """

    origin: Origin
    status: int
    seconds: float


@dataclass(frozen=True)
class LookUpCoolDown:
    """Look up whether an API wants to be left alone; its outcome is a :class:`CoolDown`, or ``None``.

    :param origin: of the API.
    """

    origin: Origin


@dataclass(frozen=True)
class Pause:
    """Wait, because of a cool-down.

    :param seconds: how long.
    :param cool_down: for which the call waits, so that a driver can say so.
    """

    seconds: float
    cool_down: CoolDown


class CoolDown(NamedTuple):
    """A time in which nobody calls an API with one credential.

    :param left: seconds until its end.
    :param whole: seconds from its beginning to its end.
    :param status: HTTP status by which the API has asked for it.
    """

    left: float
    whole: float
    status: int


class ResponseHead(NamedTuple):
    """What the flow needs to know of a response.

    :param location: the ``Location`` header.
    :param challenges: the ``WWW-Authenticate`` headers.
    :param nonces: the ``DPoP-Nonce`` headers.
    :param date: the ``Date`` header.
    :param tells_dead_token: its body says that the token has ended, whatever its status.
    :param retry_after: seconds for which the API asks to be left alone; ``None`` where it does not.
    :param proof_can_improve: the proof of the call was refused, and one that is made now knows better.
    """

    status: int
    location: str | None = None
    challenges: tuple[str, ...] = ()
    nonces: tuple[str, ...] = ()
    date: str | None = None
    proof_can_improve: bool = False
    tells_dead_token: bool = False
    retry_after: float | None = None
