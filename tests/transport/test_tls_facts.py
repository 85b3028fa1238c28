"""The version and the end of the chain, of real handshakes."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from airflow_oauth_provider.transport.tls_facts import chain_ends_at, tls_version
from tests.support.servers.certificates import Issued, authority, issue, server_context


def client(*, verifies: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority().certificate)
    if not verifies:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def facts(issued: Issued, folder: Path, *, verifies: bool = True) -> tuple[str, float | None]:
    ours, theirs = socket.socketpair()
    context = server_context(issued, folder)

    def serve() -> None:
        with context.wrap_socket(theirs, server_side=True) as server:
            server.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with client(verifies=verifies).wrap_socket(ours, server_hostname="127.0.0.1") as sock:
        said = tls_version(sock), chain_ends_at(sock)
    thread.join(60)
    return said


def test_the_first_certificate_that_ends_counts(tmp_path: Path) -> None:
    issued = issue(authority())
    pems = (issued.certificate, authority().certificate)
    ends = [x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp() for pem in pems]
    assert facts(issued, tmp_path) == ("TLSv1.3", min(ends))


def test_of_an_unverified_chain_nothing_is_said(tmp_path: Path) -> None:
    assert facts(issue(authority("Nobody's CA")), tmp_path, verifies=False) == ("TLSv1.3", None)


@pytest.mark.parametrize("gone", ["get_verified_chain", "_sslobj"])
def test_without_the_private_part_of_the_standard_library(gone: str) -> None:
    class Chain:
        def get_verified_chain(self) -> None:
            raise AttributeError(gone)

    class Sock:
        if gone != "_sslobj":
            _sslobj = Chain()

        def getpeercert(self) -> dict[str, str]:
            return {"notAfter": "Jan  1 00:00:00 2100 GMT"}

    assert chain_ends_at(Sock()) == ssl.cert_time_to_seconds("Jan  1 00:00:00 2100 GMT")  # type: ignore[arg-type]
