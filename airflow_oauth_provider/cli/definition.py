"""What ``airflow oauth2 …`` accepts.

Every ``airflow`` command imports this, so it imports nothing but Airflow's own definitions; the
commands themselves are loaded when they run.
"""

from __future__ import annotations

from airflow.cli.cli_config import (
    ARG_OUTPUT,
    ARG_VERBOSE,
    ActionCommand,
    Arg,
    CLICommand,
    GroupCommand,
    lazy_load_command,
)

_JSON = Arg(("--json",), help="Print JSON", action="store_true")
_FAILED = Arg(
    ("--failed",),
    help="Only those that get no token: refused, unreachable, busy, disabled or wrong",
    action="store_true",
)
_STATUS = Arg(
    ("--status",),
    help="Only those with this status: authorized, refused, unreachable, busy, edited, disabled, not_yet or "
    "wrong_configuration",
    metavar="STATUS",
)
_CHANGES = Arg(
    ("--changes",),
    help="Only those that are not as they were when this command checked them last",
    action="store_true",
)
_SHOWN = (_FAILED, _STATUS, ARG_OUTPUT, _JSON)
_CATEGORY = Arg(("--category",), help="Only connections of this category", metavar="CATEGORY")
_CONN_ID = Arg(("conn_id",), help="Connection id", metavar="CONN_ID")
_CONN_IDS = Arg(("conn_ids",), help="Connection ids", metavar="CONN_ID", nargs="*")
_ALL = Arg(("--all",), help="All connections of this type in the metadata database", action="store_true")
_REVOKE = Arg(
    ("--revoke",), help="Revoke the token at the authorization server, too (RFC 7009)", action="store_true"
)
_ENDPOINT = Arg(
    ("--endpoint",),
    help="Its revocation endpoint: on the host of the access token URL, or on one of "
    "allowed_token_hosts in airflow.cfg; a connection that names its issuer needs none",
    metavar="URL",
)
_REVEAL = Arg(("--reveal",), help="Print the token itself", action="store_true")
_CLAIMS = Arg(
    ("--claims",),
    help="Print what a JWT says of itself (iss, aud, scope, exp …), which nobody has verified; "
    "never the token itself",
    action="store_true",
)
_ISSUER = Arg(
    ("issuer",),
    help="Issuer, for example https://idp.example; or an API that names its own (RFC 9728)",
    metavar="ISSUER_OR_API",
)

_NAME = Arg(("conn_id",), help="Connection id: at most 50 characters", metavar="NAME")
_TOKEN_URL = Arg(("--token-url",), help="Access token URL", metavar="URL")
_DISCOVERY = Arg(
    ("--discovery",),
    help="Issuer, instead of the access token URL: its metadata names the token endpoint (RFC 8414)",
    metavar="ISSUER",
)
_PRESET = Arg(
    ("--preset",),
    help="Fill in what is known of an API; `airflow oauth2 presets` lists them. What you give counts more",
    metavar="PRESET",
)
_TENANT = Arg(
    ("--tenant",),
    help="Name of the tenant, put for {tenant} in the access token URL and other fields",
    metavar="TENANT",
)
_PRESET_NAME = Arg(("preset",), help="Name of a preset; without, all are listed", metavar="NAME", nargs="?")
_CLIENT_ID = Arg(("--client-id",), help="Client ID", metavar="ID")
_SECRET_STDIN = Arg(
    ("--secret-stdin",),
    help="Read the client secret (for private_key_jwt: the private key) from standard input",
    action="store_true",
)
_SECRET_ENV = Arg(
    ("--secret-env",),
    help="Read the client secret (or private key) from this environment variable",
    metavar="VARIABLE",
)
_KEY_FILE = Arg(
    ("--key-file",),
    help="Take the private key from this file: PEM (perhaps with its certificate), JWK, or PKCS#12 as it is",
    metavar="FILE",
)
_PASSPHRASE_ENV = Arg(
    ("--passphrase-env",),
    help="Read the passphrase of the private key from this environment variable",
    metavar="VARIABLE",
)
_SET = Arg(
    ("--set",),
    help="Fill in a field of the connection, by the keys of docs/connection-fields.md; lists and name=value "
    "fields take several, or JSON. Example: --set scope=orders.read --set post_params=tenant=emea",
    action="append",
    default=[],
    metavar="KEY=VALUE",
)
_SET_ENV = Arg(
    ("--set-env",),
    help="Fill in a field from an environment variable: for fields that are secret. "
    "Example: --set-env private_key_passphrase=KEY_PASSPHRASE",
    action="append",
    default=[],
    metavar="KEY=VARIABLE",
)
_DESCRIPTION = Arg(("--description",), help="Description of the connection", metavar="TEXT")
_ADDRESS = (_TOKEN_URL, _DISCOVERY, _PRESET, _TENANT)
_SETTINGS = (_SECRET_STDIN, _SECRET_ENV, _KEY_FILE, _PASSPHRASE_ENV, _SET, _SET_ENV, _DESCRIPTION)


