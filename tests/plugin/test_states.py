"""What list and details tell of a state: refused, unreachable, busy, disabled; the last probe; counts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import authorize, describe
from airflow_oauth_provider.tokens.refusal_rules import DISABLED_AFTER
from tests.plugin.visiting import MARKS, Visitor
from tests.support.servers.scripted import CloseNow, Json, Text
from tests.support.service import Service

pytestmark = MARKS
RETRY = [("Retry-After", "600")]


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.mark.fault("F45")
@pytest.mark.parametrize(
    ("response", "status", "said"),
    [
        pytest.param(Json({"error": "invalid_client"}, 401), "refused", "Refused", id="refused"),
        pytest.param(CloseNow(), "unreachable", "Unreachable", id="no response"),
        pytest.param(
            Text(403, "<html><title>Blocked</title></html>", "text/html"),
            "unreachable",
            "Unreachable",
            id="firewall",
        ),
        pytest.param(Json({}, 503, RETRY), "busy", "Busy HTTP status 503; again in 10 min", id="busy"),
        pytest.param(
            Json({"error": "slow_down"}, 429, RETRY), "busy", "Busy slow_down; again in 10 min", id="limited"
        ),
    ],
)
def test_a_status_tells_what_kind_of_trouble_it_is(
    orders: Service, admin: Visitor, response: Any, status: str, said: str
) -> None:
    orders.token = lambda _: response
    assert admin.post("/authorize/orders").json()["ok"] is False
    listed, details = admin.get("/").text, admin.get("/connections/orders").text
    assert f'data-status="{status}"' in listed
    assert said in words(listed)
    assert status.capitalize() in words(details)
    assert ("UTC ( in 10 min )" in words(details)) is (status == "busy"), "until when"
    attention = "1 needs attention" in words(listed)
    assert attention is (status != "busy"), "what is busy passes by itself"


@pytest.mark.fault("F46")
@pytest.mark.parametrize(
    ("response", "cause"),
    [
        pytest.param(
            CloseNow(), "the connection was cut before the response was complete; ", id="no response"
        ),
        pytest.param(Text(200, "<html>", "text/html"), "the body is not valid JSON ", id="page"),
        pytest.param(Text(200, ""), "the body is empty; ", id="empty"),
        pytest.param(
            Json({"token_type": "Bearer"}), "access_token is missing, empty or no string; ", id="none"
        ),
        pytest.param(
            Json({"access_token": "tok-1", "token_type": "Bearer", "scope": "read"}),
            "the required scope orders.write was not granted ",
            id="narrower",
        ),
        pytest.param(Json({"error": "invalid_scope"}, 400), "invalid_scope", id="refused"),
    ],
)
def test_the_cause_comes_first_wherever_a_refusal_is_shown(
    service: Service, store: Any, admin: Visitor, response: Any, cause: str
) -> None:
    """A row has room for its beginning only."""
    service.token = lambda _: response
    connection = service.connection(conn_id="orders", require_scopes="orders.write", max_retry_attempts=0)
    store(connection)
    admin.post("/authorize/orders")
    assert authorize(connection).message.startswith(cause)
    assert describe(connection).text.partition(": ")[2].startswith(cause)
    (row,) = re.findall(r'<span class="meaning" title="(.*?)">(.*?)</span>', admin.get("/").text, re.DOTALL)
    assert all(text.strip().startswith(cause) for text in row)
    details = admin.get("/connections/orders").text
    assert f"<dd>{cause}" in details or f"<code>{cause}</code>" in details


@pytest.mark.fault("F45")
def test_disabled_says_when_tasks_try_again_and_what_ends_it(
    service: Service, store: Any, admin: Visitor, orders: Service
) -> None:
    from airflow_oauth_provider.authorizations.stored import find_connection
    from airflow_oauth_provider.connection.resolving import resolve
    from airflow_oauth_provider.deployment.policy import read_policy
    from airflow_oauth_provider.exceptions import InvalidClientError
    from airflow_oauth_provider.tokens.entries import Entries

    connection, policy = find_connection("orders"), read_policy()
    assert connection is not None
    for _ in range(DISABLED_AFTER):
        error = InvalidClientError("no", status=401, error="invalid_client")
        Entries(resolve(connection, policy).settings, policy.sharing).refused(error, budget=60)
    for path, cause in {"/": "invalid_client; ", "/connections/orders": ""}.items():
        text = words(admin.get(path).text)
        assert f"Disabled {cause}5 times in a row; tasks try again in 15 min , Authorize does so now" in text
    state = describe(connection, policy)
    assert re.search(r"5 times in a row; tasks try again at .* UTC, or authorize it now$", state.text)


@pytest.mark.fault("F45")
@pytest.mark.parametrize(("status", "ok"), [(204, True), (404, False)])
def test_the_last_probe_is_kept_and_shown(
    service: Service, store: Any, admin: Visitor, monkeypatch: pytest.MonkeyPatch, status: int, ok: bool
) -> None:
    service.api = lambda _: Text(status)
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    store(service.connection(conn_id="orders", probe_path="/health"))
    assert admin.post("/authorize/orders").json()["ok"] is ok
    listed, details = words(admin.get("/").text), words(admin.get("/connections/orders").text)
    assert "Authorized" in listed, "a token was granted"
    assert ("Probe failed" in listed) is not ok
    assert ("1 needs attention" in listed) is not ok
    assert f"Last probe {'' if ok else 'Failed '}" in details
    assert str(status) in details
    assert "just now" in details


@pytest.mark.fault("F51")
def test_chips_count_every_status_and_filter(service: Service, store: Any, admin: Visitor) -> None:
    for number in range(3):
        store(service.connection(conn_id=f"good{number}"))
        admin.post(f"/authorize/good{number}")
    store(service.connection(conn_id="wrong", host="ftp://idp.example"))
    store(service.connection(conn_id="other", login="other"))
    listed = admin.get("/", params={"status": "authorized"}).text
    text = words(listed)
    assert "3 authorized 1 not yet 1 wrong configuration 1 needs attention" in text
    assert listed.count('data-status="authorized"') == 3
    assert 'href="?status=wrong_configuration"' in listed
    assert 'id="chip-authorized" data-swap="status" data-filter="authorized" href="?"' in listed, "once more"
    assert 'data-name="wrong"' in admin.get("/", params={"status": "attention"}).text


@pytest.mark.fault("F51")
def test_a_long_list_is_counted_apart(service: Service, store: Any, admin: Visitor) -> None:
    for number in range(101):
        store(service.connection(conn_id=f"c{number:03}"))
    address = re.search(r'id="chips"[^>]* data-source="([^"]*)"', admin.get("/?text=c").text)
    assert address is not None
    assert address[1].endswith("/chips?text=c")
    assert "101 not yet" in words(admin.get("/chips?text=c").text)


@pytest.mark.fault("F51")
def test_the_way_back_leads_to_the_list_as_it_was(orders: Service, admin: Visitor) -> None:
    listed = admin.get("/?text=ord&status=not_yet&sort=-host").text
    address = re.search(r'href="[^"]*(/connections/orders[^"]*)"', listed)
    assert address is not None
    details = admin.get(address[1].replace("&amp;", "&")).text
    assert 'href="/oauth2-servers/?text=ord&amp;status=not_yet&amp;sort=-host"' in details
    forged = admin.get("/connections/orders", params={"list": "javascript:alert(1)&text=<b>&page=x"}).text
    assert 'href="/oauth2-servers/?text=%3Cb%3E"' in forged


@pytest.mark.fault("F51")
def test_settings_are_grouped_as_the_form_groups_them_and_name_the_method(
    service: Service, store: Any, admin: Visitor
) -> None:
    store(service.connection(conn_id="orders", scope="read"), extra=None)
    text = words(admin.get("/connections/orders").text)
    assert "Server and client Access token URL" in text
    assert "Essentials Authentication method client_secret_basic (the default)" in text


@pytest.mark.fault("F46")
@pytest.mark.parametrize(
    "description", ["خادم التفويض لقسم المبيعات", "word " * 800], ids=["Arabic", "4,000"]
)
def test_a_description_in_any_script_and_length(
    service: Service, store: Any, admin: Visitor, description: str
) -> None:
    store(service.connection(conn_id="orders"), description=description)
    page = admin.get("/connections/orders").text
    shown = re.search(r'<p class="muted" dir="auto">(.*?)</p>', page)
    assert shown is not None
    assert shown[1] == description.strip() or (len(shown[1]) <= 1000 and shown[1].endswith("word…"))
