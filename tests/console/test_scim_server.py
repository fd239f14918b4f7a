"""What a SCIM client expects of a server (scim2-tester), asked of the running web process."""

from typing import Any

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from foundation.access.services import grant
from foundation.identity.services import create_api_key, create_service
from foundation.organisations.models import GrantTarget
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, make_organisation
from tests.servers import web_server

pytestmark = pytest.mark.slow


def directory_key(world: World) -> str:
    """The key of the service as which a directory calls, narrowed to what it needs."""
    with tenant(world.organisation.id):
        service = create_service(actor=world.shell, organisation=world.organisation, name="Directory")
        root = GrantTarget.objects.get(pk=world.organisation.id)
        grant(actor=world.shell, principal=service, role="administrator", target=root)
        return create_api_key(actor=world.shell, principal=service, name="SCIM", scopes=("person.manage",))[1]


def test_scim_tester_finds_no_error(database: Any) -> None:
    key = directory_key(make_organisation("acme"))
    with web_server() as port:
        address, headers = f"http://127.0.0.1:{port}/scim/v2", {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=address, headers=headers, timeout=60) as transport:
            results = check_server(SyncSCIMClient(transport))
    counted: dict[str, int] = {}
    for one in results:
        counted[one.status.name] = counted.get(one.status.name, 0) + 1
    bad = [f"{one.title}: {one.reason}" for one in results if one.status not in {Status.SUCCESS, Status.SKIPPED}]
    assert not bad, "\n".join(bad)
    print("scim2-tester", counted)
    assert counted["SUCCESS"] > 50
