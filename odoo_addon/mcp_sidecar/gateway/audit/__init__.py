"""The audit log: ingestion of a sidecar's spool, and the hash chain that makes tampering evident."""
