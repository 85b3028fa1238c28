"""What the operator and the sensor have in common: one hook, leaving waits when killed, failing fast.

Imports next to nothing, since every DAG file does it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_oauth_provider.exceptions import OAuthError, is_definite
from airflow_oauth_provider.tasks.arguments import Arguments
from airflow_oauth_provider.tasks.stoppable_task import StoppableTask
from airflow_oauth_provider.tasks.token_arguments import TokenArguments

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

log = logging.getLogger(__name__)


class CallingTask(TokenArguments, StoppableTask):
    """A task that calls an API; stands before Airflow's own class among the bases."""

    oauth2_conn_id: str
    endpoint: str | None
    method: str
    extra_options: dict[str, Any]
    base_url: str | None
    deferrable: bool
    fail_fast: bool
    tcp_keep_alive: bool
    tcp_keep_alive_idle: int
    tcp_keep_alive_count: int
    tcp_keep_alive_interval: int

    @cached_property
    def hook(self) -> OAuth2Hook:
        """The hook: one for all calls, so that they share connection, session and token."""
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        hook = OAuth2Hook(
            self.oauth2_conn_id,
            self.method,
            base_url=self.base_url,
            **self.token_arguments,
            tcp_keep_alive=self.tcp_keep_alive,
            tcp_keep_alive_idle=self.tcp_keep_alive_idle,
            tcp_keep_alive_count=self.tcp_keep_alive_count,
            tcp_keep_alive_interval=self.tcp_keep_alive_interval,
        )
        hook.stop_with(self._stop)
        return hook

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage:
        """Tell Airflow's OpenLineage provider of the API and of the authorization, also of a failed task.

        :param task_instance: of this task.
        """
        from airflow_oauth_provider.tasks.lineage import call_lineage

        return call_lineage(self.hook.auth, self.endpoint)

    def _check_call_arguments(self) -> Arguments:
        """Check those arguments of the call that are no templates.

        :raises ConfigurationError: when one cannot be meant.
        """
        arguments = Arguments(self.oauth2_conn_id)
        arguments.method(self.method)
        arguments.options(self.extra_options)
        for name in ("deferrable", "fail_fast", "tcp_keep_alive"):
            arguments.flag(name, getattr(self, name))
        for name in ("tcp_keep_alive_idle", "tcp_keep_alive_count", "tcp_keep_alive_interval"):
            arguments.whole_number(name, getattr(self, name), least=1)
        return arguments

    def _check_rendered_call(self) -> Arguments:
        """Check what the templates of the call have been rendered to.

        :raises ConfigurationError: when it cannot be meant.
        """
        arguments = Arguments(self.oauth2_conn_id)
        if not isinstance(self.oauth2_conn_id, str) or not self.oauth2_conn_id:
            arguments.refuse("oauth2_conn_id", "must be the id of a connection")
        arguments.text("endpoint", self.endpoint)
        arguments.text("base_url", self.base_url)
        return arguments

    @contextmanager
    def _failing_fast(self) -> Iterator[None]:
        try:
            yield
        except OAuthError as error:
            if not (self.fail_fast and is_definite(error)):
                raise
            if getattr(self, "soft_fail", False) or getattr(self, "never_fail", False):
                # Airflow makes a skipped task of it, which would hide that nobody can get in any more.
                log.error("%s", error)  # noqa: TRY400  (the error says all there is)
            raise AirflowFailException(str(error)) from error
