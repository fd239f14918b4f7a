"""Access reviews: each grant on a target and below it is attested or withdrawn, by somebody else than its holder."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from foundation.access.guards import RefusedError
from foundation.access.models import Grant, permissions_on
from foundation.access.reviews import attest, close_review, last_used, open_review, revoke
from foundation.access.services import grant, withdraw
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.organisations.models import Team
from tests.foundation.access.actors import acting, root
from tests.foundation.identity.household import Household


def test_review_from_its_opening_to_its_end(household: Household, team: Team) -> None:
    """One stays, one goes, one has gone by itself."""
    owner, member = acting(household.owner), household.member.principal
    with household.in_tenant():
        for role in ("operator", "viewer", "builder"):
            grant(actor=household.shell, principal=member, role=role, target=team.target)
        review = open_review(actor=owner, target=team.target, name="Autumn")
        operator, viewer, builder = review.items.order_by("id")
        attest(actor=owner, item=operator, note="on call")
        revoke(actor=owner, item=viewer)
        with pytest.raises(ConflictError, match="1 grant is still open"):
            close_review(actor=owner, review=review)
        withdraw(actor=household.shell, grant=Grant.objects.get(role="builder"))
        closed = close_review(actor=owner, review=review)
        assert closed.closed_at is not None
        assert [one.verdict for one in review.items.order_by("id")] == ["attested", "revoked", "gone"]
        assert set(Grant.objects.filter(principal=member).values_list("role", flat=True)) == {"operator"}
        with pytest.raises(ConflictError, match="closed"):
            attest(actor=owner, item=builder)
    assert household.entries("review.close")[0].details["attested"] == 1
    assert household.entries("review.attested")[0].details["note"] == "on call"


def test_nobody_reviews_their_own(household: Household) -> None:
    """Unless nobody else could."""
    owner, other = acting(household.owner), household.member.principal
    with household.in_tenant():
        review = open_review(actor=owner, target=root(household), name="All")
        attest(actor=owner, item=review.items.get())
        close_review(actor=owner, review=review)
        grant(actor=household.shell, principal=other, role="administrator", target=root(household))
        again = open_review(actor=owner, target=root(household), name="All again")
        own, theirs = again.items.get(principal=household.owner.principal), again.items.get(principal=other)
        with pytest.raises(InvalidError, match="your own access"):
            attest(actor=owner, item=own)
        attest(actor=acting(household.member), item=own)
        revoke(actor=owner, item=theirs)
        close_review(actor=owner, review=again)
        assert not permissions_on(acting(household.member), household.organisation.id)


def test_only_who_manages_the_grants_decides(household: Household, team: Team) -> None:
    """On the target of each."""
    owner = acting(household.owner)
    with household.in_tenant():
        grant(actor=household.shell, principal=household.member.principal, role="viewer", target=team.target)
        review = open_review(actor=owner, target=team.target, name="Desk")
        with pytest.raises(RefusedError, match=r"grant\.manage"):
            attest(actor=acting(household.member), item=review.items.get())
        with pytest.raises(InvalidError, match="due already"):
            open_review(actor=owner, target=team.target, name="Late", due_at=datetime.now(UTC) - timedelta(days=1))


def test_last_use_is_told(household: Household) -> None:
    """By the record; None for who has done nothing."""
    member = household.member.principal_id
    with household.in_tenant():
        record(entry(acting(household.member), "run.look"))
        assert set(last_used([member, household.owner.principal_id])) == {member}


def test_the_databases_clock_says_what_is_due(
    household: Household, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a host whose clock is a day behind."""
    owner, now = acting(household.owner), datetime.now(UTC)
    monkeypatch.setattr(timezone, "now", lambda: now - timedelta(days=1))
    with household.in_tenant():
        grant(actor=household.shell, principal=household.member.principal, role="viewer", target=team.target)
        with pytest.raises(InvalidError, match="due already"):
            open_review(actor=owner, target=team.target, name="Late", due_at=now - timedelta(hours=1))
        review = open_review(actor=owner, target=team.target, name="Soon", due_at=now + timedelta(hours=1))
        attest(actor=owner, item=review.items.get())
        closed = close_review(actor=owner, review=review)
    assert closed.closed_at is not None
    assert closed.closed_at >= now
    assert review.items.model.objects.using("system").get(review_id=review.pk).decided_at >= now
