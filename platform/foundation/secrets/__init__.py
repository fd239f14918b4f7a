"""Sealed values and the keys that seal them; secrets that never show themselves; logs without secrets."""
