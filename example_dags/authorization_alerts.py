"""Every hour: what has changed of each authorization? One mail for news, and none for what lasts.

Connection ``orders_api``, and ``shared_client``: of type "OAuth 2.0 (client credentials)". The check
remembers in the token store what it has found. It emits an asset event for each change, too, for DAGs that
are scheduled by the alias. Connection ``smtp_default`` sends the mail.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import dag, task

from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator


@dag(schedule="@hourly", catchup=False, tags=["example", "oauth2"])
def oauth2_authorization_alerts() -> None:
    check = OAuth2AuthorizationCheckOperator(
        task_id="check",
        oauth2_conn_ids=["orders_api", "shared_client"],
        on_failed="event",
        on_warning="event",
        asset_alias="oauth2_authorizations",
        remind_after_days=7,
    )

    @task.short_circuit
    def has_news(report: dict[str, Any]) -> bool:
        return bool(report["changes"])

    mail = EmailOperator(
        task_id="mail",
        from_email="airflow@example.com",
        to="operations@example.com",
        subject="OAuth 2.0 authorizations have changed",
        html_content="{% for change in ti.xcom_pull(task_ids='check')['changes'] %}"
        "<p>{{ change.conn_id | e }}: {{ change.text | e }}</p>{% endfor %}",
    )
    has_news(check.output) >> mail


oauth2_authorization_alerts()
