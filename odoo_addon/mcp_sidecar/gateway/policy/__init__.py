"""Authorization: which models, fields, records and accounts a call may reach, and which methods it may name."""
