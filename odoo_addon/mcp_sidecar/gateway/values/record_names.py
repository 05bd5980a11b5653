"""Name resolution: which records a text means where an id belongs: a name, a code, an XML id, or "me".

Only records that the user may read are looked at, and only to name them in a refusal: nothing is written or searched
by a guess.
"""

import re
from typing import NamedTuple

from ..policy import allowed_models, field_reach, secret_fields
from ..quoting import quoted
from ..rpc import faults
from . import link_targets, outputs, text_forms

# As many are named; more would not help to choose.
_MOST = 5
_LONGEST = 200
_ME = frozenset(
    {"me", "myself", "self", "uid", "current user", "current_user", "user.id", "env.uid", "self.env.uid", "env.user.id"}
)
# What people know a record by beside its name, under the names that most of Odoo's models give it.
_CODES = ("name", "code", "default_code", "barcode", "login", "email", "ref", "symbol")
_XML_ID = re.compile(r"[A-Za-z_]\w*\.[\w.-]+", re.ASCII)
_REFERENCE = re.compile(r"([\w.]+),\s*(\d+)", re.ASCII)
_NUMBER = re.compile(r"\+?\d{1,10}", re.ASCII)


class Called(NamedTuple):
    """The records that a text may mean."""

    ids: list
    more: bool = False

    @property
    def only(self):
        """The one that it means, if it is just one."""
        return self.ids[0] if len(self.ids) == 1 and not self.more else None


def text_of(value):
    """The text in a value that stands for a record: a name, or what names it in the answers of Odoo; None elsewhere."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("id", "display_name", "name", "code") if value.get(key)), None)
    if isinstance(value, list) and len(value) == 2 and _is_id(value[0]) and isinstance(value[1], str):
        value = value[0]
    if _is_id(value):
        return str(value)
    return value.strip() if isinstance(value, str) and value.strip() else None


def _is_id(value):
    return type(value) is int and value > 0


def find(comodel, text):
    """The records of the model that the text may mean."""
    if not text or len(text) > _LONGEST or not allowed_models.is_allowed(comodel.env.cr, comodel._name):
        return Called([])
    if comodel._name == "ir.model":
        return _model(comodel, text)
    if not comodel.has_access("read"):
        return Called([])
    if known := _by_reference(comodel, text):
        return Called([known])
    if "display_name" in field_reach.unreachable_fields(comodel) or not (
        comodel._rec_name or comodel._rec_names_search
    ):
        return Called([])
    found = _by_code(comodel, text) or _by_name(comodel, text)
    # such as a currency that is not in use yet
    found = found or _by_code(comodel.with_context(active_test=False), text)
    return Called(found[:_MOST], len(found) > _MOST)


def sentence(comodel, text, found):
    """What the text means, for a refusal; empty where that is not known."""
    names = outputs.names(comodel, found.ids)
    if found.only:
        return f"{quoted(text)} is {_named(comodel, names, found.only)}"
    if found.ids:
        shown = " or ".join(_named(comodel, names, record_id) for record_id in found.ids)
        return f"{quoted(text)} may be {shown}{' or others' if found.more else ''}"
    return ""


def refusal(model, field, value):
    """The refusal of what is no id, with the id that was meant."""
    message, found = f"{model._name}.{field.name} takes an id", Called([])
    comodel, text = model.env[field.comodel_name], text_of(value)
    if text:
        found = find(comodel, text)
    if found.only:
        message += f": {sentence(comodel, text, found)}, so send {found.only}."
    elif found.ids:
        message += f": {sentence(comodel, text, found)}. Send the id of the one that is meant."
    elif value is False:
        message += ": null clears it."
    else:
        message += ', or {"id": id}.'
        if text and not _NUMBER.fullmatch(text) and comodel.has_access("read"):
            message += f" {not_found(comodel, text)}"
    return faults.invalid_value(model._name, field.name, value, message, meant=found.ids)


def not_found(comodel, text):
    return f"No {comodel._name} that this user may see is called {quoted(text)}."


def _named(comodel, names, record_id):
    name = names.get(record_id)
    if not name:
        return f"{comodel._name} {record_id}"
    twice = sum(other == name for other in names.values()) > 1
    archived = ", archived" if _is_archived(comodel, record_id) else ""
    return f"{quoted(name)}{_company(comodel, record_id) if twice else ''} (id {record_id}{archived})"


def _is_archived(comodel, record_id):
    # sudo: that a record is archived shows in every list that leaves it out
    return bool(comodel._active_name) and not comodel.browse(record_id).sudo()[comodel._active_name]


def _company(comodel, record_id):
    """Of records with the same name the company distinguishes them."""
    if "company_id" not in comodel._fields or not comodel._has_field_access(comodel._fields["company_id"], "read"):
        return ""
    # sudo: a user knows the names of the companies whose records they may read
    name = comodel.browse(record_id).sudo().company_id.name
    return f" of {quoted(name)}" if name else ""


# === Ways to name a record ===


def _model(comodel, text):
    """A model: most users may not read `ir.model`, yet know the models that they use."""
    model = comodel.env.registry.get(text)
    if model is None or not comodel.env[text].has_access("read") or not allowed_models.is_allowed(comodel.env.cr, text):
        return Called([])
    return Called([comodel._get_id(text)])


def _by_reference(comodel, text):
    """The id of a record that the text names without regard to what it is called."""
    env = comodel.env
    record_id = None
    if text.lower() in _ME:
        record_id = _me(comodel)
    elif _NUMBER.fullmatch(text):
        record_id = int(text)
    elif match := _REFERENCE.fullmatch(text):
        record_id = int(match[2]) if match[1] == comodel._name else None
    elif _XML_ID.fullmatch(text):
        model, record_id = env["ir.model.data"]._xmlid_to_res_model_res_id(text)
        record_id = record_id if model == comodel._name else None
    if not record_id or record_id > 2**31 - 1:
        return None
    return next(iter(link_targets.existing(comodel, [record_id])), None)


def _me(comodel):
    """The record of this model that stands for the user."""
    user = comodel.env.user
    if comodel._name == "res.users":
        return user.id
    if comodel._name == "res.partner":
        return user.partner_id.id
    field = comodel._fields.get("user_id")
    if field is None or not field.store or not comodel._name.startswith("hr.employee"):
        return None
    return comodel.search([("user_id", "=", user.id)], limit=1).id


def _by_code(comodel, text):
    """Records that are called exactly so, or have exactly this code."""
    names = [name for name in dict.fromkeys((comodel._rec_name, *_CODES)) if _is_compared(comodel, name)]
    forms = [(name, "=ilike", text_forms.literal(form)) for name in names for form in text_forms.forms(text)]
    return comodel.search(["|"] * (len(forms) - 1) + forms, limit=_MOST + 1).ids if forms else []


def _is_compared(comodel, name):
    field = comodel._fields.get(name)
    if field is None or field.type != "char" or not field._description_searchable:
        return False
    closed = field_reach.unreachable_fields(comodel).keys() | secret_fields.names_of(comodel)
    return name not in closed and comodel._has_field_access(field, "read")


def _by_name(comodel, text):
    found = {}
    for form in text_forms.forms(text):
        found.update(comodel.name_search(text_forms.literal(form), limit=_MOST + 1))
    return list(found)
