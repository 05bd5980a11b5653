from odoo import Command, api, models
from odoo.tools import SQL

from ..gateway import confinement, exits


class Base(models.AbstractModel):
    """What Odoo itself would do with models that the connection of a call may not use."""

    _inherit = "base"

    def _order_field_to_sql(self, alias, field_name, direction, nulls, query):
        """Leaves out of an order what may not be read: the order itself would tell."""
        if self._mcp_is_confined() and field_name.partition(".")[0] in exits.of(self):
            return SQL()
        return super()._order_field_to_sql(alias, field_name, direction, nulls, query)

    @api.model
    def default_get(self, fields):
        """Leaves out defaults that link nothing: Odoo would ask for the right to read that nothing."""
        defaults = super().default_get(fields)
        if self._mcp_is_confined():
            for name in exits.of(self).keys() & defaults.keys():
                if self._fields[name].type == "many2many" and _links_nothing(defaults[name]):
                    del defaults[name]
        return defaults

    def _mcp_is_confined(self):
        return confinement.active(self.env.cr) and not self.env.su


def _links_nothing(commands):
    return all(len(command) == 3 and command[0] == Command.SET and not command[2] for command in commands or ())
