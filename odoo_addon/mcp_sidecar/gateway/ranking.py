"""Which fields of a model matter most: the order of `schema`, and the choice where none are named."""

# Where no fields are named, these many of the most relevant ones are read.
DEFAULT_FIELDS = 16

_NAMES = ("name", "display_name")
_STATES = ("state", "stage_id", "status")
_OWNERS = ("partner_id", "user_id", "company_id")
# Fields that people know a record by or ask for, under the names that most of Odoo's models give them.
_TELLING = (
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


def defaults(model, readable):
    """What to read where no fields are named: relevant and cheap ones."""
    chosen = [name for name in readable if _is_cheap(model, model._fields[name])]
    return chosen[:DEFAULT_FIELDS] or [name for name in readable if name == "display_name"]


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
    return 6 if name in _TELLING else 7
