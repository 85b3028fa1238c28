"""New and Edit: what is saved, what is refused and where, and what never leaves the server."""

from __future__ import annotations

import base64
import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.stored import find_connection
from airflow_oauth_provider.authorizations.values import ConnectionValues
from airflow_oauth_provider.connection.fields import FIELDS_BY_KEY
from airflow_oauth_provider.plugin.entry import PREFIX
from tests.plugin.visiting import BY_THE_PAGE, HTML, MARKS, Visitor
from tests.support.keys import RSA, pem
from tests.support.servers.certificates import pkcs12
from tests.support.servers.scripted import Json, ScriptedServer, token_json
from tests.support.service import Service

pytestmark = MARKS
SECRET = "a-client-secret-that-nobody-sees"


def fields(service: Service, **more: Any) -> dict[str, Any]:
    host = f"{service.server.url}/token"
    return {"conn_id": "orders", "host": host, "login": "me", "password": SECRET, **more}


def create(visitor: Visitor, given: dict[str, Any], **more: Any) -> Any:
    return visitor.post("/create", {"fields": given, **more})


def digest(visitor: Visitor, name: str = "orders") -> str:
    found = re.search(r'data-digest="([0-9a-f]+)"', visitor.get(f"/edit/{name}").text)
    assert found is not None
    return found[1]


def edit(visitor: Visitor, given: dict[str, Any], name: str = "orders", **more: Any) -> Any:
    return visitor.post(f"/edit/{name}", {"fields": given, "digest": digest(visitor, name), **more})


def saved(name: str = "orders") -> ConnectionValues | None:
    stored = find_connection(name)
    return ConnectionValues.of(stored) if stored else None


def extra(name: str = "orders") -> dict[str, Any]:
    values = saved(name)
    assert values is not None
    given: dict[str, Any] = json.loads(values.extra or "{}")
    return given


@pytest.fixture(autouse=True)
def empty(store: Any) -> None:
    """Whatever a test saves is gone afterwards."""


