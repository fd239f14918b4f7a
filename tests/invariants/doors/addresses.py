"""Where the matrix goes: for every variable part of a page's address a thing of a world."""

from uuid import UUID

from django.urls.converters import UUIDConverter

from tests.foundation.api.world import World
from tests.invariants.doors.routes import Operation


def address_of(pattern: str, world: World) -> str:
    """The address of a page for the things of a world."""
    things = world.things
    slug = {"agents": "clerk", "policies": "all", "tools": "papers"}.get(pattern.lstrip("^").partition("/")[0], "x")
    values = {
        "<uuid:run_id>": things["runs"], "<uuid:request_id>": things["approvals"],
        f"(?P<request_id>{UUIDConverter.regex})": things["approvals"], "<uuid:entry_id>": things["runs"],
        "<uuid:principal_id>": things["people"], "<uuid:grant_id>": things["grants"],
        "<uuid:key_id>": things["api-keys"], "<slug:slug>": slug, "(?P<slug>[-a-z0-9]+)": slug, "<int:number>": 1,
        r"(?P<name>[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)": "papers.search", "(?P<verb>accept|disable)": "disable",
        "(?P<verb>submit|return|activate|suspend|retire|take-over)": "suspend",
        "<uuid:delegation_id>": things["delegations"], "(?P<answer>approve|deny)": "deny", "<str:token>": "x",
        "<uuid:group_id>": things["groups"], "<uuid:role_id>": things["roles"], "<uuid:review_id>": things["reviews"],
        "<uuid:item_id>": things["review-items"],
        "<uuid:session_id>": things["sessions"], "<uuid:other_id>": things["runs"],
        "<uuid:provider_id>": things["identity-providers"], "<uuid:mapping_id>": things["group-mappings"],
        "<uuid:invitation_id>": things["invitations"],
        "<uuid:question_id>": things["questions"], "<uuid:callback_id>": things["callbacks"],
        "<uuid:artifact_id>": things["artifacts"], "<uuid:schedule_id>": things["schedules"],
        "<uuid:team_id>": things["teams"],
        "<uuid:trigger_id>": things["triggers"], f"(?P<schedule_id>{UUIDConverter.regex})": things["schedules"],
        f"(?P<trigger_id>{UUIDConverter.regex})": things["triggers"], "(?P<verb>enable|disable|run|delete)": "disable",
        "(?P<verb>enable|disable|delete)": "disable",
    }  # fmt: skip
    address = pattern.replace("^", "").replace("$", "")
    for name, value in values.items():
        address = address.replace(name, str(value))
    assert not set("<(\\") & set(address), f"Give {pattern} a value in tests/invariants/doors/addresses.py."
    return "/" + address


def path_of(operation: Operation, world: World) -> str:
    """The path of an operation on the things of a world."""
    thing = str(world.things.get(operation.noun, UUID(int=0)))
    return operation.path.replace("{id}", thing).replace("{other}", thing).replace("{number}", "1")
