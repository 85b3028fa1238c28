"""What stands on the pages, and what never does."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX
from tests.plugin.visiting import MARKS, Visitor
from tests.support.servers.certificates import pkcs12
from tests.support.servers.scripted import Json, Text, token_json
from tests.support.service import Service

pytestmark = MARKS


EVIL = "\"><img src=x onerror=alert(1)>'&{{ 7 * 7 }}"


def test_nothing_a_person_or_a_server_wrote_becomes_html(
    service: Service, store: Any, admin: Visitor
) -> None:
    service.token = lambda _: Json({"error": "invalid_client", "error_description": EVIL + "\x1b[31m"}, 401)
    connection = service.connection(conn_id="evil", category=EVIL, login=EVIL, unknown_field=1)
    connection.description = EVIL
    store(connection)
    result = admin.post("/authorize/evil").json()
    assert result["ok"] is False
    for text in (
        admin.get("/").text,
        admin.get("/connections/evil").text,
        admin.get("/", params={"text": EVIL}).text,
    ):
        assert "<img" not in text
        assert "\x1b" not in text
        assert "7 * 7" in text
    assert "\x1b" not in result["message"]
    page = admin.get("/", params={"category": EVIL})
    assert "1 OAuth 2.0 server<" in page.text


def test_a_huge_answer_of_a_server_stays_small_on_the_page(orders: Service, admin: Visitor) -> None:
    body = json.dumps({"error": "invalid_client", "error_description": "<b>no</b> " * 100_000})
    orders.token = lambda _: Text(401, body, "application/json")
    result = admin.post("/authorize/orders").json()
    assert result["ok"] is False
    assert len(result["message"]) < 500
    assert len(admin.get("/connections/orders").text) < 20_000


LONG = " ".join(f"word{number}" for number in range(140)) + " trace-id-at-the-end"


@pytest.mark.fault("F46")
@pytest.mark.parametrize(
    ("response", "words", "advice"),
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
        pytest.param(Json({}, 503), "HTTP status 503", "wait; if it lasts", id="busy"),
    ],
)
def test_one_refusal_stands_once_on_a_page_and_so_does_its_advice(
    orders: Service, admin: Visitor, response: Any, words: str, advice: str
) -> None:
    orders.token = lambda _: response
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
    cells = re.findall(r'<td class="(?:status|scope wide-only)" .*?</td>', admin.get("/").text, re.DOTALL)
    assert len(cells) == 2
    for cell in cells:
        text = " ".join(re.sub(r"<[^>]*>", " ", cell).split())
        assert len(text) < 150
        assert re.search(r"(word|scope)\d+…$", text), text
    page = admin.get("/connections/orders").text
    assert page.count("word100") == 1, "whole, where one connection is shown"


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


@pytest.mark.parametrize("given", [{}, {"body_format": "json"}], ids=["standard", "unusual"])
def test_what_is_set_for_an_unusual_server_is_said(
    service: Service, store: Any, admin: Visitor, given: dict[str, str]
) -> None:
    store(service.connection(conn_id="orders", **given))
    page = admin.get("/connections/orders").text
    assert ("For an unusual server: <code>body_format = json</code>." in page) is bool(given)


@pytest.mark.fault("T30")
def test_details_are_shown_as_they_were_granted(service: Service, store: Any, admin: Visitor) -> None:
    granted = [{"type": "orders", "actions": ["read"], "note": "<b>\u202ebold"}]
    service.token = lambda _: token_json("tok-1", authorization_details=granted)
    asked = [{"type": "orders", "actions": ["read", "write"]}]
    store(service.connection(conn_id="orders", rich_requests=json.dumps(asked)))
    assert admin.post("/authorize/orders").json()["ok"] is True
    page = admin.get("/connections/orders").text
    assert "Granted details" in page
    assert "&#34;note&#34;: &#34;&lt;b&gt; bold&#34;" in page
    for text in (page, admin.get("/").text):
        assert '<span class="badge changed" title="orders">Not granted</span>' in text


def test_no_secret_and_no_token_is_on_any_page(service: Service, store: Any, admin: Visitor) -> None:
    hidden = {"secret_params": "pin=zz-pin-zz", "secret_headers": "X-Key=zz-key-zz"}
    store(service.connection(conn_id="orders", password="zz-password-zz", **hidden))
    service.token = lambda _: token_json("zz-token-zz")
    response = admin.post("/authorize/orders")
    assert response.json()["ok"] is True
    texts = response.text + admin.get("/").text + admin.get("/connections/orders").text
    assert "Authorized" in texts
    assert "zz-" not in texts


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
    moment = f'<time datetime="{ends.isoformat()}"'
    listed, details = (" ".join(admin.get(path).text.split()) for path in ("/", "/connections/orders"))
    said = f'<span class="badge bad">Certificate {badge} {moment}'
    for page in (listed, details):
        assert (said in page) is (badge is not None)
    assert moment not in listed or badge
    assert f"<dt>Certificate expires</dt><dd>{moment}>" in details


def test_names_that_addresses_give_a_meaning_work(service: Service, store: Any, admin: Visitor) -> None:
    name = "a/b#c!(d)"
    store(service.connection(conn_id=name))
    page = admin.get("/").text
    assert f"{PREFIX}/connections/a%2Fb%23c%21%28d%29" in page
    assert name in admin.get("/connections/a%2Fb%23c%21%28d%29").text
    assert admin.post("/authorize/a%2Fb%23c%21%28d%29").json()["ok"] is True
