"""The token on any ``requests`` code, on the stock operator, and as a function."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from airflow_oauth_provider.auth import OAuth2Auth, bearer_token_callable
from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.tokens.manager import shared
from tests.support.dpop_service import running_dpop_service
from tests.support.servers.scripted import (
    CloseNow,
    Delay,
    Endless,
    Json,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
    token_json,
)
from tests.support.service import Service, echo, redirecting, running_service


def auth_of(service: Service) -> OAuth2Auth:
    return OAuth2Auth("my_api", connection=service.connection())


class TestPlainRequests:
    """``requests.get(url, auth=OAuth2Auth("my_api"))``."""

    def test_the_token_is_added(self, service: Service) -> None:
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5)
        assert response.json()["authorization"] == "Bearer tok-1"

    def test_a_dead_token_is_renewed_once(self, service: Service) -> None:
        service.dead.add("tok-1")
        response = requests.post(
            f"{service.base_url}/x", json={"a": 1}, headers={"X-Key": "k"}, auth=auth_of(service), timeout=5
        )
        assert response.json()["authorization"] == "Bearer tok-2"
        assert response.json()["body"] == '{"a": 1}'
        assert len(service.calls) == 2
        first, second = (
            {name: value for name, value in call.headers if name != "Authorization"} for call in service.calls
        )
        assert first == second
        assert second["X-Key"] == "k"

    def test_a_second_refusal_is_the_answer(self, service: Service, caplog: pytest.LogCaptureFixture) -> None:
        service.dead.update({"tok-1", "tok-2"})
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5)
        assert response.status_code == 401
        assert "certificate" not in caplog.text, "there is none"
        assert len(service.calls) == 2

    def test_a_generator_is_not_resent(self, service: Service) -> None:
        service.dead.add("tok-1")
        with pytest.raises(ResourceError, match="read only once"):
            requests.post(f"{service.base_url}/x", data=iter([b"a"]), auth=auth_of(service), timeout=5)
        assert len(service.calls) == 1

    def test_another_origin_gets_nothing(self, service: Service) -> None:
        with pytest.raises(ConfigurationError, match="allowed_origins"):
            requests.get("https://elsewhere.example/", auth=auth_of(service), timeout=5)
        assert service.server.requests == []

    def test_without_a_base_url_it_refuses(self, service: Service) -> None:
        auth = OAuth2Auth("my_api", connection=service.connection(base_url=None))
        with pytest.raises(ConfigurationError, match="base_url"):
            requests.get(f"{service.base_url}/x", auth=auth, timeout=5)
        assert service.server.requests == []

    def test_dag_code_may_name_one_where_the_connection_names_none(self, service: Service) -> None:
        auth = OAuth2Auth("x", base_url=service.base_url, connection=service.connection(base_url=None))
        assert requests.get(f"{service.base_url}/x", auth=auth, timeout=5).status_code == 200

    def test_a_replay_has_the_whole_body_the_same_connection_and_what_came_before(
        self, service: Service
    ) -> None:
        service.dead.add("tok-1")
        response = requests.post(
            f"{service.base_url}/x", data=io.BytesIO(b"data"), auth=auth_of(service), timeout=30
        )
        assert [call.body for call in service.calls] == [b"data"] * 2
        assert len({call.connection for call in service.calls}) == 1
        assert [before.status_code for before in response.history] == [401]
        assert response.request.headers["Authorization"] == "Bearer tok-2"

    @pytest.mark.fault("F03")
    def test_a_redirect_without_end_is_not_read_whole(self, service: Service) -> None:
        head = b"HTTP/1.1 302 Found\r\nLocation: /api/y\r\nTransfer-Encoding: chunked\r\n\r\n"
        endless = Endless(head, b"2000\r\n" + bytes(0x2000) + b"\r\n")
        service.api = lambda request: endless if request.target == "/api/x" else echo(request)
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=30)
        assert response.json()["authorization"] == "Bearer tok-1"

    def test_one_made_of_another_goes_and_waits_as_that_does(self, service: Service) -> None:
        """As that of a hook does."""
        client = OAuth2Client("my_api", service.connection(base_url=None))
        auth = OAuth2Auth.of(BearerAuth(client, service.base_url, cool_down="fail"))
        assert requests.get(f"{service.base_url}/x", auth=auth, timeout=30).status_code == 200
        service.api = lambda _: Json({}, 429, [("Retry-After", "30")])
        assert requests.get(f"{service.base_url}/x", auth=auth, timeout=30).status_code == 429
        with pytest.raises(ResourceError) as refused:
            requests.get(f"{service.base_url}/x", auth=auth, timeout=30)
        assert not refused.value.sent
        assert len(service.calls) == 2

    def test_a_redirect_elsewhere_carries_no_token(self, service: Service) -> None:
        with ScriptedServer() as other:
            service.api = lambda _: Redirect(f"{other.url}/x")
            requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5)
            assert other.requests[0].header("Authorization") is None

    def test_a_post_is_not_redirected_elsewhere(self, service: Service) -> None:
        with ScriptedServer() as other:
            service.api = lambda _: Redirect(f"{other.url}/x", 307)
            with pytest.raises(ResourceError, match="not followed") as refused:
                requests.post(f"{service.base_url}/x", data="secret", auth=auth_of(service), timeout=5)
            assert other.requests == []
        assert refused.value.conn_id == "my_api"

    @pytest.mark.fault("F02")
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_a_replay_is_not_redirected_elsewhere_either(self, service: Service, method: str) -> None:
        service.dead.add("tok-1")
        with ScriptedServer() as other:
            service.api = lambda _: Redirect(f"{other.url}/x", 307)
            with pytest.raises(ResourceError, match="not followed"):
                requests.request(
                    method,
                    f"{service.base_url}/x",
                    data="confidential",
                    headers={"X-Key": "confidential"},
                    auth=auth_of(service),
                    timeout=5,
                )
            assert other.requests == []
        assert len(service.calls) == 2

    @pytest.mark.fault("F02")
    def test_no_step_of_a_chain_leads_elsewhere(self, service: Service) -> None:
        """Neither behind a redirect within the API, nor behind one that requests has dropped the token at."""
        with ScriptedServer() as allowed, ScriptedServer() as other:
            allowed.script(Redirect(f"{other.url}/x", 307))
            service.api = lambda request: Redirect(
                "/api/second" if request.target == "/api/first" else f"{allowed.url}/third", 307
            )
            connection = service.connection(allowed_origins=[allowed.url])
            auth = OAuth2Auth("my_api", connection=connection)
            with pytest.raises(ResourceError, match="not followed"):
                requests.post(f"{service.base_url}/first", data="x", auth=auth, timeout=5)
            assert len(allowed.requests) == 1
            assert other.requests == []

    @pytest.mark.fault("F02")
    def test_a_redirect_after_a_replay_carries_the_new_token(self, service: Service) -> None:
        service.dead.add("tok-1")
        service.api = redirecting("/api/new")
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5)
        assert response.json()["authorization"] == "Bearer tok-2"
        assert [call.target for call in service.calls] == ["/api/x", "/api/x", "/api/new"]
        assert len(service.token_requests) == 2

    def test_a_file_that_a_redirect_left_out_is_not_rewound_for_another_token(self, service: Service) -> None:
        service.take_uploads(dying="tok-1")
        response = requests.post(
            f"{service.base_url}/x", data=io.BytesIO(b"payload"), auth=auth_of(service), timeout=5
        )
        assert response.json()["authorization"] == "Bearer tok-2"

    @pytest.mark.fault("F02")
    def test_one_renewal_for_a_call_however_often_it_is_redirected(self, service: Service) -> None:
        service.dead.update(f"tok-{number}" for number in range(2, 9))

        def die(request: RecordedRequest) -> ScriptedResponse:
            service.dead.add("tok-1")
            return Redirect("/api/new")

        service.api = die
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5)
        assert response.status_code == 401
        assert len(service.token_requests) == 2

    def test_more_than_five_redirects_are_not_followed(self, service: Service) -> None:
        service.api = lambda _: Redirect("/api/x")
        with pytest.raises(ResourceError, match="more than 5"):
            requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5)

    def test_an_allowed_origin_that_got_no_token_from_requests_gets_one(self, service: Service) -> None:
        """``requests`` drops the header there; nothing is renewed for that."""
        with ScriptedServer() as allowed:
            allowed.script(Json({}, 401), echo)
            service.api = lambda _: Redirect(f"{allowed.url}/x")
            auth = OAuth2Auth("my_api", connection=service.connection(allowed_origins=[allowed.url]))
            response = requests.get(f"{service.base_url}/x", auth=auth, timeout=5)
            assert response.json()["authorization"] == "Bearer tok-1"
        assert len(service.token_requests) == 1

    def test_a_request_that_is_sent_twice_begins_anew(self, service: Service) -> None:
        with requests.Session() as session:
            request = session.prepare_request(
                requests.Request("GET", f"{service.base_url}/x", auth=auth_of(service))
            )
            for dead, good in (("tok-1", "tok-2"), ("tok-2", "tok-3")):
                service.dead.add(dead)
                assert session.send(request, timeout=5).json()["authorization"] == f"Bearer {good}"

    @pytest.mark.fault("F02")
    def test_a_copy_of_a_request_is_a_call_of_its_own(self, service: Service) -> None:
        """Whatever became of the call before: its redirect may have been left alone."""
        with ScriptedServer() as other, requests.Session() as session:
            responses = iter([Redirect("/api/y", 303), Redirect(f"{other.url}/x", 307)])
            service.api = lambda _: next(responses)
            request = session.prepare_request(
                requests.Request("POST", f"{service.base_url}/x", data="x", auth=auth_of(service))
            )
            session.send(request.copy(), timeout=5, allow_redirects=False)
            with pytest.raises(ResourceError, match="not followed"):
                session.send(request.copy(), timeout=5)
            assert other.requests == []

    @pytest.mark.fault("F02")
    def test_a_request_whose_redirect_was_left_alone_begins_anew(self, service: Service) -> None:
        service.api = lambda _: Redirect("/api/y")
        with requests.Session() as session:
            request = session.prepare_request(
                requests.Request("GET", f"{service.base_url}/x", auth=auth_of(service))
            )
            for _ in range(7):  # more often than one call may be redirected
                assert session.send(request, timeout=5, allow_redirects=False).status_code == 302
            service.api, service.dead = echo, {"tok-1"}
            assert session.send(request, timeout=5).json()["authorization"] == "Bearer tok-2"
            service.dead.add("tok-2")
            assert session.send(request, timeout=5).json()["authorization"] == "Bearer tok-3"

    @pytest.mark.fault("F02")
    def test_a_redirect_after_two_replays_carries_the_new_token(self) -> None:
        """The first one with a nonce for the proof of possession, the second with another token."""
        with running_dpop_service() as service:
            auth = auth_of(service)
            token = auth.client.get_token().value
            service.dead.add(token)
            service.serving.required = True
            service.api = redirecting("/api/new")
            response = requests.get(f"{service.base_url}/x", auth=auth, timeout=5)
            assert response.status_code == 200
            assert token not in response.json()["authorization"]
            assert service.refused() == ["use_dpop_nonce", "invalid_token"]
            assert len(service.token_requests) == 2

    @pytest.mark.fault("N32")
    def test_netrc_does_not_replace_the_token(
        self, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login someone password else\n")
        monkeypatch.setenv("NETRC", str(netrc))
        response = requests.get(f"{service.base_url}/x", auth=auth_of(service), timeout=5)
        assert response.json()["authorization"] == "Bearer tok-1"
        form = service.token_requests[0].header("Authorization") or ""
        assert form.startswith("Basic ")
        assert "c29tZW9uZ" not in form, "not the netrc entry"


def test_an_auth_type_for_the_stock_operator(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.http.operators.http import HttpOperator

    monkeypatch.setenv("AIRFLOW_CONN_PLAIN_API", f"http://127.0.0.1:{service.server.port}")
    monkeypatch.setenv("AIRFLOW_CONN_MY_OAUTH", service.environment())
    operator = HttpOperator(
        task_id="call",
        http_conn_id="plain_api",
        endpoint="/api/x",
        method="GET",
        auth_type=OAuth2Auth("my_oauth"),
    )
    assert "Bearer tok-1" in operator.hook.run("/api/x").text


def test_a_function_for_libraries_that_want_one(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_OAUTH", service.environment())
    get = bearer_token_callable("my_oauth")
    assert service.server.requests == []
    assert get() == get() == "tok-1"


class TestSharing:
    """Who shares a token, and who does not."""

    def test_one_request_however_many_threads(self, service: Service) -> None:
        service.token = lambda _: Delay(0.2, token_json("tok-1"))
        clients = [OAuth2Client("my_api", service.connection()) for _ in range(16)]
        seen: list[str] = []

        def work(client: OAuth2Client) -> None:
            seen.extend(client.get_token().value for _ in range(60))

        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == ["tok-1"] * 960
        assert len(service.token_requests) == 1

    def test_a_failure_is_shared_by_those_who_waited(self, service: Service) -> None:
        service.token = lambda _: Delay(0.2, Json({"error": "invalid_scope"}, 400))
        errors: list[OAuthError] = []

        def work(number: int) -> None:
            client = OAuth2Client(f"conn_{number}", service.connection(conn_id=f"conn_{number}"))
            try:
                client.get_token()
            except OAuthError as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {error.conn_id for error in errors} == {f"conn_{number}" for number in range(8)}
        assert len({id(error) for error in errors}) == 8, "each has its own exception"
        assert len(service.token_requests) == 1

    @pytest.mark.fault("P52")
    def test_one_renewal_for_all_that_met_the_dead_token(self, service: Service) -> None:
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        hooks = [OAuth2Hook(method="GET", connection=service.connection()) for _ in range(20)]
        for hook in hooks:
            hook.get_token()
        service.dead.add("tok-1")
        threads = [threading.Thread(target=hook.run, args=("/x",)) for hook in hooks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(service.token_requests) == 2

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"password": "another-secret"}, id="secret"),
            pytest.param({"scope": "write"}, id="scope"),
            pytest.param({"post_params": ["a=1"]}, id="parameter"),
            pytest.param({"login": "another-client"}, id="client[C63]"),
        ],
    )
    def test_a_different_setting_is_a_different_token(
        self, service: Service, changes: dict[str, Any]
    ) -> None:
        first = OAuth2Client("same_id", service.connection()).get_token()
        second = OAuth2Client("same_id", service.connection(**changes)).get_token()
        assert first.value != second.value

    def test_the_connection_id_plays_no_part(self, service: Service) -> None:
        first = OAuth2Client("one", service.connection(conn_id="one")).get_token()
        second = OAuth2Client("two", service.connection(conn_id="two")).get_token()
        assert first is second


class TestRetries:
    """The promises of one acquisition, on the server's own count."""

    @pytest.mark.slow
    @pytest.mark.parametrize("status", [503, 429, 500])
    def test_a_passing_failure_is_tried_again(self, service: Service, status: int) -> None:
        responses = iter([Json({}, status), token_json("tok-9")])
        service.token = lambda _: next(responses)
        assert OAuth2Client("my_api", service.connection()).get_token().value == "tok-9"
        assert len(service.token_requests) == 2

    @pytest.mark.fault("H22")
    def test_retry_after_is_waited_for(self, service: Service) -> None:
        responses = iter([Json({}, 429, [("Retry-After", "1")]), token_json("tok-9")])
        service.token = lambda _: next(responses)
        OAuth2Client("my_api", service.connection()).get_token()
        first, second = service.token_requests
        assert second.received_at - first.received_at >= 1.0

    def test_a_retry_after_beyond_the_budget_fails_at_once(self, service: Service) -> None:
        service.token = lambda _: Json({}, 429, [("Retry-After", "120")])
        client = OAuth2Client("my_api", service.connection())
        for _ in range(3):
            with pytest.raises(TokenEndpointError) as caught:
                client.get_token()
            assert 119 < (caught.value.retry_after or 0) <= 120
            assert caught.value.status == 429
        assert len(service.token_requests) == 1, "the others know of the cool-down"

    def test_no_attempts_after_the_first(self, service: Service) -> None:
        service.token = lambda _: Json({}, 503)
        with pytest.raises(TokenEndpointError):
            OAuth2Client("my_api", service.connection(max_retry_attempts=0)).get_token()
        assert len(service.token_requests) == 1

    @pytest.mark.fault("N01")
    def test_an_unreachable_server_is_named_with_attempts(self, unused_port: int) -> None:
        with ScriptedServer() as server:
            connection = Service(server).connection(
                host=f"http://127.0.0.1:{unused_port}/token", max_retry_attempts=1
            )
        with pytest.raises(TransportError) as caught:
            OAuth2Client("my_api", connection).get_token()
        assert caught.value.host == f"127.0.0.1:{unused_port}"
        assert caught.value.attempts == 2
        assert f"127.0.0.1:{unused_port}" in str(caught.value)
        assert "2 attempts" in str(caught.value)

    def test_a_cut_connection_is_tried_again(self, service: Service) -> None:
        responses: Iterator[ScriptedResponse] = iter([CloseNow(), token_json("tok-9")])
        service.token = lambda _: next(responses)
        assert OAuth2Client("my_api", service.connection()).get_token().value == "tok-9"

    def test_a_wrong_secret_costs_one_request(self, service: Service) -> None:
        service.token = lambda _: Json({"error": "invalid_client"}, 401)
        for number in range(50):
            with pytest.raises(InvalidClientError):
                OAuth2Client(
                    f"c{number}", service.connection(conn_id=f"c{number}", scope=f"s{number}")
                ).get_token()
        assert len(service.token_requests) == 1, "remembered by credential, whatever the scope"
        shared.clear()


