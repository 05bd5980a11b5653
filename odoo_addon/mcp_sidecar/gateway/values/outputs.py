"""Serialization of values: one form for each kind of field, as the contract lists them."""

import contextlib
import math
from datetime import date, datetime

from odoo.exceptions import AccessError, MissingError
from odoo.models import BaseModel

from ..policy import allowed_models, field_reach, secret_fields
from . import binary_size

EMPTY = None


def rows(records, names):
    """The records as objects with these fields, in their order; those that vanished meanwhile are left out."""
    pairs = [(record, {"id": record.id}) for record in records]
    for name in names:
        if name != "id":
            field = records._fields[name]
            _ADDERS.get(field.type, _add_values)(pairs, records, field)
    return [row for _record, row in pairs if row]


def _add_values(pairs, records, field):
    convert = _CONVERTERS.get(field.type, plain)
    for row, value in _found(pairs, records, field):
        row[field.name] = convert(value)


def _found(pairs, records, field):
    """Each row with its value. Those of simple fields are taken from the cache itself, which holds nearly all."""
    cache = _cache(records, field) if field.type in _CACHED_AS_THEY_ARE else {}
    for record, row in pairs:
        if not row:
            continue
        try:
            value = cache.get(row["id"], _MISSING)
            if value is _MISSING:
                value = record[field.name]
        except MissingError:
            # as Odoo's own read does: the record is no longer there
            row.clear()
        else:
            yield row, value


def _cache(records, field):
    if field.compute and field.store:
        field.recompute(records)
    return field._get_cache(records.env)


def _add_names(pairs, records, field):
    """Many2one: each referred record is named once, however often it is referred to."""
    found = [(row, value.id if isinstance(value, BaseModel) else value) for row, value in _found(pairs, records, field)]
    referred_names = names(records.env[field.comodel_name], {referred for _row, referred in found if referred})
    for row, referred in found:
        name = referred_names.get(referred, _MISSING)
        row[field.name] = EMPTY if name is _MISSING else {"id": referred, "name": name or EMPTY}


def names(comodel, ids):
    """What the records are called, by id; those that are not there are missing."""
    if allowed_models.is_restricted(comodel.env.cr):
        return _names_for_confined(comodel, ids)
    # sudo: who may read a record may know what it refers to, see `Many2one.convert_to_read`
    referred = comodel.sudo().browse(ids)
    # what the names are made of, and no more: left to itself, Odoo would load every column
    referred.fetch(["display_name"])
    found = {}
    for record in referred:
        with contextlib.suppress(MissingError):
            found[record.id] = record.display_name
    return found


def _names_for_confined(comodel, ids):
    """Names as the user themselves may read them: with sudo they could be made of models that are not allowed."""
    found = dict.fromkeys(ids)
    if "display_name" in field_reach.unreachable_fields(comodel):
        return found
    visible = comodel.browse(ids).exists()._filtered_access("read")
    # with sudo Odoo may have computed them before
    visible.invalidate_recordset(["display_name"], flush=False)
    for record in visible:
        with contextlib.suppress(AccessError):
            found[record.id] = record.display_name
    return found


def _add_sizes(pairs, records, field):
    sizes = binary_size.sizes(records, field)
    for record, row in pairs:
        if row:
            size = sizes.get(record.id)
            row[field.name] = {"size": size} if size else _data(record, field)


def _data(record, field):
    """Some computed fields are called binary, and hold data for a widget."""
    if field.store or field.related:
        return EMPTY
    value = record[field.name]
    return plain(value) if isinstance(value, (dict, list)) and value else EMPTY


def _add_properties(pairs, records, field):
    values = field.convert_to_read_multi([record[field.name] for record in records], records)
    for (_record, row), value in zip(pairs, values, strict=True):
        if row:
            row[field.name] = [_property(item) for item in _permitted(records.env.cr, value) or ()]


def _property(item):
    """A property's definition and its value, the latter in the form of its type."""
    given = {key: item.get(key) for key in ("value", "default") if key == "value" or key in item}
    return {**plain(item), **{key: _property_value(item["type"], value) for key, value in given.items()}}


def _property_value(kind, value):
    """Odoo keeps properties as JSON, and answers the records that they refer to as pairs of id and name."""
    if kind == "many2one":
        return {"id": value[0], "name": value[1] or EMPTY} if isinstance(value, (tuple, list)) else EMPTY
    if kind in ("many2many", "tags"):
        return [item[0] if isinstance(item, (tuple, list)) else item for item in value or ()]
    if kind == "datetime" and isinstance(value, str):
        return f"{value.replace(' ', 'T')}Z" if value else EMPTY
    if kind == "boolean":
        return bool(value)
    # an empty value of any type is false in Odoo
    return EMPTY if value is False or value == "" else plain(value)


def _permitted(cr, properties):
    """Without those that refer to a model that is not allowed."""
    if not allowed_models.is_restricted(cr) or not properties:
        return properties
    return [item for item in properties if not item.get("comodel") or allowed_models.is_allowed(cr, item["comodel"])]


# === One kind of value each ===


def instant(value):
    return value.isoformat(timespec="seconds") + "Z"


def _text(value):
    if not value:
        return EMPTY
    text = str(value)
    return secret_fields.redact_links(text) if "=" in text else text


def _number(value):
    value = value or 0.0
    # JSON knows neither NaN nor infinity
    return value if math.isfinite(value) else EMPTY


def _reference(value):
    if not value or not allowed_models.is_allowed(value.env.cr, value._name):
        return EMPTY
    try:
        # without sudo: Odoo's read answers no name here, so the user's own right to it counts
        name = value.display_name or EMPTY
    except AccessError:
        name = EMPTY
    except MissingError:
        return EMPTY
    return {"model": value._name, "id": value.id, "name": name}


_CONVERTERS = {
    "boolean": bool,
    "char": _text,
    "text": _text,
    "html": _text,
    "selection": _text,
    "integer": lambda value: value or 0,
    "float": _number,
    "monetary": _number,
    "date": lambda value: value.isoformat() if value else EMPTY,
    "datetime": lambda value: instant(value) if value else EMPTY,
    "many2one_reference": lambda value: value or EMPTY,
    "json": lambda value: EMPTY if value is False else plain(value),
    "reference": _reference,
    "one2many": lambda value: value.ids,
    "many2many": lambda value: value.ids,
}
_ADDERS = {"binary": _add_sizes, "properties": _add_properties, "many2one": _add_names}
_CACHED_AS_THEY_ARE = frozenset(_CONVERTERS) - {"reference", "one2many", "many2many", "json"} | {"many2one"}
_MISSING = object()


# === Anything a method may answer ===


def plain(value):
    """The value as JSON can hold it."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, BaseModel):
        return {"model": value._name, "ids": value.ids}
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) or hasattr(value, "__next__"):
        return [plain(item) for item in value]
    return _plain_object(value)


def _plain_object(value):
    if isinstance(value, datetime):
        return instant(value.replace(tzinfo=None) if value.tzinfo is None else _to_utc(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"size": len(value)}
    return str(value)


def _to_utc(value):
    return (value - value.utcoffset()).replace(tzinfo=None)
