"""How a command runs and ends: with status 0, with 1 when something failed, with 130 on Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial, wraps
from typing import Any

from airflow.utils.cli import action_cli, suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_oauth_provider.authorizations import error_report
from airflow_oauth_provider.authorizations.wrong_fields import WrongFieldsError
from airflow_oauth_provider.cli.arguments import require_no_secret
from airflow_oauth_provider.cli.output import (
    DOCUMENTS,
    only_results,
    print_document,
    print_error,
    print_message,
)
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError

Command = Callable[[Any], bool]
INTERRUPTED = 130
"""Exit status of a program that Ctrl-C has ended, as shells have it."""


def command(work: Command, *, drafted: Callable[[Any], object] | None = None) -> Callable[[Any], None]:
    """Make a command of a function that returns whether all went well.

    :param drafted: finds all that is wrong with its arguments, and neither saves nor asks anything.
    """

    @wraps(work)
    def run(args: Any) -> None:
        try:
            well = work(args)
        except OAuthError as error:
            _fail(error, args)
            well = False
        if not well:
            sys.exit(1)

    wrapped = action_cli(suppress_logs_and_warning(providers_configuration_loaded(run)))
    refuse_secrets = suppress_logs_and_warning(
        providers_configuration_loaded(partial(_refuse_secrets, drafted))
    )

    @wraps(work)
    def outermost(args: Any) -> None:
        args.output = "json" if args.json else getattr(args, "output", "table")
        try:
            # Around all of Airflow's own, which with --verbose logs what it does.
            with only_results() if args.output in DOCUMENTS else nullcontext():
                refuse_secrets(args)
                wrapped(args)
        except KeyboardInterrupt:
            print_message("Interrupted.")
            sys.exit(INTERRUPTED)

    return outermost


def _refuse_secrets(drafted: Callable[[Any], object] | None, args: Any) -> None:
    """Refuse secrets before Airflow logs the arguments; say what else is wrong, where that can be told."""
    try:
        require_no_secret(args)
    except ConfigurationError as error:
        refused: OAuthError = error
        try:
            if drafted is not None:
                drafted(args)
        except WrongFieldsError as all_wrong:
            wrong = dict(all_wrong.wrong)
            wrong.setdefault(error.field or "", error.message)
            refused = WrongFieldsError.of(wrong, all_wrong.conn_id or "")
        _fail(refused, args)
        sys.exit(1)


def _fail(error: OAuthError, args: Any) -> None:
    if args.output in DOCUMENTS:
        print_document({"conn_id": error.conn_id, "ok": False, "error": error_report(error)}, args.output)
    else:
        print_error(error)
