"""Whose an address of mail is. Whoever was shown the link of an invitation could set a password for any address.

So such a user is not proved. What it has set opens nothing that others give to the address, and ends as soon as
somebody comes with a link that was mailed there, or one of the shell.
"""

from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.db import transaction

from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.errors import InvalidError
from foundation.identity.lookups import memberships_of, seeing_as, user_by_id
from foundation.identity.models import Membership, User, WebSession
from foundation.identity.revocation import revoke_keys_of
from foundation.instants import database_now
from foundation.tenancy.context import tenant


def locked_user(actor: Actor, user: UUID) -> User:
    """The row as it is; whoever changes how this user signs in waits. The transaction sees as that user.

    Raises InvalidError for who signed in before the address was proved to be somebody else's.
    """
    # Whoever joins holds the key of this row already, and waits here for others who do.
    found = User.objects.select_for_update(no_key=True).get(pk=user)
    since = actor.authenticated_at
    if found.sessions_from is not None and since is not None and since < found.sessions_from:
        raise InvalidError("You have been signed out meanwhile: sign in anew.")
    return found


@transaction.atomic
def renounce(*, actor: Actor, user: UUID, proved: bool, name: str = "") -> None:
    """What was set for an address by whoever had not proved it ends: password, second factors, passkeys, links, keys.

    All its sessions end. It stays in its organisations, and the record of each says so.
    """
    with seeing_as(user):
        found = locked_user(actor, user)
        found.set_unusable_password()
        found.name, found.proved, found.sessions_from = name or found.name, proved, database_now()
        found.save(update_fields=["password", "name", "proved", "sessions_from"])
        Authenticator.objects.filter(user_id=user).delete()
        sessions = WebSession.objects.filter(user_id=user)
        Session.objects.filter(session_key__in=list(sessions.values_list("key", flat=True))).delete()
        sessions.delete()
    for place in memberships_of(user):
        with tenant(place.organisation):
            # Each organisation is told of itself alone: not where the person was when it proved this.
            there = Actor(kind=actor.kind, name=actor.name, organisation=place.organisation, method=actor.method)
            said = entry(there, "person.end_credentials", target_kind="person", target_id=place.principal,
                         target_name=place.principal_name, details={"proved": proved})  # fmt: skip
            record(said, *revoke_keys_of(there, place.principal))


@transaction.atomic
def keep_to_provider(*, actor: Actor, membership: Membership) -> None:
    """A provider tells whose the address is here: what was set without proof opens this organisation no more."""
    user = user_by_id(membership.user_id) if membership.accepted else None
    if user is None or user.proved:
        return
    membership.accepted, membership.sessions_from = False, database_now()
    membership.save(update_fields=["accepted", "sessions_from"])
    said = entry(actor, "person.end_session", target_kind="person", target_id=membership.principal_id,
                 target_name=membership.principal.name, details={"by_provider_only": True})  # fmt: skip
    record(said, *revoke_keys_of(actor, membership.principal_id))
