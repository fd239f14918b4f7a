"""The two set-up commands, `up` and `test`: environment, embedded Postgres, supervisor. Standard library only."""
