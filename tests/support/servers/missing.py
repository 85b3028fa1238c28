"""Servers that a machine lacks."""


class ServerMissingError(RuntimeError):
    """The server cannot be started on this machine; says why."""
