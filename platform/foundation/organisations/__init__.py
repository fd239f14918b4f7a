"""The tenant, its teams, and what a grant can point at."""
