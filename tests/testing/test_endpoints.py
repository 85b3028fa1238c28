"""What is scripted for an endpoint, as our own hook meets it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_oauth_provider.exceptions import (
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.endpoints import Request, Response
from airflow_oauth_provider.testing.server import OAuth2Server

MakeHook = Callable[..., OAuth2Hook]


@pytest.fixture(autouse=True)
def _orders(oauth2_server: OAuth2Server) -> None:
    oauth2_server.api.route("orders", {"orders": [1, 2]})


class TestTokenEndpoint:
    def test_a_refused_client(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.refuse(description="no such client")
        with pytest.raises(InvalidClientError) as caught:
            hook().get_token()
        assert (caught.value.status, caught.value.description) == (401, "no such client")

    def test_a_refused_scope(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.refuse("invalid_scope")
        with pytest.raises(TokenEndpointError) as caught:
            hook().get_token()
        assert (caught.value.status, caught.value.error) == (400, "invalid_scope")

    def test_busy_for_longer_than_anybody_waits(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.throttle(retry_after=120)
        with pytest.raises(TokenEndpointError) as caught:
            hook().get_token()
        assert caught.value.status == 429
        assert 115 < (caught.value.retry_after or 0) <= 120

    def test_busy_for_a_moment(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.throttle(0, 503, times=2)
        assert hook().get_token().value == "token-1"
        assert len(oauth2_server.token_endpoint.requests) == 3

    def test_a_body_that_drips(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.drip(interval=0.2)
        with pytest.raises(TransportError, match="timed out"):
            hook(max_wait=1, max_retry_attempts=0).get_token()

    def test_a_body_that_is_cut(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.cut(after=5, times=2)
        with pytest.raises(OAuthError) as caught:
            hook(max_retry_attempts=0).get_token()
        assert isinstance(caught.value, TransportError)

    def test_a_page(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.respond("<h1>Sign in</h1>", headers={"Content-Type": "text/html"})
        with pytest.raises(TokenResponseError):
            hook().get_token()

    def test_no_response_at_all(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.drop()
        with pytest.raises(TransportError):
            hook(max_retry_attempts=0).get_token()
        assert hook().get_token().value == "token-1", "none was granted before"

    def test_one_that_comes_too_late(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.delay(600)
        with pytest.raises(TransportError, match="timed out"):
            hook(max_wait=0.5, max_retry_attempts=0).get_token()

    def test_down_until_it_is_up_again(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.refuse("invalid_scope", times=None)
        oauth2_server.token_endpoint.respond({}, 400)
        for error in (None, "invalid_scope", "invalid_scope"):
            with pytest.raises(TokenEndpointError) as caught:
                hook().get_token()
            assert caught.value.error == error, "what holds for one request comes first"
        oauth2_server.token_endpoint.as_usual()
        assert hook().get_token().value == "token-1"

    def test_a_response_that_depends_on_the_request(
        self, oauth2_server: OAuth2Server, hook: MakeHook
    ) -> None:
        def by_scope(request: Request) -> dict[str, object]:
            return {"access_token": request.form["scope"], "token_type": "Bearer", "expires_in": 60}

        oauth2_server.token_endpoint.respond(by_scope, times=None)
        assert [hook(scope=scope).get_token().value for scope in ("one", "two")] == ["one", "two"]

    def test_afterwards_as_usual(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.token_endpoint.refuse("invalid_scope")
        made = hook()
        with pytest.raises(TokenEndpointError):
            made.get_token()
        assert hook(scope="another").get_token().value == "token-1"


class TestApi:
    def test_a_refusal_in_mid_run_is_met_with_a_new_token(
        self, oauth2_server: OAuth2Server, hook: MakeHook
    ) -> None:
        oauth2_server.api.refuse()
        assert hook().run("orders").json() == {"orders": [1, 2]}
        assert len(oauth2_server.token_endpoint.requests) == 2

    def test_a_refusal_that_stays(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.refuse(times=2)
        with pytest.raises(ResourceError) as caught:
            hook().run("orders")
        assert caught.value.status == 401

    def test_a_scope_that_is_missing(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.refuse("insufficient_scope", 403)
        with pytest.raises(ResourceError) as caught:
            hook().run("orders")
        assert caught.value.status == 403

    def test_busy(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.throttle(7)
        with pytest.raises(ResourceError) as caught:
            hook().run("orders")
        assert (caught.value.status, caught.value.retry_after) == (429, 7)

    def test_a_body_that_is_cut(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.cut(after=3)
        with pytest.raises(TransportError):
            hook().run("orders")

    def test_a_body_that_drips(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.drip(interval=0.001)
        assert hook().run("orders").json() == {"orders": [1, 2]}

    def test_a_route_of_another_method_with_a_function(
        self, oauth2_server: OAuth2Server, hook: MakeHook
    ) -> None:
        def created(request: Request) -> dict[str, object]:
            return {"got": request.json(), "query": request.query}

        oauth2_server.api.route("/orders/", created, method="post", status=201, etag="1", x_rate="9")
        made = hook()
        made.method = "POST"
        response = made.run("orders?dry=1", json={"id": 3})
        assert response.status_code == 201
        assert response.json() == {"got": {"id": 3}, "query": {"dry": ["1"]}}
        assert (response.headers["ETag"], response.headers["X-Rate"]) == ("1", "9")

    def test_a_function_may_choose_status_and_headers(
        self, oauth2_server: OAuth2Server, hook: MakeHook
    ) -> None:
        def page(request: Request) -> Response:
            number = int(request.query.get("page", ["1"])[0])
            return Response.of([number], 200 if number < 3 else 404, {"ETag": str(number)})

        oauth2_server.api.route("orders", page)
        session = hook().get_conn()
        pages = [session.get(f"{oauth2_server.base_url}/orders?page={number}") for number in (1, 2, 3)]
        assert [(page.status_code, page.headers["ETag"]) for page in pages] == [
            (200, "1"),
            (200, "2"),
            (404, "3"),
        ]
        assert len({request.connection for request in oauth2_server.api.requests}) == 1

    def test_a_route_for_many_paths_and_methods(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.route("orders/*", lambda request: [request.method, request.path], method="*")
        oauth2_server.api.route("orders/7", "seven")
        session = hook().get_conn()
        orders = f"{oauth2_server.base_url}/orders"
        assert session.get(f"{orders}/4/lines").json() == ["GET", "/api/orders/4/lines"]
        assert session.delete(f"{orders}/7").json() == ["DELETE", "/api/orders/7"]
        assert session.get(f"{orders}/7").text == "seven"
        assert session.get(orders).json() == {"orders": [1, 2]}

    def test_connections_are_counted(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.drop()
        with pytest.raises(TransportError):
            hook().run("orders")
        hook().run("orders")
        first, second = oauth2_server.api.requests
        assert first.connection != second.connection

    def test_a_body_in_chunks_and_none(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.api.route("orders", "", method="PUT", status=204)
        oauth2_server.api.route("orders", "all", method="HEAD")
        session = hook().get_conn()
        url = f"{oauth2_server.base_url}/orders"
        assert session.put(url, data=iter([b"one", b"two"])).status_code == 204
        head = session.head(url)
        assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "3")
        assert [request.body for request in oauth2_server.api.requests] == [b"onetwo", b""]


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        pytest.param("text", b"text", "text/plain; charset=utf-8", id="text"),
        pytest.param(b"\x00", b"\x00", "text/plain; charset=utf-8", id="bytes"),
        pytest.param([1], b"[1]", "application/json", id="JSON"),
    ],
)
def test_bodies(body: object, sent: bytes, kind: str) -> None:
    response = Response.of(body)
    assert (response.body, response.headers["Content-Type"]) == (sent, kind)


def test_what_came_in_is_not_shown_whole() -> None:
    """A failing assertion prints requests, and a log of tests may be public."""
    assert "hidden" not in repr(Request("GET", "/", {"authorization": "hidden"}, b"hidden"))
