"""An API that asks to be left alone is left alone, on threads and coroutines alike."""

from __future__ import annotations

import asyncio
import io
import pickle
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.hooks.shared_hook import shared_hook
from airflow_oauth_provider.protocol.error_record import from_dict, to_dict
from airflow_oauth_provider.tokens import cool_downs
from airflow_oauth_provider.tokens.cool_downs import ENTRY
from tests.support.libraries import LIBRARIES, Library
from tests.support.servers.scripted import Json, Redirect, ScriptedResponse, ScriptedServer, Text
from tests.support.service import RecordedRequest, Service, echo
from tests.support.sides import Side


def hook_of(service: Service, **extra: Any) -> OAuth2Hook:
    return OAuth2Hook(method="GET", connection=service.connection(**extra))


class Busy:
    """An API that refuses the calls of these numbers, and echoes the others."""

    def __init__(self, *refused: int, status: int = 429, retry_after: str | None = "100") -> None:
        self.refused = refused
        self.number = 0
        headers = [] if retry_after is None else [("Retry-After", retry_after)]
        self.refusal = Json({"error": "busy"}, status, headers)

    def __call__(self, request: RecordedRequest) -> ScriptedResponse:
        self.number += 1
        return self.refusal if self.number in self.refused else echo(request)


class TestWhoIsAskedToWait:
    def test_the_next_call_is_not_sent_where_it_would_wait_too_long(
        self, side: Side, service: Service
    ) -> None:
        service.api = Busy(1)
        hook = hook_of(service)
        with pytest.raises(ResourceError) as first:
            side.run(hook, "/x")
        assert (first.value.status, first.value.retry_after, first.value.sent) == (429, 100, True)
        with pytest.raises(ResourceError) as second:
            side.run(hook, "/x", {"key": "value"}, extra_options={"timeout": 5})
        error = second.value
        assert (error.status, error.sent, error.retryable, error.conn_id) == (429, False, True, "my_api")
        assert 90 < (error.retry_after or 0) <= 100
        assert (error.method, error.url) == ("GET", f"{service.base_url}/x?key=…")
        assert "was not sent" in str(error)
        assert "value" not in str(error)
        for copied in (pickle.loads(pickle.dumps(error)), from_dict(to_dict(error))):
            assert isinstance(copied, ResourceError)
            assert (copied.sent, copied.retry_after) == (False, error.retry_after)
        assert len(service.calls) == 1

    def test_within_its_limits_a_call_waits_and_is_sent_once(self, side: Side, service: Service) -> None:
        service.api = Busy(1, retry_after="1")
        hook = hook_of(service)
        with pytest.raises(ResourceError):
            side.run(hook, "/x")
        assert side.run(hook, "/x").json()["target"] == "/api/x"
        first, second = service.calls
        assert second.received_at - first.received_at >= 0.99

    def test_whatever_comes_back_after_the_end_lets_the_others_go(self, side: Side, service: Service) -> None:
        service.api = Busy(2, retry_after="1")
        hook = hook_of(service)
        side.run(hook, "/x")  # so that the request of the others has been built, and its token accepted
        with pytest.raises(ResourceError):
            side.run(hook, "/x")
        held = hook._auth.cool_downs.board.held
        assert len(held) == 1
        side.run(hook, "/x")
        assert held == {}

    def test_what_a_waiting_call_sends_is_whole(self, side: Side, service: Service) -> None:
        service.api = Busy(1, retry_after="1")
        hook = OAuth2Hook(method="POST", connection=service.connection())
        with pytest.raises(ResourceError):
            side.run(hook, "/x")
        body = side.run(hook, "/x", files={"f": io.BytesIO(b"contents of a file")}).json()["body"]
        assert body.count("contents of a file") == 1

    def test_who_ignores_it_calls(self, side: Side, service: Service) -> None:
        service.api = Busy(1)
        hook = hook_of(service)
        with pytest.raises(ResourceError):
            side.run(hook, "/x")
        assert side.run(hook, "/x", extra_options={"cool_down": "ignore"}).status_code == 200
        with pytest.raises(ResourceError) as caught:
            side.run(hook, "/x", extra_options={"cool_down": "fail"})
        assert not caught.value.sent
        assert len(service.calls) == 2

    def test_another_choice_is_refused(self, side: Side, service: Service) -> None:
        with pytest.raises(ConfigurationError) as caught:
            side.run(hook_of(service), "/x", extra_options={"cool_down": "sometimes"})
        assert (caught.value.field, caught.value.conn_id) == ("cool_down", "my_api")
        assert service.calls == []

    def test_coroutines_and_threads_of_one_process_hear_each_other(self, service: Service) -> None:
        service.api = Busy(1)
        with pytest.raises(ResourceError):
            hook_of(service).run("/x")

        async def call() -> None:
            hook = hook_of(service)
            try:
                await hook.arun("/x", extra_options={"timeout": 5})
            finally:
                await hook.aclose()

        with pytest.raises(ResourceError) as caught:
            asyncio.run(call())
        assert not caught.value.sent
        with pytest.raises(ResourceError) as caught, ThreadPoolExecutor(1) as pool:
            pool.submit(hook_of(service).run, "/x", extra_options={"timeout": 5}).result()
        assert not caught.value.sent
        assert len(service.calls) == 1

    def test_so_do_processes_that_share_a_store(
        self, side: Side, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
        service.api = Busy(1)
        with pytest.raises(ResourceError):
            side.run(hook_of(service), "/x")
        cool_downs.clear()  # another process knows what the store has
        with pytest.raises(ResourceError) as caught:
            side.run(hook_of(service), "/x", extra_options={"timeout": 5})
        assert not caught.value.sent
        other = OAuth2Hook(method="GET", connection=service.connection(password="another-secret-than-that"))
        assert side.run(other, "/x").status_code == 200
        names = [path.name for path in (tmp_path / "oauth2_token_store").iterdir()]
        assert ENTRY in {name.partition(".")[0] for name in names}

    def test_deferred_calls_wait_within_the_limit_of_the_whole_call(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        service.api = Busy(1, retry_after="2")

        async def call() -> list[int]:
            async with shared_hook("my_api", "GET", None) as hook:
                with pytest.raises(ResourceError):
                    await hook.arun("/x")
                options = {"timeout": 1.9}  # for one that nobody's worker waits for, of no weight
                calls = [hook.arun("/x", extra_options=options) for _ in range(5)]
                return [response.status_code for response in await asyncio.gather(*calls)]

        assert asyncio.run(call()) == [200] * 5
        refused, first, *others = [request.received_at for request in service.calls]
        assert first - refused >= 1.99
        assert min(others) > first
        assert len(service.calls) == 6


class TestAnyCodeThatUsesRequests:
    def test_it_hears_and_heeds(self, service: Service) -> None:
        service.api = Busy(1, retry_after="100")
        url, connection = f"{service.base_url}/x", service.connection()
        auth = OAuth2Auth("my_api", connection=connection)
        assert requests.get(url, auth=auth, timeout=5).status_code == 429
        impatient = OAuth2Auth("my_api", connection=connection, cool_down="fail")
        with pytest.raises(ResourceError) as caught:
            requests.get(url, auth=impatient, timeout=5)
        assert (caught.value.sent, caught.value.conn_id) == (False, "my_api")
        with pytest.raises(ResourceError) as caught:
            hook_of(service).run("/x", extra_options={"timeout": 5})
        assert not caught.value.sent
        ignoring = OAuth2Auth("my_api", connection=connection, cool_down="ignore")
        assert requests.get(url, auth=ignoring, timeout=5).status_code == 200

    def test_another_choice_is_refused(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            OAuth2Auth("my_api", cool_down="sometimes")
        assert (caught.value.field, caught.value.conn_id) == ("cool_down", "my_api")

    def test_it_waits(self, service: Service) -> None:
        service.api = Busy(1, retry_after="1")
        auth = OAuth2Auth("my_api", connection=service.connection())
        url = f"{service.base_url}/x"
        statuses = [requests.get(url, auth=auth, timeout=5).status_code for _ in range(2)]
        assert statuses == [429, 200]
        first, second = service.calls
        assert second.received_at - first.received_at >= 0.99


@pytest.mark.parametrize("library", list(LIBRARIES.values()), ids=list(LIBRARIES))
class TestOtherLibraries:
    def test_they_hear_and_heed(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, library: Library
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        service.api, url = Busy(1), f"{service.base_url}/x"
        assert library.call(library.adapter("my_api"), "GET", url).status == 429
        with pytest.raises(ResourceError) as caught:
            library.call(library.adapter("my_api", cool_down="fail"), "GET", url)
        assert (caught.value.sent, caught.value.conn_id) == (False, "my_api")
        with pytest.raises(ResourceError) as caught:
            hook_of(service).run("/x", extra_options={"timeout": 5})
        assert not caught.value.sent
        assert library.call(library.adapter("my_api", cool_down="ignore"), "GET", url).status == 200
        assert len(service.calls) == 2

    def test_they_wait(self, service: Service, monkeypatch: pytest.MonkeyPatch, library: Library) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        service.api, url = Busy(1, retry_after="1"), f"{service.base_url}/x"
        adapter = library.adapter("my_api")
        assert [library.call(adapter, "GET", url).status for _ in range(2)] == [429, 200]
        first, second = service.calls
        assert second.received_at - first.received_at >= 0.99

    def test_another_choice_is_refused(self, library: Library) -> None:
        with pytest.raises(ConfigurationError) as caught:
            library.adapter("my_api", cool_down="sometimes")
        assert (caught.value.field, caught.value.conn_id) == ("cool_down", "my_api")


class TestWhatIsACoolDown:
    def is_one(self, side: Side, service: Service, **extra: Any) -> bool:
        hook = hook_of(service, **extra)
        with pytest.raises(ResourceError) as first:
            side.run(hook, "/x")
        assert first.value.sent
        with pytest.raises(ResourceError) as second:
            side.run(hook, "/x", extra_options={"cool_down": "fail"})
        return not second.value.sent

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param("5", True, id="seconds"),
            pytest.param("999999999", True, id="very many seconds"),
            pytest.param(formatdate(4_000_000_000, usegmt=True), True, id="a date"),
            pytest.param("0", False, id="zero"),
            pytest.param("-5", False, id="negative"),
            pytest.param(formatdate(1_000_000_000, usegmt=True), False, id="a date in the past"),
            pytest.param("1.5", False, id="a fraction"),
            pytest.param("<html>later</html>", False, id="HTML"),
            pytest.param("9" * 5000, False, id="5000 digits"),
            pytest.param("", False, id="nothing"),
            pytest.param(None, False, id="no header"),
        ],
    )
    def test_retry_after(self, side: Side, service: Service, value: str | None, expected: bool) -> None:
        service.api = Busy(*range(9), retry_after=value)
        assert self.is_one(side, service) is expected

    def test_however_long_an_api_asks_for_it_is_five_minutes(self, side: Side, service: Service) -> None:
        service.api = Busy(1, retry_after="999999999")
        hook = hook_of(service)
        with pytest.raises(ResourceError) as first:
            side.run(hook, "/x")
        assert first.value.retry_after == 3600
        with pytest.raises(ResourceError) as second:
            side.run(hook, "/x", extra_options={"cool_down": "fail"})
        assert 290 < (second.value.retry_after or 0) <= 300

    @pytest.mark.parametrize(
        ("choice", "status", "expected"),
        [
            (None, 429, True),
            (None, 503, False),
            ("429", 429, True),
            ("429_or_503", 503, True),
            ("429_or_503", 429, True),
            ("never", 429, False),
            ("429_or_503", 500, False),
        ],
    )
    def test_the_connection_says_by_which_status(
        self, side: Side, service: Service, choice: str | None, status: int, expected: bool
    ) -> None:
        service.api = Busy(*range(9), status=status)
        assert self.is_one(side, service, **({"cool_down": choice} if choice else {})) is expected

    def test_another_host_that_a_download_leads_to_is_no_api(self, side: Side, service: Service) -> None:
        busy = Text(429, "", headers=[("Retry-After", "100")])
        target = f"{service.base_url}/y"
        service.api = lambda request: Redirect(target) if request.target == "/api/x" else busy
        hook = hook_of(service)
        with ScriptedServer() as other:
            other.script(busy)
            target = f"{other.url}/y"
            for _ in range(2):
                with pytest.raises(ResourceError) as caught:
                    side.run(hook, "/x", extra_options={"cool_down": "fail"})
                assert (caught.value.status, caught.value.sent) == (429, True)
            assert len(other.requests) == 2
        assert hook._auth.cool_downs.board.held == {}
        target = f"{service.base_url}/y"
        with pytest.raises(ResourceError):
            side.run(hook, "/x")
        with pytest.raises(ResourceError) as caught:
            side.run(hook, "/x", extra_options={"cool_down": "fail"})
        assert not caught.value.sent  # of its own host it is

    def test_a_refusal_of_a_token_on_the_way_changes_nothing(self, side: Side, service: Service) -> None:
        service.dead.add("tok-1")
        service.api = Busy(1)
        assert self.is_one(side, service)
        assert len(service.token_requests) == 2
