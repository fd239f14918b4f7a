"""Invitations: who joins by a link, as whom and with what; and the links that open nothing."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as product
from django.core import mail
from django.test import Client, RequestFactory

from foundation.access.models import Grant, permissions_on
from foundation.access.services import grant, withdraw
from foundation.actors import Actor
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError, InvalidError
from foundation.identity.authentication import actor_of_session
from foundation.identity.models import Membership
from foundation.identity.services import suspend_principal
from foundation.ids import uuid7
from foundation.invitations import joining
from foundation.invitations.joining import invitation_of
from foundation.invitations.models import Invitation
from foundation.invitations.services import Invited, invite, withdraw_invitation
from foundation.organisations.models import GrantTarget
from foundation.secrets.redaction import REDACTED
from tests.foundation.identity.household import PASSWORD, Household, away, make_household

JOINING = {"name": "Ivy Invited", "password": PASSWORD, "again": PASSWORD}


@dataclass
class Door:
    """A household that invites."""

    home: Household
    email: str

    def root(self) -> GrantTarget:
        return GrantTarget.objects.get(pk=self.home.organisation.id)

    def owner(self) -> Actor:
        """The owner, as somebody in a browser."""
        principal = self.home.principal(self.home.owner)
        return Actor(kind="person", name=principal.name, principal=principal.id, organisation=self.home.organisation.id,
                     user=self.home.owner.user_id)  # type: ignore[arg-type]  # fmt: skip

    def ask(self, role: str = "operator", **more: Any) -> Invited:
        with self.home.in_tenant():
            return invite(actor=self.owner(), organisation=self.home.organisation, target=self.root(), role=role,
                          **{"email": self.email, **more})  # fmt: skip

    def members(self) -> list[str]:
        with self.home.in_tenant():
            return list(
                Membership.objects.filter(organisation=self.home.organisation).values_list("user__email", flat=True)
            )


@pytest.fixture
def door(database: Any) -> Door:
    return Door(make_household(), f"ivy-{uuid7()}@example.org")


def path(invited: Invited) -> str:
    return invited.link.removeprefix(product.PUBLIC_URL)


def who(client: Client) -> Actor:
    actor = actor_of_session(client.session)
    assert actor is not None
    return actor


def test_whoever_is_invited_without_a_role_may_do_nothing_yet(door: Door):
    invited, client = door.ask(role=""), away()
    assert client.post(path(invited), JOINING)["Location"] == "/"
    assert door.email in door.members()
    with door.home.in_tenant():
        assert permissions_on(who(client), door.home.organisation.id) == frozenset()


def test_somebody_new_joins_with_the_role_that_was_chosen(door: Door):
    invited, client = door.ask(), away()
    page = client.get(path(invited)).content.decode()
    assert "Owner invites" in page
    assert client.post(path(invited), {**JOINING, "again": "other"}).status_code == 422
    assert client.post(path(invited), {**JOINING, "password": "short", "again": "short"}).status_code == 422
    assert door.email not in door.members()
    answer = client.post(path(invited), JOINING)
    assert (answer.status_code, answer["Location"]) == (303, "/")
    actor = who(client)
    assert actor.name == "Ivy Invited"
    with door.home.in_tenant():
        assert "run.start" in permissions_on(actor, door.home.organisation.id)
    assert away().post("/sign-in/", {"email": door.email, "password": PASSWORD}).status_code == 303
    for action in ("invitation.create", "invitation.accept"):
        assert len(door.home.entries(action)) == 1
    with door.home.in_tenant():
        given = Grant.objects.get(principal=actor.principal)
    assert given.reason == "invitation"


def test_a_link_counts_once(door: Door):
    invited = door.ask()
    assert away().post(path(invited), JOINING).status_code == 303
    assert away().get(path(invited)).status_code == 404
    assert away().post(path(invited), JOINING).status_code == 404


def test_who_became_somebody_meanwhile_keeps_the_password(door: Door, monkeypatch: pytest.MonkeyPatch):
    """Between the look at the link and the joining, the address may become somebody's by another link."""
    invited, other = door.ask(), Door(make_household("Elsewhere"), door.email).ask()
    token = path(invited).split("/")[-2]
    looked_at = invitation_of(token)
    assert looked_at is not None
    assert looked_at.fresh
    assert away().post(path(other), JOINING).status_code == 303
    monkeypatch.setattr(joining, "invitation_of", lambda _token: looked_at)
    with pytest.raises(InvalidError, match="is known here"):
        joining.join_as_new(RequestFactory().post("/"), token, name="Mallory", password="another long walk by the sea")
    assert door.email not in door.members()
    assert away().post("/sign-in/", {"email": door.email, "password": PASSWORD}).status_code == 303


