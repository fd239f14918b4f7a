"""Nothing inside is reachable from outside: what an organisation configures reaches only what the operator named."""

from typing import Any

import pytest

from agents.catalogue.models import Provider
from agents.tools.port import ToolRefusedError, ToolRequest
from agents.tools.sql import SqlConnector
from foundation.ids import uuid7


def test_a_model_endpoint_inside_is_not_called(house: Any, say: Any, settings: Any) -> None:
    settings.REMIT_OUTBOUND_ALLOW = ()
    house.model.answers = {"worker": [say("Done.")]}
    run = house.run(house.start())
    assert run.state == "failed"
    assert "REMIT_OUTBOUND_ALLOW" in run.failure
    assert house.model.asked == []


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/v1", "http://[::1]:9/v1", "http://10.0.0.1/v1", "http://localhost:9/v1",
     "http://2130706433:9/v1", "http://0x7f.1:9/v1", "http://[::ffff:127.0.0.1]:9/v1"],
)  # fmt: skip
def test_no_spelling_of_an_inner_address_helps(house: Any, say: Any, address: str) -> None:
    with house.in_tenant():
        Provider.objects.update(base_url=address)
    run = house.run(house.start())
    assert run.state == "failed", run.state
    assert house.model.asked == []


def test_a_credential_does_not_lead_inside(database_urls: dict[str, str]) -> None:
    request = ToolRequest(
        operation="find", arguments={}, idempotency_key="k", secret=database_urls["DATABASE_SYSTEM_URL"],
        settings={"queries": {"find": {"description": "x", "sql": "SELECT 1", "schema": {"type": "object"}}}},
        organisation=uuid7(), run=uuid7(),
    )  # fmt: skip
    with pytest.raises(ToolRefusedError) as refused:
        SqlConnector().call(request)
    assert database_urls["DATABASE_SYSTEM_URL"] not in str(refused.value)
