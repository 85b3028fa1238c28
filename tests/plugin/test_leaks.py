"""Nothing that the page says holds a secret or a token, against a service that repeats both."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX
from tests.plugin.visiting import ACCEPTS_JSON, MARKS, Visitor
from tests.support.bound_tokens import CLIENTS, bound_service, certified
from tests.support.echoing import Echo, assert_silent, echoing, settings_of
from tests.support.servers.certificates import bundle, issue_client
from tests.support.service import Service

pytestmark = [*MARKS, pytest.mark.fault("F29", "F20")]


@pytest.mark.parametrize("scope", ["read", "refused"])
def test_the_page(service: Service, store: Any, admin: Visitor, scope: str) -> None:
    echoing(service)
    store(service.connection(conn_id="orders", **settings_of(scope=scope)))
    said = [admin.post("/authorize/orders").text]
    assert service.token_requests
    for path in ("/", "/connections/orders"):
        said += [admin.get(path).text, admin.client.get(PREFIX + path, headers=ACCEPTS_JSON).text]
    said += [admin.post("/forget/orders").text, admin.get("/").text]
    assert_silent(said)


@pytest.mark.parametrize("scope", ["read", "refused"])
def test_checks_and_trials(
    service: Service, store: Any, admin: Visitor, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API repeats what it was sent, and the deployment lets the page show it."""
    for kind in ("TOKEN", "API"):
        monkeypatch.setenv(f"AIRFLOW__OAUTH2__ALLOWED_{kind}_HOSTS", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__OAUTH2__SHOW_API_ANSWERS", "True")
    echoing(service)
    store(service.connection(conn_id="orders", **settings_of(scope=scope)))
    said = [admin.post("/check/orders").text, admin.post("/try/orders", {"path": "/echo"}).text]
    assert service.token_requests
    assert bool(service.calls) == (scope == "read")
    assert_silent(said)


@pytest.mark.parametrize("scope", ["read", "refused"])
def test_new_and_edit(service: Service, admin: Visitor, store: Any, scope: str) -> None:
    echoing(service)
    settings = settings_of(scope=scope)
    given = {"conn_id": "orders", "host": f"{service.server.url}/token", "login": "me", "scope": scope}
    given |= {
        key: settings[key] for key in ("password", "secret_params", "secret_headers") if key in settings
    }
    said = [admin.post("/create", {"fields": given}).text]
    assert service.token_requests
    page = admin.get("/edit/orders").text
    said += [page, admin.get("/connections/orders").text]
    digest = page.partition('data-digest="')[2].partition('"')[0]
    for fields in ({"description": "x"}, {"auth_method": "client_secret_post"}, {"max_wait": "soon"}):
        said.append(admin.post("/edit/orders", {"fields": fields, "digest": digest}).text)
    assert_silent(said)


@pytest.mark.parametrize("scope", ["{tenant}.read", "{tenant}.refused"])
def test_a_client_certificate_and_a_tenant(store: Any, admin: Visitor, tmp_path: Path, scope: str) -> None:
    passphrase, issued = "Vq8/zz91+Kd03&hh27", issue_client(CLIENTS)
    locked = base64.b64encode(bundle(issued, passphrase.encode())).decode()
    given = certified(issued, private_key=locked, private_key_passphrase=passphrase, certificate=None)
    echo = Echo(secret=passphrase, more=(locked, *issued.key.splitlines()[1:-1]))
    with bound_service(tmp_path) as service:
        echo.serve(service)
        changes = echo.settings(scope=scope, tenant="acme", tenants=["emea"], **given)
        store(service.connection(conn_id="orders", **changes))
        said = [admin.post("/authorize/orders").text]
        assert service.token_requests[0].certificate is not None
    for path in ("/", "/connections/orders"):
        said += [admin.get(path).text, admin.client.get(PREFIX + path, headers=ACCEPTS_JSON).text]
    echo.assert_silent(said)