def get_oauth2_cli_commands() -> list[CLICommand]:
    """Return the group ``oauth2``; called by Airflow."""
    return [
        GroupCommand(
            name="oauth2",
            help="OAuth 2.0 connections: check, create, edit, list, show tokens, forget, discover, used by",
            description="See, check and configure connections to OAuth 2.0 authorization servers.",
            subcommands=(
                _action(
                    "check",
                    "Get a new token for each connection; exit code 1 if any fails",
                    (_CONN_IDS, _ALL, _CATEGORY, _CHANGES, *_SHOWN),
                    more="Calls the probe path of each, too. A remembered refusal holds, as for tasks; "
                    "`airflow oauth2 forget CONN_ID` makes the next check ask. --failed, --status and "
                    "--changes choose what is shown: all are checked and counted, and decide the exit code. "
                    "--verbose shows each check step by step, with the time of each step; --json has them as "
                    "steps.",
                ),
                _action(
                    "create",
                    "Save a connection, then authorize it; a refused one stays saved",
                    (_NAME, *_ADDRESS, _CLIENT_ID, *_SETTINGS, _JSON),
                    more="Secrets come from standard input or the environment: others can see arguments.",
                ),
                _action(
                    "edit",
                    "Change a connection, then authorize it; a refused one stays saved",
                    (_CONN_ID, *_ADDRESS, _CLIENT_ID, *_SETTINGS, _JSON),
                    more="What is not given stays as it is; --set KEY= empties a field. A changed token "
                    "host, authentication method, proxy or CA wants the secrets again.",
                ),
                _action(
                    "presets",
                    "List the APIs of which something is known, or say what is known of one",
                    (_PRESET_NAME, ARG_OUTPUT, _JSON),
                ),
                _action(
                    "list",
                    "List connections with their status, without asking any server",
                    (_CATEGORY, *_SHOWN),
                    more="Those of the metadata database: others cannot be listed.",
                ),
                _action(
                    "token",
                    "Show the token that tasks would use now; asks the server where there is none",
                    (_CONN_ID, _REVEAL, _CLAIMS, _JSON),
                    more="Says so where it has asked. The token itself is printed with --reveal only.",
                ),
                _action(
                    "forget",
                    "Forget the token and the remembered outcome of a connection",
                    (_CONN_ID, _REVOKE, _ENDPOINT, _JSON),
                    more="The next use asks the server. The connection itself stays as it is.",
                ),
                _action(
                    "discover",
                    "Read what an authorization server says of itself (RFC 8414)",
                    (_ISSUER, _JSON),
                    more="Prints the command that creates a connection to it. Saves nothing.",
                ),
                _action(
                    "used-by",
                    "List the DAGs and tasks that use a connection, and when they run next",
                    (_CONN_ID, ARG_OUTPUT, _JSON),
                    more="From what the metadata database knows of DAGs. Asks no server.",
                ),
            ),
        )
    ]


def _action(name: str, purpose: str, args: tuple[Arg, ...], *, more: str = "") -> ActionCommand:
    """Define a command; its own --help begins with the purpose that the list of commands shows."""
    function = {"list": "list_"}.get(name, name.replace("-", "_"))
    return ActionCommand(
        name=name,
        help=purpose,
        description=f"{purpose}. {more}".rstrip(),
        func=lazy_load_command(f"airflow_oauth_provider.cli.commands.{function}"),
        args=(*args, ARG_VERBOSE),
    )
