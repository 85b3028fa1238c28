"""Sealed entries: only their own client opens them, and what does not fit is a miss."""

from __future__ import annotations

import base64
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)
from airflow_oauth_provider.protocol.error_record import to_dict
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.held_token import HeldToken
from airflow_oauth_provider.tokens.records import Status
from airflow_oauth_provider.tokens.refusal_rules import DISABLED_AFTER
from airflow_oauth_provider.tokens.sealed_entries import refusals
from airflow_oauth_provider.tokens.sealing import sealer
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.stores.choice import memory
from airflow_oauth_provider.tokens.stores.file_store import FileStore
from airflow_oauth_provider.tokens.stores.guarded import GuardedStore
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.support.builders import NOW, SECRET, settings
from tests.support.span import Span


def new_key() -> Secret:
    return Secret(base64.b64encode(os.urandom(32)).decode())


def token(value: str = "the-shared-token", *, lifetime: float = 3600, age: float = 0) -> AccessToken:
    now = time.time()
    return AccessToken(value, "Bearer", now - age + lifetime, now - age, frozenset({"a", "b"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def sharing(folder: Path) -> Sharing:
    return Sharing(GuardedStore(FileStore(folder)))


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    memory.clear()
    yield
    memory.clear()


def entries(sharing: Sharing, **changes: Any) -> Entries:
    return Entries(settings(**changes), sharing)


def the_file(folder: Path, sharing: Sharing, given: ClientSettings) -> Path:
    from airflow_oauth_provider.protocol.token.key import token_key

    return folder / f"{sharing.sealers(given)[0].name('token', token_key(given))}.sealed"


class TestTokens:
    """What is shared comes back, for whoever has the credential."""

    def test_there_and_back(self, sharing: Sharing) -> None:
        granted = token()
        entries(sharing).granted(granted)
        assert entries(sharing).token() == granted
        assert entries(sharing, client_secret=Secret("another")).token() is None
        assert entries(sharing, client_id="other").token() is None

    def test_nothing_readable_lies_in_the_folder(self, folder: Path, sharing: Sharing) -> None:
        entries(sharing).granted(token())
        entries(sharing).refused(InvalidClientError("no", status=401, error="invalid_client"), budget=1)
        everything = b"".join(file.read_bytes() + file.name.encode() for file in folder.iterdir())
        for text in (b"the-shared-token", SECRET.encode(), b"my-client", b"idp.example", b"invalid_client"):
            assert text not in everything

    def test_an_older_token_does_not_replace_a_newer(self, sharing: Sharing) -> None:
        newer, late = token("newer"), token("late", age=5)
        entries(sharing).granted(newer)
        entries(sharing).granted(late)
        assert entries(sharing).token() == newer

    def test_only_the_refused_token_is_removed(self, sharing: Sharing) -> None:
        entries(sharing).granted(token("newer"))
        entries(sharing).drop_token(token("refused"))
        assert entries(sharing).token() is not None
        entries(sharing).drop_token(token("newer"))
        assert entries(sharing).token() is None

    @pytest.mark.fault("F80")
    def test_a_newer_token_that_comes_while_it_looks_stays(
        self, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused, newer = token("refused", age=5), token("newer")
        entries(sharing).granted(refused)
        read = FileStore.read

        def overtaken(store: FileStore, name: str) -> bytes | None:
            content = read(store, name)
            monkeypatch.setattr(FileStore, "read", read)
            entries(sharing).granted(newer)  # as another process does
            return content

        monkeypatch.setattr(FileStore, "read", overtaken)
        entries(sharing).drop_token(refused)
        assert entries(sharing).token() == newer

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(lambda: token(lifetime=0), id="good-for-one-call[T18]"),
            pytest.param(lambda: token(lifetime=100, age=95), id="mandatory[P08]"),
            pytest.param(lambda: token(age=4000), id="expired[P09]"),
            pytest.param(lambda: token(age=-400), id="from-the-future[K01]"),
        ],
    )
    def test_what_may_not_be_used_is_not_shared(
        self, sharing: Sharing, given: Callable[[], AccessToken]
    ) -> None:
        entries(sharing).granted(given())
        assert entries(sharing).token() is None

    @pytest.mark.fault("P09")
    def test_an_expired_token_is_never_returned(
        self, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entries(sharing).granted(token())
        later = time.time() + 3541
        monkeypatch.setattr("airflow_oauth_provider.tokens.entries.time.time", lambda: later)
        assert entries(sharing).token() is None

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda _: b"", id="empty[P23]"),
            pytest.param(lambda data: data[:20], id="cut[P23]"),
            pytest.param(lambda _: b"garbage" * 20, id="garbage[P23]"),
            pytest.param(lambda data: b"\x02" + data[1:], id="another-version"),
            pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="flipped"),
        ],
    )
    def test_a_spoilt_entry_is_a_miss_and_is_replaced(
        self, folder: Path, sharing: Sharing, spoil: Callable[[bytes], bytes]
    ) -> None:
        entries(sharing).granted(token())
        file = the_file(folder, sharing, settings())
        file.write_bytes(spoil(file.read_bytes()))
        assert entries(sharing).token() is None
        entries(sharing).granted(token("again"))
        again = entries(sharing).token()
        assert again is not None
        assert again.value == "again"

    @pytest.mark.fault("P25")
    def test_an_entry_in_anothers_place_does_not_open(self, folder: Path, sharing: Sharing) -> None:
        """Even for the same client: the token of one scope in the place of another's."""
        wide, narrow = settings(request={"scope": ("all",)}), settings(request={"scope": ("little",)})
        Entries(wide, sharing).granted(token("wide"))
        Entries(narrow, sharing).granted(token("narrow"))
        the_file(folder, sharing, narrow).write_bytes(the_file(folder, sharing, wide).read_bytes())
        assert Entries(narrow, sharing).token() is None

    @pytest.mark.fault("P28")
    def test_a_rotated_secret_finds_and_opens_nothing(self, folder: Path, sharing: Sharing) -> None:
        entries(sharing).granted(token())
        old = the_file(folder, sharing, settings())
        rotated = settings(client_secret=Secret("rotated-secret"))
        assert Entries(rotated, sharing).token() is None
        old.rename(the_file(folder, sharing, rotated))
        assert Entries(rotated, sharing).token() is None

    @pytest.mark.fault("P29")
    def test_another_key_or_certificate_is_another_entry(self, sharing: Sharing) -> None:
        def client(key: str) -> ClientSettings:
            assertion = {"private_key": Secret(key)}
            return settings(auth_method="private_key_jwt", client_secret=None, assertion=assertion)

        Entries(client("key and certificate one"), sharing).granted(token())
        assert Entries(client("key and certificate one"), sharing).token() is not None
        assert Entries(client("key and certificate two"), sharing).token() is None


