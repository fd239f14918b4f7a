"""What a password must be, and those that others have lost already."""

import hashlib
import mmap
from pathlib import Path

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ImproperlyConfigured, ValidationError

from foundation.errors import InvalidError
from foundation.identity.models import User

DIGEST = 40  # hexadecimal digits of SHA-1
SAID = "This password is on the list of those that were stolen elsewhere: choose another."


def refuse_weak(password: str, user: User) -> None:
    """Raises InvalidError for a password that is too short, too common, stolen, or like the person's own data."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages), "password") from error


class BreachedPasswordValidator:
    """Refuses what stands in `settings.REMIT_BREACHED_PASSWORDS`, a file of lines `<SHA-1>:<count>` in order.

    That is the form in which haveibeenpwned.com offers its list. Nobody outside is asked, and without a file this
    refuses nothing.
    """

    def validate(self, password: str, user: object = None) -> None:  # noqa: ARG002 - Django's signature
        """Raises ValidationError."""
        path = settings.REMIT_BREACHED_PASSWORDS
        if path and is_listed(Path(path), hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest()):
            raise ValidationError(SAID, code="password_breached")

    def get_help_text(self) -> str:
        """For forms."""
        return "It must not be one that was stolen elsewhere."


def is_listed(path: Path, digest: str) -> bool:
    """Whether a sorted list holds a digest: some thirty looks into the file, however long it is."""
    wanted = digest.upper().encode()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:
            low, high = 0, len(lines)
            while low < high:
                start = lines.rfind(b"\n", 0, (low + high) // 2) + 1
                end = lines.find(b"\n", start)
                end = len(lines) if end < 0 else end
                found = lines[start : start + DIGEST].upper()
                if found == wanted:
                    return True
                low, high = (end + 1, high) if found < wanted else (low, start)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"The list of breached passwords {path} cannot be read: {error}") from error
    return False
