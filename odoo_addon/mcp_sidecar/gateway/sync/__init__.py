"""Synchronization with sidecars: handshake, outbox cursor, wake-up and sessions."""
