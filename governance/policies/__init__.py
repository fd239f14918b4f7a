"""Cedar policies, their versions, and the decisions that they gave."""
