"""The commands themselves; how each of them runs and ends is in :mod:`cli.command`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from airflow_oauth_provider.authorizations import (
    CheckResult,
    ConnectionValues,
    Target,
    authorize,
    check_all,
    deployment_warnings,
    describe,
    saving,
    store_note,
)
from airflow_oauth_provider.authorizations import forget as forget_authorization
from airflow_oauth_provider.authorizations import revoke as revoke_token
from airflow_oauth_provider.authorizations.stored import find_connections
from airflow_oauth_provider.authorizations.summary import checked_row
from airflow_oauth_provider.cli import connections
from airflow_oauth_provider.cli.changes import change_lines, check_report, findings_of
from airflow_oauth_provider.cli.command import command
from airflow_oauth_provider.cli.creation import connection_from
from airflow_oauth_provider.cli.discovery import creation_of, found_at
from airflow_oauth_provider.cli.editing import edited
from airflow_oauth_provider.cli.output import (
    DOCUMENTS,
    Progress,
    print_document,
    print_error,
    print_facts,
    print_message,
    print_messages,
    print_outcome,
    print_result,
    print_rows,
    print_table,
)
from airflow_oauth_provider.cli.preset_rows import preset_facts, preset_row
from airflow_oauth_provider.cli.rows import (
    authorized_facts,
    listed_row,
    step_rows,
    unusual_lines,
    warning_lines,
)
from airflow_oauth_provider.cli.selection import Selection, status_after, targets_of, totals
from airflow_oauth_provider.cli.token_facts import claims_facts, token_facts
from airflow_oauth_provider.cli.using import left_out, uses_before, uses_of, using_report, using_rows
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.presets import preset_named
from airflow_oauth_provider.connection.presets import presets as known_presets
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError


@command
def check(args: Any) -> bool:
    """Get a new token for each connection, and print the outcome."""
    selection, targets = Selection.of(args), targets_of(args)
    if not targets:
        print_message(
            "There are no connections of this type in the metadata database. Those of the environment and of "
            "secrets backends cannot be listed: name them."
        )
    policy = read_policy()
    general = deployment_warnings(policy)
    results = _checked(targets, traced=args.verbose)
    by_name = {target.conn_id: target for target in targets}
    statuses = [status_after(result, by_name[result.conn_id], policy) for result in results]
    findings = findings_of(by_name, results, policy)
    selected = [
        (result, status)
        for result, status in zip(results, statuses, strict=True)
        if selection.takes(status) and (findings[result.conn_id].is_news or not args.changes)
    ]
    if args.output in DOCUMENTS:
        reports = [check_report(findings[result.conn_id], status, general) for result, status in selected]
        print_document(reports, args.output)
    elif selected or not args.changes:
        print_table([checked_row(result) for result, _ in selected], args.output)
        if args.verbose:
            print_table([row for result, _ in selected for row in step_rows(result)], args.output)
        print_messages(warning_lines(result for result, _ in selected))
        print_messages(unusual_lines(result for result, _ in selected))
    print_messages(change_lines(findings.values()))
    print_messages(general)
    if len(targets) > 1:
        print_message(f"{totals(statuses)}.")
    if len(results) < len(targets):
        print_message(f"{len(results)} of {len(targets)} were checked.")
        raise KeyboardInterrupt
    return all(result.ok for result in results)


def _checked(targets: list[Target], *, traced: bool) -> list[CheckResult]:
    """Check them; on Ctrl-C return the results that there are.

    :param traced: as of :func:`check_all`.
    """
    done: dict[str, CheckResult] = {}
    progress = Progress(len(targets))

    def collect(result: CheckResult) -> None:
        done[result.conn_id] = result
        progress.step()

    with suppress(KeyboardInterrupt), progress.display():
        check_all(targets, on_done=collect, traced=traced)
    return [done[target.conn_id] for target in targets if target.conn_id in done]


@partial(command, drafted=connection_from)
def create(args: Any) -> bool:
    """Save a connection, then authorize it; a refused one stays saved."""
    return _save(connection_from(args), saving.save_new, args)


@command
def edit(args: Any) -> bool:
    """Change a stored connection, then authorize it; a refused one stays saved."""
    stored = connections.editable(args.conn_id)
    values = edited(ConnectionValues.of(stored), args)
    print_messages(uses_before(args.conn_id))
    return _save(values, partial(saving.replace, stored), args)


def _save(values: ConnectionValues, save: Callable[[ConnectionValues], None], args: Any) -> bool:
    warnings = saving.checked_and_saved(values, save)
    if args.output not in DOCUMENTS:
        print_message(f'Connection "{values.conn_id}" is saved. Authorizing it …')
    result = authorize(values)
    if args.output in DOCUMENTS:
        print_document(result.report() | {"saved": True}, args.output)
    elif result.ok:
        print_facts(authorized_facts(result))
    else:
        print_error(result.error)
        print_message(
            f"The connection stays saved as it is: correct it with airflow oauth2 edit {values.conn_id}, or "
            f"correct the server, and try again with: airflow oauth2 check {values.conn_id}"
        )
    print_messages(dict.fromkeys((*warnings, *result.warnings)))
    return result.ok


@command
def presets(args: Any) -> bool:
    """List the presets, or say what one fills in."""
    if args.preset is None:
        rows = [preset_row(preset) for preset in known_presets().values()]
        print_rows(rows, rows, args.output)
    else:
        print_outcome(preset_facts(preset_named(args.preset)), args.output)
    return True


@command
def list_(args: Any) -> bool:
    """List connections with their status; asks no server."""
    selection, policy = Selection.of(args), read_policy()
    rows = [describe(stored, policy) for stored in find_connections()]
    rows = [row for row in rows if args.category in {None, row.category} and selection.takes(row.status)]
    print_rows([row.report() for row in rows], [listed_row(row) for row in rows], args.output)
    if args.output not in DOCUMENTS:
        print_messages(warning_lines(rows))
        print_messages((*deployment_warnings(policy), *filter(None, [store_note(policy)])))
    return True


@command
def token(args: Any) -> bool:
    """Show the token that tasks would use now; asks the server for one if there is none."""
    if args.claims and args.reveal:
        raise ConfigurationError("prints what the token says, --reveal the token: give one", field="--claims")
    values = _read(args.conn_id)
    client = OAuth2Client(values.conn_id, values)
    try:
        held = client.get_token()
    finally:
        if client.cost.requests:
            print_message(
                f"No good token was kept: {client.settings.server.origin.authority} was asked for one."
            )
    facts = token_facts(client, held, reveal=args.reveal)
    if args.claims:
        facts |= claims_facts(client, held, as_document=args.output in DOCUMENTS)
    if args.reveal and args.output not in DOCUMENTS:
        print(held.value)  # noqa: T201  (alone, for the use in scripts)
    else:
        print_outcome(facts, args.output)
    return True


@command
def forget(args: Any) -> bool:
    """Forget the token and what is remembered of a connection, and revoke the token if asked to."""
    if args.endpoint and not args.revoke:
        raise ConfigurationError("is for --revoke", field="--endpoint")
    connection = _read(args.conn_id)
    print_messages(uses_before(args.conn_id))
    revoked = revoke_token(connection, args.endpoint) if args.revoke else None
    forget_authorization(connection)
    if args.output in DOCUMENTS:
        facts = {} if revoked is None else {"revoked": revoked}
        print_document({"conn_id": args.conn_id, "ok": True, **facts}, args.output)
    else:
        ending = {None: "", True: "; the token is revoked", False: "; there was no token to revoke"}[revoked]
        print_result(f'Connection "{args.conn_id}": its token and last outcome are forgotten{ending}.')
    print_messages(filter(None, [store_note(read_policy())]))
    return True


def _read(conn_id: str) -> Any:
    target = connections.named(conn_id)
    if target.error is not None:
        raise target.error
    return target.connection


@command
def discover(args: Any) -> bool:
    """Read what an authorization server says of itself, or the one that an API names."""
    discovered = found_at(args.issuer, read_policy())
    print_outcome(discovered.report(), args.output)
    if args.output in DOCUMENTS:
        return True
    print_messages(discovered.metadata.remarks())
    print_message(f"Create a connection with: {creation_of(discovered.metadata)}")
    return True


@command
def used_by(args: Any) -> bool:
    """List what uses a connection, also one that was deleted, which then fails; asks no server."""
    target = connections.named(args.conn_id)
    uses, unknown = uses_of(target), connections.unknown(target)
    print_rows(using_report(uses, unknown), using_rows(uses), args.output)
    print_messages(filter(None, [left_out(uses), uses.summary, str(unknown or "")]))
    return unknown is None
