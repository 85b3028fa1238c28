"""What Airflow learns of the page when it loads its plugins.

Every task loads plugins too, so nothing is imported here that Airflow has not imported already; the
application behind the page is built by its first request.
"""

from __future__ import annotations

import threading
from typing import Any

from airflow_oauth_provider.plugin import NAME, PREFIX

try:
    from airflow.sdk.plugins_manager import AirflowPlugin
except ImportError:  # before Airflow 3.2
    from airflow.plugins_manager import AirflowPlugin

__all__ = ["NAME", "PREFIX", "OAuth2ServersPlugin", "PageApp"]


class PageApp:
    """The page as an ASGI application that is built when somebody first asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        if self._app is None:
            import asyncio

            await asyncio.to_thread(self._build)
        await self._app(scope, receive, send)

    def _build(self) -> None:
        from airflow_oauth_provider.plugin.app import create_app
        from airflow_oauth_provider.plugin.headers import SafeHeaders

        with self._lock:
            self._app = self._app or SafeHeaders(create_app())


class OAuth2ServersPlugin(AirflowPlugin):
    """Put the page under *Admin*. Airflow 3.0 shows no pages of plugins: it gets none."""

    name = "oauth2_servers"
    if hasattr(AirflowPlugin, "external_views"):
        fastapi_apps = [{"app": PageApp(), "url_prefix": PREFIX, "name": NAME}]
        external_views = [
            {
                "name": NAME,
                # Relative, so that it holds where Airflow is served below a path.
                "href": f"{PREFIX.lstrip('/')}/",
                "destination": "nav",
                "category": "admin",
                "url_route": "oauth2-servers",
            }
        ]
