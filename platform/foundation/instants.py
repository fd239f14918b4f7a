"""The clock that decides: the database's, whatever a host believes the time to be."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """What the database's clock says."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
