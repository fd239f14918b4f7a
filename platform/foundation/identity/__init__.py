"""Whoever acts: people, agents and services; how they prove it."""
