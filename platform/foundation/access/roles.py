"""The permissions that exist, and the built-in roles that name them. A permission is `noun.verb`."""

from enum import StrEnum


class Permission(StrEnum):
    """What a person or service may be allowed to do, on an organisation, a team or an agent."""

    ORGANISATION_VIEW = "organisation.view"
    ORGANISATION_MANAGE = "organisation.manage"
    TEAM_VIEW = "team.view"
    TEAM_MANAGE = "team.manage"
    PERSON_VIEW = "person.view"
    PERSON_MANAGE = "person.manage"
    GRANT_VIEW = "grant.view"
    GRANT_MANAGE = "grant.manage"
    KEY_MANAGE = "key.manage"
    MODEL_VIEW = "model.view"
    MODEL_MANAGE = "model.manage"
    TOOL_VIEW = "tool.view"
    TOOL_MANAGE = "tool.manage"
    AGENT_VIEW = "agent.view"
    AGENT_MANAGE = "agent.manage"
    RUN_VIEW = "run.view"
    RUN_START = "run.start"
    RUN_CONTROL = "run.control"
    POLICY_VIEW = "policy.view"
    POLICY_MANAGE = "policy.manage"
    BUDGET_VIEW = "budget.view"
    BUDGET_MANAGE = "budget.manage"
    APPROVAL_VIEW = "approval.view"
    APPROVAL_DECIDE = "approval.decide"
    AUDIT_VIEW = "audit.view"
    AUDIT_READ_BODIES = "audit.read_bodies"


P = Permission

_VIEW = frozenset(
    {P.ORGANISATION_VIEW, P.TEAM_VIEW, P.PERSON_VIEW, P.MODEL_VIEW, P.TOOL_VIEW, P.AGENT_VIEW, P.RUN_VIEW,
     P.POLICY_VIEW, P.BUDGET_VIEW, P.APPROVAL_VIEW}
)  # fmt: skip
_BUILD = _VIEW | {P.AGENT_MANAGE, P.TOOL_MANAGE, P.RUN_START, P.RUN_CONTROL, P.KEY_MANAGE}
_OPERATE = _VIEW | {P.RUN_START, P.RUN_CONTROL, P.APPROVAL_DECIDE, P.KEY_MANAGE}

# What people and agents wrote to each other is for auditors: whoever administers sees sizes, digests and labels only.
_AUDITORS = frozenset({P.AUDIT_READ_BODIES})

ROLES: dict[str, frozenset[Permission]] = {
    "administrator": frozenset(Permission) - _AUDITORS,
    "team-lead": _BUILD | {P.TEAM_MANAGE, P.GRANT_VIEW, P.GRANT_MANAGE, P.BUDGET_MANAGE, P.APPROVAL_DECIDE},
    "builder": _BUILD,
    "operator": _OPERATE,
    "approver": _VIEW | {P.APPROVAL_DECIDE},
    "auditor": _VIEW | _AUDITORS | {P.AUDIT_VIEW, P.GRANT_VIEW},
    "viewer": _VIEW,
}


def roles_with(permission: str) -> list[str]:
    """The built-in roles that hold a permission."""
    return [role for role, permissions in ROLES.items() if permission in permissions]
