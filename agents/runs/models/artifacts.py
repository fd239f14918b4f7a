"""Artifacts: the files of a session, and their content."""

from typing import ClassVar

from django.db import models

from agents.runs.models.sessions import Session
from foundation.access.models import PermittedQuerySet
from foundation.tenancy.models import TenantForeignKey, TenantModel


class Blob(TenantModel):
    """Bytes by their content: `digest` is SHA-256 in hexadecimal, `size` in bytes. Equal files are kept once."""

    digest = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organisation", "digest"], name="blob_content")]

    def __str__(self) -> str:
        return self.digest


class Artifact(TenantModel):
    """A file of a session under a name; a later one of the same name takes its place, and the former stays readable."""

    target_path: ClassVar[str] = "session__target"
    session = TenantForeignKey(Session, related_name="artifacts")
    run_id = models.UUIDField(null=True)
    blob = TenantForeignKey(Blob, related_name="+")
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    label = models.JSONField(default=dict)

    objects = PermittedQuerySet["Artifact"].as_manager()

    class Meta(TenantModel.Meta):
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
