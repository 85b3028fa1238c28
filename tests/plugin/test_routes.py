"""The page's routes, called as a browser would and as it would not, with Airflow's own authorization."""

from __future__ import annotations

import base64
import json
import random
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from airflow_oauth_provider.plugin import waiting
from airflow_oauth_provider.plugin.entry import PREFIX, OAuth2ServersPlugin, PageApp
from airflow_oauth_provider.plugin.headers import HEADERS
from airflow_oauth_provider.tokens.manager import shared
from tests.authorizations.foreign_store import FORGED, spoil
from tests.servers.certificates import pkcs12
from tests.servers.scripted import Json, Silent, Text, token_json
from tests.service import Service

pytestmark = [
    pytest.mark.airflow,
    # Airflow itself imports Starlette's test client, which warns about the httpx that Airflow pins.
    pytest.mark.filterwarnings("ignore:Using .httpx. with"),
    pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy"),  # likewise Airflow 3.1's models
    pytest.mark.skipif(
        not hasattr(OAuth2ServersPlugin, "external_views"), reason="pages exist from Airflow 3.1 on"
    ),
]

#: What the page's script sends with everything that changes something.
BY_THE_PAGE = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
ACCEPTS_JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html"}
ROUTES = [
    ("GET", "/"),
    ("GET", "/connections/orders"),
    ("POST", "/authorize/orders"),
    ("POST", "/forget/orders"),
]
AUTHORIZED = (
    "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager.is_authorized_connection"
)


@pytest.fixture(scope="module", autouse=True)
def _airflow() -> Iterator[None]:
    """A database, and the Simple auth manager."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], capture_output=True, check=True)
    from airflow.api_fastapi.app import init_auth_manager

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", secrets.token_hex(64))
        init_auth_manager()
        yield


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")


class Visitor:
    """Somebody who is signed in, in a role; ``None`` for somebody who is not."""

    def __init__(self, role: str | None, teams: list[str] | None = None) -> None:
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from fastapi import FastAPI
        from starlette.testclient import TestClient

        airflow = FastAPI()
        airflow.mount(PREFIX, PageApp())
        self.client = TestClient(airflow, raise_server_exceptions=False)
        if role is not None:
            user = SimpleAuthManagerUser(username=role, role=role, **({"teams": teams} if teams else {}))
            self.client.headers["Authorization"] = f"Bearer {get_auth_manager().generate_jwt(user)}"

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(PREFIX + path, headers=HTML, **options)

    def post(self, path: str) -> Any:
        return self.client.post(PREFIX + path, json={}, headers=BY_THE_PAGE)


@pytest.fixture
def admin() -> Visitor:
    return Visitor("admin")


@pytest.fixture
def store() -> Iterator[Any]:
    """Add connections to the database; all are gone afterwards."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    def add(connection: Any, **columns: Any) -> None:
        names = ("conn_id", "conn_type", "description", "host", "login", "password", "port", "extra")
        values = {name: getattr(connection, name) for name in names}
        with create_session(scoped=False) as session:
            session.add(Connection(**values | columns))

    yield add
    with create_session(scoped=False) as session:
        session.execute(delete(Connection))


@pytest.fixture
def orders(service: Service, store: Any) -> Service:
    store(service.connection(conn_id="orders"))
    return service


# Who may do what


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("role", "status"), [(None, 401), ("viewer", 403), ("user", 403), ("op", 200), ("admin", 200)]
)
def test_a_route_obeys_the_role(
    orders: Service, method: str, path: str, role: str | None, status: int
) -> None:
    visitor = Visitor(role)
    answer = visitor.get(path) if method == "GET" else visitor.post(path)
    assert answer.status_code == status
    assert bool(orders.token_requests) == (path.startswith("/authorize") and status == 200)


def test_these_are_all_routes_there_are() -> None:
    from airflow_oauth_provider.plugin.app import create_app

    app: Any = create_app()
    found = {(method, route.path) for route in app.routes for method in getattr(route, "methods", ())}
    assert found == {(method, path.replace("orders", "{connection_id:path}")) for method, path in ROUTES}


