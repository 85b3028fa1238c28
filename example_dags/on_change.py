"""Run when what an API serves has changed.

Connection ``orders_api``: scope ``orders.read``, API base URL. The triggerer polls with conditional
requests and makes an asset event of each change; Airflow runs the DAG for it.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger

prices = Asset(
    "prices",
    watchers=[
        AssetWatcher(
            name="prices_changed",
            trigger=OAuth2HttpEventTrigger(
                "orders_api", endpoint="prices", poll_interval=2, payload_path="$.version"
            ),
        )
    ],
)


@dag(schedule=[prices], catchup=False, tags=["example", "oauth2"])
def oauth2_on_change() -> None:
    @task
    def report_changes(triggering_asset_events: Any = None) -> list[Any]:
        return [event.extra for event in (triggering_asset_events or {}).get(prices, [])]

    report_changes()


oauth2_on_change()
