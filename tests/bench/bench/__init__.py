"""The benchmark: who answers how fast, on the same Odoo, in one run."""
