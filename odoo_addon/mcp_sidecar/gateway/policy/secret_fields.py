"""Fields that hold a secret: a password, a key of another service, a token that opens a record to its bearer.

No AI tool reads one, for any user: it could go on by itself with it, in Odoo's pages or elsewhere, without limits
and without log. Nor does one search, order or group by it, which would reveal it bit by bit. Odoo says of few of these
fields that they are secret, so they are known by their names.

What Odoo's own code reads of a record while it works for a call goes on as ever, see `models/base.py`; what a template
or a server action reads is closed by `sealed_fields`.
"""

import functools
import re

from odoo.orm.domains import CONDITION_OPERATORS

from .. import transaction
from ..quoting import quoted
from ..rpc import faults

# Numbers, dates and relations of such a name only describe a secret.
TYPES = frozenset({"char", "text", "html", "binary"})
_NAME = re.compile(
    r"""(?:^|_)
    (?: r?tokens? | secret | pass(?:word|wd|phrase|code)? | pwd | pin | credentials? | webhook_uuid
      | (?:access|account|api|app|auth|client|encryption|hash|hmac|kiosk|migration|notification|pem|private|replacement
        |secret|server|session|signature|transaction|verification|webhook) _?key
      | sha_(?:request|response) )
    (?: _(?:display|encrypted|hash|value) )? (?: _?\d+ )? $""",
    re.VERBOSE | re.IGNORECASE,
)
_IN_LINK = re.compile(r"""([?&;]\w*(?:token|hash)=)[^&\#\s"'<>]+""", re.IGNORECASE)
_HIDDEN = r"\1…"

# No field has a longer name.
_LONGEST_NAME = 200

_BEARER = "access_token"
_ORDERS = frozenset({"order", "orderby"})
_ORDER_PATH = re.compile(r"[\w.]+")

_SHOWN = "_mcp_secrets_shown"


def is_name(name):
    """Whether what is called so is a secret, if it is a text."""
    # its end decides; what is asked for may be of any length, and must not be kept
    return _is_name(name[-_LONGEST_NAME:])


@functools.lru_cache(maxsize=8192)
def _is_name(name):
    return _NAME.search(name) is not None


def is_parameter(key):
    """Whether the system parameter with that key is a secret, as `database.secret` is."""
    return bool(key) and is_name(key.replace(".", "_"))


def names_of(model):
    """Names of the model's fields that are secret."""
    return model.env["ir.model.access"]._mcp_secret_fields(model._name)


def compute_names(env, model_name):
    """As `names_of`: a secret, or what shows one under another name, such as a link."""
    fields = [field for field in env[model_name]._fields.values() if field.type in TYPES]
    return frozenset(field.name for field in fields if is_name(field.name) or _shows_one(env, field))


def _shows_one(env, field):
    if field.store and not field.related:
        return False
    return any(is_name(path.rpartition(".")[2]) for path in env.registry.field_depends[field])


def hides(model, field):
    """Whether what runs may not ask for that field. Asked for each field that is, so the cheap questions come first."""
    if field.type not in TYPES or model.env.su:
        return False
    cr = model.env.cr
    return transaction.in_call(cr) and not is_reading_allowed(cr) and field.name in names_of(model)


def reading_allowed(cr):
    """For the code of Odoo that uses a field of a record, rather than asking for it by its name."""
    return transaction.scoped_value(cr, _SHOWN, True)


def is_reading_allowed(cr):
    return bool(vars(cr).get(_SHOWN))


def refusal(model, name):
    return f"No AI tool may read the field {name} of {model._name}: it holds a secret."


# === What a method is given: Odoo searches some models with sudo, which nothing else would refuse ===


def refuse_arguments(model, arguments):
    """Refuses a domain or an order by a secret, and values that set a token."""
    for name, value in arguments.items():
        if name in _ORDERS and isinstance(value, str):
            _refuse_paths(model, _ORDER_PATH.findall(value))
        _refuse_conditions(model, value)


def _refuse_conditions(model, value):
    if isinstance(value, dict):
        for name, item in value.items():
            refuse_setting(model, name, item)
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        return
    if len(value) == 3 and all(isinstance(part, str) for part in value[:2]) and value[1].lower() in CONDITION_OPERATORS:
        _refuse_paths(model, [value[0]])
    for item in value:
        _refuse_conditions(model, item)


def _refuse_paths(model, paths):
    for path in paths:
        for name in path.split("."):
            if is_name(name):
                raise faults.access_denied(
                    model._name, "read", refusal(model, quoted(path)), field=path[:_LONGEST_NAME]
                )


def refuse_setting(model, name, value):
    """Refuses to set a token, which is Odoo's to make: who knows it gets at the record without being anybody."""
    if isinstance(value, str) and isinstance(name, str) and name.endswith(_BEARER):
        message = f"No AI tool may set the field {quoted(name)} of {model._name}: it opens the record to its bearer."
        raise faults.access_denied(model._name, "write", message, field=name)


# === Texts and answers that secrets are in ===


def redact_links(text):
    """The text without the tokens of the links in it, which log in or open a record."""
    if "token=" in text or "hash=" in text:
        return _IN_LINK.sub(_HIDDEN, text)
    return text


def redacted(answer):
    """What a method answered, in JSON's types, without texts under a secret's name and without tokens in links."""
    if isinstance(answer, str):
        return redact_links(answer)
    if isinstance(answer, list):
        return [redacted(item) for item in answer]
    if isinstance(answer, dict):
        return {key: redacted(item) for key, item in answer.items() if not _is_secret_text(key, item)}
    return answer


def _is_secret_text(key, item):
    return isinstance(item, str) and is_name(key)
