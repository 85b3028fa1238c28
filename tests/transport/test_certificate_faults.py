"""What a person is told of each; the servers are those of ``test_tls.py`` and of the suites of contracts."""

from __future__ import annotations

import ssl

import pytest

from airflow_oauth_provider.protocol.http import Fault
from airflow_oauth_provider.transport.certificate_faults import certificate_failure


def refused(code: int | None, message: str | None = None) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    if code is not None:
        error.verify_code, error.verify_message = code, message or ""
    return error


@pytest.mark.parametrize("code", [2, 18, 19, 20, 21])
def test_nobody_who_is_trusted_has_issued_it(code: int) -> None:
    failure = certificate_failure(refused(code))
    assert "none of the authorities" in failure.detail
    assert "ca_certificates" in (failure.advice or "")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(refused(26, "unsuitable certificate purpose"), "unsuitable", id="another purpose"),
        pytest.param(refused(66), "certificate verify failed", id="without words"),
        pytest.param(refused(None), "certificate verify failed", id="without a code"),
    ],
)
def test_any_other_reason_is_the_servers(error: ssl.SSLCertVerificationError, reason: str) -> None:
    """A private authority has nothing to do with it."""
    failure = certificate_failure(error)
    assert failure.fault is Fault.TLS_CERTIFICATE
    assert failure.detail.startswith(f"the certificate does not verify: {reason}")
    assert "administrator" in (failure.advice or "")
    assert "ca_certificates" not in (failure.advice or "")
