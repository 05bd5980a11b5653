"""Default fields from views: the title and status of a model's form, and the columns of its list.

Which fields these are is read from the views that Odoo answers the user, as `buttons` does, so that each module's own
totals, states and dates are known without a list of names kept here.
"""

import logging
import re

import psycopg2
from lxml import etree

from ..policy import allowed_models

_logger = logging.getLogger(__name__)

# What is long, or nothing but ids, is read where it is asked for.
_UNFIT = frozenset({"binary", "html", "json", "many2many", "one2many", "properties", "properties_definition"})
_NOT_DATA = frozenset(
    {"activity_exception", "boolean_favorite", "color", "color_picker", "handle", "list_activity", "priority"}
)
_TECHNICAL = ("activity_", "json_", "message_", "my_activity_", "website_message_", "__")
_TITLE = "//div[contains(concat(' ', @class, ' '), ' oe_title ')]//field"
_STATUS = "//header//field[contains(@widget, 'statusbar')]"
_TRUE = frozenset({"1", "True", "true"})
# People of a company and their families: what is theirs is read where it is asked for, and not by default.
_PRIVATE = re.compile(
    r"private_.*|emergency_.*|spouse_.*|bank_account.*|children|birthday.*|place_of_birth|country_of_birth|marital"
    r"|ssn.*|sinid|passport.*|identification_id|visa_.*|permit_no|work_permit.*|gender|sex|disabled|acc_number"
    r"|sanitized_acc_number|iban|wage|.*_wage|distance_home.*|study_.*|certificate|pin|barcode|rfid",
    re.IGNORECASE,
)
_PEOPLE = ("hr.", "res.partner.bank")


def is_private(model, field):
    """Whether it is a private matter of a person."""
    inherited = field.inherited_field.model_name if field.inherited_field else ""
    return f"{model._name}|{inherited}".startswith(_PEOPLE) and bool(_PRIVATE.fullmatch(field.name))


def of(model):
    """Names of the fields, or none where the model has no list; they depend on the user's groups only."""
    groups = tuple(sorted(model.env.user._get_group_ids()))
    return model.env["ir.ui.view"]._mcp_columns(model._name, groups)


def found(env, model_name):
    """As `of`, read from the views."""
    # as Odoo itself would answer the user: it is remembered for each connection, and in no language
    with allowed_models.lifted(env.cr):
        model = env(context={})[model_name]
        listed = _view(model, "list")
        if listed is None:
            return ()
        form = _view(model, "form")
        heading = [] if form is None else [*form.xpath(_TITLE), *form.xpath(_STATUS)]
        nodes = [*heading, *listed.iterchildren("field")]
        names = [node.get("name") for node in nodes if _is_shown(node) and _is_fit(model, node.get("name"))]
        return tuple(dict.fromkeys([*names, *_currencies(model, names)]))


def _view(model, view_type):
    """A view that is stored; without one Odoo generates a default view."""
    if not model.has_access("read"):
        return None
    try:
        answer = model.get_view(view_type=view_type)
    except psycopg2.Error:
        raise
    except Exception:
        # broken in Odoo's own pages as well
        _logger.warning("MCP: no columns from the %s view of %s, which can't be read", view_type, model._name)
        return None
    return etree.fromstring(answer["arch"]) if answer.get("id") else None


def _is_shown(node):
    """Whether it is shown in some list: which of those depends on the menu, and no call comes from one."""
    if node.get("optional") == "hide" or node.get("widget") in _NOT_DATA:
        return False
    return not {node.get("invisible"), node.get("column_invisible")} & _TRUE


def _is_fit(model, name):
    field = model._fields.get(name)
    return field is not None and field.type not in _UNFIT and name != "id" and not name.startswith(_TECHNICAL)


def _currencies(model, names):
    """An amount says little without its currency."""
    monetary = [model._fields[name] for name in names if model._fields[name].type == "monetary"]
    return [name for field in monetary if (name := field.get_currency_field(model)) in model._fields]