class TestNew:
    def test_it_saves_all_fields_then_authorizes(self, service: Service, admin: Visitor) -> None:
        rows = {"query_params": [["tenant", "emea"], ["", ""]], "post_params": [["realm", "prod"]]}
        description = "خادم التفويض " + "x" * 4000
        given = fields(
            service, scope="read", category="sales", max_wait="30", description=description, **rows
        )
        response = create(admin, given)
        assert (response.status_code, response.json()["ok"], response.json()["saved"]) == (200, True, True)
        assert response.json()["message"].startswith("orders: Saved. Authorized until ")
        values = saved()
        assert values is not None
        assert (values.login, values.password, values.description) == ("me", SECRET, description)
        assert set(extra()) == set(FIELDS_BY_KEY), "Airflow's form hides those that are missing"
        assert [extra()[key] for key in ("query_params", "post_params", "max_wait")] == [
            *(["tenant=emea"], ["realm=prod"], 30)
        ]
        assert service.token_requests[0].form["realm"] == ["prod"]
        assert SECRET not in response.text + admin.get("/connections/orders").text

    def test_a_refused_one_stays_saved_with_its_error(self, service: Service, admin: Visitor) -> None:
        service.token = lambda _: Json({"error": "invalid_client", "error_description": SECRET}, 401)
        response = create(admin, fields(service)).json()
        assert (response["ok"], response["saved"]) == (False, True)
        assert response["message"].startswith("orders: Saved, but not authorized: invalid_client")
        assert saved() is not None
        assert 'data-status="refused"' in admin.get("/").text

    def test_with_testing_switched_off_it_is_saved_and_says_so(
        self, service: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
        assert "test_connection</code> of airflow.cfg is not Enabled" in admin.get("/new").text
        response = create(admin, fields(service)).json()
        assert (response["ok"], response["saved"]) == (True, True)
        assert "not authorized: [core] test_connection" in response["message"]
        assert service.token_requests == []

    def test_a_name_that_database_or_environment_has_is_refused(
        self, orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MINE", orders.environment())
        for name in ("orders", "mine"):
            response = create(admin, fields(orders, conn_id=name))
            assert (response.status_code, response.json()["field"]) == (422, "conn_id")
            assert response.json()["text"].startswith("exists already")
        assert saved("mine") is None
        assert orders.token_requests == []

    @pytest.mark.parametrize("name", ["", "n" * 51, "a b", "<b>x</b>", "."])
    def test_a_name_that_is_none(self, service: Service, admin: Visitor, name: str) -> None:
        response = create(admin, fields(service, conn_id=name))
        assert (response.status_code, response.json()["field"]) == (422, "conn_id")

    def test_a_preset_fills_in_and_asks(self, service: Service, admin: Visitor) -> None:
        page = html.unescape(admin.get("/new?preset=zendesk&tenant=acme").text)
        assert 'value="https://acme.zendesk.com/oauth/tokens"' in page
        assert '<option value="json" selected>' in page
        assert "The preset asks for: for example read." in page
        assert "must be 1 to 63 letters" in admin.get("/new?preset=zendesk&tenant=a.b").text
        more = {"host": "https://{tenant}.zendesk.com/oauth/tokens", "conn_id": "zen"}
        response = create(admin, fields(service, **more), preset="zendesk", tenant="acme")
        assert (response.status_code, response.json()["field"]) == (422, "scope")
        response = create(admin, fields(service, **more, scope="read"), preset="zendesk", tenant="a.b")
        assert (response.status_code, response.json()["field"]) == (422, "tenant")
        given = fields(service, scope="read", conn_id="zen")
        assert create(admin, given, preset="zendesk", tenant="acme").json()["saved"] is True
        assert extra("zen")["body_format"] == "json", "what the preset knows counts where nothing is entered"

    def test_what_a_preset_made_is_an_ordinary_connection(
        self, service: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
        given = fields(service, scope="read", conn_id="zen", host="https://{tenant}.zendesk.com/oauth/tokens")
        assert create(admin, given, preset="zendesk", tenant="acme").json()["saved"] is True
        values = saved("zen")
        assert values is not None
        assert values.host == "https://acme.zendesk.com/oauth/tokens", "no placeholder is left in a host"
        assert extra("zen").keys() == FIELDS_BY_KEY.keys(), "and nothing of the preset but its fields"

    def test_the_form_offers_categories_and_the_default_one(
        self, service: Service, store: Any, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__DEFAULT_CATEGORY", "ops")
        store(service.connection(conn_id="crm", category="sales <b>"))
        page = admin.get("/new").text
        assert '<option value="sales &lt;b&gt;">' in page
        assert re.search(r'id="in-category" type="text" value="ops"', page)
        assert 'maxlength="50"' in page

    @pytest.mark.parametrize("kind", ["pem", "pkcs12"])
    def test_a_key_file(self, service: Service, admin: Visitor, kind: str) -> None:
        data = (
            pem(RSA).encode()
            if kind == "pem"
            else pkcs12(b"a passphrase", not_after=datetime.now(UTC) + timedelta(days=90))
        )
        more = {"private_key_passphrase": "a passphrase"} if kind == "pkcs12" else {}
        given = fields(service, auth_method="private_key_jwt", **more)
        given.pop("password")
        response = create(admin, given, files={"private_key": base64.b64encode(data).decode()})
        assert response.json()["ok"] is True, response.text
        assert "client_assertion" in service.token_requests[0].form
        assert pem(RSA).splitlines()[1] not in admin.get("/edit/orders").text

    @pytest.mark.parametrize(
        ("size", "says"),
        [(0, "is empty"), (30 * 1024, "more than 24 KiB"), (1_000_000, "the file has 977 KiB")],
    )
    def test_a_file_that_is_no_key(self, service: Service, admin: Visitor, size: int, says: str) -> None:
        files = {"private_key": base64.b64encode(bytes(size)).decode()}
        response = create(admin, fields(service, auth_method="private_key_jwt"), files=files)
        assert (response.status_code, response.json()["field"]) == (422, "private_key")
        assert says in response.json()["text"]
        assert saved() is None

    def test_a_body_that_is_too_large_is_not_read(self, service: Service, admin: Visitor) -> None:
        response = create(admin, fields(service, description="x" * 3_000_000))
        assert (response.status_code, response.json()["ok"]) == (413, False)
        chunks = admin.client.post(
            f"{PREFIX}/create",
            content=iter([b"{}"]),
            headers={**BY_THE_PAGE, "Content-Type": "application/json"},
        )
        assert chunks.status_code == 411

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"fields": []}, id="no fields"),
            pytest.param({"fields": {"scope": 1}}, id="number"),
            pytest.param({"fields": {"post_params": [["a"]]}}, id="half a row"),
            pytest.param({"fields": {}, "preset": 1}, id="preset"),
        ],
    )
    def test_what_the_form_does_not_send(self, admin: Visitor, body: dict[str, Any]) -> None:
        response = admin.post("/create", body)
        assert (response.status_code, response.json()["ok"]) == (400, False)


