"""Authorization server, the part that is kept in Odoo: clients, authorization requests, consent and tokens.

The sidecar speaks the protocol; here are the records, of which only digests of secrets are stored. Each step that may
happen once is one conditional UPDATE. A refusal is answered and not raised, so that what was revoked because of it
stays revoked.
"""
