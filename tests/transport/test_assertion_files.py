"""The assertion of a file, or the reason why there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.transport.assertion_files import MAX_ASSERTION, read_assertion
from tests.support.assertions import Platform
from tests.support.confidential import assert_nothing_confidential
from tests.support.mounted import Mounted

platform = Platform()


def read(path: Path, folder: Path) -> Secret | ConfigurationError:
    return read_assertion(AssertionFile(str(path), "jwt-bearer", str(folder)))


def test_an_assertion_as_kubernetes_mounts_it(tmp_path: Path) -> None:
    first, second = platform.assertion(), platform.assertion()
    mounted = Mounted(tmp_path / "tokens", idp=first)
    assert read(mounted.path("idp"), mounted.folder) == Secret(first)
    mounted.exchange(idp=f"{second}\n")
    assert read(mounted.path("idp"), mounted.folder) == Secret(second)
    assert read(mounted.path("idp"), tmp_path) == Secret(second), "below an allowed folder"


def test_a_symlink_out_of_the_allowed_folder(tmp_path: Path) -> None:
    """Also where the folder that it leaves is not the file's own."""
    Mounted(tmp_path / "other", idp=platform.assertion())
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "pod").symlink_to(tmp_path / "other")
    error = read(tmp_path / "allowed" / "pod" / "idp", tmp_path / "allowed")
    assert isinstance(error, ConfigurationError)
    assert error.field == "assertion_file"
    assert "leads out of its folder" in str(error)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no signed JWT"),
        (b"the-password-of-somebody-else", "holds no signed JWT"),
        (b"\xff\x00\xfe", "holds no signed JWT"),
        (b"a" * (MAX_ASSERTION + 1), "is larger than 64 KiB"),
    ],
    ids=["empty", "password", "bytes", "large"],
)
def test_a_file_with_something_else(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "idp").write_bytes(content)
    error = read(tmp_path / "idp", tmp_path)
    assert isinstance(error, ConfigurationError)
    assert reason in str(error)
    assert_nothing_confidential(error, ["the-password-of-somebody-else", str(tmp_path)])


@pytest.mark.parametrize("moment", ["empty", "half"])
def test_a_file_that_is_written_in_place_at_this_moment(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = platform.assertion()
    half = whole[: whole.rindex(".")] if moment == "half" else ""
    (tmp_path / "idp").write_text(half)
    monkeypatch.setattr("time.sleep", lambda _: (tmp_path / "idp").write_text(whole))
    file = AssertionFile(str(tmp_path / "idp"), "jwt-bearer", str(tmp_path))
    assert isinstance(read_assertion(file), ConfigurationError), "displays do not wait"
    assert read_assertion(file, waits=True) == Secret(whole)


def test_a_file_that_is_not_there_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("time.sleep")
    error = read_assertion(AssertionFile(str(tmp_path / "idp"), "jwt-bearer", str(tmp_path)), waits=True)
    assert "does not exist" in str(error)


def test_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "idp")
    error = read(tmp_path / "idp", tmp_path)
    assert "is no regular file" in str(error)
