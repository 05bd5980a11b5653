"""Serialization of field values, and resolution of the records, labels and dates that a text names."""
