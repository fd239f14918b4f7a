"""What every page of the console shows around itself: the navigation, who looks, and where."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from agents.runs.inbox import visible_questions
from foundation.access.guards import holds_somewhere
from foundation.access.models import Grant
from foundation.access.roles import ROLES, Permission
from foundation.actors import Actor
from foundation.identity.authentication import enterable
from foundation.identity.lookups import memberships_of
from foundation.organisations.models import Organisation
from foundation.web.navigation import Group, Place, Shell
from foundation.web.pages import actor_of
from foundation.web.theme import theme_of
from governance.approvals.models import ApprovalRequest, ApprovalState

BELOW = (
    Place("sessions", "Sessions", "/sessions/", "message-square", ""),
    Place("schedules", "Schedules", "/schedules/", "calendar", ""),
    Place("triggers", "Triggers", "/triggers/", "zap", ""),
    Place("workers", "Workers and queues", "/workers/", "server", ""),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `theme`, and `shell` for whoever is signed in (asked for only where it is shown)."""
    values: dict[str, Any] = {"theme": theme_of(request)}
    actor = actor_of(request)
    if (tenant := actor.organisation) is not None:
        values["shell"] = SimpleLazyObject(lambda: _shell(request, actor, tenant))
    return values


def _shell(request: HttpRequest, actor: Actor, tenant: UUID) -> Shell:
    organisation = Organisation.objects.get(pk=tenant)
    # A session that one organisation's provider has begun is not told of the person's others.
    memberships = enterable(memberships_of(actor.user), request.session) if actor.user else []
    others = [(str(one.organisation), one.name) for one in memberships if one.organisation != organisation.pk]
    return Shell(
        organisation=organisation.name,
        person=actor.name,
        person_id=str(actor.principal),
        role=_role(actor),
        groups=_groups(actor),
        sign_out_url="/sign-out/",
        others=others,
        switch_url="/organisation/",
        more=BELOW,
    )


def _role(actor: Actor) -> str:
    """The strongest role that the actor holds anywhere, in words."""
    held = set(Grant.objects.live().of(actor).values_list("role", flat=True))
    strongest = next((role for role in ROLES if role in held), "")
    return strongest.replace("-", " ").capitalize() or "No role yet"


def _groups(actor: Actor) -> list[Group]:
    requests = ApprovalRequest.objects.all().permitted(actor, Permission.APPROVAL_VIEW)
    waiting = requests.filter(state=ApprovalState.WAITING).count() + visible_questions(actor).count()
    work = [
        Place("home", "Home", "/", "house", "g h", on_phone=True),
        Place("approvals", "Approvals", "/approvals/", "inbox", "g a", count=waiting, on_phone=True),
        Place("runs", "Runs", "/runs/", "activity", "g r", on_phone=True),
    ]
    build = [
        Place("agents", "Agents", "/agents/", "bot", "g g", on_phone=True),
        Place("policies", "Policies", "/policies/", "scale", "g p"),
        Place("tools", "Tools", "/tools/", "plug", "g t"),
        Place("costs", "Costs", "/costs/", "wallet", "g c"),
    ]
    oversight = [Place("settings", "Settings", "/settings/", "settings", "g s")]
    if holds_somewhere(actor, Permission.AUDIT_VIEW):
        oversight.insert(0, Place("audit", "Audit log", "/audit/", "scroll-text", "g l"))
    return [Group("", work), Group("Build & govern", build), Group("Oversight", oversight)]
