"""Validation of field values on the way in, and the write policy of fields."""