LARGE = "x" * (9 * 1024)
BAD = [
    pytest.param({"password": ""}, "password", "is missing", id="no secret[C03]"),
    pytest.param(
        {"auth_method": "private_key_jwt", "private_key": pem(RSA)}, "password", "two", id="two[C04]"
    ),
    pytest.param({"auth_method": "none"}, "auth_method", "must be one of", id="public[C05]"),
    pytest.param({"auth_method": "Client_Secret_Basic"}, "auth_method", "must be one of", id="case[C06]"),
    pytest.param({"scopes": "read"}, "scopes", "is no field", id="unknown[C13]"),
    pytest.param({"login": "a:b", "basic_encoding": "raw"}, "login", "", id="colon[C18]"),
    pytest.param({"password": "a\nb"}, "password", "control characters", id="line break[C21]"),
    pytest.param({"password": "a\x00b"}, "password", "control characters", id="NUL[C21]"),
    pytest.param({"password": "pasted\n"}, "password", "control characters", id="pasted[C22]"),
    pytest.param({"password": "***"}, "password", "placeholder", id="masked[C23]"),
    pytest.param({"password": LARGE}, "password", "longer than 8 KiB", id="long secret[C25]"),
    pytest.param({"login": "c" * 1025}, "login", "longer than 1 KiB", id="long id[C25]"),
    pytest.param({"host": "http://idp.example/token"}, "host", "https", id="http[C26]"),
    pytest.param({"host": "http://2130706433"}, "host", "", id="number as address[C29]"),
    pytest.param({"host": "https://u:p4ss@idp.example/token"}, "host", "", id="userinfo[C31]"),
    pytest.param({"host": "https://idp.example/token#x"}, "host", "", id="fragment[C32]"),
    pytest.param({"host": "https://idp.example\\@evil.example"}, "host", "", id="backslash[C35]"),
    pytest.param({"host": "https://idp.example:0/token"}, "host", "", id="port 0[C36]"),
    pytest.param({"host": "https://idp.example:65536/token"}, "host", "", id="port too large[C36]"),
    pytest.param({"host": "https://[fe80::1%25eth0]/token"}, "host", "", id="zone[C39]"),
    pytest.param({"host": "https://169.254.169.254/token"}, "host", "", id="metadata address[C40]"),
    pytest.param({"verify_tls": "false"}, "verify_tls", "", id="unverified[C45]"),
    pytest.param(
        {"auth_method": "tls_client_auth", "password": "", "private_key": pem(RSA), "certificate": "x"},
        "certificate",
        "",
        id="no certificate[C47]",
    ),
    pytest.param(
        {"auth_method": "private_key_jwt", "password": "", "private_key": "x"},
        "private_key",
        "",
        id="key[C49]",
    ),
    pytest.param(
        {"auth_method": "client_secret_jwt", "password": "short"}, "password", "", id="short HMAC key[C50]"
    ),
    pytest.param({"jwt_algorithm": "none"}, "jwt_algorithm", "must be one of", id="alg none[C50]"),
    pytest.param({"signing_key": pem(RSA)}, "signing_key", "is no field", id="signing_key[C51]"),
    pytest.param({"resource": "/relative"}, "resource", "", id="resource[C55]"),
    pytest.param({"rich_requests": '{"a": 1}'}, "rich_requests", "", id="rich[C56]"),
    pytest.param({"post_params": [["grant_type", "x"]]}, "post_params", "", id="reserved[C57]"),
    pytest.param({"request_headers": [["X-A", "a\r\nb"]]}, "request_headers", "", id="header[C60]"),
    *(
        pytest.param({"request_timeout": value}, "request_timeout", "", id=f"timeout {value}[C10]")
        for value in ("0", "-1", "NaN", "inf", "true", "abc", "1e9")
    ),
    *(
        pytest.param({"max_retry_attempts": value}, "max_retry_attempts", "", id=f"attempts {value}[C11]")
        for value in ("-1", "2.5", "three", "101")
    ),
]


