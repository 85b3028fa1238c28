from __future__ import annotations

import pytest

from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse


@pytest.mark.parametrize(
    ("headers", "value"),
    [((), None), ((("date", "now"),), "now"), ((("date", "now"), ("date", "then")), None)],
    ids=["absent", "once", "twice"],
)
def test_a_header_counts_only_when_it_came_once(
    headers: tuple[tuple[str, str], ...], value: str | None
) -> None:
    assert HttpResponse(200, headers).header("date") == value


@pytest.mark.fault("F72")
@pytest.mark.parametrize(
    ("codings", "compressed"),
    [
        ((), False),
        (("",), False),
        (("Identity",), False),
        (("identity", "IDENTITY"), False),
        (("gzip",), True),
        (("identity, gzip",), True),
        (("identity", "br"), True),
    ],
)
def test_what_is_compressed(codings: tuple[str, ...], compressed: bool) -> None:
    assert HttpResponse(200, tuple(("content-encoding", name) for name in codings)).compressed is compressed


def test_what_is_printed_holds_no_body_and_no_header() -> None:
    assert "secret" not in repr(HttpResponse(200, (("x", "a secret"),), b"a secret"))


@pytest.mark.parametrize(
    ("fault", "retryable"),
    [
        (Fault.UNREACHABLE, True),
        (Fault.DNS, True),
        (Fault.TIMEOUT, True),
        (Fault.CUT, True),
        (Fault.LOCAL, True),
        (Fault.TLS_CERTIFICATE, False),
        (Fault.TLS, False),
        (Fault.PROXY_REFUSED, False),
        (Fault.MALFORMED, False),
        (Fault.ADDRESS_REFUSED, False),
        (Fault.INTERNAL, False),
    ],
)
def test_which_faults_may_pass(fault: Fault, retryable: bool) -> None:
    assert fault.retryable is retryable
    assert Failure(fault, "x").field is None


def test_each_fault_is_in_the_row_above() -> None:
    assert len(Fault) == 11


@pytest.mark.fault("F46")
def test_what_has_happened_comes_before_where() -> None:
    failure = Failure(Fault.UNREACHABLE, "the connection was refused", advice="open the firewall")
    assert failure.text("the API api.example:443") == (
        "the connection was refused; no response from the API api.example:443"
    )
