"""Verbs on a person's second factors. Each wants a recent sign-in, and none is open to a session that an organisation
has let in: they count over all organisations.
"""

import json

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, validate_totp_code
from allauth.mfa.webauthn.internal import auth as webauthn
from django.core.exceptions import ValidationError
from django.db import transaction

from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.identity.lookups import seeing_as
from foundation.identity.models import User
from foundation.identity.proof import locked_user
from foundation.identity.second_factor import LONGEST
from foundation.identity.step_up import refuse_foreign, require_browser, require_fresh
from foundation.inputs import checked_text

MOST_PASSKEYS = 20
Kind = Authenticator.Type


@transaction.atomic
def add_app(*, actor: Actor, user: User, secret: str, code: str) -> list[str]:
    """Have codes of an app asked for after the password, once one of them has been entered right.

    Returns the recovery codes if this is the first factor, to be shown this once.
    """
    _check(actor, user)
    with seeing_as(user.id):
        if Authenticator.objects.filter(user_id=user.id, type=Kind.TOTP).exists():
            raise ConflictError("There is an app already: remove it first.")
        if not validate_totp_code(secret, code.strip()):
            raise InvalidError("This code is wrong: enter the one that the app shows now.", "code")
        TOTP.activate(user, secret)
        _tell(actor, user, "person.add_factor", Kind.TOTP.value)
        return _first_codes(user)


def passkey_offer(user: User) -> str:
    """What a browser needs to make a passkey, as JSON (WebAuthn level 2, PublicKeyCredentialCreationOptions)."""
    with seeing_as(user.id):
        return json.dumps(webauthn.begin_registration(user, passwordless=True))


@transaction.atomic
def add_passkey(*, actor: Actor, user: User, name: str, answer: str) -> list[str]:
    """Keep the passkey that a browser has made (`answer`, JSON). Returns as `add_app` does."""
    _check(actor, user)
    name = checked_text(name, 60)
    with seeing_as(user.id):
        if Authenticator.objects.filter(user_id=user.id, type=Kind.WEBAUTHN).count() >= MOST_PASSKEYS:
            raise ConflictError(f"{MOST_PASSKEYS} passkeys are enough: remove one first.")
        try:
            credential = json.loads(answer[:LONGEST])
            webauthn.complete_registration(credential)
        except (ValueError, TypeError, KeyError, ValidationError) as error:
            raise InvalidError("The browser's answer does not fit: try again.") from error
        webauthn.WebAuthn.add(user, name, credential)
        _tell(actor, user, "person.add_factor", Kind.WEBAUTHN.value, name)
        return _first_codes(user)


@transaction.atomic
def remove_factor(*, actor: Actor, user: User, number: int) -> None:
    """Ask for this one no longer. With the last one the recovery codes go, too."""
    _check(actor, user)
    with seeing_as(user.id):
        own = Authenticator.objects.filter(user_id=user.id)
        found = own.exclude(type=Kind.RECOVERY_CODES).filter(pk=number).first()
        if found is None:
            raise ConflictError("It is removed already.")
        name = str(found) if found.type == Kind.WEBAUTHN else ""
        found.delete()
        if not own.exclude(type=Kind.RECOVERY_CODES).exists():
            own.delete()
        _tell(actor, user, "person.remove_factor", found.type, name)


@transaction.atomic
def renew_codes(*, actor: Actor, user: User) -> list[str]:
    """New recovery codes, to be shown this once; the former ones count no longer."""
    _check(actor, user)
    with seeing_as(user.id):
        own = Authenticator.objects.filter(user_id=user.id)
        if not own.exclude(type=Kind.RECOVERY_CODES).exists():
            raise ConflictError("Recovery codes stand in for an app or a passkey: add one of those first.")
        own.filter(type=Kind.RECOVERY_CODES).delete()
        _tell(actor, user, "person.renew_codes", Kind.RECOVERY_CODES.value)
        return _first_codes(user)


def _check(actor: Actor, user: User) -> None:
    require_browser(actor, "changes second factors")
    if actor.user != user.pk:
        raise InvalidError("Only the person itself changes its second factors.")
    refuse_foreign(actor)
    require_fresh(actor)
    with seeing_as(user.id):
        locked_user(actor, user.id)


def _first_codes(user: User) -> list[str]:
    if Authenticator.objects.filter(user_id=user.id, type=Kind.RECOVERY_CODES).exists():
        return []
    codes: list[str] = RecoveryCodes.activate(user).generate_codes()
    return codes


def _tell(actor: Actor, user: User, action: str, kind: str, name: str = "") -> None:
    details = {"factor": kind, "name": name}
    record(entry(actor, action, target_kind="person", target_id=user.pk, target_name=user.name, details=details))
