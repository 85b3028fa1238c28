"""What a client adds to a request to prove who it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Entropy = Callable[[int], bytes]
Problems = Iterator[tuple[str, str]]
"""What is wrong with settings: the field, and why it is refused."""

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 §2.2."""


@dataclass(frozen=True)
class Proof:
    """What authentication adds to the request.

    :param headers: header fields.
    :param form: form parameters.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    form: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def assertion_proof(client_id: str, kind: str, assertion: str) -> Proof:
    """Return an assertion as a request carries it (RFC 7521 §4.2).

    :param kind: ``client_assertion_type``.
    """
    return Proof(
        form=(("client_id", client_id), ("client_assertion_type", kind), ("client_assertion", assertion))
    )
