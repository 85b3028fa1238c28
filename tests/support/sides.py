"""The two ways to make a call, behind one face."""

from __future__ import annotations

import asyncio
import gc
from abc import ABC, abstractmethod
from typing import Any

from requests import Response

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens import AccessToken


class Side(ABC):
    """How a test calls a hook: from threads or from coroutines."""

    @abstractmethod
    def run(self, hook: OAuth2Hook, *args: Any, **kwargs: Any) -> Response:
        """Make a call."""

    @abstractmethod
    def token(self, hook: OAuth2Hook) -> AccessToken:
        """Return the hook's token."""

    @abstractmethod
    def call(self, hook: OAuth2Hook, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the hook, or the coroutine that is its twin."""

    def close(self) -> None:  # noqa: B027  (threads have nothing to close)
        """End."""


class Threads(Side):
    def run(self, hook: OAuth2Hook, *args: Any, **kwargs: Any) -> Response:
        return hook.run(*args, **kwargs)

    def token(self, hook: OAuth2Hook) -> AccessToken:
        return hook.get_token()

    def call(self, hook: OAuth2Hook, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(hook, name)(*args, **kwargs)


class Coroutines(Side):
    """All calls of a test in one event loop, in which nothing may be left at the end."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._hooks: list[OAuth2Hook] = []

    def run(self, hook: OAuth2Hook, *args: Any, **kwargs: Any) -> Response:
        self._hooks.append(hook)
        return self._runner.run(self._run(hook, *args, **kwargs))

    async def _run(self, hook: OAuth2Hook, *args: Any, **kwargs: Any) -> Response:
        await asyncio.sleep(0)  # the loop stood still meanwhile: let it see what has happened
        return await hook.arun(*args, **kwargs)

    def token(self, hook: OAuth2Hook) -> AccessToken:
        return self._runner.run(hook.aget_token())

    def call(self, hook: OAuth2Hook, name: str, *args: Any, **kwargs: Any) -> Any:
        self._hooks.append(hook)
        return self._runner.run(getattr(hook, f"a{name}")(*args, **kwargs))

    def end(self) -> None:
        """End the loop, in which nothing may be left."""
        self._runner.run(self._close())
        self._runner.close()

    def close(self) -> None:
        self.end()
        gc.collect()  # an unclosed session would complain now

    async def _close(self) -> None:
        for hook in self._hooks:
            await hook.aclose()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
