"""Error translation: what Odoo or PostgreSQL raised becomes a fault of the contract."""
