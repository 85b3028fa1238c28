"""People who visit the page, and what their browsers send."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.plugin.entry import PREFIX, OAuth2ServersPlugin, PageApp

#: What every test of the page's routes is about.
MARKS = [
    pytest.mark.xdist_group("page"),  # one database
    pytest.mark.usefixtures("airflow_page"),
    pytest.mark.airflow,
    # Airflow itself imports Starlette's test client, which warns about the httpx that Airflow pins.
    pytest.mark.filterwarnings("ignore:Using .httpx. with"),
    pytest.mark.filterwarnings("ignore:The ..noload.. loader strategy"),  # likewise Airflow 3.1's models
    pytest.mark.skipif(
        not hasattr(OAuth2ServersPlugin, "external_views"), reason="pages exist from Airflow 3.1 on"
    ),
]

BY_THE_PAGE = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}

ACCEPTS_JSON = {"Accept": "application/json"}

HTML = {"Accept": "text/html"}

ROUTES = [
    ("GET", "/"),
    ("GET", "/chips"),
    ("GET", "/connections/orders"),
    ("GET", "/new"),
    ("GET", "/edit/orders"),
    ("GET", "/names"),
    ("POST", "/authorize/orders"),
    ("POST", "/check/orders"),
    ("POST", "/try/orders"),
    ("POST", "/forget/orders"),
    ("POST", "/create"),
    ("POST", "/edit/orders"),
]

ACTIONS = [path for method, path in ROUTES if method == "POST"]

AUTHORIZED = (
    "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager.is_authorized_connection"
)


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

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(PREFIX + path, json=body or {}, headers=BY_THE_PAGE)
