"""What becomes of an error of no type of ours: a result of its own connection, and of no other."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from airflow_oauth_provider.exceptions import OAuthError

log = logging.getLogger(__name__)


def unforeseen(error: Exception, conn_id: str, verb: str) -> OAuthError:
    """Return a typed error in its place; its text could hold anything, so nobody sees it.

    The log says where it came from.

    :param verb: what cannot be done with the connection: "checked", "described".
    """
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = ", ".join(f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in frames)
    log.error('Connection "%s" cannot be %s (%s): in %s', conn_id, verb, kind, where)
    return OAuthError(f"cannot be {verb} ({kind})", conn_id=conn_id)
