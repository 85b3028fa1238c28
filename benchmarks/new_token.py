"""What a new token costs the client, beside a bare POST and two OAuth libraries.

CPU time of this process, as in a task: with Airflow's masker, and the connection read each time. The
first tokens are the first renewals in a process that has imported what it needs, the thousandth those
after a thousand. Without a store, as the others are; ``--store file`` measures the default one.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")

from benchmarks.harness import Report, Server, cost, server  # noqa: E402

TIMES = 2
"""Of each side of a pair: a task asks for a token now and then, not ten times in a row."""
FIRST_PAIRS = 15
"""Thirty tokens in all."""
PAIRS = 15
PASSES = 10
"""Of which each has some pairs of every work: a second in which the machine is slow spoils one of them."""
RENEWALS = 1000
LIMIT = 2.0
RS256_LIMIT = 2.5
KEY_LIMIT = 2.0
"""Of a token request that is signed ÷ one with a secret."""
STORES = {"file": "the default store", "memory": "no sharing"}


def main(where: Server, store: str) -> None:
    os.environ["AIRFLOW__OAUTH2__TOKEN_STORE"] = store
    logging.disable(logging.INFO)  # where it goes to costs more than making it
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    report = Report(f"A new token ({STORES[store]}; client CPU ÷ that of a bare POST)")
    post = bare_post(where)
    # Read, and imported what a first token needs.
    ours = renewing(client(where, "task"))
    first = statistics.median(pairs(ours, post, FIRST_PAIRS))
    report.figure("ours, the first new tokens", first, LIMIT, " x")
    for _ in range(RENEWALS):
        ours()
    signed = renewing(client(where, "rs256", signing_key=key.decode()))
    works: dict[str, tuple[Callable[[], Any], Callable[[], Any], float | None]] = {
        "ours, the thousandth": (ours, post, LIMIT),
        "ours, RS256": (signed, post, RS256_LIMIT),
        "ours, RS256 ÷ ours with a secret": (signed, ours, KEY_LIMIT),
        "Authlib": (authlib(where), post, None),
        "requests-oauth2client": (requests_oauth2client(where), post, None),
        "requests-oauth2client, RS256": (requests_oauth2client(where, key.decode()), post, None),
    }
    ratios: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(PASSES):
        for name, (work, beside, _) in works.items():
            ratios[name] += pairs(work, beside, PAIRS)
    for name, (_, _, limit) in works.items():
        report.figure(name, statistics.median(ratios[name]), limit, " x")
    report.end()


def pairs(work: Callable[[], Any], beside: Callable[[], Any], number: int) -> list[float]:
    """Return CPU of *work* ÷ CPU of *beside*, pair by pair."""
    cost(work, 2)
    return [cost(work, TIMES).cpu / cost(beside, TIMES).cpu for _ in range(number)]


def client(where: Server, name: str, *, signing_key: str | None = None) -> Any:
    from airflow_oauth_provider.client.oauth2_client import OAuth2Client

    given = where.connection()
    given["login"] = name
    given["password"] = None if signing_key else f"the-secret-of-{name}"
    if signing_key:
        given["extra"] |= {"auth_method": "private_key_jwt", "private_key": signing_key}
    os.environ[f"AIRFLOW_CONN_{name.upper().replace('-', '_')}"] = json.dumps(given)
    return OAuth2Client(name.replace("-", "_"))


def renewing(made: Any) -> Callable[[], Any]:
    return lambda: made.get_token(force=True)


def bare_post(where: Server) -> Callable[[], Any]:
    import requests

    form = {"grant_type": "client_credentials", "scope": "read"}
    return lambda: requests.post(f"{where.url}/token", data=form, auth=("bench", "secret"), timeout=15).json()


def authlib(where: Server) -> Callable[[], Any]:
    from authlib.integrations.requests_client import OAuth2Session

    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    session = OAuth2Session("bench", "secret", scope="read")
    return lambda: session.fetch_token(f"{where.url}/token", grant_type="client_credentials")


def requests_oauth2client(where: Server, signing_key: str | None = None) -> Callable[[], Any]:
    from requests_oauth2client import ClientSecretBasic, OAuth2Client, PrivateKeyJwt

    auth: Any = ClientSecretBasic("bench", "secret")
    if signing_key:
        from jwskate import Jwk

        auth = PrivateKeyJwt("bench", Jwk.from_pem(signing_key).with_kid_thumbprint(), alg="RS256")
    made = OAuth2Client(f"{where.url}/token", auth=auth, testing=True)
    return lambda: made.client_credentials(scope="read")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--store", choices=STORES, default="memory")
    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
    with server() as running:
        main(running, arguments.parse_args().store)
