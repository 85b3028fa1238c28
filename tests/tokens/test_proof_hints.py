"""What one process knows of servers that want proofs."""

from __future__ import annotations

from airflow_oauth_provider.protocol.dpop.server_hints import Role
from airflow_oauth_provider.tokens.manager import shared
from airflow_oauth_provider.tokens.proof_hints import hints


def test_it_is_forgotten_with_all_else() -> None:
    server = ("client", Role.API, "https://api.example")
    hints.learn_nonce(server, ["n"])
    shared.clear()
    assert hints.of(server).nonce is None
