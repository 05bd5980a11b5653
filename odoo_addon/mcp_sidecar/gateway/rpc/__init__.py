"""The wire: request schemas, validation, and the faults of the contract."""
