"""What ``[oauth2]`` in ``airflow.cfg`` allows connections to do."""

from __future__ import annotations

import copy
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from airflow_oauth_provider.deployment import option_values
from airflow_oauth_provider.deployment.credentials import CredentialsError, ExternalCredential, in_both
from airflow_oauth_provider.deployment.option_values import EVERY_CONNECTION, SHORTEST_MASKED, bad_option
from airflow_oauth_provider.deployment.options import OPTIONS, SECTION
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens.sharing import ALONE, Sharing

GOOD_FOR = 60.0
"""Seconds for which what was read is used."""
_VARIABLES = (
    "AIRFLOW_HOME",
    "AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET",
    *(f"AIRFLOW__{SECTION}__{option}".upper() for option in OPTIONS),
)


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
        raise bad_option("credentials", f'does not allow the use of "{settings.external.name}" any more')

    def narrowed_to(self, credential: ExternalCredential) -> Policy:
        """Return what is allowed to a connection that names an external credential.

        :raises CredentialsError: when nothing is; an empty list of hosts would mean any.
        """
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
    """Read the section anew next time: for tests, whose configuration changes within the minute."""
    global _last  # noqa: PLW0603  (as above)
    _last = None


def _read() -> Policy:
    return Policy(
        token_hosts=option_values.hosts("allowed_token_hosts"),
        api_hosts=option_values.hosts("allowed_api_hosts"),
        proxies=option_values.hosts("allowed_proxies"),
        custom_providers=option_values.custom_providers(),
        credentials=option_values.credentials(),
        assertion_folders=option_values.assertion_folders(),
        lent_connections=option_values.lent_connections(),
        allow_unverified_tls=option_values.boolean("allow_unverified_tls"),
        show_api_answers=option_values.boolean("show_api_answers"),
        default_category=option_values.text("default_category") or None,
        sharing=option_values.sharing(),
        shortest_masked=option_values.shortest_masked(),
    )
