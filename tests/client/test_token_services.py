"""Introspection and revocation through the hook, against a scripted server; threads and coroutines alike."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.slots import Slots
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.confidential import assert_nothing_confidential
from tests.support.echoing import refusals_repeating
from tests.support.servers.scripted import (
    CloseNow,
    Delay,
    Drip,
    Endless,
    Held,
    Json,
    RecordedRequest,
    Redirect,
    Reset,
    ScriptedResponse,
    ScriptedServer,
    Silent,
    Text,
)
from tests.support.service import Service
from tests.support.sides import Coroutines, Side, Threads
from tests.support.spellings import SPELLINGS, disclosed
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import auntil

FOREIGN = "a-token/of+somebody=else"
SECRET = "a-client-secret"
Script = ScriptedResponse | Callable[[RecordedRequest], ScriptedResponse]


class Server:
    """A service with one more endpoint, for both."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._responses: list[Script] = [Json({"active": True})]
        self._plain = service._respond
        service.server.script(self._respond)

    @property
    def endpoint(self) -> str:
        return f"{self.service.server.url}/about"

    @property
    def asked(self) -> list[RecordedRequest]:
        return [request for request in self.service.server.requests if request.target.startswith("/about")]

    def script(self, *responses: Script) -> None:
        self._responses = list(responses)

    def hook(self, **changes: Any) -> OAuth2Hook:
        given = {"max_retry_attempts": 1, "max_wait": 5, **changes}
        return OAuth2Hook(method="GET", connection=self.service.connection(**given))

    def _respond(self, request: RecordedRequest) -> ScriptedResponse:
        if not request.target.startswith("/about"):
            return self._plain(request)
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        return response(request) if callable(response) and not hasattr(response, "play") else response


@pytest.fixture
def server(service: Service) -> Server:
    return Server(service)


