"""Option ``[oauth2] credentials``: secrets and keys that lie outside of the connections.

An entry says where one lies, and is bound to the hosts and client ids it is for: whoever edits connections
can name it, and can have it sent nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import time
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_oauth_provider.protocol.urls import UrlError, split_pattern
from airflow_oauth_provider.transport.confined_files import ConfinedFileError, read_confined

MAX_CREDENTIAL = 64 * 1024
"""Bytes of a file or variable."""
_WRITTEN_WITHIN = 0.05
"""Seconds to wait for somebody who writes a file in place."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KINDS = ("file", "env")
_NEEDED = ("hosts", "client_ids", "api_hosts")
_MEMBERS = frozenset({*_KINDS, *_NEEDED, "connections", "passphrase"})


class CredentialsError(ValueError):
    """The option is malformed; the message is the rest of a sentence about it."""


class UnreadableCredentialError(Exception):
    """There is nothing to be read; the message is the rest of a sentence about the credential."""


@dataclass(frozen=True)
class Place:
    """Where a secret lies.

    :param kind: ``file`` or ``env``.
    :param name: path of the file, or name of the variable.
    """

    kind: str
    name: str = field(repr=False)

    def read(self) -> bytes:
        """Return what lies there now.

        A file must lie in its own folder: symlinks lead from one file of it to another, as those of
        Kubernetes do.

        :raises UnreadableCredentialError: when there is nothing.
        """
        if self.kind == "env":
            return self._not_empty(self._variable(), "environment variable")
        content = self._file()
        if not content.strip():  # somebody may be writing it just now
            time.sleep(_WRITTEN_WITHIN)
            content = self._file()
        return self._not_empty(content, "file")

    @staticmethod
    def _not_empty(content: bytes, subject: str) -> bytes:
        content = content.removeprefix(BOM_UTF8)  # by which Windows says that a text is UTF-8
        if content.strip():
            return content
        raise UnreadableCredentialError(f"its {subject} is empty")

    def _file(self) -> bytes:
        try:
            return read_confined(self.name, str(Path(self.name).parent), limit=MAX_CREDENTIAL)
        except ConfinedFileError as error:
            reason = str(error)
        raise UnreadableCredentialError(f"its file {reason}")

    def _variable(self) -> bytes:
        value = os.environ.get(self.name)
        if value is None:
            raise UnreadableCredentialError("its environment variable is not set")
        if len(value) > MAX_CREDENTIAL:
            raise UnreadableCredentialError(
                f"its environment variable is larger than {MAX_CREDENTIAL // 1024} KiB"
            )
        return os.fsencode(value)


@dataclass(frozen=True)
class ExternalCredential:
    """An entry of the option ``credentials``.

    :param place: of the secret or key.
    :param hosts: patterns of hosts that it may be sent to.
    :param client_ids: of the clients whose it is.
    :param api_hosts: patterns of hosts that its tokens may be sent to.
    :param connections: ids of the connections that may name it; empty for any.
    :param passphrase: place of the passphrase of an encrypted key.
    """

    name: str
    place: Place
    hosts: tuple[str, ...]
    client_ids: tuple[str, ...]
    api_hosts: tuple[str, ...]
    connections: tuple[str, ...] = ()
    passphrase: Place | None = None


def parse_credentials(text: str) -> dict[str, ExternalCredential]:
    """Parse the option.

    :raises CredentialsError: when it is malformed.
    """
    value, broken = None, False
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):  # which holds the text
        broken = True
    if broken:
        raise CredentialsError("is not valid JSON")
    if not isinstance(value, dict):
        raise CredentialsError("must be a JSON object of names and entries")
    return {name: _entry(name, members) for name, members in value.items()}


def _entry(name: str, members: Any) -> ExternalCredential:
    if not isinstance(members, dict):
        raise CredentialsError(f'has an entry "{name}" that is no JSON object')
    unknown = sorted(members.keys() - _MEMBERS)
    if unknown:
        raise CredentialsError(f'has an entry "{name}" with an unknown member "{unknown[0]}"')
    return ExternalCredential(
        name,
        _place(name, {kind: members[kind] for kind in _KINDS if kind in members}),
        _hosts(name, members, "hosts"),
        _texts(name, members, "client_ids"),
        _hosts(name, members, "api_hosts"),
        _texts(name, members, "connections") if "connections" in members else (),
        _place(name, members["passphrase"], 'a "passphrase" with ') if "passphrase" in members else None,
    )


def _place(name: str, members: Any, what: str = "") -> Place:
    if not isinstance(members, dict) or len(members) != 1 or not members.keys() <= set(_KINDS):
        raise CredentialsError(f'has an entry "{name}" that needs {what}"file" or "env"')
    ((kind, place),) = members.items()
    if not isinstance(place, str) or not _is_place(kind, place):
        meant = "the absolute path of a file" if kind == "file" else "the name of an environment variable"
        raise CredentialsError(f'has an entry "{name}" whose "{kind}" is not {meant}')
    return Place(kind, place)


def _is_place(kind: str, place: str) -> bool:
    if kind == "env":
        return _VARIABLE.match(place) is not None
    return Path(place).is_absolute() and "\0" not in place and not place.endswith("/")


def _texts(name: str, members: Mapping[str, Any], member: str) -> tuple[str, ...]:
    value = members.get(member)
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text for text in value):
        raise CredentialsError(f'has an entry "{name}" that needs "{member}", a list of texts')
    return tuple(value)


def _hosts(name: str, members: Mapping[str, Any], member: str) -> tuple[str, ...]:
    hosts = _texts(name, members, member)
    for host in hosts:
        try:
            split_pattern(host)
        except UrlError as error:
            reason = str(error)
        else:
            continue
        raise CredentialsError(f'has an entry "{name}" whose "{member}" {reason}')
    return hosts


def in_both(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    """Return patterns for the hosts that two lists of patterns have in common."""
    others = [split_pattern(pattern) for pattern in second]
    common = (_common(split_pattern(pattern), other) for pattern in first for other in others)
    return tuple(dict.fromkeys(pattern for pattern in common if pattern is not None))


def _common(first: tuple[str, int | None], second: tuple[str, int | None]) -> str | None:
    (host, port), (other, other_port) = first, second
    if port is not None and other_port is not None and port != other_port:
        return None
    narrower = host if _covers(other, host) else other if _covers(host, other) else None
    if narrower is None:
        return None
    bracketed = f"[{narrower}]" if ":" in narrower else narrower
    port = port if port is not None else other_port
    return bracketed if port is None else f"{bracketed}:{port}"


def _covers(pattern: str, host: str) -> bool:
    """Whether a pattern names all hosts that another one names."""
    return pattern == host or (pattern.startswith("*.") and host.removeprefix("*").endswith(pattern[1:]))
