"""Entries of ``[oauth2] credentials``: what they may say, and what is read of them."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.deployment.credentials import (
    MAX_CREDENTIAL,
    CredentialsError,
    UnreadableCredentialError,
    in_both,
    parse_credentials,
)
from airflow_oauth_provider.deployment.policy import Policy, read_policy
from tests.support.mounted import Mounted

ENTRY: dict[str, Any] = {
    "env": "ERP_SECRET",
    "hosts": ["idp.example"],
    "client_ids": ["airflow"],
    "api_hosts": ["*.erp.example:8443"],
}


def parse(**members: Any) -> Any:
    given = {name: value for name, value in {**ENTRY, **members}.items() if value is not None}
    return parse_credentials(json.dumps({"erp": given}))["erp"]


def test_an_entry() -> None:
    entry = parse(connections=["erp_prod"])
    assert (entry.name, entry.place.kind, entry.place.name) == ("erp", "env", "ERP_SECRET")
    assert (entry.hosts, entry.client_ids, entry.api_hosts) == (
        ("idp.example",),
        ("airflow",),
        ("*.erp.example:8443",),
    )
    assert entry.connections == ("erp_prod",)
    assert parse_credentials("") == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "must be a JSON object of names and entries"),
        ('{"erp": "/run/secrets/erp"}', 'has an entry "erp" that is no JSON object'),
    ],
    ids=["text", "deep", "list", "entry"],
)
def test_text_that_is_no_object_of_entries(text: str, reason: str) -> None:
    with pytest.raises(CredentialsError, match=f"^{reason}$"):
        parse_credentials(text)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"host": ["x"]}, 'an unknown member "host"'),
        ({"env": None}, 'needs "file" or "env"'),
        ({"file": "/run/x"}, 'needs "file" or "env"'),
        ({"env": "A=B"}, 'whose "env" is not the name of an environment variable'),
        ({"env": 3}, 'whose "env" is not the name of an environment variable'),
        ({"env": None, "file": "secrets/erp"}, 'whose "file" is not the absolute path of a file'),
        ({"env": None, "file": "/run/secrets/"}, 'whose "file" is not the absolute path of a file'),
        ({"env": None, "file": "/run/\0"}, 'whose "file" is not the absolute path of a file'),
        ({"hosts": None}, 'needs "hosts", a list of texts'),
        ({"hosts": []}, 'needs "hosts", a list of texts'),
        ({"hosts": "idp.example"}, 'needs "hosts", a list of texts'),
        ({"hosts": ["https://idp.example"]}, 'whose "hosts" must list hosts like idp.example'),
        ({"hosts": ["*"]}, 'whose "hosts" has no valid host name'),
        ({"client_ids": None}, 'needs "client_ids", a list of texts'),
        ({"client_ids": [""]}, 'needs "client_ids", a list of texts'),
        ({"api_hosts": None}, 'needs "api_hosts", a list of texts'),
        ({"api_hosts": ["x:0"]}, 'whose "api_hosts" has a port that is none'),
        ({"connections": []}, 'needs "connections", a list of texts'),
        ({"passphrase": "x"}, 'needs a "passphrase" with "file" or "env"'),
        ({"client_ids": [3]}, 'needs "client_ids", a list of texts'),
        ({"passphrase": {"vault": "x"}}, 'needs a "passphrase" with "file" or "env"'),
        ({"passphrase": {"env": "A", "file": "/x"}}, 'needs a "passphrase" with "file" or "env"'),
    ],
    ids=str,
)
def test_an_entry_that_binds_too_little_is_refused(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        parse(**members)
    assert reason in str(caught.value)


class TestReading:
    def test_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        place = parse().place
        monkeypatch.setenv("ERP_SECRET", "s3cret-ü")
        assert place.read() == "s3cret-ü".encode()
        monkeypatch.setenv("ERP_SECRET", " ")
        assert _reason(place) == "its environment variable is empty"
        monkeypatch.setenv("ERP_SECRET", "x" * (MAX_CREDENTIAL + 1))
        assert _reason(place) == "its environment variable is larger than 64 KiB"
        monkeypatch.delenv("ERP_SECRET")
        assert _reason(place) == "its environment variable is not set"

    def test_a_file_that_an_agent_rotates(self, tmp_path: Path) -> None:
        mounted = Mounted(tmp_path / "secrets", erp="first")
        place = parse(env=None, file=str(mounted.path("erp"))).place
        assert place.read() == b"first"
        mounted.exchange(erp=b"\x00second")
        assert place.read() == b"\x00second"
        mounted.exchange(erp="\n")
        assert _reason(place) == "its file is empty"

    def test_a_file_that_is_written_in_place_at_this_moment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "erp").write_text("")
        monkeypatch.setattr("time.sleep", lambda _: (tmp_path / "erp").write_text("whole"))
        assert parse(env=None, file=str(tmp_path / "erp")).place.read() == b"whole"

    def test_a_file_that_leads_elsewhere(self, tmp_path: Path) -> None:
        """Whoever may write into the folder could have any file of the machine sent."""
        (tmp_path / "other").write_text("of somebody else")
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "erp").symlink_to(tmp_path / "other")
        place = parse(env=None, file=str(tmp_path / "secrets" / "erp")).place
        assert _reason(place) == "its file is a symlink that leads out of its folder"

    def test_nothing_shows_where_it_lies(self) -> None:
        assert "ERP_SECRET" not in repr(parse())


def _reason(place: Any) -> str:
    with pytest.raises(UnreadableCredentialError) as caught:
        place.read()
    return str(caught.value)


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        (["a.example"], ["a.example"], ("a.example",)),
        (["a.example"], ["b.example"], ()),
        (["a.example"], ["*.example"], ("a.example",)),
        (["*.example"], ["a.example:8443"], ("a.example:8443",)),
        (["*.example"], ["*.a.example"], ("*.a.example",)),
        (["*.a.example"], ["*.example"], ("*.a.example",)),
        (["*.example"], ["example"], ()),
        (["*.example"], ["evilexample", "x.example.evil"], ()),
        (["a.example:1"], ["a.example:2"], ()),
        (["a.example:1"], ["a.example:1"], ("a.example:1",)),
        (["a.example:1"], ["*.example"], ("a.example:1",)),
        (["[::1]:8443"], ["[::1]"], ("[::1]:8443",)),
        (["A.Example", "a.example"], ["a.example."], ("a.example",)),
        (["a.example", "b.example"], ["*.example", "b.example"], ("a.example", "b.example")),
    ],
    ids=str,
)
@pytest.mark.fault("C42")
def test_hosts_that_two_lists_have_in_common(
    first: list[str], second: list[str], common: tuple[str, ...]
) -> None:
    assert in_both(first, second) == common
    assert set(in_both(second, first)) == set(common)


class TestNarrowing:
    def test_an_entry_bounds_what_the_deployment_leaves_open(self) -> None:
        narrowed = Policy().narrowed_to(parse())
        assert narrowed.token_hosts == ("idp.example",)
        assert narrowed.api_hosts == ("*.erp.example:8443",)
        assert (narrowed.token_hosts_in, narrowed.api_hosts_in) == (
            'credentials ("hosts" of erp)',
            'credentials ("api_hosts" of erp)',
        )

    def test_an_entry_opens_nothing_that_the_deployment_closes(self) -> None:
        policy = Policy(token_hosts=("*.example",), api_hosts=("x.erp.example",))
        narrowed = policy.narrowed_to(parse())
        assert (narrowed.token_hosts, narrowed.api_hosts) == (("idp.example",), ("x.erp.example:8443",))

    @pytest.mark.parametrize("option", ["token_hosts", "api_hosts"])
    def test_nothing_in_common_is_not_everything(self, option: str) -> None:
        policy = Policy(**{option: ("other.test",)})  # type: ignore[arg-type]
        with pytest.raises(CredentialsError, match=r"^lists no host in"):
            policy.narrowed_to(parse())


DOCS = Path(__file__).parents[2] / "docs" / "external-credentials.md"


@pytest.mark.parametrize("number", range(3))
def test_what_the_docs_show_is_read(number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As ``airflow.cfg`` is: a value of several lines, indented."""
    examples = re.findall(r"```ini\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(examples) == 3
    parser = configparser.ConfigParser()
    parser.read_string(examples[number])
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    for option, value in parser["oauth2"].items():
        monkeypatch.setenv(f"AIRFLOW__OAUTH2__{option.upper()}", value)
    policy = read_policy()
    assert policy.credentials or policy.assertion_folders
