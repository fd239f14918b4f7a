"""Pages of triggers: the list, one trigger with how it is called, a new one, its secret once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from agents.registry.models import Agent, AgentState
from agents.runs.models import Run
from agents.schedules.forms import TriggerForm
from agents.schedules.models import Trigger
from agents.schedules.services import (
    create_trigger,
    delete_trigger,
    disable_trigger,
    enable_trigger,
    rotate_trigger_secret,
)
from foundation.access.roles import Permission
from foundation.errors import ConflictError, InvalidError
from foundation.web.forms import UNPROCESSABLE, FormPage, tell
from foundation.web.listing import page_of
from foundation.web.pages import Act, Page
from foundation.web.redirects import SeeOther

LATEST = 10  # runs that are shown
EXAMPLE = """BODY='{{"ticket": 48213}}'
NOW=$(date +%s)
SIGNATURE=$(printf '%s' "$NOW.$BODY" \\
  | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
curl {address} \\
  -H "Remit-Timestamp: $NOW" \\
  -H "Remit-Signature: v1=$SIGNATURE" \\
  -H 'Content-Type: application/json' \\
  --data "$BODY"
"""


class Triggers(Page):
    """`?agent=`, `?q=`."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/triggers.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """The newest first."""
        agent, words = request.GET.get("agent", ""), request.GET.get("q", "")
        rows = self.permitted(Trigger.objects.select_related("agent", "owner"))
        if agent:
            rows = rows.filter(agent__slug=agent)
        if words:
            rows = rows.filter(name__icontains=words)
        context = {"slice": page_of(request, rows), "q": words, "agent": agent, "filtered": bool(request.GET)}
        return self.render({**context, "why_not": self.why_not(Permission.AGENT_MANAGE)})


class TriggerPage(Page):
    """One trigger. Its secret stands on it once: after it was made, and after it was changed."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/trigger.html"

    def get(self, request: HttpRequest, trigger_id: UUID) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """Without the secret."""
        return self.shown(self.found(Trigger.objects.select_related("agent", "owner"), pk=trigger_id))

    def shown(self, trigger: Trigger, secret: str = "") -> HttpResponse:
        """The page."""
        runs = Run.objects.all().permitted(self.actor, Permission.RUN_VIEW).filter(source="trigger")
        address = f"{settings.PUBLIC_URL}/api/v1/triggers/{trigger.id}/call"
        return self.render(
            {
                "trigger": trigger,
                "secret": secret,
                "url": address,
                "example": EXAMPLE.format(address=address),
                "runs": list(runs.filter(submission__startswith=f"trigger:{trigger.id}").order_by("-id")[:LATEST]),
                "why_not": self.why_not(Permission.AGENT_MANAGE, trigger.target_id),
            }
        )


class NewTrigger(FormPage):
    """An address, and the secret that signs its calls, shown this once."""

    permission = Permission.AGENT_MANAGE
    place = "runs"
    template = "agents/trigger_new.html"
    form = TriggerForm

    def initial(self) -> dict[str, Any]:
        """`?agent=` is chosen already."""
        return {"agent": self.request.GET.get("agent", "")}

    def make(self, data: Any = None) -> forms.Form:
        """With the agents to choose from."""
        form = super().make(data)
        may_start = Agent.objects.all().permitted(self.actor, Permission.RUN_START)
        rows = self._managed().filter(state=AgentState.ACTIVE, pk__in=may_start.values("pk")).select_related("team")
        self._agents = {one.slug: one for one in rows.order_by("name")}
        choices = [(slug, f"{one.name} · {one.team.name}") for slug, one in self._agents.items()]
        form.fields["agent"] = forms.ChoiceField(choices=choices, help_text=form.fields["agent"].help_text)
        return form

    def _managed(self) -> Any:
        return Agent.objects.all().permitted(self.actor, Permission.AGENT_MANAGE)

    def post(self, request: HttpRequest, **address: Any) -> HttpResponse:
        """The trigger's page, with the secret on it."""
        self.load(**address)
        form = self.make(request.POST)
        if form.is_valid():
            try:
                made, secret = self._made(form.cleaned_data)
            except (InvalidError, ConflictError) as error:
                tell(request, form, error)
            else:
                return _with_secret(request, made, secret)
        return self.render({**self.context(), "form": form}, UNPROCESSABLE)

    def _made(self, values: Mapping[str, Any]) -> tuple[Trigger, str]:
        return create_trigger(actor=self.actor, agent=self._agents[values["agent"]], name=values["name"])


def _with_secret(request: HttpRequest, trigger: Trigger, secret: str) -> HttpResponse:
    """The trigger's page, in the answer to the form: nowhere could the secret be read again."""
    page = TriggerPage()
    page.setup(request)
    answer = page.shown(trigger, secret)
    answer.headers["Cache-Control"] = "no-store"
    return answer


class Rotate(Page):
    """Another secret, shown this once; the former one signs nothing any more."""

    http_method_names = ["post"]
    permission = Permission.AGENT_MANAGE

    def post(self, request: HttpRequest, trigger_id: UUID) -> HttpResponse:
        """The trigger's page, with the secret on it."""
        trigger = self.found(Trigger.objects.select_related("agent", "owner"), pk=trigger_id)
        reason = request.POST.get("reason", "")[:300]
        try:
            found, secret = rotate_trigger_secret(actor=self.actor, trigger=trigger, reason=reason)
        except (InvalidError, ConflictError) as error:
            messages.warning(request, error.message)
            return SeeOther(f"/triggers/{trigger_id}/")
        return _with_secret(request, found, secret)


class TriggerAct(Act):
    """`verb` is enable, disable or delete."""

    permission = Permission.AGENT_MANAGE

    def act(self, trigger_id: UUID | str, verb: str) -> str:
        """Back to the trigger, or to the list."""
        trigger = self.found(Trigger.objects.select_related("agent"), pk=trigger_id)
        reason = self.request.POST.get("reason", "")[:300]
        if verb == "delete":
            delete_trigger(actor=self.actor, trigger=trigger, reason=reason)
            self.say(f"{trigger.name} is deleted. The runs that it started stay.")
            return "/triggers/"
        if verb == "enable":
            enable_trigger(actor=self.actor, trigger=trigger)
        else:
            disable_trigger(actor=self.actor, trigger=trigger, reason=reason)
        return f"/triggers/{trigger.id}/"
