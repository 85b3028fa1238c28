"""The recipe for large downloads, as it stands in the docs."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.readme import ROOT
from tests.support.servers.scripted import Json, Raw, Redirect
from tests.support.service import Service

PIECE = bytes(range(256)) * 4096
PIECES = 200


@dataclass(frozen=True)
class Large:
    """A body of so many pieces."""

    pieces: int = PIECES

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(PIECE) * PIECES))
        for _ in range(self.pieces):
            connection.sendall(PIECE)
        return self.pieces == PIECES


@pytest.fixture
def download(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path], None]:
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", service.environment())
    page = (ROOT / "docs" / "hook.md").read_text()
    recipe = next(block for block in page.split("```python\n")[1:] if "def download" in block)
    names: dict[str, Any] = {"OAuth2Hook": OAuth2Hook}
    exec(recipe.partition("\n\n\nexported")[0], names)
    function: Callable[[str, Path], None] = names["download"]
    return function


def test_memory_holds_one_piece(
    service: Service, download: Callable[[str, Path], None], tmp_path: Path
) -> None:
    service.api = lambda request: Large() if request.target == "/api/large" else Redirect("/api/large")
    target = tmp_path / "export"
    download("first", tmp_path / "warm")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    service.dead.add("tok-1")  # renewed on the way, like any call
    download("large", target)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 50
    assert target.stat().st_size == len(PIECE) * PIECES
    with target.open("rb") as file:
        assert file.read(len(PIECE)) == PIECE
    assert len(service.token_requests) == 2


@pytest.mark.parametrize("cut", [Large(3), Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234")])
def test_half_a_file_never_has_the_name(
    service: Service, download: Callable[[str, Path], None], tmp_path: Path, cut: Any
) -> None:
    service.api = lambda _: cut
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        download("large", tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_nor_has_a_refusal(service: Service, download: Callable[[str, Path], None], tmp_path: Path) -> None:
    service.api = lambda _: Json({"error": "no"}, 404)
    with pytest.raises(ResourceError):
        download("large", tmp_path / "export")
    assert list(tmp_path.iterdir()) == []
