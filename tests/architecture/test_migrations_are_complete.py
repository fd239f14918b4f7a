"""The migrations say what the models say: `makemigrations` would write nothing."""

import io
from contextlib import AbstractContextManager

import pytest
from django.core.management import call_command


def test_no_change_is_missing(database: AbstractContextManager[None]):
    said = io.StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, verbosity=1, stdout=said)
    except SystemExit:
        pytest.fail(f"Models have changed without a migration: run `manage.py makemigrations`.\n{said.getvalue()}")
