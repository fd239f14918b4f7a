"""The console's own pages and endpoints, and every page that shows agents and governance together."""
