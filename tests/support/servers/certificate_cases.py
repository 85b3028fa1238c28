"""Certificates of servers that do not verify, each for another reason, and what a person is told."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.servers.certificates import Issued, authority, issue

CA = authority()


class Wrong(NamedTuple):
    """One of them.

    :param trusted: PEM of the authorities that the client trusts; ``None`` for those of the machine.
    :param cause: words of what has happened.
    :param advice: words of what to do.
    """

    issued: Issued
    trusted: str | None
    cause: str
    advice: str

    def is_told_by(self, text: str, advice: str | None) -> bool:
        """Whether an error names the cause and what helps against it, and nothing that does not."""
        others = {case.advice for case in _CASES.values()} - {self.advice}
        return (
            f"does not verify: {self.cause}" in text
            and self.advice in (advice or "")
            and not any(other in (advice or "") for other in others)
        )


_OWN = CA.certificate
EXPIRED = Wrong(issue(CA, expired=True), _OWN, "it has expired", "administrator renew it")
_CASES = {
    "expired": EXPIRED,
    "not-yet-valid": Wrong(issue(CA, early=True), _OWN, "it is not valid yet", "check the clock"),
    "other-name[N15]": Wrong(
        issue(CA, "other.example"), _OWN, "it is for another host (", "a name that the certificate has"
    ),
    "other-address[N15]": Wrong(
        issue(CA, "127.0.0.9"), _OWN, "it is for another host (", "a name that the certificate has"
    ),
    "unknown-CA[N17]": Wrong(
        issue(authority("Another CA")), _OWN, "none of the authorities", "into ca_certificates"
    ),
    "private-CA-not-configured[N17]": Wrong(
        issue(CA), None, "none of the authorities", "into ca_certificates"
    ),
}
WRONG = [pytest.param(case, id=name) for name, case in _CASES.items()]
