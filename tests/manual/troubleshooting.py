"""The page docs/troubleshooting.md: every sentence that a person can see, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from airflow_oauth_provider.protocol.token import errors
from tests.manual.texts import Sentence, sentences

_ARGUMENTS = {"NAME", "CONN_ID"}
_CONFIGURATION = {"ConfigurationError", "ConnectionNotFoundError"}
_BY_TYPE = {
    "TransportError": "Check host and port, then network, firewall and proxy between this host and the "
    "server.",
    "TokenResponseError": "Check that the access token URL is the token endpoint itself.",
    "InsufficientScopeError": "Have the scope granted to the client, or change `require_scopes`.",
    "ResourceError": "It is about the call, not about the authorization: see the message.",
    "UnexpectedError": "Report it: it is a defect.",
    "ConnectionNotFoundError": "Create the connection, or correct its name.",
}


def _is_command(sentence: Sentence) -> bool:
    return sentence.field.startswith("--") or sentence.field in _ARGUMENTS


_SECTIONS: dict[str, Callable[[Sentence], bool]] = {
    "commands": lambda one: one.kind == "ConfigurationError" and _is_command(one),
    "configuration": lambda one: one.kind in _CONFIGURATION and not _is_command(one),
    "network": lambda one: one.kind == "TransportError",
    "server": lambda one: one.kind in {"TokenResponseError", "InsufficientScopeError"},
    "api": lambda one: one.kind in {"ResourceError", "UnexpectedError"},
    "log": lambda one: one.kind == "warning",
}


@cache
def _all() -> list[Sentence]:
    return sentences()


def sentence_table(section: str) -> Iterator[str]:
    """Return the rows of one section.

    :param section: a key of the table of sections, or ``codes``.
    """
    if section == "codes":
        yield from _codes()
        return
    chosen = [sentence for sentence in _all() if _SECTIONS[section](sentence)]
    if section in {"configuration", "commands"}:
        yield "| the sentence | field or argument that it names |"
        yield "|---|---|"
        for sentence in chosen:
            yield f"| {_cell(sentence.text)} | {f'`{sentence.field}`' if sentence.field else GIVEN} |"
    elif section == "log":
        yield "| the line |"
        yield "|---|"
        for sentence in chosen:
            yield f"| {_cell(sentence.text)} |"
    else:
        yield "| the sentence | error | what to do |"
        yield "|---|---|---|"
        for sentence in chosen:
            advice = f"{_cell(_first(sentence.advice))}." if sentence.advice else _BY_TYPE[sentence.kind]
            yield f"| {_cell(sentence.text)} | `{sentence.kind}` | {advice} |"


GIVEN = "the one that stands before it"


def _codes() -> Iterator[str]:
    yield "| code or status | what to do |"
    yield "|---|---|"
    for code, advice in sorted({**errors._ADVICE, **errors._WITH_DPOP}.items()):
        yield f"| `{code}` | {_first(advice)}. |"
    for status, advice in sorted(errors._ADVICE_BY_STATUS.items()):
        yield f"| status {status}, without a code | {_first(advice)}. |"
    yield f"| status 400, without a code | {_first(errors._SILENT)}. |"
    yield f"| status 429 | {_first(errors._LIMITED)}. |"
    yield f"| 5xx, `temporarily_unavailable`, `server_error`, `slow_down` | {_first(errors._BUSY)}. |"


def _first(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _cell(text: str) -> str:
    r"""Return a text as it can stand in a table, in which some characters are Markdown's."""
    for character in "\\|<*[`":
        text = text.replace(character, f"\\{character}")
    return text
