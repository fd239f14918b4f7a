"""Settings: access reviews."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from foundation.access.guards import UnknownError
from foundation.access.models import PermittedQuerySet, Review, ReviewItem, Verdict
from foundation.access.reviews import attest, close_review, open_review, revoke
from foundation.access.roles import Permission
from foundation.web.forms import FormPage
from foundation.web.listing import exported
from foundation.web.pages import Act, Page
from foundation.web.targets import covered_targets

REVIEWS: PermittedQuerySet[Review] = PermittedQuerySet(Review).select_related("target", "opened_by")
LIST = "/settings/reviews/"
COLUMNS = {
    "who": lambda item: item.principal.name,
    "kind": lambda item: item.principal.kind,
    "role": lambda item: item.role,
    "on": lambda item: item.target.name,
    "last used": lambda item: item.last_used_at,
    "verdict": lambda item: item.verdict,
    "decided by": lambda item: item.decided_by.name if item.decided_by else "",
    "decided at": lambda item: item.decided_at,
    "note": lambda item: item.note,
}


class ReviewForm(forms.Form):
    """A new review."""

    name = forms.CharField(max_length=120, help_text="Such as the quarter.")
    target = forms.ChoiceField(label="Of", help_text="Every grant on it and below it is looked at.")
    due_at = forms.DateTimeField(
        label="Due", required=False, help_text="UTC.", widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )


class Reviews(FormPage):
    """The reviews, the newest first; whoever may, opens one."""

    permission = Permission.GRANT_VIEW
    writing = Permission.GRANT_MANAGE
    place = "settings"
    template = "console/reviews.html"
    form = ReviewForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """What the actor may review."""
        self._targets = {str(one.id): one for one in covered_targets(self.actor, Permission.GRANT_MANAGE)}

    def context(self) -> Mapping[str, Any]:
        """Each with how far it has come."""
        rows = REVIEWS.all().permitted(self.actor, Permission.GRANT_VIEW).order_by("-id")
        rows = rows.annotate(size=Count("items"), open=Count("items", filter=Q(items__verdict=Verdict.OPEN)))
        return {"reviews": rows[:200], "targets": self._targets, "now": timezone.now(), "tab": "reviews"}

    def make(self, data: Any = None) -> forms.Form:
        """With what may be reviewed."""
        form = super().make(data)
        targets = [(key, f"{one.name} ({one.kind})") for key, one in self._targets.items()]
        form.fields["target"].choices = targets  # type: ignore[attr-defined]  # a choice field
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To its grants."""
        target = self._targets[values["target"]]
        review = open_review(actor=self.actor, **{**values, "target": target})
        return f"{LIST}{review.id}/"


class ReviewPage(Page):
    """The grants of one review; `?format=csv` and `?format=jsonl` give them as a file."""

    permission = Permission.GRANT_VIEW
    place = "settings"
    template = "console/review.html"

    def get(self, request: HttpRequest, review_id: UUID) -> HttpResponseBase:
        """What is open first."""
        review = self.found(REVIEWS, id=review_id)
        items = ReviewItem.objects.filter(review=review).select_related("principal", "target", "decided_by")
        if (file := exported(request, items, COLUMNS, f"review-{review.id}")) is not None:
            return file
        rows = sorted(items, key=lambda item: (item.verdict != Verdict.OPEN, item.principal.name, item.role))
        left = sum(item.verdict == Verdict.OPEN for item in rows)
        why_not = self.why_not(Permission.GRANT_MANAGE, review.target_id)
        return self.render({"review": review, "items": rows, "left": left, "why_not": why_not, "tab": "reviews"})


class Attest(Act):
    """A grant under review is still needed."""

    permission = Permission.GRANT_MANAGE
    decide: Callable[..., ReviewItem] = staticmethod(attest)

    def act(self, review_id: UUID, item_id: UUID) -> str:
        """Back to the review."""
        review = self.found(REVIEWS, id=review_id)
        item = ReviewItem.objects.select_related("review", "principal").filter(review=review, pk=item_id).first()
        if item is None:
            raise UnknownError("item of this review")
        self.decide(actor=self.actor, item=item, note=self.request.POST.get("note", ""))
        return f"{LIST}{review.id}/"


class Revoke(Attest):
    """A grant under review is withdrawn."""

    decide = staticmethod(revoke)


class Close(Act):
    """The end of a review."""

    permission = Permission.GRANT_MANAGE

    def act(self, review_id: UUID) -> str:
        """Back to it."""
        review = close_review(actor=self.actor, review=self.found(REVIEWS, id=review_id))
        self.say(f"The review {review.name} is closed.")
        return f"{LIST}{review.id}/"
