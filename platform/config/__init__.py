"""The composition root: settings, addresses, serving, Celery and the two set-up commands. Imports nothing here, so that
`config.launch` runs before Django is installed and no setting is frozen before the database has an address."""
