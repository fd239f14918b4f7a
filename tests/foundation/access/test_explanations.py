"""Why may somebody do this here, and who may do it?"""

from foundation.access.explanations import who, why
from foundation.access.groups import add_member, create_group
from foundation.access.services import grant
from foundation.identity.services import suspend_principal
from foundation.organisations.models import Team
from tests.foundation.access.actors import root
from tests.foundation.identity.household import Household


def test_each_way_is_told_with_its_path(household: Household, team: Team) -> None:
    """A grant of one's own on the team, and one of a group on the organisation."""
    shell, member = household.shell, household.member.principal
    with household.in_tenant():
        group = create_group(actor=shell, name="Everybody")
        add_member(actor=shell, group=group, member=member)
        grant(actor=shell, principal=group, role="viewer", target=root(household))
        grant(actor=shell, principal=member, role="operator", target=team.target)
        ways = why(member, team.target)
        assert [(one.grant.role, one.group and one.group.name) for one in ways] == [
            ("operator", None),
            ("viewer", "Everybody"),
        ]
        assert [node.name for node in ways[1].nodes] == ["Home", "Desk"]
        assert [one.grant.role for one in why(member, team.target, "run.start")] == ["operator"]
        assert why(member, root(household), "run.start") == []


def test_everybody_who_may_is_told(household: Household, team: Team) -> None:
    """By name, through groups too; without those who are suspended."""
    shell, member = household.shell, household.member.principal
    with household.in_tenant():
        group = create_group(actor=shell, name="Everybody")
        add_member(actor=shell, group=group, member=member)
        grant(actor=shell, principal=group, role="operator", target=team.target)
        assert [one.principal.name for one in who(team.target, "run.start")] == ["Member", "Owner"]
        assert [one.principal.name for one in who(root(household), "run.start")] == ["Owner"]
        member = suspend_principal(actor=shell, principal=member, reason="away")
        assert [one.principal.name for one in who(team.target, "run.start")] == ["Owner"]
        assert why(member, team.target) == []