@pytest.fixture(params=["threads", "coroutines"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """The two ways to ask, for many short tests: without a look for what nobody has closed."""
    if request.param == "threads":
        yield Threads()
    else:
        coroutines = Coroutines()
        yield coroutines
        coroutines.end()


@pytest.fixture(params=["introspect", "revoke"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestIntrospection:
    """RFC 7662."""

    def test_the_token_that_tasks_use(self, server: Server, side: Side) -> None:
        hook = server.hook()
        server.script(Json({"active": True, "scope": "read", "exp": 1}))
        result = side.call(hook, "introspect", endpoint=server.endpoint)
        assert result == {"active": True, "scope": "read", "exp": 1}
        assert side.call(hook, "introspect", endpoint=server.endpoint) == result
        assert [request.form["token"] for request in server.asked] == [["tok-1"], ["tok-1"]]
        assert len(server.service.token_requests) == 1

    @pytest.mark.parametrize(
        "given", [FOREIGN, AccessToken(FOREIGN, "Bearer", 2e9, 1e9)], ids=["text", "token"]
    )
    def test_a_foreign_token_needs_none_of_ours(self, given: Any, server: Server, side: Side) -> None:
        server.script(Json({"active": False}))
        assert side.call(server.hook(), "introspect", given, endpoint=server.endpoint) == {"active": False}
        (request,) = server.asked
        assert request.form == {"token": [FOREIGN], "token_type_hint": ["access_token"]}
        assert request.header("Authorization") == server_authorization()
        assert not server.service.token_requests

    def test_the_result_never_holds_the_token(self, server: Server, side: Side) -> None:
        def echoing(request: RecordedRequest) -> ScriptedResponse:
            spelled = {name: spell(FOREIGN) for name, spell in SPELLINGS.items()}
            return Json({"active": True, "token": FOREIGN, "spelled": spelled, FOREIGN: 1, "sub": SECRET})

        server.script(echoing)
        result = side.call(server.hook(), "introspect", FOREIGN, endpoint=server.endpoint)
        assert not disclosed(json.dumps(result, ensure_ascii=False), [FOREIGN, SECRET])

    def test_the_error_of_getting_a_token_is_its_own(self, server: Server, side: Side) -> None:
        server.service.token = lambda _: Json({"error": "invalid_client"}, 401)
        with pytest.raises(InvalidClientError, match="the token request"):
            side.call(server.hook(), "introspect", endpoint=server.endpoint)
        assert not server.asked


class TestRevocation:
    """RFC 7009."""

    def test_the_token_is_out_of_use_before_the_call(self, server: Server, side: Side) -> None:
        hook = server.hook()
        assert side.token(hook).value == "tok-1"
        seen: list[str] = []

        def looking(request: RecordedRequest) -> ScriptedResponse:
            seen.extend([request.form["token"][0], OAuth2Hook(connection=connection).get_token().value])
            return Text(200)

        connection = server.service.connection(max_retry_attempts=1, max_wait=30)
        server.script(looking)
        assert side.call(hook, "revoke", endpoint=server.endpoint) is True
        assert seen == ["tok-1", "tok-2"]
        assert side.token(hook).value == "tok-2"
        side.run(hook, "orders")
        assert server.service.calls[-1].header("Authorization") == "Bearer tok-2"

    def test_from_memory_and_from_the_store(
        self, server: Server, side: Side, tmp_path: Any, monkeypatch: Any
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
        side.token(server.hook())
        shared.clear()  # as in another process
        server.script(Text(200))
        assert side.call(server.hook(), "revoke", endpoint=server.endpoint) is True
        assert [request.form["token"] for request in server.asked] == [["tok-1"]]
        shared.clear()
        assert side.token(server.hook()).value == "tok-2"
        # Memory holds tok-2, the store what another process has just been granted.
        slots, shared.slots = shared.slots, Slots()
        assert side.call(server.hook(), "get_token", force=True).value == "tok-3"
        shared.slots = slots
        assert side.call(server.hook(), "revoke", endpoint=server.endpoint) is True
        assert [request.form["token"] for request in server.asked[1:]] == [["tok-2"], ["tok-3"]]

    def test_tokens_of_other_parameters_are_forgotten(self, server: Server, side: Side) -> None:
        connection = server.service.connection(max_retry_attempts=1, max_wait=30)
        own, other = OAuth2Hook(connection=connection), OAuth2Hook(connection=connection, scope="other")
        server.script(Text(200))
        assert [side.token(hook).value for hook in (own, other, other)] == ["tok-1", "tok-2", "tok-2"]
        assert side.call(own, "revoke", FOREIGN, endpoint=server.endpoint) is True
        assert side.token(other).value == "tok-2"
        assert side.call(own, "revoke", endpoint=server.endpoint) is True
        assert side.token(other).value == "tok-3"
        assert side.token(OAuth2Hook(connection=connection, scope="other")).value == "tok-3"

    def test_nothing_is_sent_where_no_token_is_kept(self, server: Server, side: Side) -> None:
        assert side.call(server.hook(), "revoke", endpoint=server.endpoint) is False
        assert not server.service.server.requests

    def test_our_own_token_by_its_text(self, server: Server, side: Side) -> None:
        hook = server.hook()
        server.script(Text(200))
        assert side.call(hook, "revoke", side.token(hook).value, endpoint=server.endpoint) is True
        assert side.token(hook).value == "tok-2"

    def test_a_foreign_token_leaves_ours_alone(self, server: Server, side: Side) -> None:
        hook = server.hook()
        side.token(hook)
        server.script(Text(200))
        assert side.call(hook, "revoke", FOREIGN, endpoint=server.endpoint) is True
        assert [request.form["token"] for request in server.asked] == [[FOREIGN]]
        assert side.token(hook).value == "tok-1"

    def test_a_token_that_could_not_be_revoked_is_out_of_use_too(self, server: Server, side: Side) -> None:
        hook = server.hook()
        side.token(hook)
        server.script(Json({"error": "unsupported_token_type"}, 400))
        with pytest.raises(TokenEndpointError) as caught:
            side.call(hook, "revoke", endpoint=server.endpoint)
        assert caught.value.error == "unsupported_token_type"
        assert "does not revoke such tokens" in str(caught.value)
        assert "it may stay good until it ends" in str(caught.value)
        assert side.token(hook).value == "tok-2"


def server_authorization() -> str:
    return "Basic " + base64.b64encode(f"my-client:{SECRET}".encode()).decode()


KINDS = ("introspection", "revocation")
GOOD = {"introspect": Json({"active": True}), "revoke": Text(200)}


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(CloseNow(), id="closed"),
        pytest.param(Reset(), id="reset"),
        pytest.param(Text(503, headers=[("Retry-After", "0")]), id="503"),
        pytest.param(Json({"error": "temporarily_unavailable"}, 400), id="temporarily-unavailable"),
        pytest.param(Text(429, headers=[("Retry-After", "1")]), id="429"),
    ],
)
def test_what_passes_is_repeated(first: ScriptedResponse, name: str, server: Server, side: Side) -> None:
    server.script(first, GOOD[name])
    assert side.call(server.hook(), name, FOREIGN, endpoint=server.endpoint)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "response, kind, requests, retryable",
    [
        pytest.param(
            Json({"error": "invalid_client"}, 401), InvalidClientError, 1, False, id="invalid_client"
        ),
        pytest.param(
            Json({"error": "invalid_request"}, 400), TokenEndpointError, 1, False, id="invalid_request"
        ),
        pytest.param(Text(401), TokenEndpointError, 1, False, id="bare-401"),
        pytest.param(Text(403), TokenEndpointError, 1, False, id="bare-403"),
        pytest.param(Text(404, "<html>"), TokenEndpointError, 1, False, id="404"),
        pytest.param(Text(503), TokenEndpointError, 2, True, id="503"),
        pytest.param(
            Text(503, headers=[("Retry-After", "60")]), TokenEndpointError, 1, True, id="busy-for-long"
        ),
        pytest.param(Redirect("/token"), TokenResponseError, 1, False, id="302"),
        pytest.param(Redirect("/token", 307), TokenResponseError, 1, False, id="307"),
        pytest.param(Text(201, '{"active": true}'), TokenResponseError, 1, False, id="201"),
        pytest.param(Text(204), TokenResponseError, 1, False, id="204"),
        pytest.param(Text(200, "<html>", "text/html"), TokenResponseError, 1, False, id="page"),
        pytest.param(
            Endless(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536), TokenResponseError, 1, False, id="without-end"
        ),
        pytest.param(CloseNow(), TransportError, 2, True, id="closed"),
    ],
)
def test_what_does_not_pass(
    response: ScriptedResponse,
    kind: type,
    requests: int,
    retryable: bool,
    name: str,
    server: Server,
    side: Side,
) -> None:
    server.script(response)
    with pytest.raises(OAuthError) as caught:
        side.call(server.hook(), name, FOREIGN, endpoint=server.endpoint)
    assert type(caught.value) is kind
    assert caught.value.conn_id == "my_api"
    assert caught.value.retryable is retryable
    assert len(server.asked) == requests
    assert len(server.service.server.requests) == requests, "no redirect was followed"


@pytest.mark.parametrize(
    "response", [Silent(), Drip(b"HTTP/1.1 200 OK\r\n" * 50, 0.05)], ids=["silent", "drips"]
)
def test_max_wait_is_a_hard_limit(response: ScriptedResponse, name: str, server: Server, side: Side) -> None:
    server.script(response)
    watch = Stopwatch()
    with pytest.raises(TransportError):
        side.call(server.hook(max_wait=1, max_retry_attempts=3), name, FOREIGN, endpoint=server.endpoint)
    assert watch.seconds < 5, "a timeout of the request alone would be 15 s"


@pytest.mark.parametrize(
    "given, field, reason",
    [
        pytest.param({}, "endpoint", "is missing: give the address", id="none"),
        pytest.param({"endpoint": ""}, "endpoint", "is missing", id="empty"),
        pytest.param({"endpoint": 7}, "endpoint", "is missing", id="no-text"),
        pytest.param({"endpoint": "http://idp.example/x"}, "endpoint", "must be https", id="http"),
        pytest.param({"endpoint": "https://u:p@idp.example/"}, "endpoint", "user name", id="userinfo"),
        pytest.param({"endpoint": "https://idp.example/#x"}, "endpoint", "fragment", id="fragment"),
        pytest.param({"endpoint": "https://idp.example/"}, "endpoint", "allowed_token_hosts", id="elsewhere"),
        pytest.param({"endpoint": "idp.example/x"}, "endpoint", "allowed_token_hosts", id="without-scheme"),
        pytest.param({"endpoint": "http://127.0.0.1:9/x"}, "endpoint", "own host and port", id="other-port"),
        pytest.param(
            {"endpoint": "https://169.254.169.254/"}, "endpoint", "allowed_token_hosts", id="metadata"
        ),
    ],
)
def test_an_endpoint_that_cannot_be_used(
    given: dict[str, Any], field: str, reason: str, name: str, server: Server, side: Side
) -> None:
    hook = server.hook()
    side.token(hook)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        side.call(hook, name, **given)
    assert caught.value.field == field
    assert caught.value.conn_id == "my_api"
    assert len(server.service.server.requests) == 1
    assert side.token(hook).value == "tok-1", "it is still in use"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param(f"Bearer {FOREIGN}", id="with-its-scheme"),
        pytest.param(f"{FOREIGN}\r\n", id="line-break"),
        pytest.param(f"{FOREIGN}ä", id="not-ASCII"),
        pytest.param(17, id="number"),
    ],
)
def test_a_token_that_is_none(token: Any, name: str, server: Server, side: Side) -> None:
    with pytest.raises(ConfigurationError) as caught:
        side.call(server.hook(), name, token, endpoint=server.endpoint)
    assert caught.value.field == "token"
    assert_nothing_confidential(caught.value, [FOREIGN])
    assert not server.service.server.requests


