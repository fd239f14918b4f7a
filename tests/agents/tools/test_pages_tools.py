"""Tools in the console: a changed definition is read before it is accepted."""

from agents.tools.models import Tool
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures


def tool(world: World) -> Tool:
    with tenant(world.organisation.id):
        return Tool.objects.get(name="papers.search")


def test_a_tool_is_disabled_and_accepted_as_it_was_read(world: World, visit: Visit):
    visit("/tools/papers.search/disable/", form={})
    assert tool(world).state == "disabled"
    visit("/tools/papers.search/accept/", form={"definition_hash": "sha256:another"})
    assert tool(world).state == "disabled"
    visit("/tools/papers.search/accept/", form={"definition_hash": tool(world).definition_hash})
    assert tool(world).state == "active"


def test_a_connector_is_added_and_its_tools_are_listed(visit: Visit):
    form = {"name": "Rules", "slug": "rules", "kind": "documents", "settings": '{"documents": {"a": "b"}}'}
    assert visit("/tools/connectors/new", form=form).status_code == 303
    assert "rules.search" in visit("/tools/").content.decode()


def test_settings_that_are_no_json_are_told_with_their_line(visit: Visit):
    form = {"name": "Rules", "slug": "rules", "kind": "documents", "settings": '{\n"a": }'}
    answer = visit("/tools/connectors/new", form=form)
    assert answer.status_code == 422
    assert "line 2" in answer.content.decode()


def test_half_a_character_in_the_settings_is_told(visit: Visit):
    for settings in (r'{"documents": {"a": "\ud800"}}', r'{"\ud800": 1}', r'{"documents": "\ud800"}'):
        for kind in ("documents", "sql"):
            form = {"name": "R", "slug": "r", "kind": kind, "settings": settings}
            answer = visit("/tools/connectors/new", form=form)
            assert answer.status_code == 422
            assert "half a character" in answer.content.decode()


def test_a_secret_is_never_shown_again(world: World, visit: Visit):
    assert visit("/tools/credentials/new", form={"name": "Shop", "secret": "hunter2-hunter2"}).status_code == 303
    for path in ("/tools/", "/tools/connectors/new", "/tools/credentials/new"):
        assert "hunter2" not in visit(path).content.decode()
        assert f"secret-{world.canary}" not in visit(path).content.decode()
