#!/usr/bin/env python3
"""Django's command line. `up` and `test` first make what they need (config.launch); every other command is Django's."""

import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it with an older Python shall read why it stops
        sys.stderr.write("Remit needs Python 3.11 or newer, this is " + sys.version.split()[0] + ".\n")
        sys.exit(2)
    sys.path.insert(1, os.path.join(ROOT, "platform"))  # a source root; as a package it would hide Python's `platform`

    from config.launch.commands import take_over

    take_over(ROOT, sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
