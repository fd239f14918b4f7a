"""Verbs on policies. Each change moves the organisation's generation on, so that no verdict of before it is used."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max

from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.digests import digest_of
from foundation.errors import ConflictError, InvalidError
from foundation.inputs import checked_optional, checked_slug, checked_text, organisation_of, refuse_agent
from governance.policies.models import EnforcementMode, Policy, PolicyGeneration, PolicyVersion
from governance.policies.source import Problem
from governance.policies.standing import schema_of
from governance.policies.validation import validate

_SHOWN = 5


class PolicyInvalidError(InvalidError):
    """The source does not validate; `problems` holds all that is wrong, by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        shown = [f"Line {problem.line}, column {problem.column}: {problem.message}" for problem in problems[:_SHOWN]]
        more = [f"… and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        super().__init__(" ".join([*shown, *more]), "source")
        self.problems = tuple(problems)


@transaction.atomic
def create_policy(
    *, actor: Actor, slug: str, name: str, source: str, mode: str = EnforcementMode.ENFORCE, note: str = ""
) -> Policy:
    """A policy, in force at once in its mode. Raises PolicyInvalidError for a source that cannot be in force."""
    refuse_agent(actor)
    organisation = organisation_of(actor)
    slug, name = checked_slug(slug, 80), checked_text(name, 120)
    _move_on(organisation)
    if Policy.objects.filter(organisation_id=organisation, slug=slug).exists():
        raise ConflictError(f"There is a policy {slug} already: publish a version of it, or choose another name.")
    policy = Policy.objects.create(organisation_id=organisation, slug=slug, name=name, mode=_checked_mode(mode))
    version = _publish(policy, source, note)
    record(_about(actor, "policy.create", policy, mode=policy.mode, number=1, content_hash=version.content_hash))
    return policy


@transaction.atomic
def publish_policy(*, actor: Actor, policy: Policy, source: str, note: str = "") -> PolicyVersion:
    """The next immutable version, in force from now on. Raises PolicyInvalidError or ConflictError."""
    refuse_agent(actor)
    _move_on(policy.organisation_id)
    policy = Policy.objects.select_for_update(of=("self",)).get(pk=policy.pk)
    if policy.live is not None and policy.live.source == source:
        raise ConflictError(f"This is the source of {policy.name} that is in force already.")
    version = _publish(policy, source, note)
    details = {"number": version.number, "content_hash": version.content_hash, "note": version.note}
    record(_about(actor, "policy.publish", policy, **details))
    return version


@transaction.atomic
def change_mode(*, actor: Actor, policy: Policy, mode: str) -> Policy:
    """What the policy's word is worth from now on."""
    refuse_agent(actor)
    _move_on(policy.organisation_id)
    policy = Policy.objects.select_for_update(of=("self",)).get(pk=policy.pk)
    former = policy.mode
    if former == _checked_mode(mode):
        raise ConflictError(f"{policy.name} is in the mode {policy.get_mode_display().lower()} already.")
    if policy.live is not None and former == EnforcementMode.OFF:
        # Tools may have changed while nobody asked it.
        _refuse_unless_valid(policy.organisation_id, policy.live.source)
    policy.mode = mode
    policy.save(update_fields=["mode"])
    record(_about(actor, "policy.change_mode", policy, former=former, mode=mode))
    return policy


def problems_of(organisation: UUID, source: str) -> list[Problem]:
    """What keeps a source from being published, with places; for an editor."""
    return validate(source, schema_of(organisation, "default"))


def _publish(policy: Policy, source: str, note: str) -> PolicyVersion:
    _refuse_unless_valid(policy.organisation_id, source)
    last = policy.versions.aggregate(last=Max("number"))["last"] or 0
    version = PolicyVersion.objects.create(
        organisation_id=policy.organisation_id,
        policy=policy,
        number=last + 1,
        source=source,
        content_hash=digest_of({"source": source}, "source"),
        note=checked_optional(note, 300, "note"),
    )
    policy.live = version
    policy.save(update_fields=["live"])
    return version


def _refuse_unless_valid(organisation: UUID, source: str) -> None:
    if problems := problems_of(organisation, source):
        raise PolicyInvalidError(problems)


def _move_on(organisation: UUID) -> None:
    """Take the organisation's generation on; its row is the lock under which policies change."""
    changed = PolicyGeneration.objects.filter(organisation_id=organisation).update(number=F("number") + 1)
    if not changed:
        PolicyGeneration.objects.create(organisation_id=organisation)


def _checked_mode(mode: str) -> str:
    if mode not in EnforcementMode.values:
        raise InvalidError(f"There is no mode {mode!r}: use {', '.join(EnforcementMode.values)}.", "mode")
    return mode


def _about(actor: Actor, action: str, policy: Policy, **details: object) -> Entry:
    return entry(
        actor,
        action,
        target_kind="policy",
        target_id=policy.id,
        target_name=policy.name,
        details={"slug": policy.slug, **details},
    )
