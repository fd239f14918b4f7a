"""The sample organisation: Northwind and its refund desk, with real orders, a real ledger, and mails to work on.

Imports nothing of Django here, so that the rehearsal model starts alone.
"""
