"""Where a client's credential comes from, when that is not its connection."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_oauth_provider.protocol.leaves import CREDENTIAL, NO_KEY
from airflow_oauth_provider.protocol.secret import Secret


@dataclass(frozen=True)
class AssertionFile:
    """An assertion about this workload that a platform keeps in a file, and renews (RFC 7523 §2.2).

    :param kind: ``jwt-bearer``, or ``jwt-spiffe`` for a SPIFFE JWT-SVID.
    :param folder: that the file must lie in, as the deployment lists it.
    :param content: what it held when one request was about to be made; ``None`` at all other times.
    """

    path: str = field(metadata=CREDENTIAL)
    kind: str = field(metadata=CREDENTIAL)
    folder: str = field(metadata=NO_KEY)
    content: Secret | None = field(default=None, repr=False, metadata=NO_KEY)


@dataclass(frozen=True)
class ExternalSource:
    """Where the secret or key comes from that does not lie in the connection.

    :param name: of the entry in ``[oauth2] credentials``.
    :param kind: ``file`` or ``env``.
    """

    name: str
    kind: str

    def __str__(self) -> str:
        return f"external credential {self.name} ({self.kind})"
