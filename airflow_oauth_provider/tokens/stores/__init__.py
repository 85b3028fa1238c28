"""Where sealed entries lie so that several processes can share them.

A store holds bytes by name and lends leases; it knows nothing of tokens. One that does not work
raises :class:`StoreError`, and :class:`GuardedStore` turns that into lost speed and one warning.
"""

from airflow_oauth_provider.tokens.stores.base import Lease, Reach, Store, StoreError
from airflow_oauth_provider.tokens.stores.choice import UnknownStoreError, open_store

__all__ = ["Lease", "Reach", "Store", "StoreError", "UnknownStoreError", "open_store"]
