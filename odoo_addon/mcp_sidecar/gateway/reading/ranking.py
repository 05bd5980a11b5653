"""Ranking of fields by relevance: the order of `schema`, and the default choice of a read."""

from . import view_columns

# Where no fields are named, these many of the most relevant ones are read.
DEFAULT_FIELDS = 16

_NAMES = ("name", "display_name")
_STATES = ("state", "stage_id", "status")
_OWNERS = ("partner_id", "user_id", "company_id")
# Fields that people know a record by or ask for, under the names that most of Odoo's models give them.
_IDENTIFYING = (
    "code",
    "default_code",
    "ref",
    "reference",
    "email",
    "phone",
    "type",
    "parent_id",
    "product_id",
    "product_uom_qty",
    "quantity",
    "country_id",
    "city",
    "zip",
    "street",
    "vat",
    "priority",
    "description",
)
# What a list shows no column of where its menu has filtered by it already.
_LOOKED_FOR = ("state", "stage_id", "partner_id", "product_id", "date")
_TECHNICAL_NAMES = {"create_uid", "create_date", "write_uid", "write_date", "parent_path", "has_message"}
_TECHNICAL_STARTS = ("message_", "activity_", "my_activity_", "website_message_", "access_", "rating_", "__")
_TECHNICAL_ENDS = ("_token", "_properties_definition", "_count")

_LAST_TYPES = {
    "html": 9,
    "many2many": 9,
    "one2many": 10,
    "properties": 10,
    "binary": 11,
    "json": 11,
    "properties_definition": 11,
}
_LISTED_UP_TO = 7
_COMPUTED = 8
_TECHNICAL = 20


def ranked(model):
    """Names of all fields, most relevant first; `id` is left out, as each record carries it."""
    names = [name for name in model._fields if name != "id"]
    return sorted(names, key=lambda name: _rank(model, model._fields[name]))


def defaults(model, is_readable):
    """What to read where no fields are named: what Odoo's own list shows, else relevant and cheap ones."""

    def is_open(name):
        return is_readable(name) and not view_columns.is_private(model, model._fields[name])

    shown = [name for name in view_columns.of(model) if is_open(name)]
    if shown:
        return _completed(model, shown, is_open)
    chosen = [name for name in ranked(model) if _is_cheap(model, model._fields[name]) and is_open(name)]
    return chosen[:DEFAULT_FIELDS] or [name for name in ("display_name",) if is_readable(name)]


def _completed(model, shown, is_open):
    """With what the records are called, and what else each list is looked through for, where the model has it."""
    name = next((name for name in (model._rec_name, "display_name") if name and is_open(name)), None)
    named = {model._rec_name, *_NAMES} & set(shown) or not name
    first = shown if named else [name, *shown]
    wanted = [name for name in _LOOKED_FOR if name in model._fields and model._fields[name].store and is_open(name)]
    return list(dict.fromkeys([*first[: DEFAULT_FIELDS - len(wanted)], *wanted]))


def _is_cheap(model, field):
    if field.name == "display_name":
        return not model._rec_name
    return field.store and _rank(model, field)[0] <= _LISTED_UP_TO


def _rank(model, field):
    """Tier first, then what can be changed; Python's sort keeps the order of definition within these."""
    tier = _tier(model, field)
    return tier, bool(field.readonly) if tier else field.name != model._rec_name


def _tier(model, field):
    name = field.name
    if name == model._rec_name or name in _NAMES:
        return 0
    if name in _TECHNICAL_NAMES or name.startswith(_TECHNICAL_STARTS) or name.endswith(_TECHNICAL_ENDS):
        return _TECHNICAL
    if field.type in _LAST_TYPES:
        return _LAST_TYPES[field.type]
    if not field.store:
        return _COMPUTED
    if field.required:
        return 1
    if name in _STATES:
        return 2
    if name in _OWNERS:
        return 3
    if field.type in ("date", "datetime"):
        return 4
    if field.type == "monetary":
        return 5
    return 6 if name in _IDENTIFYING else 7
