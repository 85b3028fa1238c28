"""Tasks that leave their waits when they are killed.

Airflow calls ``on_kill`` within a signal handler, at any moment: also before there is a hook, and between
two steps of making one. So the task's own :class:`Stop` comes first, every wait is given it, and
nothing that may be under way when the signal comes can replace it.
"""

from __future__ import annotations

from airflow_oauth_provider.transport.stopping import Stop


class StoppableTask:
    """A task with one :class:`Stop` for all its waits; stands before Airflow's own class among the bases."""

    @property
    def _stop(self) -> Stop:
        """Whether the task is being killed. Made when first needed: Airflow runs a copy of the task."""
        # One step of the interpreter, so the handler's and the task's are the same; a cached property is
        # several, and on Python 3.11 takes a lock.
        stop: Stop = self.__dict__.setdefault("_stop_of_task", Stop())
        return stop

    def on_kill(self) -> None:
        """Leave every wait; Airflow calls this within a signal handler."""
        self._stop.stop()
