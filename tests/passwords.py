"""Passwords of tests: hashed like those of people, but not for as long."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """Three orders of magnitude fewer rounds."""

    iterations = 1_000
