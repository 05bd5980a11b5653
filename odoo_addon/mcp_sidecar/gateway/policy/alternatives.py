"""Suggestions in refusals: where Odoo keeps what a caller has looked for in another place."""

import json
import re

from .. import suggestions
from ..quoting import quoted
from ..rpc import faults
from . import allowed_models

# Models with a part that everyone may read.
_PUBLIC = ".public"

_STOCK = re.compile(r"(qty|quantity|quantities|stock|on_hand|onhand|available|inventory|virtual|free)", re.IGNORECASE)
_PRODUCTS = frozenset({"product.product", "product.template"})
_LANGUAGE = re.compile(r"[a-z]{2,3}([_-][A-Za-z]{2,4})?(@[a-z]+)?")
_TRANSLATED = re.compile(r"(\w+?)[:@.](" + _LANGUAGE.pattern + ")")

# Methods that Odoo 19 has no more, or that never were: what does the same.
_METHODS = {
    "name_get": "Read the field display_name with search_read or get_record.",
    "fields_view_get": "Call get_view.",
    "archive": "Call action_archive.",
    "unarchive": "Call action_unarchive.",
    "delete": "Use the tool delete_record or batch_delete.",
    "insert": "Use the tool create_record or batch_create.",
    "get": "Use the tool get_record.",
    "get_record": "Use the tool get_record.",
    "find": "Use the tool search_read.",
    "list": "Use the tool search_read.",
    "count": "Use the tool search_count.",
    "get_fields": "Use the tool describe_model.",
    "describe": "Use the tool describe_model.",
}


def of_model(env, name):
    """The model that shows to everyone what may be seen of one that this user may not read, as a sentence or ""."""
    public = f"{name}{_PUBLIC}"
    if (
        public not in env.registry
        or not allowed_models.is_allowed(env.cr, public)
        or not env[public].has_access("read")
    ):
        return ""
    return f" {public} holds what everyone may see of these records, under the same ids: use that."


def of_method(method, names):
    """What to do instead of calling a method that isn't there.

    :param names: methods that may be guessed
    """
    return f" {_METHODS[method]}" if method in _METHODS else suggestions.did_you_mean(method, names)


def to_write(model, name, value):
    """The message for a field that isn't there to be written, or None where there is no more to say."""
    unknown = f"The model {model._name} has no field {quoted(name)}."
    if not isinstance(name, str):
        return None
    match = _TRANSLATED.fullmatch(name)
    field = model._fields.get(match[1]) if match else None
    if field is not None and field.translate and isinstance(value, str):
        return f"{unknown} {_in_language(model, field, match[2], value)}"
    head, dot, rest = name.partition(".")
    field = model._fields.get(head) if dot else None
    if field is not None and field.relational and field.type == "many2one":
        comodel = field.comodel_name
        return f"{unknown} {rest} belongs to the {comodel} in {head}: change it there, with update_record on {comodel}."
    return None


def of_translations(model, field, value):
    """The refusal of an object of texts by language, or None where it is something else."""
    if not isinstance(value, dict) or not value or not getattr(field, "translate", False):
        return None
    if not all(isinstance(key, str) and _LANGUAGE.fullmatch(key) for key in value):
        return None
    lang, text = next(iter(value.items()))
    message = f"{model._name}.{field.name} takes a text. {_in_language(model, field, lang, text)}"
    return faults.invalid_value(model._name, field.name, value, message, meant=True)


def _in_language(model, field, lang, text):
    wanted = lang.replace("-", "_")
    installed = [code for code, _name in model.env["res.lang"].get_installed()]
    fitting = [code for code in installed if code == wanted or code.partition("_")[0] == wanted.partition("_")[0]]
    form = json.dumps({"values": {field.name: text}, "context": {"lang": (fitting or [wanted])[0]}}, ensure_ascii=False)
    sentence = f"A translation is written in its own call, with context.lang, such as update_record with {form[:400]}."
    return sentence if fitting else f"{sentence} Languages installed here: {', '.join(installed)}."


def of_stock(model, name):
    """Where quantities of products are, for a field that can't be used so; "" elsewhere."""
    if model._name not in _PRODUCTS or not _STOCK.search(name) or not _is_readable(model, "stock.quant"):
        return ""
    return (
        " Quantities in stock are records of stock.quant: read quantity, reserved_quantity and available_quantity of a"
        " product_id by location_id there, or qty_available here; to correct a count write inventory_quantity there"
        " and call action_apply_inventory."
    )


def _is_readable(model, name):
    env = model.env
    return name in env.registry and allowed_models.is_allowed(env.cr, name) and env[name].has_access("read")
