"""Every morning: does each authorization still work? If not, somebody gets a mail.

Connection ``orders_api``, and ``shared_client``: of type "OAuth 2.0 (client credentials)". A new token is
asked for each, then ``probe_path`` where the connection has one. Connection ``smtp_default`` sends
the mail.
"""

from __future__ import annotations

from airflow.providers.smtp.notifications.smtp import send_smtp_notification
from airflow.sdk import dag

from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator


@dag(schedule="0 6 * * *", catchup=False, tags=["example", "oauth2"])
def oauth2_authorization_check() -> None:
    OAuth2AuthorizationCheckOperator(
        task_id="check",
        oauth2_conn_ids=["orders_api", "shared_client"],
        expires_within_days=30,
        on_failure_callback=send_smtp_notification(
            from_email="airflow@example.com",
            to="operations@example.com",
            subject="An OAuth 2.0 authorization does not work",
            html_content="{{ exception | default('See the log of the task.') | e }}",
        ),
    )


oauth2_authorization_check()
