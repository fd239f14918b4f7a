"""What a run may wait for from people and from outside."""

from typing import ClassVar

from django.db import models

from agents.runs.models.runs import Run
from foundation.access.models import PermittedQuerySet
from foundation.identity.models import Principal
from foundation.tenancy.models import TenantForeignKey, TenantModel


class InputState(models.TextChoices):
    """Whether a question is answered."""

    OPEN = "open"  # waits for a person
    ANSWERED = "answered"  # somebody answered
    EXPIRED = "expired"  # nobody did in time
    VOID = "void"  # the run ended before


class InputRequest(TenantModel):
    """A question of an agent to a person. `schema` is the JSON schema of the form; `answer` fits it.

    Step `step` of the run waits for it, until `expires_at`.
    """

    target_path: ClassVar[str] = "run__target"
    run = TenantForeignKey(Run, related_name="questions")
    step = models.PositiveIntegerField()
    question = models.TextField()
    schema = models.JSONField()
    answer = models.JSONField(null=True, blank=True)
    answered_by = TenantForeignKey(Principal, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=InputState, default=InputState.OPEN)

    objects = PermittedQuerySet["InputRequest"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="inputrequest_open", condition=models.Q(state="open"))
        ]

    def __str__(self) -> str:
        return self.question[:80]


class Callback(TenantModel):
    """An address that something outside calls once, signed, to let step `step` of a run go on.

    `sealed_secret` signs the call; `payload` is what came, untrusted.
    """

    target_path: ClassVar[str] = "run__target"
    run = TenantForeignKey(Run, related_name="callbacks")
    step = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    sealed_secret = models.TextField()
    payload = models.JSONField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    objects = PermittedQuerySet["Callback"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
