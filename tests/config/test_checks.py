"""Django's own checks find nothing to complain of: our commands do not make them at each start."""

from django.core.management import call_command


def test_nothing_is_complained_of() -> None:
    call_command("check", fail_level="WARNING")
