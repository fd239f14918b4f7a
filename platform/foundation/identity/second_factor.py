"""Second factors by allauth: codes of an app (TOTP, RFC 6238), passkeys (WebAuthn level 2), recovery codes.

They belong to a person, over all organisations. Their rows are seen by that person alone, so every question opens a
transaction that sees as it.
"""

import hashlib
import json
from typing import Any
from uuid import UUID

from allauth.account.utils import url_str_to_user_pk
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from django.core.exceptions import ValidationError
from fido2.utils import websafe_decode
from fido2.webauthn import UserVerificationRequirement

from foundation.identity.lookups import count_attempt, seeing_as, user_by_id
from foundation.identity.models import User
from foundation.secrets.sealing import seal, unseal

CONTEXT = "second-factor"
LONGEST = 16_384  # characters of what a passkey has signed
_REUSE = 120  # seconds in which a code counts once; it is valid for ninety


class SealedAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # the package has no types
    """Secrets are sealed at rest."""

    def encrypt(self, text: str) -> str:
        """Sealed."""
        return seal(text, context=CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        """Opened."""
        return unseal(encrypted_text, context=CONTEXT)

    def _get_site_name(self) -> str:
        return "Remit"


def factors_of(user: UUID) -> list[Authenticator]:
    """All, oldest first."""
    with seeing_as(user):
        return list(Authenticator.objects.filter(user_id=user).order_by("id"))


def has_second_factor(user: UUID) -> bool:
    """Whether a password alone is not enough. Recovery codes alone are none."""
    return any(one.type != Authenticator.Type.RECOVERY_CODES for one in factors_of(user))


def check_second_factor(user: User, answer: str) -> str:
    """The kind of factor that this answer proves, or nothing. A code counts once."""
    answer = answer.strip()[:LONGEST]
    with seeing_as(user.id):
        if answer.startswith("{"):
            return Authenticator.Type.WEBAUTHN.value if _check_passkey(user, answer) else ""
        for one in Authenticator.objects.filter(user_id=user.id).exclude(type=Authenticator.Type.WEBAUTHN):
            if one.wrap().validate_code(answer) and _is_first(user, one, answer):
                one.record_usage()
                return str(one.type)
    return ""


def passkey_request(user: User | None = None) -> str:
    """What a browser is to have signed, as JSON: by one of a person's passkeys, or by any that knows its person."""
    if user is None:
        return json.dumps(webauthn.begin_authentication(None))
    with seeing_as(user.id):
        return json.dumps(webauthn.begin_authentication(user))


def user_of_passkey(answer: str) -> User | None:
    """The person whose passkey alone has signed; None if it is unknown, or has signed something else.

    The request that it answers must have asked the device to check who holds it: one for a second factor does not.
    """
    asked = webauthn.get_state()
    if asked is None or asked.get("user_verification") != UserVerificationRequirement.REQUIRED:
        return None
    try:
        handle = json.loads(answer[:LONGEST])["response"]["userHandle"]
        user = user_by_id(UUID(str(url_str_to_user_pk(websafe_decode(handle).decode()))))
    except (ValueError, TypeError, KeyError, ValidationError):
        return None
    if user is None:
        return None
    with seeing_as(user.id):
        return user if _check_passkey(user, answer) else None


def _check_passkey(user: User, answer: str) -> bool:
    try:
        used = webauthn.complete_authentication(user, json.loads(answer))
    except (ValueError, TypeError, KeyError, ValidationError):
        return False
    used.record_usage()
    return True


def _is_first(user: User, used: Authenticator, code: str) -> bool:
    if used.type == Authenticator.Type.RECOVERY_CODES:
        return True
    # As it is compared: "123 456" and "123-456" are the code 123456 once more.
    name: Any = f"code {user.id} {normalize_user_code(code)}"
    return count_attempt(hashlib.sha256(name.encode("utf-8", "replace")).hexdigest(), _REUSE)[0] == 1
