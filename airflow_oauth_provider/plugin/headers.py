"""Headers of every response: pages, JSON, static files, and whatever goes wrong."""

from __future__ import annotations

from typing import Any

HEADERS = {
    # Only what this page brings along runs in it, and only Airflow frames it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",  # for browsers and proxies that do not know frame-ancestors
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_RAW = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_NAMES = frozenset(name for name, _ in _RAW)


class SafeHeaders:
    """Set them around an ASGI application: outside of all that could respond without them."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() not in _NAMES]
                message = {**message, "headers": [*others, *_RAW]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
