"""Method level of a connection: no methods, the buttons of Odoo's forms, or any public method.

The level of the call that runs is kept on the cursor, so that all of Odoo's code within the call can ask for it.
"""

from .. import transaction

NONE, BUTTONS, ANY = "none", "buttons", "any"
# from the narrowest to the widest
LEVELS = (NONE, BUTTONS, ANY)

_LEVEL = "_mcp_method_level"


def level(cr):
    """The level of the connection whose call runs on this cursor, or None where no call runs."""
    return vars(cr).get(_LEVEL)


def level_applied(cr, principal):
    """Keeps the level of that connection while the block runs its call."""
    return transaction.scoped_value(cr, _LEVEL, principal.method_level)


def is_wider(before, after):
    """Whether a connection may call more at one level than at the other."""
    return after in LEVELS and LEVELS.index(after) > LEVELS.index(before)


def effective(scope, stored):
    """What a connection may call: a connection that only reads calls nothing, whichever level is stored."""
    return NONE if scope == "read_only" or stored not in LEVELS else stored
