"""Settings: why may somebody do this here, and who may do this here?"""

from django import forms
from django.http import HttpRequest, HttpResponse

from foundation.access.explanations import who, why
from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.web.pages import Page
from foundation.web.targets import covered_targets

MOST = 500  # ways that a page shows


class AccessForm(forms.Form):
    """Who, where, what; without who: everybody."""

    target = forms.ChoiceField(label="On")
    permission = forms.ChoiceField(choices=[(one.value, one.value) for one in Permission], initial="run.start")
    principal = forms.ChoiceField(label="Who", required=False, help_text="Empty: everybody who may.")


class Access(Page):
    """`?target=`, `?permission=`, and `?principal=` for one person alone."""

    permission = Permission.GRANT_VIEW
    place = "settings"
    template = "console/access.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """The question, and its answer once it is asked."""
        targets = {str(one.id): one for one in covered_targets(self.actor, Permission.GRANT_VIEW)}
        people = Principal.objects.filter(organisation_id=self.tenant, state=PrincipalState.ACTIVE)
        people = people.filter(kind__in=[PrincipalKind.PERSON, PrincipalKind.SERVICE]).order_by("name")
        names = {str(one.id): one for one in people}
        asked = "target" in request.GET
        if asked and request.GET["target"] not in targets:
            raise UnknownError("target of a grant")
        form = AccessForm(request.GET if asked else None)
        form.fields["target"].choices = [(key, f"{one.name} ({one.kind})") for key, one in targets.items()]  # type: ignore[attr-defined]  # a choice field
        form.fields["principal"].choices = [("", "Everybody"), *((key, one.name) for key, one in names.items())]  # type: ignore[attr-defined]  # a choice field
        context = {"form": form, "tab": "access", "asked": asked and form.is_valid()}
        if context["asked"]:
            target, wanted = targets[form.cleaned_data["target"]], form.cleaned_data["permission"]
            person = names.get(form.cleaned_data["principal"])
            paths = why(person, target, wanted) if person else who(target, wanted)
            context |= {"target": target, "wanted": wanted, "person": person, "paths": paths[:MOST],
                        "people": len({path.principal.id for path in paths})}  # fmt: skip
        return self.render(context)
