from __future__ import annotations

from airflow_oauth_provider.protocol.confidential_values import (
    confidential_values,
    redactor_of,
    secrets_redactor,
)
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import NetworkSettings
from tests.support.builders import SECRET, settings


def test_of_a_proxys_address_only_user_and_password() -> None:
    given = settings(network=NetworkSettings(proxy_url=Secret("http://me:p%40ss-word@proxy.example:3128")))
    redactor = redactor_of(given)
    redacted = redactor.text("proxy http://me:p%40ss-word@proxy.example:3128 (p@ss-word) refused")
    assert redacted == "proxy http://***@proxy.example:3128 (***) refused"
    assert redactor.text("proxy.example:3128 refused") == "proxy.example:3128 refused"


def test_every_secret_of_the_settings_is_confidential_once() -> None:
    given = settings(
        request={"secret_params": (("pin", Secret("pin-pin-pin")), ("again", Secret(SECRET)))},
        assertion={"private_key": Secret("key-key-key")},
    )
    assert sorted(confidential_values(given)) == sorted({SECRET, "pin-pin-pin", "key-key-key"})


def test_the_redactor_of_tokens_knows_the_secrets_too_and_that_of_secrets_is_made_once() -> None:
    given = settings()
    assert redactor_of(given, "a-token-of-ours").text(f"a-token-of-ours {SECRET}") == "*** ***"
    assert secrets_redactor(given).text(f"a-token-of-ours {SECRET}") == "a-token-of-ours ***"
    assert secrets_redactor(given) is secrets_redactor(given)


def test_what_anybody_may_read_stays_where_a_secret_is_made_of_it() -> None:
    given = settings(client_id="airflow-client", client_secret=Secret("airflow-client-secret"))
    assert redactor_of(given).text("unknown client: airflow-client") == "unknown client: airflow-client"
    assert redactor_of(given).text("not airflow-client-secret") == "not ***"
