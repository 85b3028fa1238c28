"""What servers have said of the proofs that they accept: a nonce, and their time (RFC 9449 §8, §9, §11.1).

A nonce is good for the server that gave it, in the role in which it did, and for nobody else. A server that
gives one with every response expects the last one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

from airflow_oauth_provider.protocol.dpop.proof import PROOF_HEADER

NONCE_HEADER = f"{PROOF_HEADER}-Nonce"
CLOCK_SKEW = 30.0
"""Seconds between the server's Date and our clock from which a refused proof is made with its time."""
MOST_SERVERS = 512
"""Of which anything is remembered."""
# RFC 9449 §8.1: NQCHAR; the length is ours.
_NONCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,2048}\Z")
USE_NONCE, INVALID_PROOF = "use_dpop_nonce", "invalid_dpop_proof"
"""Error codes by which a server refuses a proof (RFC 9449 §8, §9 and §5)."""


def name_nonce(nonces: Sequence[str]) -> bool:
    """Whether ``DPoP-Nonce`` headers name a nonce; of several there is no telling which is meant."""
    return len(nonces) == 1 and _NONCE.match(nonces[0]) is not None


class Role(StrEnum):
    """What a server is to a client; hashed with each proof, which those that are texts do fastest."""

    AUTHORIZATION_SERVER = "authorization server"
    API = "API"


class Hint(NamedTuple):
    """What one server has said.

    :param nonce: the last one; ``None`` where it has given none.
    :param ahead: seconds by which its clock is believed to be ahead of ours.
    """

    nonce: str | None = None
    ahead: float = 0.0


_NO_HINT = Hint()
Server = tuple[str, Role, str]
"""Whose proofs (the key of a client's credential), what the server is to it, and its origin."""


class ServerHints:
    """The hints of all servers; those that have said something least recently go first.

    Any number of threads may use it: each step is one of a dictionary's own.
    """

    def __init__(self) -> None:
        self._hints: dict[Server, Hint] = {}

    def of(self, server: Server) -> Hint:
        """Return what a server has said."""
        return self._hints.get(server, _NO_HINT)

    def learn_nonce(self, server: Server, nonces: Sequence[str]) -> bool:
        """Keep the nonce of a response.

        :param nonces: its ``DPoP-Nonce`` headers.
        :return: whether there was one.
        """
        if not name_nonce(nonces):
            return False
        self._keep(server, self.of(server)._replace(nonce=nonces[0]))
        return True

    def learn(
        self, server: Server, nonces: Sequence[str], *, errors: Collection[str] = (), skew: float = 0.0
    ) -> bool:
        """Keep what a refusal says.

        :param errors: the codes of the refusal.
        :param skew: seconds by which the server's clock is ahead of ours.
        :return: whether it was the proof that was refused, and the server may accept one that is made now.
        """
        has_nonce = self.learn_nonce(server, nonces)
        if USE_NONCE not in errors and INVALID_PROOF not in errors:
            return False
        hint = self.of(server)
        other_clock = abs(skew - hint.ahead) > CLOCK_SKEW
        if other_clock:
            self._keep(server, hint._replace(ahead=skew if abs(skew) > CLOCK_SKEW else 0.0))
        return has_nonce if USE_NONCE in errors else other_clock

    def clear(self) -> None:
        """Forget all."""
        self._hints = {}

    def _keep(self, server: Server, hint: Hint) -> None:
        self._hints.pop(server, None)
        self._hints[server] = hint
        if len(self._hints) > MOST_SERVERS:
            self._hints = dict(list(self._hints.items())[-MOST_SERVERS // 2 :])
