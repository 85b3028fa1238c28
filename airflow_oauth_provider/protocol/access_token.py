"""The access token and how fresh it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NoReturn, Self

from airflow_oauth_provider.protocol.texts import MAX_SCOPES, cut

ADVISORY_WINDOW = 300.0
MANDATORY_MARGIN = 60.0
CLOCK_TOLERANCE = 300.0
"""Seconds a token may seem to come from the future before the clock is not believed."""

LONGEST_LIFETIME = 366 * 86_400.0
"""Seconds from issue beyond which no end of a token is believed."""
LATEST_TIME = 253_402_300_799.0
"""The end of the year 9999: no display can show what comes later."""


class TokenState(Enum):
    """How fresh a token is.

    Use it while ``FRESH``; while ``ADVISORY`` use it and renew it; in ``MANDATORY`` and
    ``EXPIRED`` nobody uses it: a call could outlive it.
    """

    FRESH = "fresh"
    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    EXPIRED = "expired"


AS_ASKED = "as asked; the server did not say"
"""Said of scopes where the response names none."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token (RFC 6749 §1.4) with what the server said of it.

    :param value: the token itself; hidden wherever the object is printed.
    :param token_type: ``"Bearer"``.
    :param expires_at: seconds since the epoch, counted from before the request was sent.
    :param issued_at: seconds since the epoch, just before the request was sent.
    :param scopes: granted scopes.
    :param scopes_stated: whether the server named them; else *scopes* are those that were asked for
        (RFC 6749 §5.1), and what the server has really granted is not known.
    """

    value: str = field(repr=False)
    token_type: str
    expires_at: float
    issued_at: float
    scopes: frozenset[str] = frozenset()
    scopes_stated: bool = True

    @property
    def token(self) -> str:
        """The token itself, under the name that Azure's libraries know it by."""
        return self.value

    @property
    def expires_on(self) -> int:
        """When it ends, in whole seconds since the epoch; under the name that Azure's libraries know."""
        return int(self.expires_at)

    @property
    def lifetime(self) -> float:
        """Seconds from issue to expiry."""
        return self.expires_at - self.issued_at

    @property
    def mandatory_at(self) -> float:
        """From this time on (seconds since the epoch) nobody uses the token."""
        return self.expires_at - min(MANDATORY_MARGIN, self.lifetime / 10)

    @property
    def advisory_at(self) -> float:
        """From this time on (seconds since the epoch) the token is worth renewing."""
        return self.expires_at - min(ADVISORY_WINDOW, self.lifetime / 2)

    def state(self, now: float) -> TokenState:
        """How fresh the token is.

        :param now: seconds since the epoch.
        :return: ``EXPIRED`` too for a token issued more than 300 s after *now*: the clock that
            issued it was wrong, so its expiry cannot be believed.
        """
        if now >= self.expires_at or self.issued_at - now > CLOCK_TOLERANCE:
            return TokenState.EXPIRED
        if now >= self.mandatory_at:
            return TokenState.MANDATORY
        return TokenState.ADVISORY if now >= self.advisory_at else TokenState.FRESH

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AccessToken cannot be pickled: ask the hook for one where it is needed")

    def serialize(self) -> NoReturn:
        """Refuse to go into XCom, where Airflow would write all fields of what a task returns.

        :raises TypeError: always.
        """
        raise TypeError("an AccessToken does not go into XCom: ask the hook for one where it is needed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def scopes_text(token: AccessToken) -> str:
    """Return the scopes for a line of a log or a message, and whether the server named them.

    :return: at most 2 KiB and a few words; empty when there are no scopes at all.
    """
    text = cut(" ".join(sorted(token.scopes)), MAX_SCOPES)
    return f"{text} ({AS_ASKED})" if text and not token.scopes_stated else text
