"""Validation of an analytic distribution: JSON that Odoo stores as it comes, with ids of accounts as keys."""

import re

from ..policy import allowed_models
from ..quoting import quoted
from ..rpc import faults
from ..values import link_targets

FIELD = "analytic_distribution"
_ACCOUNTS = "account.analytic.account"
_KEY = re.compile(r"\d+(,\d+)*")


def checked(model, field, value):
    """Accounts, one or several joined by commas, and the percentage that goes to them."""
    if _ACCOUNTS not in model.env.registry:
        return value
    if not isinstance(value, dict):
        raise _refused(model, field, value, "it is no object")
    for key, percentage in value.items():
        if not _KEY.fullmatch(key):
            raise _refused(model, field, value, f"the key {quoted(key)} is no id of an analytic account")
        if isinstance(percentage, bool) or not isinstance(percentage, (int, float)):
            raise _refused(model, field, value, f"the percentage for {quoted(key)} is no number")
    _require_accounts(model, field, value)
    return value


def _require_accounts(model, field, value):
    allowed_models.require(model.env.cr, _ACCOUNTS)
    ids = {int(part) for key in value for part in key.split(",")}
    if missing := ids - link_targets.existing(model.env[_ACCOUNTS], ids):
        raise _refused(model, field, value, f"there is no analytic account with the id {min(missing)}")


def _refused(model, field, value, why):
    message = (
        f'{model._name}.{field.name} takes percentages by the id of the analytic account, such as {{"12": 100}}: {why}.'
    )
    return faults.invalid_value(model._name, field.name, value, message)
