"""Entries in Redis or Valkey, for several hosts.

A lease is a key set only if absent, with a nonce of its own and a time to live; it is released by
compare-and-delete, so that nobody releases another's. Every operation has a quarter of a second, and half
a second where it has to connect.
"""

from __future__ import annotations

import secrets
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from airflow_oauth_provider.tokens.stores.base import (
    LEASE,
    MAX_APPENDED,
    MAX_ENTRY,
    MOST_APPENDED,
    Lease,
    Reach,
    StoreError,
)
from airflow_oauth_provider.tokens.stores.redis_connecting import timely

OPERATION_TIMEOUT = 0.25
_PREFIX = "airflow-oauth-provider:1:"
# A key of another type is none that anybody here has written.
_DELETE_IF = "if redis.pcall('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
# What was taken before comes first; else all that was appended is set apart under the other name.
_TAKE = """
if redis.call('exists', KEYS[2]) == 0 and redis.call('exists', KEYS[1]) == 1 then
  redis.call('rename', KEYS[1], KEYS[2])
end
if redis.call('exists', KEYS[2]) == 0 then return false end
if redis.call('type', KEYS[2])['ok'] ~= 'list' then return {} end
local items = {}
for _, item in ipairs(redis.call('lrange', KEYS[2], 0, ARGV[1] - 1)) do
  if #item <= tonumber(ARGV[2]) then items[#items + 1] = item end
end
return items
"""


class RedisStore:
    """A store in a Redis or Valkey server.

    :param url: ``redis://`` or ``rediss://``; never shown, it may hold a password.
    :raises ImportError: when the package ``redis`` is not installed.
    :raises ValueError: when the URL is malformed.
    """

    kind = "redis"
    reach = Reach.HOSTS

    def __init__(self, url: str) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=OPERATION_TIMEOUT,
            socket_connect_timeout=OPERATION_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        pool = self._client.connection_pool
        pool.connection_class = timely(pool.connection_class, 2 * OPERATION_TIMEOUT)
        # Its own finalizers may come after those of its sockets, which then warn that nobody closed them.
        weakref.finalize(self, pool.disconnect).atexit = False
        self._refused = redis.ResponseError
        self._cut = redis.ConnectionError
        self._errors = (redis.RedisError, OSError, ValueError)

    def read(self, name: str) -> bytes | None:
        """Return an entry; a key of another type is none, and of one that is too large no more is fetched."""
        with self._working():
            try:
                data = self._get(_PREFIX + name)
            except self._refused as error:
                # Its subclasses (no permission, read only, loading) mean Redis as a whole.
                if type(error) is not self._refused:
                    raise
                return None
            return data if isinstance(data, bytes) and 0 < len(data) <= MAX_ENTRY else None

    def _get(self, key: str) -> Any:
        try:
            return self._client.getrange(key, 0, MAX_ENTRY)
        except self._cut as error:
            if type(error) is not self._cut:  # its subclasses: wrong password, loading, too many clients
                raise
        # A load balancer forgets an idle connection, and says so to the next packet only. Whoever looks
        # for a token reads first, so that what follows finds the new connection.
        return self._client.getrange(key, 0, MAX_ENTRY)

    def write(self, name: str, data: bytes, *, until: float) -> None:
        """Keep an entry until then."""
        milliseconds = int((until - time.time()) * 1000)
        if milliseconds > 0:
            with self._working():
                self._client.set(_PREFIX + name, data, px=milliseconds)

    def delete(self, name: str) -> None:
        """Remove an entry."""
        with self._working():
            self._client.delete(_PREFIX + name)

    def delete_if(self, name: str, data: bytes) -> None:
        """Remove an entry that still is *data*; Redis compares and removes in one step."""
        with self._working():
            self._client.eval(_DELETE_IF, 1, _PREFIX + name, data)

    def lease(self, name: str) -> Lease | None:
        """Set the lease's key, if nobody has."""
        nonce = secrets.token_hex(16)
        key = f"{_PREFIX}{name}.lease"
        with self._working():
            if not self._client.set(key, nonce, nx=True, px=int(LEASE * 1000)):
                return None
        return _RedisLease(self, key, nonce)

    def append(self, name: str, items: Sequence[bytes], *, until: float) -> bool:
        """Append them to a list, of which the newest stay."""
        milliseconds = int((until - time.time()) * 1000)
        key, _ = self._lists(name)
        with self._working():
            try:
                with self._client.pipeline() as pipeline:
                    pipeline.rpush(key, *items)
                    pipeline.ltrim(key, -MOST_APPENDED, -1)
                    pipeline.pexpire(key, milliseconds)
                    pipeline.execute()
            except self._refused:
                return self._clear_the_way(key)
        return True

    def _clear_the_way(self, key: str) -> bool:
        """Remove a key of another type; what Redis does not allow is no reason to do without tokens."""
        with suppress(self._refused):
            if self._client.type(key) != b"list":
                self._client.delete(key)
        return False

    def has_appended(self, name: str) -> bool:
        """Look for the list, and for one that was taken."""
        with self._working():
            return bool(self._client.exists(*self._lists(name)))

    def take_appended(self, name: str) -> tuple[bytes, ...] | None:
        """Rename the list, and read it, in one step."""
        with self._working():
            try:
                items = self._client.eval(_TAKE, 2, *self._lists(name), MOST_APPENDED, MAX_APPENDED)
            except self._refused:
                return None
        return None if items is None else tuple(items)

    def drop_taken(self, name: str) -> None:
        """Delete the list that was taken."""
        with self._working():
            self._client.delete(self._lists(name)[1])

    @staticmethod
    def _lists(name: str) -> tuple[str, str]:
        """Return the keys of what is appended and of what was taken; braces keep both on one node."""
        return f"{_PREFIX}{{{name}}}.appended", f"{_PREFIX}{{{name}}}.taken"

    def release(self, key: str, nonce: str) -> None:
        """Delete a lease's key if it still holds *nonce*."""
        with self._working():
            self._client.eval(_DELETE_IF, 1, key, nonce)

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # A task's timeout ends an operation anywhere. Where its response was not read, the next operation
            # would take it for its own. And a server that has become a replica stays one on this connection.
            self._client.connection_pool.disconnect(inuse_connections=False)
            if not isinstance(error, self._errors):
                raise
            # Its text may name the address with a password; the type says enough.
            raise StoreError(f"Redis does not work ({type(error).__name__})") from None


class _RedisLease:
    def __init__(self, store: RedisStore, key: str, nonce: str) -> None:
        self._store, self._key, self._nonce = store, key, nonce

    def release(self) -> None:
        """Release it; if that fails, it runs out by itself."""
        try:
            self._store.release(self._key, self._nonce)
        except StoreError:
            return
