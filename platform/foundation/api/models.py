"""What was sent with an Idempotency-Key, so that the same request does the same thing once."""

from django.db import models

from foundation.tenancy.models import TenantModel


class Submission(TenantModel):
    """A request that has made something: `digest` is over its address and body, `thing` what it made.

    A key belongs to whoever sends it. It is forgotten after `foundation.api.once.KEPT`.
    """

    principal = models.UUIDField()
    key = models.CharField(max_length=120)
    digest = models.CharField(max_length=64)
    model = models.CharField(max_length=100, blank=True)
    thing = models.UUIDField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "principal", "key"], name="submission_once")]

    def __str__(self) -> str:
        return self.key
