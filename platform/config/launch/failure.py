"""The one way in which the launcher gives up."""


class LaunchError(Exception):
    """What happened and what to do, in one line; the command prints it and ends with exit code 2."""
