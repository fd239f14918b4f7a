"""The shop's tools reach the shop and nothing else, whatever stands in their credential."""

import pytest
from psycopg.conninfo import make_conninfo

from agents.tools.port import ToolRefusedError
from config.sample.definition import SAMPLE
from config.sample.shop import SandboxOrders, connect_to_shop

ORDERS = next(connector for connector in SAMPLE.connectors if connector.slug == "orders")


def test_the_shop_is_reached_although_nothing_inside_is_allowed(shop, ask, settings):
    settings.REMIT_OUTBOUND_ALLOW = ()
    request = ask("find_order", secret=shop["orders"], settings=ORDERS.settings, order="NW-10081")
    (row,) = SandboxOrders().call(request).content["rows"]
    assert (row["customer_name"], row["total_cents"], row["refundable_cents"]) == ("Aoife Brennan", 11600, 11600)


@pytest.mark.parametrize("port", ["1", "22", "6379"])
def test_no_other_port_of_this_machine(shop, port):
    with pytest.raises(ToolRefusedError, match="not one of the sample shop"):
        connect_to_shop(make_conninfo(shop["orders"], port=port))


def test_no_other_host(shop):
    with pytest.raises(ToolRefusedError, match="not one of the sample shop"):
        connect_to_shop(make_conninfo(shop["orders"], host="169.254.169.254"))


def test_no_role_of_the_application(owner_url):
    with pytest.raises(ToolRefusedError, match="not one of the sample shop"):
        connect_to_shop(owner_url)


@pytest.mark.parametrize(
    ("operation", "arguments", "count"),
    [
        ("find_order", {"order": "NW-99999"}, 0),
        ("find_orders_of_customer", {"email": "nadia.petrova@postbox.example"}, 1),
        ("find_parcel", {"order": "NW-10021"}, 2),
    ],
)
def test_the_queries_of_the_sample(shop, ask, operation, arguments, count):
    request = ask(operation, secret=shop["orders"], settings=ORDERS.settings, **arguments)
    assert len(SandboxOrders().call(request).content["rows"]) == count
