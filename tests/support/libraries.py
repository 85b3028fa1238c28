"""Libraries that take a connection's token by an adapter, called in one way: one suite over all of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import aiohttp
import httpx

from airflow_oauth_provider.adapters.aiohttp import oauth2_middleware
from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from tests.support.library_versions import labelled

CONTEXT = ssl.create_default_context()  # a client would make one of its own, which takes longer than a call


class Result(NamedTuple):
    """:param before: statuses of the responses before."""

    status: int
    content: bytes
    before: list[int]


class Library:
    """:param adapter: makes what the library takes, from a connection's id."""

    adapter: Callable[..., Any]

    def call(self, adapter: Any, method: str, url: str, *, follow: bool = False, **options: Any) -> Result:
        """Make a call; each one by a session of its own, and in an event loop of its own.

        :param options: ``headers``, and ``content``: the body, bytes or an iterable of bytes.
        """
        raise NotImplementedError


class Httpx(Library):
    adapter = staticmethod(OAuth2Auth)

    def call(self, adapter: Any, method: str, url: str, *, follow: bool = False, **options: Any) -> Result:
        with httpx.Client(auth=adapter, follow_redirects=follow, verify=CONTEXT) as client:
            response = client.request(method, url, **options)
        return _of_httpx(response)


class AsyncHttpx(Library):
    adapter = staticmethod(OAuth2Auth)

    def call(self, adapter: Any, method: str, url: str, *, follow: bool = False, **options: Any) -> Result:
        async def call() -> Result:
            async with httpx.AsyncClient(auth=adapter, follow_redirects=follow, verify=CONTEXT) as client:
                return _of_httpx(await client.request(method, url, **_with_pieces(options)))

        return asyncio.run(call())


class Aiohttp(Library):
    adapter = staticmethod(oauth2_middleware)

    def call(self, adapter: Any, method: str, url: str, *, follow: bool = False, **options: Any) -> Result:
        async def call() -> Result:
            given = _with_pieces(options)
            data = given.pop("content", None)
            async with (
                aiohttp.ClientSession(middlewares=(adapter,)) as session,
                session.request(method, url, data=data, allow_redirects=follow, **given) as response,
            ):
                before = [earlier.status for earlier in response.history]
                return Result(response.status, await response.read(), before)

        return asyncio.run(call())


def _of_httpx(response: httpx.Response) -> Result:
    return Result(
        response.status_code, response.content, [earlier.status_code for earlier in response.history]
    )


def _with_pieces(options: dict[str, Any]) -> dict[str, Any]:
    content = options.get("content")
    return {**options, "content": _pieces(content)} if isinstance(content, Iterator) else dict(options)


async def _pieces(content: Iterator[bytes]) -> Any:
    for piece in content:
        yield piece


_HTTPX, _AIOHTTP = labelled("httpx"), labelled("aiohttp")
LIBRARIES = {_HTTPX: Httpx(), f"{_HTTPX} async": AsyncHttpx(), _AIOHTTP: Aiohttp()}
