"""Access from the shell: whoever holds the machine can let a person in, and the record says so."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from foundation.access.models import Grant
from foundation.access.roles import Permission
from foundation.access.services import ADMINISTRATOR, administrators, grant
from foundation.actors import shell_actor
from foundation.errors import InvalidError
from foundation.identity.models import Membership, Principal, PrincipalState, User
from foundation.identity.services import add_person, create_api_key, create_sign_in_link, restore_principal
from foundation.organisations.models import GrantTarget, Organisation
from foundation.tenancy.context import tenant


def sign_in_link_for(email: str) -> str:
    """A link for the person with this address. Raises InvalidError."""
    user = User.objects.using("system").filter(email__iexact=email.strip()).first()
    if user is None:
        raise InvalidError(f"There is no person with the address {email!r}.")
    return create_sign_in_link(actor=shell_actor(), user=user)


def sign_in_link_for_first_administrator() -> str:
    """A link for whoever has administered the oldest organisation for longest. Raises InvalidError if nobody does."""
    organisations = list(Organisation.objects.using("system").order_by("id"))
    if not organisations:
        raise InvalidError(
            "There is no organisation: make one with `manage.py create_organisation SLUG --administrator EMAIL`."
        )
    for organisation in organisations:
        standing = administrators(organisation.id, using="system").order_by("id").first()
        if standing is not None:
            membership = Membership.objects.using("system").select_related("user")
            user = membership.get(principal_id=standing.principal_id).user
            return create_sign_in_link(actor=shell_actor(), user=user)
    raise InvalidError(
        "There is no administrator: run `manage.py sign_in_link --create EMAIL --organisation SLUG` to make one."
    )


def create_administrator(email: str, organisation: str) -> str:
    """Make this person an administrator, where none is left, and give a link for it. Raises InvalidError."""
    place = _organisation(organisation)
    actor = shell_actor(place.id)
    with tenant(place.id):
        if administrators(place.id).exists():
            raise InvalidError(f"{place.slug} has an administrator: run `manage.py sign_in_link` with its address.")
        found = Membership.objects.filter(user__email__iexact=email.strip()).first()
        if found is None:
            # Read anew: a row that the system role has read would be written by it, too.
            own = Organisation.objects.get(pk=place.id)
            found = add_person(actor=actor, organisation=own, email=email, name=email.partition("@")[0])
        principal = Principal.objects.get(pk=found.principal_id)
        if principal.state != PrincipalState.ACTIVE:
            principal = restore_principal(actor=actor, principal=principal)
        target = GrantTarget.objects.get(pk=place.id)
        # One that ends is no administrator for good: it is replaced.
        Grant.objects.filter(principal=principal, role=ADMINISTRATOR, target=target).delete()
        grant(actor=actor, principal=principal, role=ADMINISTRATOR, target=target, reason="recovery from the shell")
    return sign_in_link_for(email)


def api_key_for(
    email: str, organisation: str | None, name: str, scopes: Sequence[str] = (), days: int | None = None
) -> str:
    """A new API key of a person, shown this once; it expires after `days`. Raises InvalidError."""
    if unknown := [scope for scope in scopes if scope not in set(Permission)]:
        raise InvalidError(f"There is no permission {', '.join(unknown)}: use some of {', '.join(Permission)}.")
    if days is not None and days < 1:
        raise InvalidError("A key lives a day at least: give --expires-days 1 or more.")
    found = Membership.objects.using("system").filter(user__email__iexact=email.strip())
    if organisation is not None:
        found = found.filter(organisation_id=_organisation(organisation).id)
    rows = list(found.select_related("organisation").order_by("organisation__slug"))
    if not rows:
        raise InvalidError(f"No person with the address {email!r} is there: see the people in the settings.")
    if len(rows) > 1:
        places = ", ".join(row.organisation.slug for row in rows)
        raise InvalidError(f"{email} belongs to several organisations: add --organisation with one of {places}.")
    place = rows[0].organisation_id
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with tenant(place):
        _, token = create_api_key(
            actor=shell_actor(place),
            principal=Principal.objects.get(pk=rows[0].principal_id),
            name=name,
            scopes=tuple(scopes),
            expires_at=expires_at,
        )
    return token


def _organisation(slug: str) -> Organisation:
    found = Organisation.objects.using("system").filter(slug=slug).first()
    if found is None:
        known = Organisation.objects.using("system").order_by("slug").values_list("slug", flat=True)[:10]
        choice = f"use one of {', '.join(known)}" if known else "make it with `manage.py create_organisation`"
        raise InvalidError(f"There is no organisation {slug!r}: {choice}.")
    return found
