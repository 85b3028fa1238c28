"""``WWW-Authenticate``: what a refusing server says about the credential it wants.

RFC 9110 §11.6.1 (several challenges in one header, several headers) and RFC 6750 §3 (``error``,
``scope``). Nothing malformed raises: it counts as no challenge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*(?=,|\Z)')
_SCHEME = re.compile(rf"\s*({_TOKEN})(?:\s+|(?=,)|\Z)")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*\s*(?=,|\Z)")
_MAX_LENGTH = 8192


@dataclass(frozen=True)
class Challenge:
    """One challenge.

    :param name: of the scheme, as the server has written it.
    :param parameters: names in lower case.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def scheme(self) -> str:
        """The scheme, whose case does not matter (RFC 9110 §11.1), in lower case."""
        return self.name.lower()


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Parse the header's values, however many there are."""
    return tuple(challenge for value in values for challenge in _parse(value[:_MAX_LENGTH]))


def of_scheme(challenges: Iterable[Challenge], scheme: str) -> Challenge | None:
    """Return the first challenge of a scheme.

    :param scheme: in lower case.
    """
    return next((challenge for challenge in challenges if challenge.scheme == scheme), None)


def _parse(text: str) -> list[Challenge]:
    challenges: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(text):
        if text[position] in ", \t":
            position += 1
            continue
        parameter = _PARAMETER.match(text, position)
        if parameter:
            if not challenges:
                return []
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            challenges[-1][1][name.lower()] = value
            position = parameter.end()
            continue
        scheme = _SCHEME.match(text, position)
        if not scheme:
            return []
        challenges.append((scheme.group(1), {}))
        position = scheme.end()
        credentials = _TOKEN68.match(text, position)
        if credentials and not _PARAMETER.match(text, position) and _looks_like_token68(text, position):
            position = credentials.end()
    return [Challenge(name, parameters) for name, parameters in challenges]


def _looks_like_token68(text: str, position: int) -> bool:
    """Tell ``Negotiate YII=`` from ``Basic, Bearer``: only the former follows its scheme by a space."""
    return position > 0 and text[position - 1] in " \t"