@pytest.mark.parametrize(("given", "field", "says"), BAD)
def test_a_fault_is_told_at_its_field_and_nothing_is_saved_or_sent(
    service: Service, admin: Visitor, given: dict[str, Any], field: str, says: str
) -> None:
    response = create(admin, fields(service) | given)
    told = response.json()
    assert (response.status_code, told["saved"], told["field"]) == (422, False, field), told
    assert says in told["text"]
    for secret in (SECRET, "p4ss", LARGE, pem(RSA).splitlines()[1]):
        assert secret not in response.text
    assert saved() is None
    assert service.token_requests == []


def test_all_that_is_wrong_is_told_at_once(service: Service, admin: Visitor) -> None:
    bad: dict[str, Any] = {
        "conn_id": "a b",
        "host": "ftp://idp.example",
        "login": "",
        "max_wait": "soon",
        "scope": "",
    }
    bad |= {"password": "", "post_params": [["", "x"]], "request_timeout": "0"}
    told = create(admin, fields(service) | bad, preset="zendesk", tenant="acme").json()
    assert (told["saved"], told["field"]) == (False, "conn_id")
    assert told["wrong"].keys() == bad.keys()
    assert told["wrong"]["scope"] == "Zendesk Support needs it: for example read"
    assert (saved("a b"), service.token_requests) == (None, [])


def test_combinations_are_told_beside_single_fields(service: Service, admin: Visitor) -> None:
    bad = {
        "max_wait": "soon",
        "proxy_url": "http://proxy.example:3128",
        "ca_certificates": "PEM",
        "audience": "x",
        "post_params": [["audience", "y"]],
        "dpop": "true",
        "header_name": "X-Token",
        "jwt_claims": [["iss", "me"]],
        "verify_tls": "false",
    }
    told = create(admin, fields(service) | bad).json()
    assert (told["field"], told["wrong"].keys()) == ("max_wait", bad.keys() - {"audience", "dpop"})
    assert (saved(), service.token_requests) == (None, [])


def test_what_follows_from_a_wrong_method_is_not_told(service: Service, admin: Visitor) -> None:
    """With the method that it may be meant for all the others are right."""
    bad = {"auth_method": "private_key", "password": "", "private_key": pem(RSA), "max_wait": "0"}
    told = create(admin, fields(service) | bad).json()
    assert told["wrong"].keys() == {"auth_method", "max_wait"}
    told = create(admin, fields(service) | bad | {"auth_method": "private_key_jwt"}).json()
    assert told["wrong"].keys() == {"max_wait"}


def test_the_tenant_of_a_preset_is_asked_for_with_all_else(service: Service, admin: Visitor) -> None:
    more = {"host": "https://{tenant}.zendesk.com/oauth/tokens", "login": ""}
    told = create(admin, fields(service, **more), preset="zendesk").json()
    assert told["wrong"].keys() == {"tenant", "scope", "login"}
    assert told["wrong"]["tenant"] == "Zendesk Support needs it: the account's subdomain"


def test_all_that_is_wrong_with_an_edit_is_told_at_once(orders: Service, admin: Visitor) -> None:
    before = saved()
    told = edit(admin, {"host": "https://other.example", "max_wait": "soon"}).json()
    assert (told["field"], told["wrong"].keys()) == ("password", {"password", "max_wait"})
    told = edit(admin, {"host": "ftp://other.example", "max_wait": "soon", "scope": '"'}).json()
    assert (told["field"], told["wrong"].keys()) == ("password", {"password", "max_wait", "host", "scope"})
    told = edit(admin, {"login": "", "max_wait": "soon"}).json()
    assert (told["field"], told["wrong"].keys()) == ("max_wait", {"login", "max_wait"})
    assert saved() == before


@pytest.mark.fault("C41", "C42")
@pytest.mark.parametrize("host", ["https://other.example", "https://evilexample", "https://example.attacker"])
def test_a_host_that_is_not_listed(
    service: Service, admin: Visitor, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "*.example.org, idp.example")
    told = create(admin, fields(service, host=host)).json()
    assert (told["field"], "allowed_token_hosts" in told["text"]) == ("host", True)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"scope": "  "}, id="blank scope[C16]"),
        pytest.param({"password": "a+%&=/ b" * 3}, id="characters[C19]"),
        pytest.param({"password": " a secret with blanks "}, id="blanks[C22]"),
    ],
)
def test_what_is_unusual_and_right_is_saved(service: Service, admin: Visitor, given: dict[str, str]) -> None:
    assert create(admin, fields(service) | given).json()["saved"] is True
    values = saved()
    assert values is not None
    assert values.password == given.get("password", SECRET), "never stripped"


