from odoo import Command, api, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from ..gateway import transaction
from ..gateway.errors import constraints
from ..gateway.policy import allowed_models, field_reach, secret_fields
from ..gateway.sinks import credential_methods, sealed_fields, stored_code


class Base(models.AbstractModel):
    """Overrides of the ORM in every model of the database: the enforcement points that no code of a call gets around.

    Checked against the source of Odoo 19.0 (`odoo/orm/models.py`); what each refuses, and its tests, stand in
    `gateway/policy/refusals.py`:

    - `_check_field_access`, `fields_get`: a field that is asked for by its name, in searches and orders too;
    - `_fetch_field`: marks what Odoo's own code reads of a record, which it may go on using;
    - `create`, `write`, `unlink`, `_update_field_translations`: the only ways to store code that Odoo evaluates later;
    - `_order_field_to_sql`, `default_get`: both look behind a relation without asking for the right to read there;
    - `_search`, `_read_group_orderby`: a total order, without which pages repeat rows and leave others out;
    - `_sql_error_to_message_generic`: what PostgreSQL refuses, in words of the addon;
    - `_post_model_setup__`: wraps methods that mint a credential, once for each model and registry.

    Outside of a call each returns at its first condition, an attribute of the cursor or the type of the field. Measured
    on CPython 3.11: 0.1 to 0.3 us for a hook that asks whether a call runs, 0.4 to 0.7 us for each checked field, 1 to
    2 us for each field that is fetched from the database.
    """

    _inherit = "base"

    @api.model
    def _post_model_setup__(self):
        result = super()._post_model_setup__()
        credential_methods.wrap_sinks(self)
        return result

    # === Secrets: each method that asks for a field by its name ends here ===

    @api.model
    def _check_field_access(self, field, operation):
        if operation == "read" and (secret_fields.hides(self, field) or sealed_fields.hides(self, field)):
            raise AccessError(secret_fields.refusal(self, field.name))
        return super()._check_field_access(field, operation)

    @api.model
    def fields_get(self, allfields=None, attributes=None):
        described = super().fields_get(allfields, attributes)
        return {
            name: attributes
            for name, attributes in described.items()
            if not secret_fields.hides(self, self._fields[name])
        }

    def _fetch_field(self, field):
        """Odoo's own code uses a field of a record, such as the key of another service. See also `sealed_fields`."""
        with secret_fields.reading_allowed(self.env.cr):
            return super()._fetch_field(field)

    # === A total order: pages of a partial one would repeat some rows and leave out others ===

    @api.model
    def _search(self, domain, offset=0, limit=None, order=None, **kwargs):
        query = super()._search(domain, offset, limit, order, **kwargs)
        if order and transaction.in_call(self.env.cr) and query.order:
            query.order = SQL("%s, %s", query.order, SQL.identifier(self._table, "id"))
        return query

    def _read_group_orderby(self, order, groupby_terms, query):
        # the call below adds what a many2one is ordered by
        keys = list(groupby_terms.values())
        ordered = super()._read_group_orderby(order, groupby_terms, query)
        if keys and ordered and transaction.in_call(self.env.cr):
            return SQL(", ").join([ordered, *keys])
        return ordered

    # === Code that Odoo would run later ===

    @api.model_create_multi
    def create(self, vals_list):
        stored_code.refuse_creating(self, vals_list)
        return super().create(vals_list)

    def write(self, vals):
        stored_code.refuse_writing(self, vals)
        return super().write(vals)

    def unlink(self):
        stored_code.refuse_deleting(self)
        return super().unlink()

    def _update_field_translations(self, field_name, translations, digest=None, source_lang=""):
        stored_code.refuse_translating(self, field_name, translations)
        return super()._update_field_translations(field_name, translations, digest=digest, source_lang=source_lang)

    # === Refusals of the database ===

    @api.model
    def _sql_error_to_message_generic(self, exc):
        """Odoo's own words name tables and constraints, and quote PostgreSQL: no use to an AI tool."""
        if constraints.active(self.env.cr):
            return constraints.generic(self, exc)
        return super()._sql_error_to_message_generic(exc)

    # === Models out of reach ===

    def _order_field_to_sql(self, alias, field_name, direction, nulls, query):
        """Leaves out of an order what may not be read: the order itself would reveal it."""
        if self._mcp_is_confined() and field_name.partition(".")[0] in field_reach.unreachable_fields(self):
            return SQL()
        return super()._order_field_to_sql(alias, field_name, direction, nulls, query)

    @api.model
    def default_get(self, fields):
        """Leaves out defaults that link nothing: Odoo would ask for the right to read that nothing."""
        defaults = super().default_get(fields)
        if self._mcp_is_confined():
            for name in field_reach.unreachable_fields(self).keys() & defaults.keys():
                if self._fields[name].type == "many2many" and _links_nothing(defaults[name]):
                    del defaults[name]
        return defaults

    def _mcp_is_confined(self):
        return allowed_models.is_restricted(self.env.cr) and not self.env.su


def _links_nothing(commands):
    return all(len(command) == 3 and command[0] == Command.SET and not command[2] for command in commands or ())
