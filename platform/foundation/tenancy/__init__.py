"""The organisation on every row: base model, row-level security, partitions, and the context that opens a tenant."""