class TestEdit:
    def test_what_is_not_changed_stays_and_it_is_authorized_again(
        self, service: Service, admin: Visitor
    ) -> None:
        create(admin, fields(service, scope="read", category="sales", post_params=[["a", "b"]]))
        response = edit(admin, {"scope": "write"})
        assert response.json()["ok"] is True, response.text
        values = saved()
        assert values is not None
        assert (values.password, extra()["category"], extra()["scope"]) == (SECRET, "sales", "write")
        assert extra()["post_params"] == ["a=b"]
        assert [request.form["scope"] for request in service.token_requests] == [["read"], ["write"]]

    def test_without_testing_it_is_edited_since(
        self, service: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create(admin, fields(service))
        monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Disabled")
        assert edit(admin, {"scope": "write"}).json()["saved"] is True
        assert 'data-status="edited"' in admin.get("/").text

    @pytest.mark.parametrize(
        ("given", "change", "wrong"),
        [
            pytest.param({"auth_method": "client_secret_post"}, "authentication method", [], id="method"),
            pytest.param({"proxy_url": "http://proxy.example:3128"}, "proxy", ["proxy_url"], id="proxy"),
            pytest.param({"ca_certificates": "PEM"}, "CA", ["ca_certificates"], id="CA"),
            pytest.param({"host": "OTHER"}, "token host", [], id="host"),
        ],
    )
    def test_who_else_gets_to_see_a_secret_wants_it_again(
        self, service: Service, admin: Visitor, given: dict[str, str], change: str, wrong: list[str]
    ) -> None:
        create(admin, fields(service))
        before = saved()
        with ScriptedServer() as other:
            other.script(token_json())
            given = {key: value.replace("OTHER", f"{other.url}/token") for key, value in given.items()}
            told = edit(admin, given)
            assert (told.status_code, told.json()["field"], told.json()["wrong"].keys()) == (
                *(422, "password", {"password", *wrong}),
            )
            assert f"{change} changed" in told.json()["text"]
            assert (saved(), other.requests) == (before, [])
            if "host" in given:
                assert edit(admin, given | {"password": "another-secret"}).json()["ok"] is True
                assert len(other.requests) == 1

    def test_two_people_at_once(self, service: Service, admin: Visitor) -> None:
        create(admin, fields(service, scope="read"))
        opened = digest(admin)
        assert edit(admin, {"category": "finance"}).json()["saved"] is True
        told = admin.post("/edit/orders", {"fields": {"scope": "write"}, "digest": opened})
        assert (told.status_code, told.json()["saved"]) == (409, False)
        assert "what you have entered is still here" in told.json()["message"]
        assert extra()["scope"] == "read"
        again = {"fields": {"scope": "write"}, "digest": told.json()["digest"]}
        assert admin.post("/edit/orders", again).json()["saved"] is True
        assert (extra()["scope"], extra()["category"]) == ("write", "finance"), "nobody has lost anything"

    def test_a_digest_tells_nothing_of_the_secret(self, service: Service, admin: Visitor) -> None:
        create(admin, fields(service))
        stored = find_connection("orders")
        assert stored is not None
        assert digest(admin) != stored.digest(b"another key")
        assert digest(admin) != digest_after(admin, {"password": "other-secret"})

    def test_no_stored_secret_is_sent_and_what_was_hidden_stays(
        self, service: Service, store: Any, admin: Visitor
    ) -> None:
        hidden = {
            "secret_params": "pin=zz-pin-zz",
            "secret_headers": "X-Key=zz-key-zz",
            "post_params": ["api_key=zz-api-zz", "realm=prod"],
            "private_key_passphrase": None,
        }
        connection = service.connection(conn_id="orders", password="zz-password-zz", **hidden)
        connection.description = "the pin is zz-pin-zz"
        store(connection)
        page = admin.get("/edit/orders").text
        assert "zz-" not in page
        assert page.count("stored, and not shown") == 4
        response = edit(admin, {"post_params": [["api_key", "***"], ["realm", "test"]]})
        assert response.json()["saved"] is True, response.text
        assert "zz-" not in response.text
        assert extra()["post_params"] == ["api_key=zz-api-zz", "realm=test"]
        assert extra()["secret_params"] == "pin=zz-pin-zz"
        values = saved()
        assert values is not None
        assert (values.description, values.password) == ("the pin is zz-pin-zz", "zz-password-zz")
        told = edit(admin, {"post_params": [["new_key", "***"]]}).json()
        assert (told["field"], "placeholder" in told["text"]) == ("post_params", True)

    def test_a_stored_secret_can_be_removed(self, service: Service, store: Any, admin: Visitor) -> None:
        store(service.connection(conn_id="orders", secret_params="pin=1234"))
        assert edit(admin, {"secret_params": None}).json()["saved"] is True
        assert not extra()["secret_params"]

    def test_one_that_tasks_read_elsewhere(
        self, orders: Service, admin: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = digest(admin)
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS", orders.environment())
        assert admin.get("/edit/orders").status_code == 409
        told = admin.post("/edit/orders", {"fields": {"scope": "x"}, "digest": opened})
        assert (told.status_code, "environment" in told.json()["text"]) == (422, True)

    def test_one_that_is_gone(self, service: Service, admin: Visitor) -> None:
        told = admin.post("/edit/orders", {"fields": {"scope": "x"}, "digest": "0"})
        assert (told.status_code, admin.get("/edit/orders").status_code) == (404, 404)


def digest_after(visitor: Visitor, given: dict[str, Any]) -> str:
    assert edit(visitor, given).json()["saved"] is True
    return digest(visitor)


def test_the_audit_log_has_names_of_fields_and_nothing_else(service: Service, admin: Visitor) -> None:
    from airflow.models import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    create(admin, fields(service, scope="scope-zz", **{"evil-zz": "x"}))
    create(admin, fields(service, scope="scope-zz", category="category-zz"))
    edit(admin, {"description": "description-zz"})
    with create_session(scoped=False) as session:
        query = select(Log).where(Log.event.in_(["oauth2_create", "oauth2_edit"])).order_by(Log.id.desc())
        logs = [(log.event, log.owner, log.extra) for log in session.scalars(query.limit(3))]
    assert [(event, owner) for event, owner, _ in logs] == [
        *(("oauth2_edit", "admin"), ("oauth2_create", "admin"), ("oauth2_create", "admin"))
    ]
    assert json.loads(logs[0][2])["fields"] == ["description"]
    assert json.loads(logs[1][2]) == {
        "connection_id": "orders",
        "fields": ["conn_id", "category", "host", "login", "password", "scope"],
        "method": "POST",
    }
    text = "".join(extra for *_, extra in logs)
    assert "zz" not in text
    assert SECRET not in text


@pytest.mark.parametrize("path", ["/create", "/edit/orders"])
@pytest.mark.parametrize("role", [None, "viewer", "user"])
def test_who_may_not_saves_nothing(orders: Service, path: str, role: str | None) -> None:
    before = saved()
    response = Visitor(role).post(path, {"fields": {"conn_id": "other", "scope": "x"}})
    assert response.status_code == (401 if role is None else 403)
    assert (saved(), saved("other"), orders.token_requests) == (before, None, [])


def test_names_with_markup_become_no_html(service: Service, store: Any, admin: Visitor) -> None:
    evil = "\"><img src=x onerror=alert(1)>'&{{ 7 * 7 }}"
    connection = service.connection(
        conn_id="evil", category=evil, login=evil, scope="a", query_params=[f"{evil}=b"]
    )
    connection.description = evil
    store(connection)
    for path in ("/edit/evil", "/new", f"/new?preset=zendesk&tenant={evil}"):
        page = admin.client.get(PREFIX + path, headers=HTML).text
        assert "<img" not in page
        assert "7 * 7" in page or "evil" not in path


@pytest.mark.fault("F12")
def test_a_database_that_fails_is_said_so(
    service: Service, admin: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session(scoped=False) as session:
        session.execute(text("CREATE TRIGGER t BEFORE INSERT ON connection BEGIN DELETE FROM none; END"))
    try:
        response = create(admin, fields(service))
    finally:
        with create_session(scoped=False) as session:
            session.execute(text("DROP TRIGGER t"))
    assert (response.status_code, response.json()["saved"]) == (500, False)
    assert response.json()["message"].startswith("Nothing is saved: it cannot be saved (OperationalError)")
    assert SECRET not in response.text + caplog.text
