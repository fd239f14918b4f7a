"""Creating and publishing policies."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction

from foundation.errors import ConflictError, InvalidError
from governance.policies.models import EnforcementMode, Policy, PolicyGeneration, PolicyVersion
from governance.policies.services import PolicyInvalidError, change_mode, create_policy, problems_of, publish_policy
from tests.agents.workshop import Workshop, make_workshop

MAY = 'permit (principal, action == Action::"tool_call", resource == Tool::"papers.search");'
NOBODY = "forbid (principal, action, resource);"


@pytest.fixture
def workshop(database: Any) -> Workshop:
    """An organisation with one connector."""
    return make_workshop()


def create(workshop: Workshop, **changes: Any) -> Policy:
    """A policy."""
    with workshop.open():
        return create_policy(actor=workshop.shell, **({"slug": "base", "name": "Base", "source": MAY} | changes))


def generation(workshop: Workshop) -> int:
    """The organisation's counter."""
    with workshop.open():
        return PolicyGeneration.objects.get().number


def test_policy_is_in_force_at_once(workshop: Workshop) -> None:
    """With version 1, and with the hash of its source in the record."""
    policy = create(workshop)
    with workshop.open():
        live = PolicyVersion.objects.get(policy=policy)
        entry = workshop.entries("policy.create")[0]
    assert (policy.live_id, live.number, policy.mode) == (live.id, 1, "enforce")
    assert entry.details["content_hash"] == live.content_hash


def test_each_change_moves_the_generation_on(workshop: Workshop) -> None:
    """So that no verdict of before it is used afterwards."""
    policy = create(workshop)
    seen = [generation(workshop)]
    with workshop.open():
        publish_policy(actor=workshop.shell, policy=policy, source=MAY + "\n" * 3, note="more air")
    seen.append(generation(workshop))
    with workshop.open():
        change_mode(actor=workshop.shell, policy=policy, mode="off")
    seen.append(generation(workshop))
    create(workshop, slug="second")
    assert [*seen, generation(workshop)] == sorted({*seen, generation(workshop)})


def test_publishing_keeps_the_earlier_version(workshop: Workshop) -> None:
    """Numbers follow one another; the same source again is a conflict, an earlier one is not."""
    policy = create(workshop)
    with workshop.open():
        second = publish_policy(actor=workshop.shell, policy=policy, source=NOBODY)
        with pytest.raises(ConflictError, match="in force already"):
            publish_policy(actor=workshop.shell, policy=policy, source=NOBODY)
        third = publish_policy(actor=workshop.shell, policy=policy, source=MAY, note="back")
        assert [second.number, third.number] == [2, 3]
        first = PolicyVersion.objects.get(policy=policy, number=1)
        assert first.content_hash == third.content_hash
        assert Policy.objects.get(pk=policy.pk).live_id == third.id


def test_versions_never_change(workshop: Workshop) -> None:
    """The database refuses it."""
    policy = create(workshop)
    with pytest.raises(DatabaseError), transaction.atomic(), workshop.open():
        PolicyVersion.objects.filter(policy=policy).update(source=NOBODY)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "permit (principal, action, resource)",
        'permit (principal == Agent::"nobody", action, resource);',
        'permit (principal, action == Action::"tool_call", resource == Tool::"papers.burn");',
        "forbid (principal, action, resource) when { context.args.amount > 3 };",
    ],
)
def test_source_that_does_not_validate_is_not_published(workshop: Workshop, source: str) -> None:
    """It says where and why; nothing changes, the generation neither."""
    policy = create(workshop)
    before = generation(workshop)
    for attempt in (
        lambda: create(workshop, slug="second", source=source),
        lambda: publish_policy(actor=workshop.shell, policy=policy, source=source),
    ):
        with pytest.raises(PolicyInvalidError, match=r"^Line 1, column") as error, workshop.open():
            attempt()
        assert error.value.field == "source"
        assert error.value.problems[0].line == 1
    assert generation(workshop) == before
    with workshop.open():
        assert [one.slug for one in Policy.objects.all()] == ["base"]
        assert problems_of(workshop.organisation.id, source)


def test_teams_and_agents_of_the_organisation_can_be_named(workshop: Workshop) -> None:
    """Others cannot."""
    with workshop.open():
        workshop.agent("clerk")
    create(workshop, source='permit (principal == Agent::"clerk", action, resource) when '
                            '{ principal in Team::"desk" };')  # fmt: skip
    with pytest.raises(InvalidError, match="elsewhere"):
        create(workshop, slug="b", source='permit (principal in Team::"elsewhere", action, resource);')


def test_modes(workshop: Workshop) -> None:
    """Only those that exist, and only a change is one."""
    policy = create(workshop, mode=EnforcementMode.LOG_ONLY)
    with workshop.open():
        with pytest.raises(ConflictError):
            change_mode(actor=workshop.shell, policy=policy, mode="log_only")
        with pytest.raises(InvalidError, match="enforce"):
            change_mode(actor=workshop.shell, policy=policy, mode="maybe")
        assert change_mode(actor=workshop.shell, policy=policy, mode="enforce").mode == "enforce"
        details = workshop.entries("policy.change_mode")[0].details
    assert (details["former"], details["mode"]) == ("log_only", "enforce")


def test_parallel_changes_are_numbered_one_by_one(workshop: Workshop, database: Any) -> None:
    """And each moves the generation on."""
    policy = create(workshop)
    before = generation(workshop)

    def publish(number: int) -> int:
        try:
            with database(), workshop.open():
                source = MAY + "\n" * (number + 1)
                return publish_policy(actor=workshop.shell, policy=policy, source=source).number
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(publish, range(8))) == list(range(2, 10))
    assert generation(workshop) == before + 8


def test_slugs_are_unique_in_the_organisation(workshop: Workshop) -> None:
    """Another one may use the same."""
    create(workshop)
    with pytest.raises(ConflictError, match="already"):
        create(workshop)
    create(make_workshop())


def test_agents_make_no_policies(workshop: Workshop) -> None:
    """Nor change any."""
    policy = create(workshop)
    with workshop.open():
        for attempt in (
            lambda: create_policy(actor=workshop.an_agent, slug="x", name="X", source=MAY),
            lambda: publish_policy(actor=workshop.an_agent, policy=policy, source=MAY),
            lambda: change_mode(actor=workshop.an_agent, policy=policy, mode="off"),
        ):
            with pytest.raises(InvalidError, match="agent"):
                attempt()
