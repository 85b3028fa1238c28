"""What came back: an HTTP response, or the way in which none came."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response, read whole.

    :param headers: names in lower case; a name may come several times.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return a header that came exactly once, else ``None``."""
        values = [value for key, value in self.headers if key == name]
        return values[0] if len(values) == 1 else None

    @property
    def compressed(self) -> bool:
        """Whether the body is encoded (RFC 9110 §8.4.1; names of codings have no case)."""
        codings = ",".join(value for key, value in self.headers if key == "content-encoding").lower()
        return any(coding.strip() not in {"", "identity"} for coding in codings.split(","))


class Fault(Enum):
    """Why no response came; the value is what errors call it."""

    UNREACHABLE = "refused or unreachable"
    DNS = "name not resolved"
    TIMEOUT = "timeout"
    CUT = "connection cut"
    LOCAL = "local resources exhausted"
    TLS_CERTIFICATE = "certificate not verified"
    TLS = "TLS refused"
    PROXY_REFUSED = "proxy refused"
    MALFORMED = "not HTTP"
    ADDRESS_REFUSED = "address refused"
    INTERNAL = "not sent"

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self in _PASSING


_PASSING = frozenset({Fault.UNREACHABLE, Fault.DNS, Fault.TIMEOUT, Fault.CUT, Fault.LOCAL})


@dataclass(frozen=True)
class Failure:
    """No response.

    :param detail: one sentence for the user, without secrets.
    :param field: what has to be changed, where the fault lies in one setting.
    :param advice: what to do, where there is more to say than *detail* does.
    :param retry_after: seconds that a proxy asked to wait, if it did.
    """

    fault: Fault
    detail: str
    field: str | None = None
    advice: str | None = None
    retry_after: float | None = None

    def text(self, place: str) -> str:
        """Return what has happened, and where: first the cause, since a row cuts the end of what is long.

        :param place: what was asked, e.g. "the API api.example:443".
        """
        return f"{self.detail}; no response from {place}"
