"""Allow list: the models that a connection is confined to, kept on the cursor while one of its calls runs.

Odoo asks ``ir.model.access`` whenever a user's code comes to a model, and ``ir.rule`` for its rows: both answer by
what is kept here, see `models/ir_model_access.py` and `models/ir_rule.py`. What Odoo does with sudo goes on as ever, so
what it would reveal of another model, such as the name behind a many2one, is left out by `field_reach`.
"""

import contextlib

from .. import transaction
from ..rpc import faults
from . import denied_models

_ALLOWED = "_mcp_allowed_models"

# What Odoo's own code looks up as the user on nearly every record, for a default or a total. Only such code may: a step
# that names one of these, or a field that leads there, is refused like any other.
TECHNICAL_MODELS = frozenset({"ir.sequence", "mail.message.subtype", "res.company", "res.currency", "res.lang"})


def allowed(cr):
    """Names of the models that what runs on this cursor may reach, or None where all of them are allowed."""
    return vars(cr).get(_ALLOWED)


def is_restricted(cr):
    return allowed(cr) is not None


@contextlib.contextmanager
def restricted_to(cr, models):
    """Runs the block for a connection with these allowed models; none at all stands for all."""
    if not models:
        yield
        return
    with transaction.scoped_value(cr, _ALLOWED, models):
        yield


@contextlib.contextmanager
def lifted(cr):
    """For what Odoo remembers for all calls of a user, whichever connection asked first."""
    with transaction.scoped_value(cr, _ALLOWED, None), denied_models.lifted(cr):
        yield


def is_allowed(cr, name):
    models = allowed(cr)
    return models is None or name in models


def require(cr, name):
    """Refuses a model that is not allowed, be there one of that name or not."""
    if not is_allowed(cr, name):
        raise faults.model_denied(name)