@pytest.mark.parametrize("role", [None, "viewer"])
def test_who_may_not_reads_a_message_and_no_json(orders: Service, role: str | None) -> None:
    answer = Visitor(role).get("/")
    assert answer.headers["content-type"].startswith("text/html")
    expected = "Please sign in" if role is None else "Your role may not read connections"
    assert expected in answer.text
    assert "orders" not in answer.text


def test_who_may_only_read_sees_greyed_buttons_that_say_why(orders: Service) -> None:
    def reading(self: Any, *, method: str, **_: Any) -> bool:
        return method == "GET"

    with mock.patch(AUTHORIZED, autospec=True, side_effect=reading):
        visitor = Visitor("user")
        shown = visitor.get("/connections/orders").text
        assert shown.count('aria-disabled="true"') == 2
        assert "permission to edit connections" in shown
        refused = [visitor.post(path) for path in ("/authorize/orders", "/forget/orders")]
    assert [answer.status_code for answer in refused] == [403, 403]
    assert "Your role may not edit connections" in refused[0].json()["message"]
    assert orders.token_requests == []


def test_with_testing_switched_off_authorizing_names_option_and_command(
    orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_oauth_provider.plugin.airflow_access import HAS_COMMANDS

    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
    said = admin.post("/authorize/orders")
    assert said.status_code == 403
    for text in (said.json()["message"], admin.get("/").text, admin.get("/connections/orders").text):
        assert "test_connection = Enabled in section [core] of airflow.cfg" in text
        assert ("airflow oauth2 check orders" in text) == HAS_COMMANDS
    assert orders.token_requests == []
    assert admin.post("/forget/orders").json()["ok"] is True


def test_a_team_sees_and_authorizes_its_own(
    service: Service, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.connection import Connection

    if not hasattr(Connection, "team_name"):
        pytest.skip("connections name their team from Airflow 3.2 on")
    from airflow.models.team import Team
    from airflow.utils.session import create_session

    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    with create_session(scoped=False) as session:
        session.merge(Team(name="red"))
        session.merge(Team(name="blue"))
    for team in ("red", "blue"):
        store(service.connection(conn_id=f"of_{team}"), team_name=team)
    visitor = Visitor("op", ["red"])
    page = visitor.get("/").text
    assert "of_red" in page
    assert "of_blue" not in page
    assert visitor.get("/connections/of_blue").status_code == 403
    assert visitor.post("/authorize/of_blue").status_code == 403
    assert service.token_requests == []
    assert visitor.post("/authorize/of_red").json()["ok"] is True


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"data": {"x": "y"}}, id="a form"),
        pytest.param(
            {"content": "{}", "headers": {"Content-Type": "text/plain"}}, id="a form that looks like JSON"
        ),
        pytest.param({"content": "{}"}, id="no content type"),
        pytest.param({"json": {}, "headers": {"Sec-Fetch-Site": "cross-site"}}, id="another site"),
        pytest.param({"json": {}, "headers": {"Sec-Fetch-Site": "same-site"}}, id="a neighbour"),
        pytest.param({"json": {}, "headers": {"Origin": "https://evil.example"}}, id="foreign origin[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "null"}}, id="origin null[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "http://testserver:8080"}}, id="another port[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "http://testserver:x"}}, id="no port[F28]"),
        pytest.param({"json": {}, "headers": {"Origin": "http://[::1"}}, id="no address[F28]"),
        pytest.param(
            {"json": {}, "headers": {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"}},
            id="origin and site differ[F28]",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/authorize/orders", "/forget/orders"])
def test_what_the_page_did_not_send_does_nothing(
    orders: Service, admin: Visitor, path: str, forged: dict[str, Any]
) -> None:
    answer = admin.client.post(PREFIX + path, **forged)
    assert answer.status_code == 403
    assert "not sent by the page" in answer.text
    assert orders.token_requests == []


@pytest.mark.parametrize("content", ["{", "[]", "", "[" * 100_000])
@pytest.mark.parametrize("path", ["/authorize/orders", "/forget/orders"])
def test_a_body_that_is_no_object_is_said_so(
    orders: Service, admin: Visitor, path: str, content: str
) -> None:
    headers = {"Content-Type": "application/json", **BY_THE_PAGE}
    answer = admin.client.post(PREFIX + path, content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["ok"] is False
    assert orders.token_requests == []


def test_it_is_written_to_the_audit_log_who_did_what(orders: Service, admin: Visitor) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    admin.post("/authorize/orders")
    admin.post("/forget/orders")
    with create_session(scoped=False) as session:
        found = [
            (log.event, log.owner, log.extra)
            for log in session.scalars(select(Log).order_by(Log.id.desc()).limit(2))
        ]
    assert [(event, owner) for event, owner, _ in found] == [
        ("oauth2_forget", "admin"),
        ("oauth2_authorize", "admin"),
    ]
    assert json.loads(found[0][2])["connection_id"] == "orders"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({}, id="a program without a browser"),
        pytest.param({"Origin": "http://testserver"}, id="its own origin"),
        pytest.param({"Origin": "https://testserver:443"}, id="the same behind TLS"),
        pytest.param({"Origin": "https://airflow.example"}, id="as base_url says"),
        pytest.param(
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://rewritten.example"}, id="the browser says so"
        ),
    ],
)
@pytest.mark.fault("F28")
def test_what_the_page_sent_is_done(
    orders: Service, admin: Visitor, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/sub")
    response = admin.client.post(PREFIX + "/forget/orders", json={}, headers={**sent, **ACCEPTS_JSON})
    assert (response.status_code, response.json()["ok"]) == (200, True)


# What it shows


@pytest.mark.fault("F28")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/?page=x", 400),
        ("GET", "/connections/gone", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/static/page.js", 200),
        ("GET", "/static/page.css", 200),
        ("GET", "/static/gone", 404),
        ("POST", "/authorize/orders", 200),
        ("POST", "/forget/gone", 404),
        ("PUT", "/forget/orders", 405),
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_every_response_carries_the_same_headers(
    orders: Service, admin: Visitor, method: str, path: str, status: int, accept: str
) -> None:
    sent = {"Sec-Fetch-Site": "same-origin", "Accept": accept}
    body: dict[str, Any] | None = None if method == "GET" else {}
    response = admin.client.request(method, PREFIX + path, headers=sent, json=body)
    assert response.status_code == status
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value]
    assert (HEADERS["X-Content-Type-Options"], HEADERS["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.fault("F28")
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_an_error_that_nobody_foresaw_carries_them_too(orders: Service, admin: Visitor, accept: str) -> None:
    with mock.patch(
        "airflow_oauth_provider.plugin.airflow_access.find_connections", autospec=True, side_effect=OSError
    ):
        response = admin.client.get(PREFIX + "/", headers={"Accept": accept})
    assert response.status_code == 500
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value]


@pytest.mark.fault("F18")
@pytest.mark.parametrize("detail", ["Forbidden", "Verboten", None])
def test_no_access_is_decided_by_type(orders: Service, detail: str | None) -> None:
    """Airflow's words for it may be any."""
    from fastapi import HTTPException

    visitor = Visitor("admin")
    with mock.patch(AUTHORIZED, autospec=True, side_effect=HTTPException(403, detail)):
        refused = visitor.get("/")
    assert refused.status_code == 403
    assert "Your role may not read connections" in refused.text


@pytest.mark.fault("F18")
def test_a_session_that_is_not_valid_asks_to_sign_in(orders: Service) -> None:
    visitor = Visitor(None)
    visitor.client.headers["Authorization"] = "Bearer not.a.token"
    response = visitor.get("/")
    assert response.status_code == 401
    assert "Please sign in" in response.text


def test_the_policy_lets_only_the_page_itself_in(orders: Service, admin: Visitor) -> None:
    policy = admin.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert admin.get("/").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/page.js", "/static/theme.js", "/static/page.css"])
def test_what_the_page_is_made_of_needs_no_rights(path: str) -> None:
    assert Visitor(None).get(path).status_code == 200


EVIL = "\"><img src=x onerror=alert(1)>'&{{ 7 * 7 }}"


def test_nothing_a_person_or_a_server_wrote_becomes_html(
    service: Service, store: Any, admin: Visitor
) -> None:
    service.token = lambda _: Json({"error": "invalid_client", "error_description": EVIL + "\x1b[31m"}, 401)
    connection = service.connection(conn_id="evil", category=EVIL, login=EVIL, unknown_field=1)
    connection.description = EVIL
    store(connection)
    told = admin.post("/authorize/evil").json()
    assert told["ok"] is False
    for text in (
        admin.get("/").text,
        admin.get("/connections/evil").text,
        admin.get("/", params={"text": EVIL}).text,
    ):
        assert "<img" not in text
        assert "\x1b" not in text
        assert "7 * 7" in text
    assert "\x1b" not in told["message"]
    page = admin.get("/", params={"category": EVIL})
    assert "1 OAuth 2.0 server<" in page.text


def test_a_huge_answer_of_a_server_stays_small_on_the_page(orders: Service, admin: Visitor) -> None:
    body = json.dumps({"error": "invalid_client", "error_description": "<b>no</b> " * 100_000})
    orders.token = lambda _: Text(401, body, "application/json")
    told = admin.post("/authorize/orders").json()
    assert told["ok"] is False
    assert len(told["message"]) < 500
    assert len(admin.get("/connections/orders").text) < 20_000


LONG = " ".join(f"word{number}" for number in range(140)) + " trace-id-at-the-end"


@pytest.mark.fault("F46")
@pytest.mark.parametrize(
    ("answer", "words", "advice"),
    [
        pytest.param(
            Json({"error": "invalid_client", "error_description": "no such client here"}, 401),
            "no such client here",
            "check client id and secret",
            id="invalid_client",
        ),
        pytest.param(
            Json({"error": "invalid_scope"}, 400),
            "<code>invalid_scope</code>",
            "the scope is unknown",
            id="code",
        ),
        pytest.param(Text(404, "gone"), "HTTP status 404", "check the access token url", id="status"),
        pytest.param(Text(200, "<html>"), "is not valid JSON", "check that the access token url", id="page"),
        pytest.param(Json({}, 503), "HTTP status 503", "the next task asks again", id="busy"),
    ],
)
def test_one_refusal_stands_once_on_a_page_and_so_does_its_advice(
    orders: Service, admin: Visitor, answer: Any, words: str, advice: str
) -> None:
    orders.token = lambda _: answer
    said = admin.post("/authorize/orders").json()
    assert said["ok"] is False
    page = " ".join(admin.get("/connections/orders").text.split())
    assert page.count(words) == 1
    assert page.lower().count(advice) == 1
    assert said["message"].lower().count(advice) == 1, "in the list, whose rows have no advice"
    assert words not in said["message"] or "HTTP status" in words
    assert advice not in said["short"].lower(), "on the connection's own page"
    listed = admin.get("/").text
    assert advice not in listed.lower()
    assert "usually nothing" not in page + listed


@pytest.mark.fault("F46")
def test_a_row_cuts_a_long_description_where_a_word_ends(
    service: Service, store: Any, admin: Visitor
) -> None:
    service.token = lambda _: Json({"error": "invalid_client", "error_description": LONG}, 401)
    store(service.connection(conn_id="orders", scope=" ".join(f"scope{number}" for number in range(50))))
    admin.post("/authorize/orders")
    cells = re.findall(r'<td class="(?:status|scope wide-only)">.*?</td>', admin.get("/").text, re.DOTALL)
    assert len(cells) == 2
    for cell in cells:
        text = " ".join(re.sub(r"<[^>]*>", " ", cell).split())
        assert len(text) < 150
        assert re.search(r"(word|scope)\d+…$", text), text


@pytest.mark.fault("F73")
@pytest.mark.parametrize(("stated", "asked"), [("read write", False), (None, True)])
def test_scopes_that_the_server_did_not_name_are_as_asked(
    service: Service, store: Any, admin: Visitor, stated: str | None, asked: bool
) -> None:
    members = {"scope": stated} if stated else {}
    service.token = lambda _: token_json("tok-1", **members)
    store(service.connection(conn_id="orders", scope="read write"))
    admin.post("/authorize/orders")
    page = admin.get("/connections/orders").text
    assert ("as asked; the server did not say" in page) is asked
    assert "read write" in page


def test_no_secret_and_no_token_is_on_any_page(service: Service, store: Any, admin: Visitor) -> None:
    hidden = {"secret_params": "pin=zz-pin-zz", "secret_headers": "X-Key=zz-key-zz"}
    store(service.connection(conn_id="orders", password="zz-password-zz", **hidden))
    service.token = lambda _: token_json("zz-token-zz")
    told = admin.post("/authorize/orders")
    assert told.json()["ok"] is True
    shown = told.text + admin.get("/").text + admin.get("/connections/orders").text
    assert "Authorized" in shown
    assert "zz-" not in shown


def test_what_was_deleted_meanwhile_says_so(orders: Service, admin: Visitor) -> None:
    for path in ("/authorize/gone", "/forget/gone"):
        answer = admin.post(path)
        assert answer.status_code == 404
        assert "“gone”" in answer.json()["message"]
    page = admin.get("/connections/gone")
    assert page.status_code == 404
    assert "may have been deleted" in page.text


def test_connections_of_other_types_are_not_shown(service: Service, store: Any, admin: Visitor) -> None:
    store(service.connection(conn_id="other"), conn_type="http")
    assert "No OAuth 2.0 servers yet" in admin.get("/").text
    assert admin.get("/connections/other").status_code == 404
    assert admin.post("/authorize/other").status_code == 404


def test_a_wrong_connection_is_shown_with_what_is_wrong(service: Service, store: Any, admin: Visitor) -> None:
    store(service.connection(conn_id="wrong", host="ftp://idp.example"))
    assert "Wrong configuration" in admin.get("/").text
    assert "access token URL" in admin.get("/connections/wrong").text
    for path in ("/authorize/wrong", "/forget/wrong"):
        told = admin.post(path).json()
        assert told["ok"] is False
        assert "host" in told["message"]


@pytest.mark.parametrize(
    ("days", "badge"), [(12, "ends"), (-1, "ended"), (400, None)], ids=["soon", "over", "far"]
)
def test_the_end_of_a_certificate(
    service: Service, store: Any, admin: Visitor, days: int, badge: str | None
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    material = pkcs12(b"a passphrase", not_after=ends)
    store(
        service.connection(
            conn_id="orders",
            password=None,
            auth_method="private_key_jwt",
            private_key=base64.b64encode(material).decode(),
            private_key_passphrase="a passphrase",
        )
    )
    moment = f'<time datetime="{ends.isoformat()}">'
    listed, details = (" ".join(admin.get(path).text.split()) for path in ("/", "/connections/orders"))
    said = f'<span class="badge bad">Certificate</span> {badge} {moment}'
    for page in (listed, details):
        assert (said in page) is (badge is not None)
    assert moment not in listed or badge
    assert f"<dt>Certificate expires</dt><dd>{moment}" in details


def test_names_that_addresses_give_a_meaning_work(service: Service, store: Any, admin: Visitor) -> None:
    name = "a/b#c!(d)"
    store(service.connection(conn_id=name))
    page = admin.get("/").text
    assert f"{PREFIX}/connections/a%2Fb%23c%21%28d%29" in page
    assert name in admin.get("/connections/a%2Fb%23c%21%28d%29").text
    assert admin.post("/authorize/a%2Fb%23c%21%28d%29").json()["ok"] is True


@pytest.mark.parametrize(
    "query", ["page=one", "page=", "sort=__init__", "status=x&category=y", "page=99999999999999999999"]
)
def test_an_address_typed_wrong_ends_in_a_page(orders: Service, admin: Visitor, query: str) -> None:
    answer = admin.get(f"/?{query}")
    assert answer.status_code == (400 if "page=one" in query or query == "page=" else 200)
    assert "<html" in answer.text


def test_a_wrong_section_of_airflow_cfg_is_told(
    orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "a b c/")
    answer = admin.get("/")
    assert answer.status_code == 500
    assert "allowed_token_hosts" in answer.text


def test_when_the_database_fails_the_page_says_where_to_look(orders: Service, admin: Visitor) -> None:
    with mock.patch(
        "airflow_oauth_provider.plugin.airflow_access.find_connections", autospec=True, side_effect=OSError
    ):
        answer = admin.get("/")
    assert answer.status_code == 500
    assert "log of its API server" in answer.text


def test_a_hundred_are_on_a_page(service: Service, store: Any, admin: Visitor) -> None:
    for number in range(101):
        store(service.connection(conn_id=f"c{number:03}"))
    first, second = admin.get("/?sort=-name"), admin.get("/?sort=-name&page=2")
    assert first.text.count("data-status=") == 100
    assert "101 OAuth 2.0 servers" in first.text
    assert "Page 1 of 2" in first.text
    assert 'href="?sort=-name&amp;page=2"' in first.text
    assert second.text.count("data-status=") == 1
    assert 'data-name="c000"' in second.text


# What it does


def test_authorizing_brings_a_token_and_forgetting_takes_it_away(orders: Service, admin: Visitor) -> None:
    assert 'data-status="not_yet"' in admin.get("/").text
    told = admin.post("/authorize/orders").json()
    assert told["ok"] is True
    assert told["message"].startswith("orders: Authorized until ")
    assert 'data-status="authorized"' in admin.get("/").text
    assert admin.post("/forget/orders").json()["ok"] is True
    assert 'data-status="not_yet"' in admin.get("/").text
    assert len(orders.token_requests) == 1


def test_a_slow_server_holds_up_nobody_and_few_are_asked_at_once(
    service: Service, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING", 2)
    service.token = lambda _: Silent()
    names = [f"slow{number}" for number in range(8)]
    for name in names:
        store(service.connection(conn_id=name, login=name, max_wait=3))
    visitor = Visitor("admin")
    with visitor.client, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(visitor.post, f"/authorize/{name}") for name in names]
        arrived = threading.Event()
        while len(service.token_requests) < waiting.AT_ONCE and not arrived.wait(0.05):
            pass
        page = visitor.get("/")
        while_waiting = len(service.token_requests)
        statuses = sorted(answer.result().status_code for answer in answers)
    assert page.status_code == 200
    assert while_waiting == waiting.AT_ONCE
    assert statuses == [200] * 6 + [503] * 2


# What comes from the store is foreign


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path / "oauth2_token_store"


@pytest.mark.fault("F22")
@pytest.mark.parametrize("seed", range(10))
def test_whatever_lies_in_the_store_no_page_breaks(
    seed: int, service: Service, store: Any, admin: Visitor, folder: Path
) -> None:
    names = ("crm", "ledger", "orders")
    for name in names:
        store(service.connection(conn_id=name, login=name))
        admin.post(f"/authorize/{name}")
    spoil(folder, names, random.Random(seed))
    shared.clear()
    pages = [admin.get("/"), *(admin.get(f"/connections/{name}") for name in names)]
    assert [page.status_code for page in pages] == [200] * 4
    assert all(FORGED not in page.text for page in pages)
    assert all(admin.post(f"/authorize/{name}").json()["ok"] for name in names)
    assert admin.get("/").text.count('data-status="authorized"') == 3
