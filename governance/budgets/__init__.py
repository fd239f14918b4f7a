"""Ceilings on spend, money held before a call, and the ledger."""
