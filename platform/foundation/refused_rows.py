"""What the database refuses, in words for whoever asked: for the pages and the REST API alike."""

import logging

from django.db import DataError, IntegrityError
from django.db.models import ProtectedError, RestrictedError
from psycopg.errors import ForeignKeyViolation, UniqueViolation

logger = logging.getLogger(__name__)


def told(error: IntegrityError | DataError) -> tuple[int, str]:
    """The HTTP status and the line. What nobody has foreseen is logged, and told without what the database says."""
    cause = error.__cause__
    if isinstance(error, ProtectedError | RestrictedError):
        return 409, "Something else still rests on it: take that away first."
    if isinstance(cause, UniqueViolation):
        return 409, "There is one like it already: choose another name, or change the one that exists."
    if isinstance(cause, ForeignKeyViolation):
        return 400, "It points at something that does not exist here."
    logger.error("The database refused a row", exc_info=error)
    return 400, (
        "The database takes no value like one of these: it may hold a character that cannot be seen, or be too large. "
        "Nothing was changed. Correct it, and send it again."
    )
