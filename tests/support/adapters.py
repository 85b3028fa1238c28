"""Every way in which another library asks for a connection's token, each called in one way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from airflow_oauth_provider.adapters import iceberg, kafka, openlineage
from airflow_oauth_provider.adapters.aiohttp import oauth2_middleware
from airflow_oauth_provider.adapters.azure import AsyncOAuth2Credential, OAuth2Credential
from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from airflow_oauth_provider.auth import OAuth2Auth as RequestsAuth
from airflow_oauth_provider.auth import bearer_token_callable
from tests.support.libraries import CONTEXT
from tests.support.library_versions import labelled

Ask = Callable[[], str]
"""Asks for a token, and returns its value."""
Make = Callable[[str, str], Ask]
"""Makes an adapter of a connection's id and the address of an API that echoes."""


def _httpx(conn_id: str, url: str) -> Ask:
    auth = OAuth2Auth(conn_id)

    def ask() -> str:
        with httpx.Client(auth=auth, verify=CONTEXT) as client:
            return _carried(client.get(url).json())

    return ask


def _async_httpx(conn_id: str, url: str) -> Ask:
    auth = OAuth2Auth(conn_id)

    async def call() -> str:
        async with httpx.AsyncClient(auth=auth, verify=CONTEXT) as client:
            return _carried((await client.get(url)).json())

    return lambda: asyncio.run(call())


def _aiohttp(conn_id: str, url: str) -> Ask:
    middleware = oauth2_middleware(conn_id)

    async def call() -> str:
        async with (
            aiohttp.ClientSession(middlewares=(middleware,)) as session,
            session.get(url) as response,
        ):
            return _carried(await response.json())

    return lambda: asyncio.run(call())


def _azure(conn_id: str, _: str) -> Ask:
    credential = OAuth2Credential(conn_id)
    return lambda: str(credential.get_token().token)


def _async_azure(conn_id: str, _: str) -> Ask:
    credential = AsyncOAuth2Credential(conn_id)
    return lambda: str(asyncio.run(credential.get_token()).token)


def _iceberg(conn_id: str, _: str) -> Ask:
    manager = iceberg.OAuth2AuthManager(oauth2_conn_id=conn_id)
    return lambda: _bare(manager.auth_header())


def _openlineage(conn_id: str, _: str) -> Ask:
    provider = openlineage.OAuth2TokenProvider({"oauth2_conn_id": conn_id})
    return lambda: _bare(provider.get_bearer())


def _kafka(conn_id: str, _: str) -> Ask:
    oauth_cb = kafka.oauth_cb
    return lambda: str(oauth_cb(f"oauth2_conn_id={conn_id}")[0])


def _requests(conn_id: str, url: str) -> Ask:
    auth = RequestsAuth(conn_id)
    return lambda: _carried(requests.get(url, auth=auth, timeout=30).json())


def _function(conn_id: str, _: str) -> Ask:
    return bearer_token_callable(conn_id)


def _async_function(conn_id: str, _: str) -> Ask:
    get = bearer_token_callable(conn_id)
    return lambda: asyncio.run(get.atoken()).value


def _carried(echoed: Any) -> str:
    return _bare(echoed["authorization"])


def _bare(header: str) -> str:
    return header.removeprefix("Bearer ")


_MADE: tuple[tuple[str, str, Make], ...] = (
    ("httpx", "", _httpx),
    ("httpx", " async", _async_httpx),
    ("aiohttp", "", _aiohttp),
    ("azure.core", "", _azure),
    ("azure.core", " async", _async_azure),
    ("pyiceberg", "", _iceberg),
    ("openlineage.client", "", _openlineage),
    ("confluent_kafka", "", _kafka),
)
ADAPTERS = [
    *(
        pytest.param(make, id=labelled(module) + kind, marks=pytest.mark.consumer(module))
        for module, kind, make in _MADE
    ),
    pytest.param(_requests, id="requests"),
    pytest.param(_function, id="a function"),
    pytest.param(_async_function, id="a function async"),
]
