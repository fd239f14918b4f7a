"""REST endpoints of the organisation itself: teams, people, services, grants, API keys, and the record."""
