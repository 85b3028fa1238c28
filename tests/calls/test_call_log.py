from __future__ import annotations

import logging
import time

import pytest

from airflow_oauth_provider.calls.call_log import log_call
from airflow_oauth_provider.calls.response import ReadResponse
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from tests.support.service import Service


@pytest.mark.fault("F40")
def test_one_line_a_call_without_values_of_the_query(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    client = OAuth2Client("my_api", service.connection())
    client.get_token()
    response = ReadResponse(404, "NOT FOUND", "https://api.example/orders?key=the-value#x", (), b"")
    with caplog.at_level(logging.INFO):
        caplog.clear()
        log_call(client, "GET", response, time.monotonic() - 1.5)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("GET https://api.example/orders")
    assert "404 NOT FOUND in 1.5" in line
    assert "the-value" not in line


def test_nothing_is_made_where_nobody_reads_it(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    client = OAuth2Client("my_api", service.connection())
    with caplog.at_level(logging.WARNING, logger="airflow_oauth_provider.calls.call_log"):
        log_call(client, "GET", ReadResponse(200, "", "x", (), b""), 0.0)
    assert "answered" not in caplog.text
