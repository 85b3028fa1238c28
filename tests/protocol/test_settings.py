from __future__ import annotations

import copy
import pickle

import pytest

from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import NetworkSettings
from tests.support.builders import SECRET, settings


def test_nothing_that_is_printed_holds_a_secret() -> None:
    given = settings(
        request={
            "secret_params": (("pin", Secret("pin-pin-pin")),),
            "secret_headers": (("X", Secret("xxxx")),),
        },
        assertion={"private_key": Secret("key-key-key"), "private_key_passphrase": Secret("pass-pass")},
        network=NetworkSettings(proxy_url=Secret("http://u:proxy-proxy@p:1")),
    )
    secrets = {secret.reveal() for secret in given.secrets()}
    assert secrets == {SECRET, "pin-pin-pin", "xxxx", "key-key-key", "pass-pass", "http://u:proxy-proxy@p:1"}
    assert not [value for value in secrets if value in repr(given)]


def test_the_list_of_secrets_is_made_once() -> None:
    given = settings()
    assert given.secrets() is given.secrets()


@pytest.mark.parametrize(
    ("secret", "key", "credential"), [("s", None, "s"), (None, "k", "k"), ("s", "k", "s"), (None, None, None)]
)
def test_what_proves_the_client(secret: str | None, key: str | None, credential: str | None) -> None:
    given = settings(
        client_secret=Secret(secret) if secret else None,
        assertion={"private_key": Secret(key) if key else None},
    )
    assert (given.credential.reveal() if given.credential else None) == credential


def test_they_leave_no_process() -> None:
    given = settings()
    assert copy.deepcopy(given) is given
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(given)
