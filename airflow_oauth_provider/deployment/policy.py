"""What ``[oauth2]`` in ``airflow.cfg`` allows connections to do."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from airflow_oauth_provider.deployment.credentials import (
    CredentialsError,
    ExternalCredential,
    in_both,
    parse_credentials,
)
from airflow_oauth_provider.deployment.options import OPTIONS, SECTION
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import UrlError, split_pattern
from airflow_oauth_provider.tokens.sharing import ALONE, Sharing
from airflow_oauth_provider.tokens.stores import UnknownStoreError, open_store

STORE_KEY_BYTES = 32
GOOD_FOR = 60.0
"""Seconds for which what was read is used."""
_VARIABLES = (
    "AIRFLOW_HOME",
    "AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET",
    *(f"AIRFLOW__{SECTION}__{option}".upper() for option in OPTIONS),
)
DAYS, MOST_DAYS = 7, 90
"""Days of history where nothing is said, and at the most."""
EVERY_CONNECTION = "*"
SHORTEST_MASKED = 5
"""Airflow's own default of ``[logging] min_length_masked_secret``."""


@dataclass(frozen=True)
class Policy:
    """The section, parsed.

    :param token_hosts: patterns of token hosts; empty means any.
    :param api_hosts: patterns of API hosts; empty means any.
    :param proxies: patterns of proxy hosts a connection may name; empty means none.
    :param custom_providers: name → dotted path of a callable.
    :param assertion_folders: in which a connection may name files with assertions; empty means none.
    :param credentials: name → what lies outside of the connections.
    :param lent_connections: ids of those whose tokens another connection may name; ``*`` means all.
    :param show_api_answers: the page shows what an API answers to whoever tries it.
    :param sharing: with whom tokens are shared.
    :param shortest_masked: characters of the shortest secret that Airflow masks.
    :param token_hosts_in: where the token hosts are listed, for messages; likewise *api_hosts_in*.
    """

    token_hosts: tuple[str, ...] = ()
    api_hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    custom_providers: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, ExternalCredential] = field(default_factory=dict, repr=False)
    assertion_folders: tuple[str, ...] = ()
    lent_connections: tuple[str, ...] = ()
    allow_unverified_tls: bool = False
    show_api_answers: bool = False
    default_category: str | None = None
    sharing: Sharing = ALONE
    shortest_masked: int = SHORTEST_MASKED
    token_hosts_in: str = "allowed_token_hosts"
    api_hosts_in: str = "allowed_api_hosts"

    def require_lent(self, conn_id: str) -> None:
        """Refuse to lend the tokens of a connection that the section does not list.

        :raises ConfigurationError: with the line to add.
        """
        if not {conn_id, EVERY_CONNECTION} & set(self.lent_connections):
            line = f"lent_connections = {', '.join((*self.lent_connections, conn_id))}"
            raise ConfigurationError(
                "another library or connection asks for its tokens, and it is not lent: write "
                f'"{line}" below [{SECTION}] in airflow.cfg, if whoever may edit such connections may have '
                "its tokens sent to a host of their own",
                field="lent_connections",
                conn_id=conn_id,
            )

    def for_client(self, settings: ClientSettings) -> Policy:
        """Return what is allowed to a client, by where its credential comes from.

        :raises ConfigurationError: when that is in the section no longer.
        """
        if settings.external is None:
            return self
        entry = self.credentials.get(settings.external.name)
        if entry is not None:
            with suppress(CredentialsError):
                return self.narrowed_to(entry)
        raise _bad("credentials", f'does not allow the use of "{settings.external.name}" any more')

    def narrowed_to(self, credential: ExternalCredential | None) -> Policy:
        """Return what is allowed to a connection that names an external credential.

        :raises CredentialsError: when nothing is; an empty list of hosts would mean any.
        """
        if credential is None:
            return self
        hosts = in_both(credential.hosts, self.token_hosts) if self.token_hosts else credential.hosts
        api_hosts = in_both(credential.api_hosts, self.api_hosts) if self.api_hosts else credential.api_hosts
        for common, member, option in (
            (hosts, "hosts", self.token_hosts_in),
            (api_hosts, "api_hosts", self.api_hosts_in),
        ):
            if not common:
                raise CredentialsError(f'lists no host in "{member}" that [{SECTION}] {option} lists, too')
        return replace(
            self,
            token_hosts=hosts,
            api_hosts=api_hosts,
            token_hosts_in=f'credentials ("hosts" of {credential.name})',
            api_hosts_in=f'credentials ("api_hosts" of {credential.name})',
        )


class _Reading(NamedTuple):
    """The policy as it was read last, the variables it was read with, and when (monotonic seconds)."""

    policy: Policy
    variables: tuple[str | None, ...]
    at: float


_last: _Reading | None = None


