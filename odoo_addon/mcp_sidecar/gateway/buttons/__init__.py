"""Method authorization by Odoo's buttons: which a model's views have, and which are visible on a record."""
