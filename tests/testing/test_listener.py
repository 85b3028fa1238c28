"""Loopback only, and nothing left at the end."""

from __future__ import annotations

import errno
import socket
import threading
from typing import NoReturn

import pytest
import requests

from airflow_oauth_provider.testing.endpoints import Request, Response
from airflow_oauth_provider.testing.listener import Listener


@pytest.fixture
def listener() -> Listener:
    return Listener(lambda _: Response.of("slow", headers={}))


def test_it_listens_on_loopback_only(listener: Listener) -> None:
    listener.start()
    assert listener.socket.getsockname()[0] == "127.0.0.1"
    listener.stop()


def test_nothing_is_left(listener: Listener) -> None:
    before = set(threading.enumerate())
    listener.start()
    with requests.Session() as session:  # its connection stays open
        assert session.get(f"http://127.0.0.1:{listener.port}/").text == "slow"
        listener.stop()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.port), timeout=5)


@pytest.mark.timeout(60)
def test_the_end_comes_though_no_connection_can_be_made(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EMFILE, "too many open files")

    listener.start()
    monkeypatch.setattr(socket, "create_connection", refuse)
    listener.stop()


@pytest.mark.timeout(60)
def test_the_end_does_not_wait_for_a_body_that_drips() -> None:
    listener = Listener(lambda _: Response(200, b"x" * 100, interval=600))
    listener.start()
    with requests.get(f"http://127.0.0.1:{listener.port}/", stream=True, timeout=10) as response:
        assert next(response.iter_content(1)) == b"x"
        listener.stop()


def test_what_a_test_raises_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(request: Request) -> Response:
        raise LookupError(request.path)

    listener = Listener(fail)
    listener.start()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{listener.port}/of-the-test", timeout=10)
    listener.stop()
    assert "LookupError: /of-the-test" in capsys.readouterr().err
