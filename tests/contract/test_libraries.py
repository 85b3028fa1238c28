"""The rules of a call, for each HTTP library that sends it by itself."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InvalidClientError,
    ResourceError,
)
from airflow_oauth_provider.tokens.manager import shared
from tests.support.dpop_service import DpopService, running_dpop_service
from tests.support.libraries import LIBRARIES, Library
from tests.support.servers.scripted import (
    Delay,
    Endless,
    Json,
    Raw,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
    Text,
    token_json,
)
from tests.support.service import Service, echo, redirecting

REFUSALS = (ResourceError, ConfigurationError, httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError)


def plain(body: bytes) -> ScriptedResponse:
    return Text(200, body)


def chunked(body: bytes) -> ScriptedResponse:
    pieces = [body[:10], body[10:1000], body[1000:]]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Raw(head + framed + b"0\r\n\r\n", keep_open=True)


def compressed(body: bytes) -> ScriptedResponse:
    return Text(200, gzip.compress(body), headers=[("Content-Encoding", "gzip")])


@pytest.fixture(params=list(LIBRARIES.values()), ids=list(LIBRARIES))
def library(request: pytest.FixtureRequest) -> Library:
    made: Library = request.param
    return made


@pytest.fixture
def connect(service: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the connection ``my_api``."""

    def connect(**changes: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**changes))

    connect()
    return connect


@pytest.fixture
def call(library: Library, service: Service, connect: Any) -> Any:
    """Call a path of the API, or an address."""

    def call(method: str, path: str, **options: Any) -> Any:
        url = path if "://" in path else f"{service.base_url}{path}"
        return library.call(library.adapter("my_api"), method, url, **options)

    return call


def echoed(result: Any) -> Any:
    assert result.status == 200
    return json.loads(result.content)