class TestUnusualServers:
    """A token in another header, and bodies that tell of a dead token."""

    @staticmethod
    def auth(service: Service, **extra: Any) -> OAuth2Auth:
        return OAuth2Auth("my_api", connection=service.connection(**extra))

    def test_a_token_in_another_header_stays_with_its_api(self, service: Service) -> None:
        """``requests`` itself takes off ``Authorization`` only."""
        auth = self.auth(service, header_name="X-Api-Token")
        with ScriptedServer() as other:
            other.script(Json({}))
            service.api = lambda request: (
                Json({}, 401) if request.header("X-Api-Token") == "tok-1" else Redirect(f"{other.url}/file")
            )
            response = requests.get(f"{service.base_url}/x", auth=auth, timeout=5)
            assert response.status_code == 200
            (request,) = other.requests
        assert [call.header("X-Api-Token") for call in service.calls] == ["tok-1", "tok-2"]
        assert "tok-" not in repr(request.headers)

    @pytest.mark.parametrize("header", ["X-Api-Token", "Authorization"])
    @pytest.mark.parametrize("begin", ["////", "http:////"])
    def test_an_address_that_requests_reads_otherwise_than_we_do(
        self, service: Service, begin: str, header: str
    ) -> None:
        """To us it is a path of the API, to ``requests`` another host."""
        with ScriptedServer() as other:
            other.script(Json({}))
            service.api = lambda _: Redirect(f"{begin}{other.url.removeprefix('http://')}/file")
            with pytest.raises(ResourceError, match="more slashes"):
                requests.get(f"{service.base_url}/x", auth=self.auth(service, header_name=header), timeout=5)
            assert not other.requests

    @pytest.mark.parametrize("dpop", [False, True])
    def test_requests_keeps_the_token_from_http_to_https_and_we_do_not(self, dpop: bool) -> None:
        """Of the same host at the standard ports; that is another origin."""
        running = running_dpop_service() if dpop else running_service()
        with running as service, responses.RequestsMock() as mock:
            mock.add_passthru(service.server.url)
            mock.get("http://localhost/x", status=302, headers={"Location": "https://localhost/x"})
            mock.get("https://localhost/x")
            auth = self.auth(service, base_url="http://localhost", dpop=dpop)
            requests.get("http://localhost/x", auth=auth, timeout=5)
            _, second = [call.request for call in mock.calls if "localhost" in str(call.request.url)]
        assert second.url == "https://localhost/x"
        assert not {"Authorization", "DPoP"} & set(second.headers)

    def test_it_goes_along_to_an_allowed_origin(self, service: Service) -> None:
        with ScriptedServer() as other:
            other.script(Json({}))
            service.api = lambda _: Redirect(f"{other.url}/file")
            auth = self.auth(service, header_name="X-Api-Token", allowed_origins=[other.url])
            requests.get(f"{service.base_url}/x", auth=auth, timeout=5)
            assert other.requests[0].header("X-Api-Token") == "tok-1"

    def test_a_body_that_tells_of_a_dead_token_renews_it(self, service: Service) -> None:
        service.api = lambda request: Json(
            {"error": "expired" if "tok-1" in repr(request.headers) else "none"}
        )
        auth = self.auth(service, dead_when="$.error in expired")
        assert requests.get(f"{service.base_url}/x", auth=auth, timeout=5).json() == {"error": "none"}
        assert len(service.token_requests) == 2

    def test_of_a_stream_it_does_not(self, service: Service) -> None:
        service.api = lambda _: Json({"error": "expired"})
        auth = self.auth(service, dead_when="$.error in expired")
        with requests.get(f"{service.base_url}/x", auth=auth, timeout=5, stream=True) as response:
            assert response.raw.read() == b'{"error": "expired"}'
        assert len(service.token_requests) == 1