def test_withdrawn_old_and_replaced_links_open_nothing(door: Door):
    first = door.ask()
    second = door.ask()
    assert away().get(path(first)).status_code == 404
    with door.home.in_tenant():
        withdraw_invitation(actor=door.owner(), invitation=second.invitation)
        with pytest.raises(ConflictError):
            withdraw_invitation(actor=door.owner(), invitation=second.invitation)
    assert away().get(path(second)).status_code == 404
    third = door.ask()
    Invitation.objects.using("system").filter(pk=third.invitation.pk).update(expires_at="2026-01-01T00:00Z")
    assert away().post(path(third), JOINING).status_code == 404
    assert away().get("/sign-in/invitation/made-up/").status_code == 404
    assert door.email not in door.members()


def test_somebody_known_joins_with_the_account_they_have(door: Door):
    other = make_household("Elsewhere")
    user = other.user(other.member)
    invited = door.ask(email=user.email)
    client = away()
    assert "/sign-in/?next=%2Fsign-in%2Finvitation" in client.get(path(invited)).content.decode()
    assert client.post(path(invited), JOINING).status_code == 422  # a link alone sets nobody's password
    client.post("/sign-in/", {"email": user.email, "password": PASSWORD})
    assert who(client).organisation == other.organisation.id
    assert client.post(path(invited)).status_code == 303
    assert who(client).organisation == door.home.organisation.id
    client.post("/organisation/", {"organisation": str(other.organisation.id)})
    assert who(client).organisation == other.organisation.id
    client.post("/organisation/", {"organisation": str(door.home.organisation.id)})
    assert who(client).organisation == door.home.organisation.id


def test_somebody_else_cannot_use_it(door: Door):
    other = make_household("Elsewhere")
    invited = door.ask(email=other.user(other.member).email)
    thief = away()
    thief.post("/sign-in/", {"email": other.user(other.owner).email, "password": PASSWORD})
    answer = thief.post(path(invited))
    assert answer.status_code == 422
    assert "sign in with that address" in answer.content.decode()
    assert len(door.members()) == 2


def test_nobody_invites_to_more_than_they_may_and_it_counts_when_it_is_accepted(door: Door):
    with door.home.in_tenant():
        lead = door.home.principal(door.home.member)
        given = grant(actor=door.home.shell, principal=lead, role="administrator", target=door.root())
        actor = Actor(kind="person", name=lead.name, principal=lead.id, organisation=door.home.organisation.id)  # type: ignore[arg-type]
        invited = invite(actor=actor, organisation=door.home.organisation, email=door.email, role="builder",
                         target=door.root())  # fmt: skip
        withdraw(actor=door.home.shell, grant=given)
        with pytest.raises(InvalidError, match="may do what you may not"):
            invite(actor=actor, organisation=door.home.organisation, email="x@example.org", role="administrator",
                   target=door.root())  # fmt: skip
    answer = away().post(path(invited), JOINING)
    assert "may not do that any more" in answer.content.decode()
    again = door.ask()
    with door.home.in_tenant():
        suspend_principal(actor=door.home.shell, principal=door.home.principal(door.home.owner), reason="away")
    assert "may not do that any more" in away().post(path(again), JOINING).content.decode()
    assert door.email not in door.members()


def test_a_refused_form_does_not_put_the_link_into_the_record(door: Door):
    """Whoever reads the record could open a link that still counts. A form that was open for too long is refused."""
    home, paths = door.home, [path(door.ask()), door.home.link(door.home.owner)]
    member = away(enforce_csrf_checks=True)
    member.force_login(home.user(home.member))
    for client in (member, away(enforce_csrf_checks=True)):
        assert [client.post(one, JOINING).status_code for one in paths] == [403, 403]
    told = [one.target_name for one in home.entries("access.refuse", "denied")]
    assert told == [f"POST /sign-in/invitation/{REDACTED}/", f"POST /sign-in/link/{REDACTED}/"]
    names = AuditEntry.objects.using("system").filter(action="access.refuse").values_list("target_name", flat=True)
    assert not [name for name in names if any(one.split("/")[3] in name for one in paths)]


def test_with_a_mail_server_the_link_goes_there_and_nowhere_else(door: Door, settings: Any):
    settings.REMIT_SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []
    invited = door.ask()
    assert invited.link == ""
    assert invited.invitation.sent_at is not None
    assert mail.outbox[0].to == [door.email]
    found = re.search(r"http\S+", str(mail.outbox[0].body))
    assert found is not None
    assert away().post(found.group().removeprefix(product.PUBLIC_URL), JOINING).status_code == 303


def test_without_the_mail_server_the_link_is_shown_instead(door: Door, settings: Any):
    settings.REMIT_SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    invited = door.ask()
    assert invited.link
    assert invited.invitation.sent_at is None


def test_the_page_shows_the_link_once(door: Door):
    client = away()
    client.post("/sign-in/", {"email": door.home.user(door.home.owner).email, "password": PASSWORD})
    form = {"email": door.email, "role": "viewer", "target": str(door.home.organisation.id), "days": "7"}
    page = client.post("/settings/invitations/", form).content.decode()
    link = re.search(r"/sign-in/invitation/[\w-]+/", page)
    assert link is not None
    page = client.get("/settings/invitations/").content.decode()
    assert door.email in page
    assert "/sign-in/invitation/" not in page
    assert away().get(link.group()).status_code == 200