class TestHosts:
    """The client's credential goes to allow-listed hosts and to the token URL's own."""

    def test_a_listed_host(
        self, name: str, server: Server, side: Side, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hosts = ",".join(f"127.0.0.1:{port}" for port in (scripted.port, server.service.server.port))
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", hosts)
        scripted.script(GOOD[name])
        hook = server.hook(secret_headers="X-Gate=the-key-of-the-gate")
        assert side.call(hook, name, FOREIGN, endpoint=f"{scripted.url}/about")
        (request,) = scripted.requests
        assert request.header("Authorization") == server_authorization()
        assert request.header("X-Gate") is None

    def test_another_one(
        self, name: str, server: Server, side: Side, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = f"127.0.0.1:{server.service.server.port}"
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", own)
        with pytest.raises(ConfigurationError, match="allowed_token_hosts"):
            side.call(server.hook(), name, FOREIGN, endpoint=f"{scripted.url}/about")
        assert not scripted.requests

    def test_a_name_that_leads_to_metadata(
        self, name: str, server: Server, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a token URL: what is not listed must not lead to link-local addresses."""

        def resolve(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

        hook = server.hook(host="https://idp.example/token")
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with pytest.raises(ConfigurationError) as caught:
            side.call(hook, name, FOREIGN, endpoint="https://idp.example/about")
        assert caught.value.field == "endpoint"

    def test_headers_of_the_connection_go_to_its_own_host(
        self, name: str, server: Server, side: Side
    ) -> None:
        server.script(GOOD[name])
        hook = server.hook(secret_headers="X-Gate=the-key-of-the-gate", secret_params="pin=a-secret-pin")
        side.call(hook, name, FOREIGN, endpoint=server.endpoint)
        (request,) = server.asked
        assert request.header("X-Gate") == "the-key-of-the-gate"
        assert set(request.form) == {"token", "token_type_hint"}


class TestDiscovery:
    """A connection that names its issuer needs no endpoint."""

    def hook(self, server: Server, *documents: Script, **changes: Any) -> OAuth2Hook:
        plain, scripts = server.service.server._responses[0], list(documents)

        def respond(request: RecordedRequest) -> ScriptedResponse:
            script: Any = plain
            if request.target.startswith("/.well-known"):
                script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
            return script if hasattr(script, "play") else script(request)  # type: ignore[no-any-return]

        server.service.server.script(respond)
        return server.hook(host=server.service.server.url, discovery=True, **changes)

    def document(self, server: Server, **changes: Any) -> ScriptedResponse:
        url = server.service.server.url
        endpoints = {"introspection_endpoint": server.endpoint, "revocation_endpoint": server.endpoint}
        return Json({"issuer": url, "token_endpoint": f"{url}/token", **endpoints, **changes})

    def fetches(self, server: Server) -> int:
        return sum(request.target.startswith("/.well-known") for request in server.service.server.requests)

    def test_found_once(self, name: str, server: Server, side: Side) -> None:
        hook = self.hook(server, self.document(server))
        side.token(hook)
        server.script(GOOD[name])
        for _ in range(2):
            assert side.call(hook, name, FOREIGN)
        assert len(server.asked) == 2
        assert self.fetches(server) == 1

    def test_without_a_token_before(self, name: str, server: Server, side: Side) -> None:
        server.script(GOOD[name])
        assert side.call(self.hook(server, self.document(server)), name, FOREIGN)
        assert self.fetches(server) == 1
        assert not server.service.token_requests

    def test_one_that_is_given_goes_first(self, name: str, server: Server, side: Side) -> None:
        named = self.document(server, **{f"{kind}_endpoint": server.endpoint + "/named" for kind in KINDS})
        server.script(GOOD[name])
        side.call(self.hook(server, named), name, FOREIGN, endpoint=server.endpoint)
        assert [request.target for request in server.asked] == ["/about"]

    def test_metadata_that_do_not_name_it(self, name: str, server: Server, side: Side) -> None:
        hook = self.hook(server, self.document(server, **{f"{kind}_endpoint": None for kind in KINDS}))
        token = side.token(hook)
        with pytest.raises(ConfigurationError, match="is missing: give the address") as caught:
            side.call(hook, name)
        assert caught.value.field == "endpoint"
        assert side.token(hook) is token, "it is still in use"

    def test_metadata_that_cannot_be_had(self, name: str, server: Server, side: Side) -> None:
        with pytest.raises(TransportError):
            side.call(self.hook(server, Text(503), max_wait=2), name, FOREIGN)
        assert not server.asked

    def test_metadata_that_lead_elsewhere(
        self, name: str, server: Server, side: Side, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "127.0.0.1")
        away = {f"{kind}_endpoint": "https://elsewhere.example/" for kind in KINDS}
        with pytest.raises(ConfigurationError, match="allowed_token_hosts"):
            side.call(self.hook(server, self.document(server, **away)), name, FOREIGN)


def test_a_custom_provider_authenticates_nowhere(
    name: str, server: Server, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW__OAUTH2__CUSTOM_PROVIDERS", '{"own": "tests.client.test_token_services.provider"}'
    )
    hook = server.hook(auth_method="custom", custom_provider="own")
    with pytest.raises(ConfigurationError) as caught:
        side.call(hook, name, FOREIGN, endpoint=server.endpoint)
    assert caught.value.field == "auth_method"


def provider(settings: Any) -> AccessToken:
    raise AssertionError("is not asked")


def everything(request: RecordedRequest) -> str:
    """What came in, as it came, and the secrets in all spellings."""
    return "\n".join(
        [str(request.headers), request.body.decode()]
        + [spell(value) for spell in SPELLINGS.values() for value in (FOREIGN, SECRET)]
    )


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize(
    "response",
    [
        *refusals_repeating(everything, FOREIGN),
        pytest.param(lambda r: Text(200, everything(r), "text/html"), id="page"),
        pytest.param(lambda _: Redirect(f"/x?token={FOREIGN}"), id="redirect"),
        pytest.param(lambda _: CloseNow(), id="closed"),
    ],
)
def test_errors_hold_nothing_confidential(
    response: Any, method: str, name: str, server: Server, side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    server.script(response)
    hook = server.hook(auth_method=method, max_wait=3)
    with pytest.raises(OAuthError) as caught:
        side.call(hook, name, FOREIGN, endpoint=server.endpoint)
    assert_nothing_confidential(caught.value, [FOREIGN, SECRET])
    assert not disclosed(caplog.text, [FOREIGN, SECRET])


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is registered with Airflow's masker."""
    from airflow_oauth_provider.client import masking

    registered: list[str] = []

    async def amask(value: str) -> None:
        registered.append(value)

    monkeypatch.setattr(masking, "_mask", registered.append)
    monkeypatch.setattr(masking, "_amask", amask)
    masking._known.clear()
    masking._counts.clear()
    yield registered
    masking._known.clear()
    masking._counts.clear()


def test_a_foreign_token_is_masked(name: str, server: Server, side: Side, masked: list[str]) -> None:
    server.script(GOOD[name])
    side.call(server.hook(), name, FOREIGN, endpoint=server.endpoint)
    assert any(FOREIGN.endswith(value) for value in masked)


def test_the_loop_goes_on(name: str, server: Server) -> None:
    turned = threading.Event()
    server.script(Held(turned, GOOD[name]))

    async def both() -> None:
        task = asyncio.ensure_future(getattr(server.hook(), f"a{name}")(FOREIGN, endpoint=server.endpoint))
        await auntil(lambda: server.asked, "the request")
        turned.set()  # while the call is under way: a loop that stood still would never come here
        assert await task

    asyncio.run(both())


def test_a_task_that_is_killed_stops_waiting(name: str, server: Server) -> None:
    server.script(Silent())
    hook = server.hook(max_wait=60)
    threading.Timer(0.3, hook.stop).start()
    with pytest.raises(TaskStoppedError):
        getattr(hook, name)(FOREIGN, endpoint=server.endpoint)


def test_a_rotated_secret_is_used_without_a_restart(
    name: str, server: Server, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", server.service.environment(password="the-old-secret"))
    hook = OAuth2Hook("my_api")
    side.token(hook)
    hook._client.reader._read_at -= 2
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", server.service.environment(password=SECRET))
    server.script(GOOD[name])
    side.call(hook, name, FOREIGN, endpoint=server.endpoint)
    assert server.asked[0].header("Authorization") == server_authorization()


@pytest.mark.fault("P49", "P50", "F69")
class TestRemembered:
    """What is refused once is not asked again by everybody: by the rules of token requests."""

    REFUSAL = Json({"error": "invalid_client"}, 401)

    def test_one_wrong_secret_is_one_request(self, name: str, server: Server, side: Side) -> None:
        server.script(self.REFUSAL)
        for number in range(5):
            with pytest.raises(InvalidClientError):
                side.call(server.hook(), name, f"{FOREIGN}-{number}", endpoint=server.endpoint)
        with pytest.raises(InvalidClientError):
            side.token(server.hook())
        assert len(server.asked) == 1
        assert not server.service.token_requests

    def test_a_refused_token_request_is_one_too(self, name: str, server: Server, side: Side) -> None:
        server.service.token = lambda _: self.REFUSAL
        with pytest.raises(InvalidClientError):
            side.token(server.hook())
        with pytest.raises(InvalidClientError):
            side.call(server.hook(), name, FOREIGN, endpoint=server.endpoint)
        assert not server.asked

    def test_many_at_once(self, name: str, server: Server) -> None:
        server.script(Delay(0.3, self.REFUSAL))

        async def all_at_once() -> list[Any]:
            calls = [
                getattr(server.hook(), f"a{name}")(f"{FOREIGN}-{number}", endpoint=server.endpoint)
                for number in range(30)
            ]
            return await asyncio.gather(*calls, return_exceptions=True)

        results = asyncio.run(all_at_once())
        assert {type(result) for result in results} == {InvalidClientError}
        assert len(server.asked) == 1

    def test_a_busy_server_is_left_alone(self, name: str, server: Server, side: Side) -> None:
        server.script(Text(429, headers=[("Retry-After", "60")]), GOOD[name])
        for _ in range(3):
            with pytest.raises(TokenEndpointError) as caught:
                side.call(server.hook(), name, FOREIGN, endpoint=server.endpoint)
            assert caught.value.retry_after == pytest.approx(60, abs=40)
        assert len(server.asked) == 1

    def test_another_secret_is_asked_at_once(self, name: str, server: Server, side: Side) -> None:
        server.script(self.REFUSAL, GOOD[name])
        with pytest.raises(InvalidClientError):
            side.call(server.hook(), name, FOREIGN, endpoint=server.endpoint)
        assert side.call(server.hook(password="the-right-one"), name, FOREIGN, endpoint=server.endpoint)
