"""The reading operations: search, read, group, traverse, and the choice of fields."""
