"""What every layer stands on: models, verbs, guards, base classes. It has no pages and knows no one above it.

actors, ids      who acts, and how things are named
tenancy          the organisation on every row, row-level security, partitions
audit            the record
secrets outbound sealed values; the one factory of outgoing connections
organisations    the tenant, its teams, and what a grant can point at
identity         people, agents and services as principals; sign-in; API keys
access           roles, grants, `permitted(actor, permission)`, the guards
web api          what pages and endpoints are made of
"""
