"""The credentials that azure-core asks, by its own protocols and its own policy."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.adapters.azure import AsyncOAuth2Credential, OAuth2Credential
from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.support.bound_tokens import SERVERS
from tests.support.consumer_pages import run
from tests.support.servers.certificates import issue, server_context
from tests.support.servers.scripted import Json, ScriptedServer, Text, token_json
from tests.support.service import Service

SCOPE = "https://storage.example/.default"
STORAGE = "https://storage.azure.com/.default"
"""The scope that the SDK for blobs names."""


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``my_azure`` that is lent; its token says what was asked for."""
    service.token = lambda request: token_json(f"tok-{request.form['scope'][0].replace(' ', '+')}")
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_azure")
    monkeypatch.setenv("AIRFLOW_CONN_MY_AZURE", service.environment(scope="own"))
    return service


def test_nothing_of_azure_is_imported_before_it_is_used() -> None:
    program = (
        "import sys; from airflow_oauth_provider.adapters.azure import OAuth2Credential; "
        "OAuth2Credential('my_azure'); print([name for name in sys.modules if name.startswith('azure')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("made", [OAuth2Credential, AsyncOAuth2Credential])
def test_it_holds_an_id_and_travels_as_that(lent: Service, made: Any) -> None:
    credential = pickle.loads(pickle.dumps(made("my_azure", audience="https://a.example")))
    assert repr(credential) == f"<{made.__name__} of connection 'my_azure'>"
    assert b"a-client-secret" not in pickle.dumps(credential)
    assert lent.server.requests == [], "nothing is read or asked for before it is used"


def test_one_that_is_not_lent_says_which_line_is_missing(lent: Service) -> None:
    attempts: list[Callable[[], Any]] = [
        OAuth2Credential("other").get_token,
        OAuth2Credential("other").get_token_info,
        lambda: asyncio.run(AsyncOAuth2Credential("other").get_token(SCOPE)),
        lambda: asyncio.run(AsyncOAuth2Credential("other").get_token_info()),
    ]
    for get in attempts:
        with pytest.raises(ConfigurationError, match='"lent_connections = my_azure, other"') as refused:
            get()
        assert (refused.value.conn_id, refused.value.field) == ("other", "lent_connections")
    assert lent.server.requests == []


def test_a_connection_that_is_gone(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = OAuth2Credential("my_azure")
    monkeypatch.delenv("AIRFLOW_CONN_MY_AZURE")
    with pytest.raises(ConnectionNotFoundError):
        credential.get_token(SCOPE)


@pytest.mark.consumer("azure.core")
class TestWithAzureCore:
    def test_they_are_what_its_protocols_want(self) -> None:
        from azure.core import credentials, credentials_async

        assert isinstance(OAuth2Credential("my_azure"), credentials.TokenCredential)
        assert isinstance(OAuth2Credential("my_azure"), credentials.SupportsTokenInfo)
        assert isinstance(AsyncOAuth2Credential("my_azure"), credentials_async.AsyncTokenCredential)
        assert isinstance(AsyncOAuth2Credential("my_azure"), credentials_async.AsyncSupportsTokenInfo)

    def test_a_token_for_the_scopes_of_the_call(self, lent: Service) -> None:
        from azure.core.credentials import AccessToken, AccessTokenInfo

        with OAuth2Credential("my_azure") as credential:
            own, other = credential.get_token(), credential.get_token("x", "y")
            info = credential.get_token_info("x", "y", options={"enable_cae": True})
        assert (own.token, other.token) == ("tok-own", "tok-x+y")
        assert isinstance(other, AccessToken)
        assert isinstance(info, AccessTokenInfo)
        assert (info.token, info.token_type, info.expires_on) == ("tok-x+y", "Bearer", other.expires_on)
        assert info.refresh_on is not None
        assert info.refresh_on < info.expires_on == int(info.expires_on)
        assert len(lent.token_requests) == 2

    @pytest.mark.parametrize("made", [OAuth2Credential, AsyncOAuth2Credential])
    def test_a_scope_that_is_no_text(self, lent: Service, made: Any) -> None:
        """As ``force`` once was."""
        credential = made("my_azure")
        for ask in (credential.get_token, credential.get_token_info):
            with pytest.raises(TypeError, match="force=True"):
                asyncio.run(ask(True)) if made is AsyncOAuth2Credential else ask(True)
        assert lent.server.requests == []

    def test_fifty_threads(self, lent: Service) -> None:
        credential = OAuth2Credential("my_azure")
        with ThreadPoolExecutor(50) as threads:
            tokens = list(
                threads.map(lambda number: credential.get_token(f"s-{number % 5}").token, range(50))
            )
        assert tokens == [f"tok-s-{number % 5}" for number in range(50)]
        assert len(lent.token_requests) == 5

    def test_other_threads_use_what_the_first_has_read(
        self, lent: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        credential = OAuth2Credential("my_azure")
        credential.get_token(SCOPE)
        monkeypatch.delenv("AIRFLOW_CONN_MY_AZURE")
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(credential.get_token, "x").result().token == "tok-x"
        with pytest.raises(ConnectionNotFoundError):
            credential.get_token("y")

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_a_forked_process(self, lent: Service) -> None:
        credential = OAuth2Credential("my_azure")
        credential.get_token(SCOPE)
        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        child = fork.Process(
            target=lambda: theirs.send([credential.get_token(s).token for s in (SCOPE, "x")])
        )
        child.start()
        assert ours.poll(30)
        assert ours.recv() == [f"tok-{SCOPE}", "tok-x"]
        child.join(30)
        assert len(lent.token_requests) == 2

    def test_coroutines_have_the_same(self, lent: Service) -> None:
        async def tokens() -> list[Any]:
            async with AsyncOAuth2Credential("my_azure") as credential:
                many = await asyncio.gather(*(credential.get_token(SCOPE) for _ in range(50)))
                return [*many, await credential.get_token_info(SCOPE)]

        assert {token.token for token in asyncio.run(tokens())} == {"tok-https://storage.example/.default"}
        assert len(lent.token_requests) == 1

    def test_its_own_policy_puts_the_token_on_a_request(self, lent: Service) -> None:
        from azure.core.pipeline import Pipeline
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy
        from azure.core.pipeline.transport import RequestsTransport
        from azure.core.rest import HttpRequest

        numbers = iter("12")
        lent.token = lambda request: token_json(f"{request.form['scope'][0]}-{next(numbers)}")
        policy = BearerTokenCredentialPolicy(OAuth2Credential("my_azure"), "x")
        with Pipeline(RequestsTransport(), [policy]) as pipeline:

            def carried() -> str:
                request = HttpRequest("GET", f"{lent.base_url}/blob")
                response = pipeline.run(request, enforce_https=False).http_response
                return str(response.json()["authorization"])

            for _ in range(3):
                assert carried() == "Bearer x-1"
            challenge = 'Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="'
            lent.dead.add("x-1")
            lent.refuse = lambda: Json({}, 401, [("WWW-Authenticate", challenge)])
            assert carried() == "Bearer x-2"
        assert len(lent.token_requests) == 2, "a challenge with claims asks for a new one"

    def test_its_policy_for_coroutines_does_the_same(self, lent: Service) -> None:
        from azure.core.pipeline import AsyncPipeline
        from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
        from azure.core.pipeline.transport import AioHttpTransport
        from azure.core.rest import HttpRequest

        numbers = iter("12")
        lent.token = lambda request: token_json(f"{request.form['scope'][0]}-{next(numbers)}")

        async def work() -> list[str]:
            policy = AsyncBearerTokenCredentialPolicy(AsyncOAuth2Credential("my_azure"), "x")
            async with AsyncPipeline(AioHttpTransport(), [policy]) as pipeline:

                async def carried() -> str:
                    request = HttpRequest("GET", f"{lent.base_url}/blob")
                    response = (await pipeline.run(request, enforce_https=False)).http_response
                    await response.read()
                    return str(response.json()["authorization"])

                before = [await carried() for _ in range(3)]
                challenge = 'Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="'
                lent.dead.add("x-1")
                lent.refuse = lambda: Json({}, 401, [("WWW-Authenticate", challenge)])
                return [*before, await carried()]

        assert asyncio.run(work()) == ["Bearer x-1"] * 3 + ["Bearer x-2"]
        assert len(lent.token_requests) == 2

    def test_the_hooks_own_credential_needs_no_lending(self, lent: Service) -> None:
        from azure.core.credentials import TokenCredential

        credential = OAuth2Hook(connection=lent.connection(scope="own")).credential()
        assert isinstance(credential, TokenCredential)
        assert credential.get_token("x").token == "tok-x"


@pytest.mark.consumer("azure.storage.blob")
@pytest.mark.parametrize("where", ["credential()", "in_coroutines"])
def test_an_sdk_by_what_the_page_shows(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK takes a credential over https only."""
    trusted = tmp_path / "authority.pem"
    trusted.write_text(SERVERS.certificate)
    with ScriptedServer(server_context(issue(SERVERS), tmp_path)) as server:
        service = Service(server)
        service.token = lambda request: token_json(f"tok-{request.form['scope'][0]}")
        service.api = lambda _: Text(
            200, "<EnumerationResults><Containers/></EnumerationResults>", "application/xml"
        )
        given = service.environment(ca_certificates=SERVERS.certificate)
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", given)
        monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "orders_api")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
        url = "https://acme.blob.core.windows.net"
        names = run("azure", {url: server.url} if where == "credential()" else {}, where)
        if where == "credential()":
            with names["service"] as blobs:
                assert list(blobs.list_containers()) == []
        else:
            from azure.storage.blob import BlobServiceClient

            with BlobServiceClient(server.url, credential=names["credential"]) as blobs:
                assert list(blobs.list_containers()) == []
            assert asyncio.run(containers(server.url, names["in_coroutines"], trusted)) == []
    assert {call.header("Authorization") for call in service.calls} == {f"Bearer tok-{STORAGE}"}
    assert len(service.token_requests) == 1


async def containers(url: str, credential: Any, trusted: Path) -> list[Any]:
    from azure.storage.blob.aio import BlobServiceClient

    async with BlobServiceClient(url, credential=credential, connection_verify=str(trusted)) as blobs:
        return [container async for container in blobs.list_containers()]
