"""What rules. It sees the agents and holds their gate.

policies    Cedar policies, their versions, decisions
budgets     ceilings on spend, reservations, the ledger
approvals   asks that wait for people
gate        the doorkeeper: composes the above into one verdict
"""
