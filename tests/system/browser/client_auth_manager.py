"""Airflow's simple auth manager, with a token route for clients as the Keycloak auth manager has one.

That one takes a client's id and secret in JSON, and answers 201 with nothing but ``access_token``. Its own
people come from Keycloak; here a client is a user of the simple auth manager. Tokens, permissions and the
REST API behind them are Airflow's own.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class ClientAuthManager(SimpleAuthManager):  # type: ignore[misc]
    """The simple auth manager, and a token route for clients."""

    def get_fastapi_app(self) -> Any:
        """Return the simple auth manager's application, with that route before its own."""
        from airflow.api_fastapi.auth.managers.simple.datamodels.login import LoginBody
        from airflow.api_fastapi.auth.managers.simple.services.login import SimpleAuthManagerLogin
        from fastapi import HTTPException
        from fastapi.routing import APIRoute

        def create_token(body: dict[str, str]) -> dict[str, str]:
            if body.keys() == {"grant_type", "client_id", "client_secret"}:
                if body["grant_type"] != "client_credentials":
                    raise HTTPException(400, "Unsupported grant type")
                body = {"username": body["client_id"], "password": body["client_secret"]}
            token = SimpleAuthManagerLogin.create_token(body=LoginBody(**body))
            return {"access_token": token}

        app = super().get_fastapi_app()
        app.router.routes.insert(0, APIRoute("/token", create_token, methods=["POST"], status_code=201))
        return app