class TestStoreKey:
    """``store_key`` enters names and keys; older ones only read."""

    def test_without_it_nothing_is_found(self, folder: Path) -> None:
        store = GuardedStore(FileStore(folder))
        key = new_key()
        entries(Sharing(store, (key,))).granted(token())
        assert entries(Sharing(store, (key,))).token() is not None
        assert entries(Sharing(store)).token() is None
        assert entries(Sharing(store, (new_key(),))).token() is None

    @pytest.mark.fault("P30")
    def test_the_old_key_reads_and_the_new_one_writes(self, folder: Path) -> None:
        store, old, new = GuardedStore(FileStore(folder)), new_key(), new_key()
        entries(Sharing(store, (old,))).granted(token("before"))
        both = Sharing(store, (new, old))
        shared = entries(both).token()
        assert shared is not None
        assert shared.value == "before"
        entries(both).granted(token("after"))
        shared = entries(Sharing(store, (new,))).token()
        assert shared is not None
        assert shared.value == "after"

    def test_a_client_without_credential_shares_with_it_only(self, folder: Path) -> None:
        store = GuardedStore(FileStore(folder))
        custom = settings(auth_method="custom", client_secret=None)
        Entries(custom, Sharing(store)).granted(token())
        assert Entries(custom, Sharing(store)).token() is not None, "in this process"
        assert Entries(custom, Sharing(store)).kind == "memory"
        assert not folder.exists()
        keyed = Sharing(store, (new_key(),))
        assert Entries(custom, keyed).token() is None
        Entries(custom, keyed).granted(token())
        assert Entries(custom, keyed).kind == "file"
        assert Entries(custom, keyed).token() is not None

    def test_a_sealer_needs_something(self) -> None:
        with pytest.raises(ValueError, match="nothing to derive"):
            sealer(None, None)

    def test_nothing_secret_in_its_repr(self) -> None:
        assert SECRET not in repr(sealer(Secret(SECRET), None))
        key = new_key()
        assert key.reveal() not in repr(Sharing(memory, (key,)))


