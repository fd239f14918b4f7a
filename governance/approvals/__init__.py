"""Asks that wait for people, and their votes."""