def read_policy() -> Policy:
    """Read the section; for a minute, what was read holds as long as the environment is the same.

    Airflow looks an option up in the environment, its file, commands, secrets backends and defaults, each
    time anew; a token asks for all of them.

    :raises ConfigurationError: naming the option that is malformed.
    """
    global _last  # noqa: PLW0603  (a cache of one)
    variables, now = tuple(map(os.environ.get, _VARIABLES)), time.monotonic()
    last = _last
    if last is not None and last.variables == variables and now - last.at < GOOD_FOR:
        return last.policy
    try:
        policy = _read()
    except ConfigurationError as error:
        malformed = copy.copy(error)
    else:
        _last = _Reading(policy, variables, now)
        return policy
    # A copy, raised here: the frames below hold what the options say, passwords and keys among it.
    del variables, last
    raise malformed


def policy_as_read() -> Policy:
    """Return the section as it was read last, which calls nobody.

    :raises ConfigurationError: as :func:`read_policy` does, where it was not read yet.
    """
    return _last.policy if _last is not None else read_policy()


def forget_policy() -> None:
    """Read the section anew next time."""
    global _last  # noqa: PLW0603  (as above)
    _last = None


def _read() -> Policy:
    return Policy(
        token_hosts=_hosts("allowed_token_hosts", _text("allowed_token_hosts")),
        api_hosts=_hosts("allowed_api_hosts", _text("allowed_api_hosts")),
        proxies=_hosts("allowed_proxies", _text("allowed_proxies")),
        custom_providers=_providers(_text("custom_providers")),
        credentials=_credentials(_text("credentials")),
        assertion_folders=_folders(_text("assertion_folders")),
        lent_connections=_connections(_text("lent_connections")),
        allow_unverified_tls=_boolean("allow_unverified_tls"),
        show_api_answers=_boolean("show_api_answers"),
        default_category=_text("default_category") or None,
        sharing=_sharing(_text("token_store") or "file", _text("store_key"), _days(_text("history_days"))),
        shortest_masked=shortest_masked(),
    )


def shortest_masked() -> int:
    """Return the characters of the shortest secret that Airflow masks; it warns of each shorter one."""
    from airflow.providers.common.compat.sdk import conf

    try:
        return int(conf.getint("logging", "min_length_masked_secret", fallback=SHORTEST_MASKED))
    except Exception:  # Airflow itself falls back then
        return SHORTEST_MASKED


def _text(option: str) -> str:
    from airflow.providers.common.compat.sdk import conf

    with suppress(Exception):  # of the configuration's own syntax, which repeats the value
        return str(conf.get(SECTION, option, fallback="") or "").strip()
    raise _bad(option, "cannot be read: is each % in it written as %%?")


def _boolean(option: str) -> bool:
    from airflow.providers.common.compat.sdk import conf

    with suppress(Exception):  # Airflow's own, which repeats the value
        return bool(conf.getboolean(SECTION, option, fallback=False))
    raise _bad(option, "must be True or False")


def _hosts(option: str, text: str) -> tuple[str, ...]:
    hosts = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for host in hosts:
        try:
            split_pattern(host)
        except UrlError as error:
            raise _bad(option, str(error)) from error
    return hosts


def _providers(text: str) -> dict[str, str]:
    value, broken = None, False
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):  # which holds the text: ours is raised outside of this block
        broken = True
    if broken:
        raise _bad("custom_providers", "is not valid JSON")
    if not isinstance(value, dict) or not all(isinstance(path, str) for path in value.values()):
        raise _bad("custom_providers", "must be a JSON object of names and dotted paths")
    return value


def _credentials(text: str) -> dict[str, ExternalCredential]:
    try:
        return parse_credentials(text)
    except CredentialsError as error:
        reason = str(error)
    raise _bad("credentials", reason)


def _folders(text: str) -> tuple[str, ...]:
    folders = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for folder in folders:
        path = Path(folder)
        if not path.is_absolute() or ".." in path.parts or path == Path("/"):
            raise _bad("assertion_folders", "must list absolute paths of folders, and not the root of all")
    return folders


def _connections(text: str) -> tuple[str, ...]:
    ids = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    if any(
        not entry.isprintable() or (EVERY_CONNECTION in entry and entry != EVERY_CONNECTION) for entry in ids
    ):
        raise _bad("lent_connections", f"must list connection ids, or {EVERY_CONNECTION} alone for all")
    return ids


def _days(text: str) -> int:
    if not text:
        return DAYS
    if not re.fullmatch(r"[0-9]{1,2}", text) or int(text) > MOST_DAYS:
        raise _bad("history_days", f"must be a number from 0 to {MOST_DAYS}")
    return int(text)


def _sharing(option: str, keys: str, days: int) -> Sharing:
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))).expanduser()
    try:
        store = open_store(option, home)
    except ImportError:
        reason = "needs the package redis: install airflow-oauth-provider[redis]"
    except UnknownStoreError as error:
        reason = str(error)
    except ValueError:  # of the Redis client: it repeats the address, with its password
        reason = "is no valid address of a Redis server"
    else:
        return Sharing(store, tuple(_store_key(key) for key in keys.replace(",", " ").split()), days)
    raise _bad("token_store", reason)


def _store_key(text: str) -> Secret:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != STORE_KEY_BYTES:
        raise _bad("store_key", f"must be Base64 of {STORE_KEY_BYTES} bytes (several, newest first)")
    return Secret(text)


def _bad(option: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"[{SECTION}] {option} in airflow.cfg {reason}", field=option)