REFUSED = InvalidClientError("no such client", status=401, error="invalid_client")


class TestRefusals:
    """Shared among all who have the same credential, or the same settings."""

    def test_a_refused_credential_concerns_every_scope(self, sharing: Sharing) -> None:
        entries(sharing, request={"scope": ("a",)}).refused(REFUSED, budget=60)
        standing = entries(sharing, request={"scope": ("b",)}).standing()
        assert standing is not None
        error, seconds = standing
        assert (type(error), seconds) == (InvalidClientError, 0.0)
        assert entries(sharing, client_secret=Secret("new")).standing() is None

    @pytest.mark.fault("F08")
    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param({"basic_encoding": "raw"}, id="as the advice says"),
            pytest.param({"query_params": (("realm", "of another tenant"),)}, id="another tenant"),
            pytest.param({"secret_params": (("pin", Secret("another pin")),)}, id="another secret beside it"),
        ],
    )
    def test_who_presents_itself_in_another_way_is_not_refused(
        self, sharing: Sharing, changed: dict[str, Any]
    ) -> None:
        entries(sharing).refused(REFUSED, budget=60)
        assert entries(sharing).standing() is not None
        assert entries(sharing, request=changed).standing() is None

    def test_any_other_refusal_concerns_its_own_settings(self, sharing: Sharing) -> None:
        refused = TokenEndpointError("no", status=400, error="invalid_scope")
        entries(sharing, request={"scope": ("a",)}).refused(refused, budget=60)
        assert entries(sharing, request={"scope": ("a",)}).standing() is not None
        assert entries(sharing, request={"scope": ("b",)}).standing() is None

    @pytest.mark.fault("F69")
    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_a_bare_refusal_is_remembered_for_its_own_settings(self, sharing: Sharing, status: int) -> None:
        for _ in range(DISABLED_AFTER + 1):
            entries(sharing).refused(TokenEndpointError("no", status=status), budget=60)
        standing = entries(sharing).standing()
        assert standing is not None
        assert standing[1] == 0.0
        assert "disabled" not in str(standing[0]), "it does not count towards disabling the client"
        assert entries(sharing, request={"scope": ("b",)}).standing() is None

    @pytest.mark.parametrize("error", [REFUSED, TokenEndpointError("no", status=400, error="invalid_scope")])
    def test_a_refusal_counts_though_the_store_has_lost_it(self, sharing: Sharing, error: OAuthError) -> None:
        losing = entries(sharing)
        losing.refused(error, budget=60)
        for purpose, key in (("status", losing._token_key), ("client", losing._presented_key)):
            losing._delete(purpose, key)
        assert entries(sharing).standing() is not None
        entries(sharing).granted(token())
        assert entries(sharing).standing() is None

    def test_what_is_wrong_on_this_machine_only_changes_nothing(self, sharing: Sharing) -> None:
        here = entries(sharing)
        here.refused(ConfigurationError("the file does not exist", field="assertion_file"), budget=60)
        assert here.status() == Status()
        here.refused(InvalidClientError("no", status=401), budget=60)
        here.refused(ConfigurationError("the file does not exist", field="assertion_file"), budget=60)
        assert here.standing() is not None, "what is known stays"

    def test_a_missing_scope_is_remembered(self, sharing: Sharing) -> None:
        entries(sharing).refused(InsufficientScopeError("less was granted", scope="b"), budget=60)
        standing = entries(sharing).standing()
        assert standing is not None
        assert isinstance(standing[0], InsufficientScopeError)
        assert (standing[0].scope, standing[1]) == ("b", 0.0)

    @pytest.mark.parametrize(
        "error, seconds",
        [
            (TokenEndpointError("busy", status=429, retryable=True), 5),
            (TokenEndpointError("busy", status=503, retry_after=77.0, retryable=True), 77),
            (TokenEndpointError("busy", status=429, retry_after=99_999.0, retryable=True), 3600),
            (TokenEndpointError("page", status=403, is_page=True), None),
            (TokenEndpointError("not found", status=404), None),
            (TokenResponseError("page", status=200), None),
            (TransportError("refused"), None),
        ],
        ids=["429", "Retry-After", "capped[P50]", "page-403", "404", "no-token", "transport"],
    )
    def test_cool_downs(self, sharing: Sharing, error: OAuthError, seconds: float | None) -> None:
        span = Span()
        entries(sharing).refused(error, budget=60)
        standing = entries(sharing).standing()
        if seconds is None:
            assert standing is None
        else:
            assert standing is not None
            ended = seconds - standing[1], seconds - standing[0].retry_after  # type: ignore[attr-defined]
            assert time.time() - ended[0] in span
            assert time.time() - ended[1] in span

    def test_a_token_ends_them(self, sharing: Sharing) -> None:
        entries(sharing).refused(REFUSED, budget=60)
        entries(sharing).granted(token())
        assert entries(sharing).standing() is None
        assert entries(sharing).status().in_a_row == 0

    def test_disabled_after_five_in_a_row(self, sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = time.time()
        monkeypatch.setattr("airflow_oauth_provider.tokens.entries.time.time", lambda: clock)
        for number in range(DISABLED_AFTER):
            assert entries(sharing).standing() is None
            entries(sharing).refused(REFUSED, budget=60)
            standing = entries(sharing).standing()
            assert standing is not None
            assert ("disabled after" in str(standing[0])) == (number == DISABLED_AFTER - 1)
            clock += 61
        standing = entries(sharing).standing()
        assert standing is not None, "a minute is over, and still nobody asks"
        assert "5 refusals in a row" in str(standing[0])
        assert "no such client" in str(standing[0])
        clock += 900
        assert entries(sharing).standing() is None, "one probe every fifteen minutes goes through"
        entries(sharing).refused(REFUSED, budget=60)
        assert entries(sharing).standing() is not None

    def test_changed_settings_are_not_disabled(
        self, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = time.time()
        monkeypatch.setattr("airflow_oauth_provider.tokens.entries.time.time", lambda: clock)
        for _ in range(DISABLED_AFTER):
            entries(sharing).refused(REFUSED, budget=60)
        clock += 61
        assert entries(sharing).standing() is not None
        assert entries(sharing, request={"basic_encoding": "raw"}).standing() is None

    def test_a_record_from_the_future_is_not_believed(
        self, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = time.time() + 7200
        monkeypatch.setattr("airflow_oauth_provider.tokens.entries.time.time", lambda: clock)
        entries(sharing).refused(REFUSED, budget=60)
        clock -= 7200
        assert entries(sharing).standing() is None


def test_a_success_elsewhere_ends_what_this_process_remembers(tmp_path: Path) -> None:
    """Also for another scope of the client, about which the store knows nothing else."""
    sharing = Sharing(FileStore(tmp_path / "store"))
    other = {"request": {"scope": ("another",)}}
    entries(sharing).refused(REFUSED, budget=60)
    assert entries(sharing, **other).standing() is not None
    here = dict(refusals._entries)
    refusals.clear()  # as in the process where somebody authorizes the connection
    entries(sharing).granted(token())
    refusals._entries.update(here)
    assert entries(sharing, **other).standing() is None
    entries(sharing, **other).refused(REFUSED, budget=60)
    assert entries(sharing).standing() is not None, "and what is refused later counts again"


class TestStatus:
    """The last outcome, for displays; without secrets."""

    def test_it_tells_both(self, sharing: Sharing) -> None:
        assert entries(sharing).status() == Status()
        granted = token()
        entries(sharing).granted(granted)
        status = entries(sharing).status()
        assert (status.authorized_at, status.expires_at) == (granted.issued_at, granted.expires_at)
        assert status.scopes == ("a", "b")
        entries(sharing).refused(REFUSED, budget=60)
        status = entries(sharing).status()
        assert status.authorized_at == granted.issued_at
        assert str(status.error) == "no such client"
        assert b"the-shared-token" not in status.dump()

    def test_forgetting(self, sharing: Sharing) -> None:
        entries(sharing).granted(token())
        entries(sharing).refused(REFUSED, budget=60)
        entries(sharing).forget()
        assert entries(sharing).token() is None
        assert entries(sharing).standing() is None
        assert entries(sharing).status() == Status()


class TestRecords:
    """JSON, and nothing believed that does not fit."""

    @pytest.mark.fault("F73")
    def test_scopes_that_the_server_did_not_name(self) -> None:
        given = replace(token(), scopes_stated=False)
        assert HeldToken.load(HeldToken(given).dump()) == HeldToken(given)
        older = json.loads(HeldToken(given).dump())
        del older["scopes_stated"]
        assert HeldToken.load(json.dumps(older).encode()) == HeldToken(replace(given, scopes_stated=True))

    def test_tokens(self) -> None:
        given = token()
        assert HeldToken.load(HeldToken(given).dump()) == HeldToken(given)

    @pytest.mark.parametrize(
        "data",
        [b"", b"null", b"[]", b'{"value": 1}', b"\xff", HeldToken(token()).dump().replace(b'"Bearer"', b"1")],
    )
    def test_no_tokens(self, data: bytes) -> None:
        assert HeldToken.load(data) is None
        assert Status.load(data) is None

    @pytest.mark.parametrize(
        "error",
        [
            REFUSED,
            TokenEndpointError(
                "x", status=503, error="slow_down", retry_after=3.0, retryable=True, uri="https://x"
            ),
            TokenResponseError("x", status=200),
            TransportError("x", host="h:1", attempts=4, elapsed=3.0, retryable=False),
            InsufficientScopeError("x", scope="a b"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_are_shared_under_no_connection_id(self, error: OAuthError) -> None:
        status = Status.load(Status(refused_at=NOW, error=error.for_connection("mine")).dump())
        assert status is not None
        assert type(status.error) is type(error)
        assert vars(status.error) == vars(error)

    @pytest.mark.parametrize(
        "error",
        [OAuthError("x"), ConfigurationError("x"), ResourceError("x", status=403), TaskStoppedError("x")],
        ids=lambda error: type(error).__name__,
    )
    def test_errors_that_concern_their_own_caller_are_not_shared(self, error: OAuthError) -> None:
        status = Status.load(Status(refused_at=NOW, error=error).dump())
        assert status is not None
        assert status.error is None

    @pytest.mark.parametrize(
        "record",
        [
            {"type": "os.system", "message": "x"},
            {"type": "TransportError"},
            to_dict(ResourceError("x", status=403)),
            [1],
            "x",
            7,
        ],
    )
    def test_a_status_with_a_foreign_error_is_not_known(self, record: Any) -> None:
        written = json.loads(Status(refused_at=NOW).dump())
        assert Status.load(json.dumps({**written, "error": record}).encode()) is None


@pytest.mark.fault("P31")
def test_a_store_that_cannot_be_written_costs_no_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    sharing = Sharing(GuardedStore(FileStore(tmp_path / "file")))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            entries(sharing).granted(token())
            assert entries(sharing).token() is not None, "shared within this process"
    assert len(caplog.records) == 1
    assert "the-shared-token" not in caplog.text


def test_replaced_settings_have_their_own_entries(sharing: Sharing) -> None:
    given = settings()
    Entries(given, sharing).granted(token())
    assert Entries(replace(given, team="blue"), sharing).token() is None
    assert Entries(replace(given, category="x"), sharing).token() is not None
