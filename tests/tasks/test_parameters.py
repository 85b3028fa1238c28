from __future__ import annotations

import inspect

import pytest
from airflow.sdk import BaseOperator, BaseSensorOperator

from airflow_oauth_provider.tasks.parameters import SensorParameters, TaskParameters
from tests.test_get_provider_info import VERSION


@pytest.mark.fault("F48")
@pytest.mark.skipif(VERSION < (3, 3), reason="each version of Airflow has its own; the newest is typed")
@pytest.mark.parametrize(
    ("parameters", "base"), [(TaskParameters, BaseOperator), (SensorParameters, BaseSensorOperator)]
)
def test_each_parameter_of_airflows_base_class_is_typed(parameters: type, base: type) -> None:
    taken = {
        name
        for kind in (base, BaseOperator)
        for name, parameter in inspect.signature(kind.__init__).parameters.items()  # type: ignore[misc]
        if parameter.kind is not parameter.VAR_KEYWORD and name != "self" and not name.startswith("_")
    }
    typed = set(parameters.__annotations__) | set(TaskParameters.__annotations__)
    ours = {"poke_interval", "timeout"}  # spelled out by the sensor itself
    assert taken - ours - typed <= {"max_wait"}