class TestTheToken:
    def test_is_added(self, call: Any) -> None:
        assert echoed(call("GET", "/x"))["authorization"] == "Bearer tok-1"

    def test_a_refused_one_is_renewed_once_and_the_request_sent_again(
        self, service: Service, call: Any
    ) -> None:
        service.dead.add("tok-1")
        result = call("POST", "/x?a=1", content=b"data", headers={"X-Own": "kept", "Cookie": "a=b"})
        assert (echoed(result)["authorization"], echoed(result)["body"]) == ("Bearer tok-2", "data")
        first, second = service.calls
        assert (second.method, second.target, second.body) == (first.method, first.target, first.body)
        assert [sent.header("X-Own") for sent in service.calls] == ["kept"] * 2
        assert [sent.header("Cookie") for sent in service.calls] == ["a=b"] * 2

    def test_a_second_refusal_is_the_result(self, service: Service, call: Any) -> None:
        service.dead.update({"tok-1", "tok-2"})
        assert call("GET", "/x").status == 401
        assert (len(service.calls), len(service.token_requests)) == (2, 2)

    def test_a_location_on_a_refusal_is_no_redirect(self, service: Service, call: Any) -> None:
        challenge = ("WWW-Authenticate", 'Bearer error="invalid_token"')
        service.refuse = lambda: Json({}, 401, [challenge, ("Location", "/login")])
        service.dead.add("tok-1")
        assert echoed(call("GET", "/x"))["authorization"] == "Bearer tok-2"
        assert [sent.target for sent in service.calls] == ["/api/x"] * 2

    def test_a_missing_scope_is_the_result(self, service: Service, call: Any) -> None:
        challenge = [("WWW-Authenticate", 'Bearer error="insufficient_scope"')]
        service.api = lambda _: Json({}, 403, challenge)
        assert call("GET", "/x").status == 403
        assert (len(service.calls), len(service.token_requests)) == (1, 1)

    def test_one_that_dies_in_mid_run(self, library: Library, service: Service, connect: Any) -> None:
        adapter = library.adapter("my_api")
        carried = []
        for number in range(12):
            if number % 4 == 3:
                service.dead.add(f"tok-{number // 4 + 1}")
            carried.append(echoed(library.call(adapter, "GET", f"{service.base_url}/x"))["authorization"])
        assert carried == [f"Bearer tok-{(number + 1) // 4 + 1}" for number in range(12)]
        assert len(service.token_requests) == 4

    def test_what_the_use_asks_for(self, library: Library, service: Service, connect: Any) -> None:
        asked = {"scope": "a b", "audience": "https://a.example", "resource": ["https://r.example"]}
        connect(tenant="one", tenants=["two"], host=f"{service.server.url}/token/{{tenant}}")
        adapter = library.adapter("my_api", tenant="two", **asked)
        assert library.call(adapter, "GET", f"{service.base_url}/x").status == 200
        request = service.token_requests[0]
        form = request.form
        assert request.target == "/token/two"
        assert (form["scope"], form["audience"], form["resource"]) == (
            ["a b"],
            ["https://a.example"],
            ["https://r.example"],
        )

    def test_a_header_of_another_name(self, service: Service, call: Any, connect: Any) -> None:
        connect(header_name="X-Access-Token", header_scheme="")
        assert call("GET", "/x").status == 200
        sent = service.calls[0]
        assert (sent.header("X-Access-Token"), sent.header("Authorization")) == ("tok-1", None)

    def test_nobody_else_sets_its_header(self, service: Service, call: Any) -> None:
        with pytest.raises(ConfigurationError, match="Authorization header of its own"):
            call("GET", "/x", headers={"Authorization": "Bearer mine"})
        assert service.calls == []

    def test_an_error_of_the_token_server(self, service: Service, call: Any) -> None:
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        with pytest.raises(InvalidClientError) as refused:
            call("GET", "/x")
        assert (refused.value.conn_id, service.calls) == ("my_api", [])

    # What aiohttp has to put back a large body that names no length.
    @pytest.mark.filterwarnings("ignore:unread_data")
    @pytest.mark.parametrize("framed", [plain, chunked, compressed])
    def test_a_body_tells_that_it_is_dead(
        self, service: Service, call: Any, connect: Any, framed: Callable[[bytes], ScriptedResponse]
    ) -> None:
        connect(dead_when="$.errors[*].code in 601")
        bodies = iter([{"errors": [{"code": 601}]}, {"errors": []}, [0] * 50_000])
        service.api = lambda _: framed(json.dumps(next(bodies)).encode())
        assert json.loads(call("GET", "/x").content) == {"errors": []}
        assert json.loads(call("GET", "/x").content) == [0] * 50_000
        assert (len(service.calls), len(service.token_requests)) == (3, 2)

    def test_neither_a_log_nor_what_is_printed_shows_it(
        self, library: Library, service: Service, connect: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        adapter = library.adapter("my_api")
        library.call(adapter, "GET", f"{service.base_url}/x")
        for shown in (caplog.text, repr(adapter), repr(vars(adapter)), str(pickle.dumps(adapter))):
            assert "tok-1" not in shown
            assert "a-client-secret" not in shown


class TestTheBody:
    def test_one_that_is_read_once_is_not_sent_again(self, service: Service, call: Any) -> None:
        service.dead.add("tok-1")
        with pytest.raises(ResourceError, match="read only once") as refused:
            call("POST", "/x", content=iter([b"a", b"b"]))
        assert (refused.value.conn_id, refused.value.retryable) == ("my_api", True)
        assert len(service.calls) == 1
        assert echoed(call("POST", "/x", content=iter([b"a", b"b"])))["body"] == "ab"

    def test_a_refusal_without_end_is_not_read_whole(self, service: Service, call: Any) -> None:
        head = b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        service.dead.add("tok-1")
        service.refuse = lambda: Endless(head, b"2000\r\n" + bytes(0x2000) + b"\r\n")
        assert echoed(call("GET", "/x"))["authorization"] == "Bearer tok-2"


class TestOrigins:
    def test_another_one_gets_nothing(self, service: Service, call: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"may not go to https://elsewhere\.example"):
            call("GET", "https://elsewhere.example/")
        assert service.server.requests == []

    def test_without_a_base_url_nobody_gets_it(self, service: Service, call: Any, connect: Any) -> None:
        connect(base_url=None)
        with pytest.raises(ConfigurationError, match="base_url"):
            call("GET", "/x")
        assert service.server.requests == []

    def test_code_names_it_where_the_connection_does_not(
        self, library: Library, service: Service, connect: Any
    ) -> None:
        connect(base_url=None)
        adapter = library.adapter("my_api", base_url=service.base_url)
        assert library.call(adapter, "GET", f"{service.base_url}/x").status == 200

    def test_a_redirect_that_nobody_follows_is_the_result(self, service: Service, call: Any) -> None:
        service.api = lambda _: Redirect("https://elsewhere.example/", 307)
        result = call("POST", "/x", content=b"data")
        assert (result.status, result.before) == (307, [])


class TestRedirects:
    """Where the library is told to follow them."""

    @pytest.mark.parametrize("name", ["Authorization", "X-Access-Token"])
    def test_a_get_goes_elsewhere_without_the_token(
        self, service: Service, call: Any, connect: Any, name: str
    ) -> None:
        connect(header_name=name)
        with ScriptedServer() as other:
            other.script(Text(200, "elsewhere"))
            service.api = lambda _: Redirect(f"{other.url}/x")
            result = call("GET", "/x", follow=True)
            assert (result.status, result.content, result.before) == (200, b"elsewhere", [302])
            assert not [value for _, value in other.requests[0].headers if "tok-1" in value]
            assert other.requests[0].header(name) is None

    @pytest.mark.fault("F02")
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    @pytest.mark.parametrize("dead", [set(), {"tok-1"}], ids=["at once", "after a replay"])
    def test_any_other_goes_nowhere(self, service: Service, call: Any, method: str, dead: set[str]) -> None:
        service.dead.update(dead)
        with ScriptedServer() as other:
            service.api = lambda _: Redirect(f"{other.url}/x", 307)
            with pytest.raises(ResourceError, match="not followed: it leads to") as refused:
                call(method, "/x", content=b"confidential", headers={"X-Key": "y"}, follow=True)
            assert other.requests == []
            requests.get(other.url, timeout=10)  # what has connected before is counted by then
            assert other.connections == 1, "not even a connection was opened"
        assert refused.value.conn_id == "my_api"

    def test_a_get_with_a_body_goes_nowhere(self, service: Service, call: Any) -> None:
        with ScriptedServer() as other:
            service.api = lambda _: Redirect(f"{other.url}/x", 307)
            with pytest.raises(ResourceError, match="where the request's body may not go"):
                call("GET", "/x", content=b"confidential", follow=True)
            assert other.requests == []

    @pytest.mark.parametrize(
        ("location", "says"),
        [
            ("https://169.254.169.254/latest/meta-data", "169.254.169.254"),
            ("http://elsewhere.example/", "must be https"),
            ("//user:password@127.0.0.1/", None),
            ("https://127.0.0.1:99999/", None),
            ("http://[::1/", None),
            ("javascript:alert(1)", None),
            ("file:///etc/passwd", None),
            ("/api/\x01y", None),
        ],
    )
    def test_nor_where_no_address_leads(
        self, service: Service, call: Any, connect: Any, location: str, says: str | None
    ) -> None:
        """It is refused by whoever sees it first: the library itself, in an error of its own, or we."""
        connect(allowed_origins=["https://elsewhere.example"])
        service.api = lambda _: Redirect(location)
        with pytest.raises(REFUSALS) as refused:
            call("GET", "/x", follow=True)
        assert says is None or says in str(refused.value)
        assert "tok-1" not in repr(refused.value)
        assert len(service.calls) == 1

    def test_an_allowed_origin_gets_the_token(self, service: Service, call: Any, connect: Any) -> None:
        with ScriptedServer() as allowed:
            connect(allowed_origins=[allowed.url])
            allowed.script(echo)
            service.api = lambda _: Redirect(f"{allowed.url}/x", 307)
            result = echoed(call("POST", "/x", content=b"data", follow=True))
        assert (result["authorization"], result["body"]) == ("Bearer tok-1", "data")

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize("status", [301, 302])
    def test_a_get_that_a_library_makes_of_another_method(
        self, service: Service, call: Any, method: str, status: int
    ) -> None:
        """RFC 9110 §15.4.3: libraries differ in what they make of it; the token goes with either."""
        service.api = redirecting("/api/y", status)
        result = echoed(call(method, "/x", content=b"data", follow=True))
        assert (result["method"], result["body"]) in {("GET", ""), (method, "data")}
        assert result["authorization"] == "Bearer tok-1"

    def test_nor_is_it_refused_when_its_token_is_dead(self, service: Service, call: Any) -> None:
        def die(request: RecordedRequest) -> ScriptedResponse:
            if request.target == "/api/y":
                return echo(request)
            service.dead.add("tok-1")
            return Redirect("/api/y")

        service.api = die
        result = echoed(call("PUT", "/x", content=b"data", follow=True))
        assert result["authorization"] == "Bearer tok-2"

    def test_what_has_left_does_not_come_back_with_the_token(self, service: Service, call: Any) -> None:
        with ScriptedServer() as other:
            service.api = lambda request: (
                Redirect(f"{other.url}/x") if request.target == "/api/x" else echo(request)
            )
            other.script(Redirect(f"{service.base_url}/y"))
            assert echoed(call("GET", "/x", follow=True))["authorization"] is None

    def test_one_renewal_for_a_call_however_often_it_is_redirected(self, service: Service, call: Any) -> None:
        service.dead.update(f"tok-{number}" for number in range(2, 9))

        def die(request: RecordedRequest) -> ScriptedResponse:
            service.dead.add("tok-1")
            return Redirect("/api/new")

        service.api = die
        result = call("POST", "/x", content=b"data", follow=True)
        assert (result.status, len(service.token_requests)) == (401, 2)
        assert [(sent.method, sent.target) for sent in service.calls] == [
            ("POST", "/api/x"),
            ("GET", "/api/new"),
            ("GET", "/api/new"),
        ]

    def test_more_than_five_are_not_followed(self, service: Service, call: Any) -> None:
        service.api = lambda _: Redirect("/api/x")
        with pytest.raises(ResourceError, match="more than 5 times"):
            call("GET", "/x", follow=True)
        assert len(service.calls) == 6

    def test_a_call_after_one_that_was_not_followed_begins_anew(
        self, library: Library, service: Service, call: Any
    ) -> None:
        service.api = redirecting("/api/y", 303)
        assert call("POST", "/x", content=b"data").status == 303
        assert echoed(call("DELETE", "/y"))["method"] == "DELETE"


class TestManyCallers:
    def test_fifty_threads_share_a_token(self, library: Library, service: Service, connect: Any) -> None:
        service.token = lambda _: Delay(0.1, token_json("tok-1"))
        adapter = library.adapter("my_api")
        with ThreadPoolExecutor(50) as threads:
            results = list(
                threads.map(lambda _: library.call(adapter, "GET", f"{service.base_url}/x"), range(50))
            )
        assert {echoed(result)["authorization"] for result in results} == {"Bearer tok-1"}
        assert len(service.token_requests) == 1

    def test_fifty_threads_renew_once(self, library: Library, service: Service, connect: Any) -> None:
        adapter, url = library.adapter("my_api"), f"{service.base_url}/x"
        library.call(adapter, "GET", url)
        service.dead.add("tok-1")
        with ThreadPoolExecutor(50) as threads:
            results = list(threads.map(lambda _: library.call(adapter, "GET", url), range(50)))
        assert {echoed(result)["authorization"] for result in results} == {"Bearer tok-2"}
        assert len(service.token_requests) == 2

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_a_forked_process_goes_on(self, library: Library, service: Service, connect: Any) -> None:
        adapter, url = library.adapter("my_api"), f"{service.base_url}/x"
        library.call(adapter, "GET", url)

        def child(pipe: Any) -> None:
            service.dead.add("tok-1")  # in this process's memory only
            pipe.send(echoed(library.call(adapter, "GET", url))["authorization"])

        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        process = fork.Process(target=child, args=(theirs,))
        process.start()
        assert ours.poll(30)
        assert ours.recv() == "Bearer tok-1"
        process.join(30)
        assert process.exitcode == 0
        assert len(service.token_requests) == 1

    def test_it_travels_to_another_process(self, library: Library, service: Service, connect: Any) -> None:
        adapter = pickle.loads(pickle.dumps(library.adapter("my_api")))
        assert library.call(adapter, "GET", f"{service.base_url}/x").status == 200


class TestTheConnection:
    def test_one_that_has_been_deleted(
        self, library: Library, service: Service, connect: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The token that is held serves while it lasts; then the error says what is missing."""
        adapter, url = library.adapter("my_api"), f"{service.base_url}/x"
        assert library.call(adapter, "GET", url).status == 200
        monkeypatch.delenv("AIRFLOW_CONN_MY_API")
        assert library.call(adapter, "GET", url).status == 200
        service.dead.add("tok-1")
        shared.clear()
        for used in (adapter, library.adapter("my_api")):
            with pytest.raises(ConnectionNotFoundError) as missing:
                library.call(used, "GET", url)
            assert missing.value.conn_id == "my_api"
        assert len(service.token_requests) == 1

    def test_one_of_another_type(
        self, library: Library, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", f"postgres://user:pass@127.0.0.1:{service.server.port}/")
        with pytest.raises(ConfigurationError) as refused:
            library.call(library.adapter("my_api"), "GET", f"{service.base_url}/x")
        assert (refused.value.field, service.server.requests) == ("conn_type", [])


class TestAnApiThatWantsToBeLeftAlone:
    def test_others_do_not_ask_meanwhile(self, library: Library, service: Service, connect: Any) -> None:
        service.api = lambda _: Json({}, 429, [("Retry-After", "100")])
        url = f"{service.base_url}/x"
        assert library.call(library.adapter("my_api", cool_down="fail"), "GET", url).status == 429
        with pytest.raises(ResourceError) as refused:
            library.call(library.adapter("my_api", cool_down="fail"), "GET", url)
        assert (refused.value.status, refused.value.sent, refused.value.conn_id) == (429, False, "my_api")
        assert library.call(library.adapter("my_api", cool_down="ignore"), "GET", url).status == 429
        assert len(service.calls) == 2

    def test_a_choice_that_there_is_not(self, library: Library) -> None:
        with pytest.raises(ConfigurationError) as refused:
            library.adapter("my_api", cool_down="sometimes")
        assert refused.value.field == "cool_down"


class TestProofs:
    """Of possession (RFC 9449), made anew for each request."""

    def call(self, library: Library, service: DpopService, path: str = "/x", **options: Any) -> Any:
        adapter = library.adapter("my_api")
        return library.call(adapter, "POST", f"{service.base_url}{path}", content=b"data", **options)

    @pytest.fixture
    def bound(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[DpopService]:
        with running_dpop_service() as service:
            monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
            yield service

    def test_one_with_each_request(self, library: Library, bound: DpopService) -> None:
        for _ in range(3):
            assert self.call(library, bound).status == 200
        assert (bound.refused(), len(bound.calls), len(bound.token_requests)) == ([], 3, 1)

    def test_it_travels_after_one(self, library: Library, bound: DpopService) -> None:
        adapter, url = library.adapter("my_api"), f"{bound.base_url}/x"
        for _ in range(2):
            assert library.call(adapter, "GET", url).status == 200
            adapter = pickle.loads(pickle.dumps(adapter))

    def test_a_nonce_is_learnt(self, library: Library, bound: DpopService) -> None:
        bound.serving.required = True
        assert self.call(library, bound).status == 200
        assert bound.refused() == ["use_dpop_nonce"]
        assert self.call(library, bound).status == 200
        assert (len(bound.calls), len(bound.token_requests)) == (3, 1)

    def test_another_one_for_a_redirect(self, library: Library, bound: DpopService) -> None:
        bound.api = redirecting("/api/y", 303)
        assert self.call(library, bound, follow=True).status == 200
        assert bound.refused() == []
        assert [(sent.method, sent.target) for sent in bound.calls] == [("POST", "/api/x"), ("GET", "/api/y")]

    def test_none_goes_elsewhere(self, library: Library, bound: DpopService) -> None:
        with ScriptedServer() as other:
            bound.api = lambda _: Redirect(f"{other.url}/x", 303)
            other.script(Text(200))
            adapter = library.adapter("my_api")
            assert library.call(adapter, "GET", f"{bound.base_url}/x", follow=True).status == 200
            (sent,) = other.requests
        assert (sent.header("DPoP"), sent.header("Authorization")) == (None, None)
