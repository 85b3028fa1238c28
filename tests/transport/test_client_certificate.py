"""A client certificate in a TLS context, and what becomes of the file in between."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path
from traceback import walk_tb

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import PresentedCertificate
from airflow_oauth_provider.transport.client_certificate import present
from tests.support.servers.certificates import PrivateKey, authority, issue_client

CA = authority("Clients")
needs_memory_files = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux only")


def presented(key: PrivateKey | None = None) -> PresentedCertificate:
    issued = issue_client(CA, key=key)
    return PresentedCertificate(issued.certificate, Secret(issued.key))


class Watching:
    """Stand for a context, and look at the file while it is there."""

    def __init__(self) -> None:
        self.post_handshake_auth = False
        self.paths: list[str] = []

    def load_cert_chain(self, path: str, *, password: str) -> None:
        self.paths.append(path)
        self.content = Path(path).read_text()
        self.mode = Path(path).stat().st_mode & 0o777
        self.password = password
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(path, password=password)


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(public_exponent=65537, key_size=2048)],
    ids=["EC", "RSA"],
)
def test_a_context_presents_it_also_after_the_handshake(key: PrivateKey) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    present(context, presented(key))
    assert context.post_handshake_auth


@needs_memory_files
def test_on_linux_the_file_lies_in_memory_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_file(*_: object, **__: object) -> None:
        raise AssertionError("a file in a folder")

    monkeypatch.setattr(tempfile, "mkstemp", no_file)
    context, before = Watching(), set(Path("/proc/self/fd").iterdir())
    present(context, presented())  # type: ignore[arg-type]
    assert context.paths[0].startswith("/proc/self/fd/")
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.fault("C47")
@pytest.mark.parametrize("missing", ["memfd_create", "proc", "allowed"])
def test_elsewhere_it_is_private_locked_and_gone_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    """Systems without such files; a container without /proc; a sandbox that forbids the call."""
    if missing == "memfd_create":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    elif missing == "proc":
        monkeypatch.setattr(os, "memfd_create", lambda _: os.open(tmp_path, os.O_RDONLY), raising=False)
        exists = Path.exists
        monkeypatch.setattr(Path, "exists", lambda path: "/proc" not in str(path) and exists(path))
    else:

        def forbidden(_: str) -> int:
            raise PermissionError

        monkeypatch.setattr(os, "memfd_create", forbidden, raising=False)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    first, second, given = Watching(), Watching(), presented()
    present(first, given)  # type: ignore[arg-type]
    present(second, given)  # type: ignore[arg-type]
    assert first.paths[0].startswith(str(folder))
    assert first.mode == 0o600
    assert "BEGIN ENCRYPTED PRIVATE KEY" in first.content
    assert len(first.password) >= 32
    assert first.password != second.password, "used once"
    assert list(folder.iterdir()) == []


@pytest.mark.fault("C47")
def test_a_failure_removes_the_file_and_says_nothing_of_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    issued, other = issue_client(CA), issue_client(CA)
    with pytest.raises(ConfigurationError, match="key values mismatch") as caught:
        present(
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            PresentedCertificate(issued.certificate, Secret(other.key)),
        )
    assert caught.value.field == "certificate"
    assert caught.value.__context__ is None
    for frame, _ in walk_tb(caught.tb):
        if "airflow_oauth_provider" in frame.f_code.co_filename:
            assert "PRIVATE KEY" not in repr(frame.f_locals)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_cannot_be_read() -> None:
    with pytest.raises(ConfigurationError, match="neither PEM"):
        present(
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            PresentedCertificate(issue_client(CA).certificate, Secret("no key at all")),
        )
