"""Assertions of files that were refused: each for itself, until its file changes."""

from __future__ import annotations

import base64
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_oauth_provider.exceptions import (
    InvalidClientError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.credential_sources import AssertionFile
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.introspection import INTROSPECTION
from airflow_oauth_provider.protocol.token.key import credential_key, token_key
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.endpoint_refusals import EndpointRefusals
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.sealed_entries import refusals
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores import open_store
from tests.support.assertions import Platform
from tests.support.builders import settings
from tests.support.stores import SHARED, address_of

platform = Platform()
REFUSED = InvalidClientError("refused", status=401)


@pytest.fixture(params=SHARED)
def sharing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sharing]:
    refusals.clear()
    address = address_of(request.param, request)
    yield Sharing(open_store(address, tmp_path), (Secret(base64.b64encode(os.urandom(32)).decode()),))
    refusals.clear()


class Pod:
    """One of several with a file of its own; the connection is the same."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "idp"
        self.rotate()

    def rotate(self) -> str:
        self.file.write_text(assertion := platform.assertion())
        return assertion

    @property
    def settings(self) -> ClientSettings:
        file = AssertionFile(str(self.file), "jwt-bearer", str(self.file.parent))
        return settings(auth_method="workload_identity", client_secret=None, assertion_file=file)

    def refused(self, sharing: Sharing, error: OAuthError = REFUSED) -> None:
        """Do what a flight does that was refused."""
        entries = Entries(self.settings, sharing)
        entries.note_assertion(Secret(self.file.read_text()))
        entries.refused(error, budget=60)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def test_what_is_refused_is_the_assertion_that_was_sent_whatever_the_file_holds_since(
    pod: Pod, sharing: Sharing
) -> None:
    sent = pod.file.read_text()
    entries = Entries(pod.settings, sharing)
    entries.note_assertion(Secret(sent))
    pod.rotate()
    entries.refused(REFUSED, budget=60)
    assert Entries(pod.settings, sharing).standing() is None
    pod.file.write_text(sent)
    assert Entries(pod.settings, sharing).standing() is not None


def test_an_endpoint_that_is_busy_is_asked_again_with_the_same_assertion(pod: Pod, sharing: Sharing) -> None:
    endpoint = EndpointRefusals(
        pod.settings, sharing, INTROSPECTION, parse_url("https://idp.example/about"), own=True
    )
    busy = TokenEndpointError("busy", status=503, retry_after=30.0, retryable=True)
    endpoint._refused(busy, Budget.of(this_moment(), 60))
    _, seconds = endpoint._standing() or (None, 0.0)
    assert 0 < seconds <= 30


def token() -> AccessToken:
    return AccessToken("tok-1", "Bearer", time.time() + 300, time.time())


def test_until_its_file_changes(pod: Pod, sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
    pod.refused(sharing)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    for known_here in (True, False):
        standing = Entries(pod.settings, sharing).standing()
        assert standing is not None, known_here
        assert standing[1] == 0, "nobody waits for its end"
        refusals.clear()
    refused = pod.file.read_text()
    pod.rotate()
    assert Entries(pod.settings, sharing).standing() is None
    pod.file.write_text(refused)
    assert Entries(pod.settings, sharing).standing() is not None, "the same again"


@pytest.mark.parametrize(
    ("error", "stands"),
    [
        (TokenEndpointError("no", status=400, error="unauthorized_client"), True),
        (TokenEndpointError("no", status=403), True),
        (TokenEndpointError("no", status=400, error="invalid_scope"), False),
        (TransportError("no response"), False),
    ],
    ids=["unauthorized_client", "bare-403", "invalid_scope", "no-response"],
)
def test_what_is_about_the_assertion(
    pod: Pod, sharing: Sharing, error: OAuthError, stands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.refused(sharing, error)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 120)
    assert (Entries(pod.settings, sharing).standing() is not None) is stands


def test_another_pods_success_is_no_reason_to_send_it_again(pod: Pod, sharing: Sharing) -> None:
    pod.refused(sharing)
    refused = pod.file.read_text()
    pod.rotate()
    Entries(pod.settings, sharing).granted(token())
    pod.file.write_text(refused)
    assert Entries(pod.settings, sharing).standing() is not None


def test_one_that_is_accepted_after_all(pod: Pod, sharing: Sharing) -> None:
    """By somebody who authorizes, after the server was mended."""
    pod.refused(sharing)
    Entries(pod.settings, sharing).granted(token())
    assert Entries(pod.settings, sharing).standing() is None


def test_others_that_wait_do_not_fail_with_it(pod: Pod, sharing: Sharing) -> None:
    pod.refused(sharing)
    entries = Entries(pod.settings, sharing)
    assert not entries.concerns(entries.status())
    pod.refused(sharing, TransportError("no response"))
    assert entries.concerns(entries.status())


def test_nobody_is_disabled(pod: Pod, sharing: Sharing) -> None:
    for _ in range(7):
        pod.rotate()
        pod.refused(sharing)
    entries = Entries(pod.settings, sharing)
    assert entries.status().in_a_row == 0
    standing = entries.standing()
    assert standing is not None
    assert "disabled" not in str(standing[0])
    assert entries.client_status().refused_until == math.inf


def test_forgetting(pod: Pod, sharing: Sharing) -> None:
    pod.refused(sharing)
    Entries(pod.settings, sharing).forget()
    assert Entries(pod.settings, sharing).standing() is None


def test_an_unreadable_file_is_found_out_when_it_is_sent(pod: Pod, sharing: Sharing) -> None:
    pod.refused(sharing)
    pod.file.unlink()
    assert Entries(pod.settings, sharing).standing() is None


def test_tokens_are_shared_whatever_the_files_hold(pod: Pod, sharing: Sharing) -> None:
    before = pod.settings
    Entries(before, sharing).granted(token())
    pod.rotate()
    assert (token_key(before), credential_key(before)) == (
        token_key(pod.settings),
        credential_key(pod.settings),
    )
    held = Entries(pod.settings, sharing).token()
    assert held is not None
    assert held.value == "tok-1"
