"""Search: validation of domains, conditions, orders and paths before Odoo's ORM runs them."""
