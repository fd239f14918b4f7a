"""Agents and their immutable, numbered versions."""
