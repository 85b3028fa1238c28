"""Turn what the page shows into HTML; everything that is put into a template is escaped."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from airflow_oauth_provider import __version__
from airflow_oauth_provider.authorizations.authorization import LABELS
from airflow_oauth_provider.authorizations.clamping import clamp
from airflow_oauth_provider.authorizations.history import MergeAllowance
from airflow_oauth_provider.authorizations.times import DAY, SOON, iso, relative, utc
from airflow_oauth_provider.connection.fields import HOOK_NAME
from airflow_oauth_provider.plugin import PREFIX, history_drawing
from airflow_oauth_provider.plugin.listing import ATTENTION, SORTS
from airflow_oauth_provider.plugin.token_life import token_life
from airflow_oauth_provider.protocol.access_token import AS_ASKED

MERGING = 0.2
"""Seconds that a list takes to merge what tasks have appended to the histories of its rows."""

LOOKS = defaultdict(
    str,
    authorized="good",
    refused="bad",
    disabled="bad",
    wrong_configuration="bad",
    unreachable="bad",
    busy="changed",
    edited="changed",
)
"""Classes of the style sheet for the statuses."""
_PART_END = re.compile(r"(?<=[_.:/-])(?=[^_.:/-])")


@dataclass(frozen=True)
class Obstacles:
    """Why a person cannot do what a button says; empty where nothing is in the way."""

    authorize: str = ""
    forget: str = ""
    edit: str = ""

    @classmethod
    def of(cls, conn_id: str, *, editable: bool, testing: bool, commands: bool) -> Obstacles:
        """Return them for one connection.

        :param editable: the person may edit it.
        :param testing: ``[core] test_connection`` allows it.
        :param commands: this Airflow has the command line ``airflow oauth2``.
        """
        if not editable:
            forbidden = "This needs the permission to edit connections: ask an administrator of Airflow."
            return cls(forbidden, forbidden, forbidden)
        if not testing:
            instead = f", or run: airflow oauth2 check {conn_id}" if commands else ""
            return cls(
                f"Switched off: set test_connection = Enabled in section [core] of airflow.cfg{instead}"
            )
        return cls()


@dataclass(frozen=True)
class Link:
    """Where a message leads on.

    :param outside: it replaces the whole of Airflow's page and not what is in its frame.
    """

    address: str
    label: str
    outside: bool = False


def render(template: str, root: str, **values: Any) -> str:
    """Return one page.

    :param root: path under which the page is served, without a slash at its end.
    """
    now = time.time()
    return (
        _environment()
        .get_template(template)
        .render(
            values,
            root=root,
            airflow_root=root.removesuffix(PREFIX),
            version=__version__,
            words=LABELS,
            hook_name=HOOK_NAME,
            as_asked=AS_ASKED,
            attention=ATTENTION,
            sorts=SORTS,
            looks=LOOKS,
            now=now,
            merging=MergeAllowance(MERGING),
            soon=now + SOON * DAY,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_oauth_provider.plugin"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(
        moment=_moment,
        ago=_ago,
        breakable=_breakable,
        clamp=clamp,
        segment=partial(quote, safe=""),
        day_strip=history_drawing.day_strip,
        history_values=history_drawing.values,
        token_life=token_life,
    )
    return environment


@lru_cache(1024)
def _moment(at: float) -> Markup:
    """Return a time as the page's script can turn it into the zone of its reader."""
    return Markup(f'<time datetime="{iso(at)}">{utc(at)}</time>')  # noqa: S704  (digits and what is between)


def _ago(at: float) -> Markup:
    """Return how far a time is, with the time itself in a tooltip; the page's script keeps it up to date."""
    text = relative(at, time.time())
    return Markup(f'<time datetime="{iso(at)}" title="{utc(at)}" data-relative>{text}</time>')  # noqa: S704


@lru_cache(1024)
def _breakable(text: str) -> Markup:
    """Let a name without spaces go on in the next line where its parts end."""
    return Markup("<wbr>").join(_PART_END.split(text))
