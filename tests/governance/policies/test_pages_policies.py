"""Policies in the console: bad source, publish, mode, trial."""

import pytest

from foundation.tenancy.context import tenant
from governance.policies.models import Policy
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures

FORBID = 'forbid (principal, action, resource == Tool::"papers.search");'


@pytest.mark.slow
def test_a_source_that_does_not_validate_is_not_published(world: World, visit: Visit):
    answer = visit("/policies/all/edit/", form={"source": "permit (principal"})
    assert answer.status_code == 422
    assert "permit (principal" in answer.content.decode()
    assert 'id="id_source_error"' in answer.content.decode()
    with tenant(world.organisation.id):
        assert Policy.objects.get(slug="all").versions.count() == 1


def test_a_new_policy_is_in_force_and_a_call_is_tried_against_it(visit: Visit):
    call = {"agent": "clerk", "kind": "tool_call", "target": "papers.search", "arguments": '{"query": "x"}'}
    assert "Allow" in visit("/policies/try/", "viewer", form=call).content.decode()
    form = {"name": "No search", "slug": "no-search", "mode": "enforce", "source": FORBID}
    assert visit("/policies/new", form=form)["Location"] == "/policies/no-search/"
    page = visit("/policies/try/", "viewer", form=call).content.decode()
    assert "Deny" in page
    assert "no-search" in page
    visit("/policies/no-search/mode/", form={"mode": "log_only"})
    assert "Allow" in visit("/policies/try/", "viewer", form=call).content.decode()


def test_half_a_character_in_an_argument_is_answered(visit: Visit):
    for arguments in (r'{"query": "\ud800"}', r'{"query": ["\ud800"]}', r'{"query": "x", "\ud800": 1}'):
        call = {"agent": "clerk", "kind": "tool_call", "target": "papers.search", "arguments": arguments}
        assert visit("/policies/try/", "viewer", form=call).status_code == 200


def test_versions_stand_side_by_side(visit: Visit):
    visit("/policies/all/edit/", form={"source": "permit (principal, action, resource);\n// more", "note": "A remark"})
    page = visit("/policies/all/", "viewer").content.decode()
    assert "Changed since the version before" in page
    assert "A remark" in page
    assert "not in force" in visit("/policies/all/?version=1", "viewer").content.decode()
    assert visit("/policies/all/?version=9", "viewer").status_code == 404
