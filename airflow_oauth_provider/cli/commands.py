"""The commands themselves. A command ends with status 0, with 1 when something failed, with 130 on Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from functools import wraps
from typing import Any

from airflow.utils.cli import action_cli, suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_oauth_provider.authorizations import (
    Authorization,
    CheckResult,
    Target,
    authorize,
    check_all,
    deployment_warnings,
    describe,
    error_report,
    store_note,
)
from airflow_oauth_provider.authorizations import forget as forget_authorization
from airflow_oauth_provider.authorizations import revoke as revoke_token
from airflow_oauth_provider.authorizations.clamping import clamp
from airflow_oauth_provider.authorizations.stored import find_connections
from airflow_oauth_provider.authorizations.times import certificate_warning, iso, utc
from airflow_oauth_provider.cli import connections
from airflow_oauth_provider.cli.creation import connection_from
from airflow_oauth_provider.cli.discovery import creation_of, found_at
from airflow_oauth_provider.cli.output import (
    LONGEST_CELL,
    Progress,
    only_results,
    print_facts,
    print_json,
    print_message,
    print_messages,
    print_table,
)
from airflow_oauth_provider.cli.preset_rows import preset_facts, preset_row
from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.presets import preset_named
from airflow_oauth_provider.connection.presets import presets as known_presets
from airflow_oauth_provider.connection.resolving import resolve
from airflow_oauth_provider.deployment.policy import read_policy
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.private_token import details_of
from airflow_oauth_provider.protocol.token.authorization_details import displayed

Command = Callable[[Any], bool]
INTERRUPTED = 130
"""Exit status of a program that Ctrl-C has ended, as shells have it."""


def _command(command: Command) -> Callable[[Any], None]:
    """Make a command of a function that returns whether all went well."""

    @wraps(command)
    def run(args: Any) -> None:
        try:
            well = command(args)
        except OAuthError as error:
            _fail(error, args)
            well = False
        if not well:
            sys.exit(1)

    wrapped = action_cli(suppress_logs_and_warning(providers_configuration_loaded(run)))

    @wraps(command)
    def outermost(args: Any) -> None:
        try:
            # Around all of Airflow's own, which with --verbose logs what it does.
            with only_results() if args.json else nullcontext():
                wrapped(args)
        except KeyboardInterrupt:
            print_message("Interrupted.")
            sys.exit(INTERRUPTED)

    return outermost


def _fail(error: OAuthError, args: Any) -> None:
    if args.json:
        print_json({"conn_id": error.conn_id, "ok": False, "error": error_report(error)})
    else:
        print_message(str(error))


@_command
def check(args: Any) -> bool:
    """Get a new token for each connection, and print the outcome."""
    targets = _targets(args)
    if not targets:
        print_message(
            "There are no connections of this type in the metadata database. Those of the environment and of "
            "secrets backends cannot be listed: name them."
        )
    general = deployment_warnings(read_policy())
    results = _checked(targets)
    if args.json:
        reports = [result.report() for result in results]
        print_json([report | {"warnings": [*report["warnings"], *general]} for report in reports])
    else:
        print_table([_checked_row(result) for result in results])
        print_messages(
            f'Connection "{result.conn_id}": {text}' for result in results for text in result.warnings
        )
        print_messages(_unusual(results))
    print_messages(general)
    if len(results) < len(targets):
        print_message(f"{len(results)} of {len(targets)} were checked.")
        raise KeyboardInterrupt
    return all(result.ok for result in results)


def _checked(targets: list[Target]) -> list[CheckResult]:
    """Check them; on Ctrl-C return the results that there are."""
    done: dict[str, CheckResult] = {}
    progress = Progress(len(targets))

    def collect(result: CheckResult) -> None:
        done[result.conn_id] = result
        progress.step()

    with suppress(KeyboardInterrupt), progress.display():
        check_all(targets, on_done=collect)
    return [done[target.conn_id] for target in targets if target.conn_id in done]


def _targets(args: Any) -> list[Target]:
    """Find what is to be checked.

    :raises ConfigurationError: when nothing is asked for, or none has the category.
    """
    if args.conn_ids and args.all:
        raise ConfigurationError("cannot be given together with connection ids", field="--all")
    if args.conn_ids:
        targets = [connections.named(conn_id) for conn_id in dict.fromkeys(args.conn_ids)]
    elif args.all or args.category:
        targets = [Target.of(stored) for stored in find_connections()]
    else:
        raise ConfigurationError("name connections, or give --all or --category", field="CONN_ID")
    if args.category:
        policy = read_policy()
        # Nobody knows the category of what cannot be read: it fails whatever category is asked for.
        targets = [
            target
            for target in targets
            if target.error or describe(target.connection, policy).category == args.category
        ]
        if not targets:
            raise ConfigurationError("no connection has it", field="--category")
    return targets


def _unusual(results: Iterable[CheckResult]) -> Iterator[str]:
    return (
        f'Connection "{result.conn_id}" is set for an unusual server: {"; ".join(result.unusual)}'
        for result in results
        if result.unusual
    )


def _warnings(rows: Iterable[CheckResult | Authorization]) -> Iterator[str]:
    return (f'Connection "{row.conn_id}": {text}' for row in rows for text in row.warnings)


def _checked_row(result: CheckResult) -> dict[str, Any]:
    return {
        "name": result.conn_id,
        "category": result.category,
        "result": "ok" if result.ok else "failed",
        "message": _and_certificate(result.message, result.certificate_expires_at),
    }


def _and_certificate(text: str, expires_at: float | None) -> str:
    warning = certificate_warning(expires_at)
    if not warning:
        return text
    # Before the cell is cut: the end of a certificate is not to be lost behind a long refusal.
    return f"{clamp(text.rstrip('.'), LONGEST_CELL - len(warning) - 2)}; {warning}"


@_command
def create(args: Any) -> bool:
    """Save a connection, then authorize it; a refused one stays saved."""
    values = connection_from(args)
    resolved = resolve(values, read_policy())
    masking.mask_settings(resolved.settings)
    connections.save(values)
    if not args.json:
        print_message(f'Connection "{values.conn_id}" is saved. Authorizing it …')
    result = authorize(values)
    if args.json:
        print_json(result.report() | {"saved": True})
    elif result.ok:
        print_facts(_facts(result))
    else:
        print_message(f"{result.error}")
        print_message(
            "The connection stays saved as it is: correct it in the user interface, or correct the server, "
            f"and try again with: airflow oauth2 check {values.conn_id}"
        )
    print_messages(dict.fromkeys((*resolved.warnings, *result.warnings)))
    return result.ok


@_command
def presets(args: Any) -> bool:
    """List the presets, or say what one fills in."""
    if args.preset is None:
        rows = [preset_row(preset) for preset in known_presets().values()]
        print_json(rows) if args.json else print_table(rows)
        return True
    facts = preset_facts(preset_named(args.preset))
    print_json(facts) if args.json else print_facts(facts)
    return True


def _facts(result: CheckResult) -> dict[str, Any]:
    return {
        "Connection": result.conn_id,
        "Credential": result.credential_source,
        "Tokens bound by": result.sender_constraint,
        "Authorized until": utc(result.expires_at),
        "Granted scopes": result.granted,
        "Granted details": result.details,
        "Not granted": result.not_granted,
        "Probe": result.probe,
    }


@_command
def list_(args: Any) -> bool:
    """List connections with their status; asks no server."""
    policy = read_policy()
    rows = [describe(stored, policy) for stored in find_connections()]
    if args.category:
        rows = [row for row in rows if row.category == args.category]
    if args.json:
        print_json([row.report() for row in rows])
        return True
    print_table([_row(row) for row in rows])
    print_messages(_warnings(rows))
    print_messages((*deployment_warnings(policy), *filter(None, [store_note(policy)])))
    return True


def _row(authorization: Authorization) -> dict[str, Any]:
    return {
        "name": authorization.conn_id,
        "category": authorization.category,
        "token host": authorization.token_host,
        "method": ", ".join(filter(None, _method(authorization))),
        "scope": " ".join(authorization.scope),
        "status": _and_certificate(authorization.text, authorization.certificate_expires_at),
        "last authorized": utc(authorization.authorized_at),
    }


def _method(authorization: Authorization) -> tuple[str | None, ...]:
    return authorization.auth_method, authorization.sender_constraint, authorization.credential_source


@_command
def token(args: Any) -> bool:
    """Show the token that tasks would use now; asks the server for one if there is none."""
    values = _read(args.conn_id)
    held = OAuth2Client(values.conn_id, values).get_token()
    facts = {
        "conn_id": values.conn_id,
        "token_type": held.token_type,
        "expires_at": iso(held.expires_at),
        "issued_at": iso(held.issued_at),
        "scopes": sorted(held.scopes),
        "details": displayed(details_of(held)) or None,
        "access_token": held.value if args.reveal else "***",
    }
    if args.json:
        print_json(facts)
    elif args.reveal:
        print(held.value)  # noqa: T201  (alone, for the use in scripts)
    else:
        print_facts(facts)
    return True


@_command
def forget(args: Any) -> bool:
    """Forget the token and what is remembered of a connection, and revoke the token if asked to."""
    if args.endpoint and not args.revoke:
        raise ConfigurationError("is for --revoke", field="--endpoint")
    connection = _read(args.conn_id)
    revoked = revoke_token(connection, args.endpoint) if args.revoke else None
    forget_authorization(connection)
    if args.json:
        facts = {} if revoked is None else {"revoked": revoked}
        print_json({"conn_id": args.conn_id, "ok": True, **facts})
    else:
        ending = {None: "", True: "; the token is revoked", False: "; there was no token to revoke"}[revoked]
        print_message(f'Connection "{args.conn_id}": its token and last outcome are forgotten{ending}.')
    print_messages(filter(None, [store_note(read_policy())]))
    return True


def _read(conn_id: str) -> Any:
    target = connections.named(conn_id)
    if target.error is not None:
        raise target.error
    return target.connection


@_command
def discover(args: Any) -> bool:
    """Read what an authorization server says of itself, or the one that an API names."""
    discovered = found_at(args.issuer, read_policy())
    if args.json:
        print_json(discovered.report())
        return True
    print_facts(discovered.report())
    print_messages(discovered.metadata.remarks())
    print_message(f"Create a connection with: {creation_of(discovered.metadata)}")
    return True
