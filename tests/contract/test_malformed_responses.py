"""Responses that are none, or break off: the same to threads, coroutines and token requests."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator

import pytest
import requests

from airflow_oauth_provider.exceptions import (
    OAuthError,
    TokenResponseError,
    TransportError,
    is_definite,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.transport.call_failure import CallFailedError
from tests.support.servers.scripted import (
    CloseNow,
    Endless,
    Raw,
    Reset,
    ScriptedResponse,
)
from tests.support.service import Service, echo, running_service
from tests.support.sides import Side

_numbers = itertools.count(1)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TOKEN = b'{"access_token": "tok", "token_type": "Bearer", "expires_in": 60}'


def announced(length: bytes, more: bytes = b"", body: bytes = TOKEN) -> bytes:
    return HEAD + more + b"Content-Length: " + length + b"\r\n\r\n" + body


SIZE = b"%d" % len(TOKEN)
FIFTY = b"X-A: b\r\n" * 50
CUT = "the connection was cut before the response was complete"
CHUNKS = "the chunks in which the response was sent are malformed"
NOT_HTTP = "the response is not HTTP/1.1"
HEADERS = "the headers of the response are malformed"
TOO_LONG = "the response has headers out of all measure"
ROWS: dict[str, tuple[ScriptedResponse, str]] = {
    "garbage": (Raw(b"garbage\r\n\r\n"), NOT_HTTP),
    "garbage-without-end": (Endless(b"", b"x" * 1000), NOT_HTTP),
    "page-without-head": (Raw(b"<html>hello</html>"), NOT_HTTP),
    "bytes": (Raw(b"\x15\x03\x01\x00\x02\x02\x46"), NOT_HTTP),
    "version": (Raw(announced(SIZE).replace(b"1.1", b"9.9")), NOT_HTTP),
    "status-of-letters": (Raw(announced(SIZE).replace(b"200", b"abc")), NOT_HTTP),
    "status-with-a-sign": (Raw(announced(SIZE).replace(b"200", b"+200")), NOT_HTTP),
    "status-of-four-digits": (Raw(announced(SIZE).replace(b"200", b"1000")), NOT_HTTP),
    "two-blanks": (Raw(announced(SIZE).replace(b" 200", b"  200")), NOT_HTTP),
    "no-colon": (Raw(announced(SIZE, b"no colon\r\n")), HEADERS),
    "blank-before-the-colon": (Raw(announced(SIZE, b"X-A : b\r\n")), HEADERS),
    "no-name": (Raw(announced(SIZE, b": b\r\n")), HEADERS),
    "nul": (Raw(announced(SIZE, b"X-A: a\0b\r\n")), HEADERS),
    "length-of-letters": (Raw(announced(b"abc")), HEADERS),
    "length-below-zero": (Raw(announced(b"-1")), HEADERS),
    "length-with-a-sign": (Raw(announced(b"+" + SIZE)), HEADERS),
    "length-of-thirty-digits": (Raw(announced(b"9" * 30)), HEADERS),
    "two-lengths": (Raw(announced(SIZE, b"Content-Length: 5\r\n")), HEADERS),
    "two-lengths-in-one": (Raw(announced(SIZE + b", 5")), HEADERS),
    "a-hundred-headers": (Raw(announced(SIZE, FIFTY + FIFTY[:-8])), HEADERS),
    "long-header": (Raw(announced(SIZE, b"X-A: " + b"x" * 70_000 + b"\r\n")), TOO_LONG),
    "long-reason": (Raw(announced(SIZE).replace(b"OK", b"x" * 70_000)), TOO_LONG),
    "size-of-letters": (Raw(CHUNKED + b"zz\r\nab\r\n0\r\n\r\n"), CHUNKS),
    "size-below-zero": (Raw(CHUNKED + b"-1\r\nab\r\n0\r\n\r\n"), CHUNKS),
    "no-size": (Raw(CHUNKED + b"\r\nab\r\n0\r\n\r\n"), CHUNKS),
    "size-out-of-measure": (Raw(CHUNKED + b"f" * 17 + b"\r\nab\r\n0\r\n\r\n"), CHUNKS),
    "second-size": (Raw(CHUNKED + b"2\r\nab\r\nzz\r\n"), CHUNKS),
    "longer-than-its-size": (Raw(CHUNKED + b"2\r\nabcdef\r\n0\r\n\r\n"), CHUNKS),
    "trailer": (Raw(CHUNKED + b"2\r\nab\r\n0\r\nno colon\r\n\r\n"), CHUNKS),
    "endless-trailers": (Endless(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 100), CHUNKS),
    "closed-at-once": (CloseNow(), CUT),
    "reset-at-once": (Reset(), CUT),
    "closed-within-the-status": (Raw(b"HTTP/1.1 2"), CUT),
    "closed-behind-the-status": (Raw(HEAD), CUT),
    "closed-within-a-header": (Raw(HEAD + b"X-A: b"), CUT),
    "closed-within-the-headers": (Raw(HEAD + b"X-A: b\r\n"), CUT),
    "closed-behind-a-103": (Raw(b"HTTP/1.1 103 Early\r\n\r\n"), CUT),
    "closed-within-the-body": (Raw(announced(b"500")), CUT),
    "reset-within-the-body": (Reset(announced(b"500")), CUT),
    "closed-before-the-body": (Raw(announced(SIZE, body=b"")), CUT),
    "closed-within-a-chunk": (Raw(CHUNKED + b"20\r\nab"), CUT),
    "closed-within-a-size": (Raw(CHUNKED + b"2\r\nab\r\n2"), CUT),
    "closed-between-chunks": (Raw(CHUNKED + b"2\r\nab\r\n"), CUT),
    "closed-before-the-last-line": (Raw(CHUNKED + b"2\r\nab\r\n0\r\n"), CUT),
    "closed-within-the-trailers": (Raw(CHUNKED + b"2\r\nab\r\n0\r\nX-A: b\r\n"), CUT),
}
PASSES = {CUT, CHUNKS}
rows = pytest.mark.parametrize(
    "response, sentence", [pytest.param(*row, id=name) for name, row in ROWS.items()]
)
ACCEPTED = {
    "empty-lines-before-it": b"\r\n\r\n" + announced(SIZE),
    "bare-newlines": announced(SIZE).replace(b"\r\n", b"\n"),
    "no-reason": announced(SIZE).replace(b" OK", b""),
    "names-of-any-case": announced(SIZE).replace(b"Content-Length", b"CONTENT-LENGTH"),
    "ninety-nine-headers": announced(SIZE, FIFTY + FIFTY[:-16]),
    "folded": announced(SIZE, b"X-A: a\r\n b\r\n"),
    "zeros-before-a-size": CHUNKED + b"0" * 16 + b"%x\r\n%s\r\n0\r\n\r\n" % (len(TOKEN), TOKEN),
    "blank-behind-a-size": CHUNKED + b"%x \r\n%s\r\n0\r\n\r\n" % (len(TOKEN), TOKEN),
    "trailer": CHUNKED + b"%x\r\n%s\r\n0\r\nX-A: b\r\n\r\n" % (len(TOKEN), TOKEN),
    "more-than-announced": announced(SIZE, body=TOKEN + b"<!-- end -->"),
}
accepted = pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in ACCEPTED.items()])


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Service]:
    with running_service() as running:
        yield running


@pytest.fixture
def service(shared_service: Service) -> Service:
    shared_service.server.requests.clear()
    shared_service.dead.clear()
    shared_service.api, shared_service.token = echo, None
    return shared_service


def own_client() -> str:
    """Return a client of whom nobody remembers anything."""
    return f"client-{next(_numbers)}"


def hook_of(service: Service) -> OAuth2Hook:
    return OAuth2Hook(method="GET", connection=service.connection())


def without_retries(service: Service) -> OAuth2Hook:
    return OAuth2Hook(connection=service.connection(login=own_client(), max_retry_attempts=0, max_wait=20))


@pytest.mark.fault("F64")
class TestOneMeaning:
    """Which error, whether it passes, and what it says first."""

    @rows
    def test_of_an_api(self, side: Side, service: Service, response: ScriptedResponse, sentence: str) -> None:
        service.api = lambda _: response
        with pytest.raises(CallFailedError) as caught:
            side.run(hook_of(service), "x", extra_options={"timeout": 20})
        assert caught.value.message.startswith(f"{sentence}; no response from the API ")
        assert caught.value.retryable is (sentence in PASSES)
        assert is_definite(caught.value) is (sentence not in PASSES)
        assert len(service.calls) == 1

    @rows
    def test_of_an_authorization_server(
        self, side: Side, service: Service, response: ScriptedResponse, sentence: str
    ) -> None:
        service.token = lambda _: response
        with pytest.raises(OAuthError) as caught:
            side.token(without_retries(service))
        kind = TransportError if sentence in PASSES else TokenResponseError
        assert type(caught.value) is kind
        assert caught.value.message.startswith(f"{sentence}; ")
        assert caught.value.retryable is (sentence in PASSES)

    @accepted
    def test_of_what_is_unusual(self, side: Side, service: Service, data: bytes) -> None:
        service.api = lambda _: Raw(data)
        assert side.run(hook_of(service), "x").content == TOKEN
        service.token = lambda _: Raw(data)
        assert side.token(without_retries(service)).value == "tok"


@pytest.mark.fault("F64")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(announced(SIZE, b"Content-Length: " + SIZE + b"\r\n"), id="two-equal-lengths"),
        pytest.param(
            announced(
                b"5", b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(TOKEN), TOKEN)
            ),
            id="length-and-chunks",
        ),
    ],
)
def test_a_length_said_twice(service: Service, data: bytes) -> None:
    """Only aiohttp refuses it."""
    service.api = service.token = lambda _: Raw(data)
    hook = without_retries(service)
    assert hook.get_token().value == "tok"
    assert hook_of(service).run("x").content == TOKEN


@pytest.mark.parametrize("body", [b"zz\r\nab", b"2\r\nabcdef"])
class TestMalformedBodies:
    """Of a response whose head says all that counts."""

    def test_a_401_renews_all_the_same(self, side: Side, service: Service, body: bytes) -> None:
        first = iter([Raw(CHUNKED.replace(b"200 OK", b"401 No") + body)])
        service.api = lambda request: next(first, None) or echo(request)
        response = side.run(hook_of(service), "x")
        assert [earlier.status_code for earlier in response.history] == [401]

    def test_a_redirect_is_followed(self, side: Side, service: Service, body: bytes) -> None:
        moved = b"HTTP/1.1 302 Moved\r\nLocation: /api/new\r\nTransfer-Encoding: chunked\r\n\r\n"
        service.api = lambda request: Raw(moved + body) if request.target == "/api/x" else echo(request)
        assert side.run(hook_of(service), "x").json()["target"] == "/api/new"


def test_a_204_with_a_body_has_none(side: Side, service: Service) -> None:
    service.api = lambda _: Raw(b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n{}")
    response = side.run(hook_of(service), "x")
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"Zstd"])
@pytest.mark.parametrize("status", [b"200 OK", b"401 No", b"403 No"])
def test_a_body_that_cannot_be_decoded(side: Side, service: Service, status: bytes, coding: bytes) -> None:
    """Also in a coding that nobody has asked for: what it hides is no text."""
    data = announced(b"3", b"Content-Encoding: " + coding + b"\r\n", b"abc").replace(b"200 OK", status)
    service.api = lambda _: Raw(data)
    with pytest.raises(CallFailedError, match="not what its Content-Encoding says") as caught:
        side.run(hook_of(service), "x")
    assert not caught.value.retryable


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd"])
def test_what_has_no_body_need_not_be_decoded(side: Side, service: Service, coding: bytes) -> None:
    service.api = lambda _: Raw(announced(b"3", b"Content-Encoding: " + coding + b"\r\n", b""))
    hook = OAuth2Hook(method="HEAD", connection=service.connection())
    response = side.run(hook, "x")
    assert (response.status_code, response.headers["Content-Encoding"]) == (200, coding.decode())


def test_a_coding_that_nobody_knows_is_passed_on(side: Side, service: Service) -> None:
    """Some storages name a character set there."""
    service.api = lambda _: Raw(announced(b"3", b"Content-Encoding: utf-8\r\n", b"abc"))
    assert side.run(hook_of(service), "x").content == b"abc"


@pytest.mark.parametrize("coding", [b"br", b"zstd"])
def test_a_stream_that_cannot_be_decoded(service: Service, coding: bytes) -> None:
    """A stream belongs to its reader; the bytes as they are can be had, too."""
    for data in (
        announced(b"3", b"Content-Encoding: " + coding + b"\r\n", b"abc"),
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: " + coding + b"\r\n\r\n")
        + b"3\r\nabc\r\n0\r\n\r\n",
    ):
        service.api = lambda _, data=data: Raw(data)  # type: ignore[misc]
        with (
            hook_of(service).run("x", extra_options={"stream": True}) as response,
            pytest.raises(requests.exceptions.ContentDecodingError),
        ):
            list(response.iter_content(10))
        with hook_of(service).run("x", extra_options={"stream": True}) as response:
            assert response.raw.read(decode_content=False) == b"abc"


def test_a_compressed_body_whose_chunks_are_malformed(side: Side, service: Service) -> None:
    packed = gzip.compress(b"x" * 100)
    data = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    service.api = lambda _: Raw(data + b"%x\r\n%s\r\nzz\r\n" % (len(packed), packed))
    with pytest.raises(CallFailedError, match=CHUNKS) as caught:
        side.run(hook_of(service), "x")
    assert caught.value.retryable
