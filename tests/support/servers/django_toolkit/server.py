"""django-oauth-toolkit as its documentation sets it up: authorization server and API, on loopback with TLS.

A program in an environment of its own. Options come in as JSON on standard input; one line of JSON goes out
when it listens.
"""

from __future__ import annotations

import json
import logging
import ssl
import sys
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

options = json.load(sys.stdin)
FOLDER = Path(options["folder"])
recorded: list[dict[str, Any]] = []
_recording = threading.Lock()

settings.configure(
    SECRET_KEY="of these tests",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    MIDDLEWARE=[f"{__name__}.recording"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "database"}},
    USE_TZ=True,
    PASSWORD_HASHERS=[f"{__name__}.QuickHasher"],
    LOGGING_CONFIG=None,
    # The tables as the models have them: all the steps that led there would take seconds.
    MIGRATION_MODULES={"auth": None, "contenttypes": None, "oauth2_provider": None},
    OAUTH2_PROVIDER={
        "SCOPES": {"read": "Read", "write": "Write", "introspection": "Introspect"},
        "DEFAULT_SCOPES": ["read"],
        "ACCESS_TOKEN_EXPIRE_SECONDS": options["lifetime"],
    },
)


class QuickHasher(PBKDF2PasswordHasher):
    """The usual one, which takes some 0.4 s for each request, with fewer iterations."""

    iterations = 1000


def recording(get_response: Any) -> Any:
    """Remember each request, as a middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        form = dict(parse_qsl(request.body.decode("latin-1")))
        response = get_response(request)
        seen = {
            "method": request.method,
            "path": request.path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "form": form,
            "status": response.status_code,
        }
        with _recording:
            recorded.append(seen)
        return response

    return middleware


def tell(asked: HttpRequest) -> HttpResponse:
    """Show what came in, or (DELETE) forget it."""
    with _recording:
        seen = list(recorded)
        if asked.method == "DELETE":
            recorded.clear()
    return JsonResponse(
        {"requests": [request for request in seen if not request["path"].startswith("/_test")]}
    )


def api(request: HttpRequest) -> HttpResponse:
    """Return orders to whoever has a token for this place."""
    from oauth2_provider.decorators import protected_resource_metadata

    guarded = protected_resource_metadata(scopes=["read"])(lambda _: JsonResponse({"orders": [1, 2, 3]}))
    return guarded(request)


def patterns() -> list[Any]:
    """Mount the toolkit below ``/o``, and its metadata where RFC 8414 and RFC 9728 look for them."""
    from oauth2_provider.urls import metadata_urlpatterns

    return [
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
        path("", include((metadata_urlpatterns, "oauth2_provider"), namespace="root")),
        path("api/orders", api),
        path("_test/requests", tell),
    ]


class Server(ThreadingMixIn, WSGIServer):
    """One thread a connection."""

    daemon_threads = True


class Silent(WSGIRequestHandler):
    """Without a log."""

    def log_message(self, *_: object) -> None:
        pass


def register(clients: list[dict[str, str]]) -> None:
    """Store the clients; their secrets are hashed, which is the default."""
    from oauth2_provider.models import get_application_model

    model = get_application_model()
    for client in clients:
        model(**client, client_type="confidential", authorization_grant_type="client-credentials").save()


def main() -> None:
    """Run until the process is ended."""
    django.setup()
    globals()["urlpatterns"] = patterns()
    logging.disable()
    call_command("migrate", run_syncdb=True, verbosity=0)
    register(options["clients"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (FOLDER / "server.pem").write_text(options["tls"]["key"] + options["tls"]["certificate"])
    context.load_cert_chain(FOLDER / "server.pem")
    server = Server(("127.0.0.1", 0), Silent)
    server.base_environ["HTTPS"] = "on"
    server.base_environ["wsgi.url_scheme"] = "https"
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.set_app(get_wsgi_application())
    print(json.dumps({"url": f"https://127.0.0.1:{server.server_port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
