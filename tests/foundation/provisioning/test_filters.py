"""What the database narrows of a filter is never less than what the filter finds, and for the common ones no more."""

from collections.abc import Iterable
from typing import Any

import pytest
from scim2_models import ScimFilter

from foundation.provisioning.filters import narrowed
from foundation.provisioning.rows import as_groups, as_users, groups, people
from foundation.provisioning.schemas import Group, User
from foundation.tenancy.context import tenant
from tests.foundation.api.world import make_organisation
from tests.foundation.provisioning.test_scim import Directory

NARROW = [
    'userName eq "Ada@{slug}.example"',
    'userName eq "nobody"',
    'externalId eq "ada"',
    'externalId eq "ADA"',
    'displayName eq "grace hopper"',
    'displayName eq "viewer {canary}"',
    'emails.value eq "MARY@work.example"',
    'emails[value eq "mary@work.example"]',
    'emails[type eq "work" and value eq "mary@work.example"]',
    'emails.value eq "{viewer}"',
    'userName eq "ada@{slug}.example" and displayName eq "Ada"',
    'externalId eq "ada" and active eq true',
    'externalId eq "ada" or emails.value eq "mary@work.example"',
    '(externalId eq "ada" or externalId eq "grace") and active eq true',
    'urn:ietf:params:scim:schemas:core:2.0:User:displayName eq "Ada"',
]
WIDE = [
    'name.givenName sw "M"',
    'not (externalId eq "ada")',
    'externalId eq "ada" or active eq true',
    'displayName eq "Zoë"',
    'emails.type eq "work"',
    "externalId pr",
    'displayName ne "Ada"',
    'displayName co "ad"',
]


@pytest.fixture(scope="module")
def directory(django_db_blocker: Any) -> Directory:
    """Four people and two groups whom it keeps, beside those who were added by hand."""
    with django_db_blocker.unblock():
        made = Directory(make_organisation("filters"))
        made.person("ada", displayName="Ada")
        made.person("grace", displayName="Grace Hopper", emails=[{"value": "grace@home.example"}])
        made.person("mary", emails=[
            {"value": "mary@home.example", "primary": True, "type": "home"},
            {"value": "Mary@Work.example", "type": "work"},
        ])  # fmt: skip
        made.person("zoe", displayName="ZOË")
        for name in ("Sales", "Service"):
            assert made.group(name).status_code == 201
        return made


def ids(rows: Iterable[Any]) -> set[str]:
    return {str(row.id) for row in rows}


def words(directory: Directory, text: str) -> str:
    world = directory.world
    with tenant(world.organisation.id):
        viewer = world.people["viewer"].memberships.select_related("user").get().user.email
    return text.replace("{slug}", world.organisation.slug).replace("{canary}", world.canary).replace("{viewer}", viewer)


def asked(directory: Directory, text: str) -> tuple[set[str], set[str]]:
    """Whom the filter finds among all, and whom the database leaves to it."""
    wanted = ScimFilter[User](words(directory, text))
    with tenant(directory.world.organisation.id):
        everybody = people(directory.world.organisation.id)
        matching = ids(one for one in as_users(everybody) if wanted.match(one))
        return matching, ids(everybody.filter(narrowed(wanted.ast)).distinct())


@pytest.mark.parametrize("text", [*NARROW, *WIDE])
def test_nobody_is_lost(database: Any, directory: Directory, text: str):
    matching, left = asked(directory, text)
    assert matching <= left
    found = directory.call("GET", f"/Users?count=100&filter={words(directory, text)}").json()
    assert {one["id"] for one in found["Resources"]} == matching


@pytest.mark.parametrize("text", NARROW)
def test_the_database_looks_for_the_common_ones(database: Any, directory: Directory, text: str):
    matching, left = asked(directory, text)
    assert left == matching


def test_the_examples_find_somebody(database: Any, directory: Directory):
    nobody = {text for text in [*NARROW, *WIDE] if not asked(directory, text)[0]}
    assert nobody == {'userName eq "nobody"', 'externalId eq "ADA"'}


def test_a_group_is_looked_for_by_its_name(database: Any, directory: Directory):
    wanted = ScimFilter[Group]('displayName eq "SALES"')
    with tenant(directory.world.organisation.id):
        everything = groups(directory.world.organisation.id)
        left = list(everything.filter(narrowed(wanted.ast)).distinct())
        assert [one.display_name for one in as_groups(left)] == ["Sales"]
        assert everything.count() == 2
