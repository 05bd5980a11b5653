"""Deferred code execution: records that Odoo evaluates later, outside of any call and without its limits.

They were found by all uses of `safe_eval`, `literal_eval` and QWeb over stored fields in Odoo. Three tables say what is
done with them:

- `CODE`: such a record is code. Only a connection of the level `any` creates, changes or deletes one.
- `FIELDS`: the record is data, but some of its fields are code, which only that level sets.
- `LITERALS`: fields that are evaluated as literals or so nearly; a literal computes nothing, so that each level may set
  one, such as the domain of a filter, and anything else takes `any`.

What inherits `mail.render.mixin` is text with expressions in it: text is for each level, expressions are not. Left out
is what runs nothing: defaults and aliases (`ir.default`, `mail.alias`, JSON and literals that become values), sequences
(text with dates), formulas of taxes and prices (a grammar of numbers), and domains that Odoo only reads as literals.

At each level an expression that names a sink is refused, as it would show later what is closed now.
"""

import ast
import html
import re
import unicodedata

from .. import transaction
from ..auth import method_levels
from ..policy import accounts, secret_fields
from ..rpc import faults
from . import credential_methods

CODE = {
    "accounting.assert.test": "runs its code",
    "base.automation": "runs actions, and evaluates conditions",
    "gamification.goal.definition": "runs its code, and evaluates its domain",
    "hr.payroll.structure": "runs the code of its rules",
    "hr.salary.rule": "runs its code",
    "ir.actions.report": "evaluates its file names, and renders a view",
    "ir.actions.server": "runs its code, writes its values, sends its webhook",
    "ir.actions.server.history": "holds code that can be restored",
    "ir.asset": "brings scripts into pages",
    "ir.cron": "runs its code",
    "ir.model": "changes what a model is",
    "ir.model.constraint": "holds SQL",
    "ir.model.data": "decides which record Odoo takes for one of its own, such as a template",
    "ir.model.fields": "runs the code that computes a field",
    "ir.module.module": "installs and removes code",
    "ir.rule": "evaluates its domain for each user",
    "ir.ui.view": "is rendered, with the expressions in it",
    "ir.ui.view.custom": "is a view of one user",
    "mail.template": "is rendered, with the expressions in it",
    "theme.ir.asset": "becomes an asset",
    "theme.ir.ui.view": "becomes a view",
    "website.page": "is a view",
}
FIELDS = {
    "digest.tip": frozenset({"tip_description"}),
    "website": frozenset({"custom_code_footer", "custom_code_head", "robots_txt"}),
}
LITERALS = {
    "ir.actions.act_window": frozenset({"context", "domain"}),
    "ir.actions.client": frozenset({"context", "params_store"}),
    "ir.embedded.actions": frozenset({"context", "domain", "python_method"}),
    "ir.filters": frozenset({"context", "domain", "sort"}),
}
_RENDERED = "mail.render.mixin"

# What Odoo's own code notes or switches with sudo, such as its settings do with a scheduled action.
_NOTED = frozenset(
    {
        "active",
        "failure_count",
        "first_failure_date",
        "interval_number",
        "interval_type",
        "last_run",
        "lastcall",
        "nextcall",
        "priority",
        "sequence",
    }
)

_EXPRESSION = re.compile(r"\{\{|#\{|\bt-(?!translation\b)[a-z]+(?:[-.][\w.-]+)?\s*=|<t[\s/>]|<\?", re.IGNORECASE)
# Pieces of a text that Python joins.
_JOINED = re.compile(r"""['"]\s*\+?\s*['"]""")
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_WORD = re.compile(r"\w+")
_SINKS = frozenset(sink.method for sink in credential_methods.SINKS) | {
    "_action_reset_password",
    "_get_portal_payment_link",
    "_get_share_url",
    "_get_signup_url",
    "_get_signup_url_for_action",
    "_get_unsubscribe_url",
    "_notify_get_action_link",
    "action_reset_password",
    "action_share",
    "get_portal_url",
    "hash_sign",
    "invitation_url",
    "ir_config_parameter",
    "reset_password",
    "res_users_apikeys",
    "share_link",
    "signup_get_auth_param",
    "signup_prepare",
    "signup_url",
}
_SINK = re.compile(
    r"signup_\w*|database\.secret|res\.users\.apikeys|auth_totp|auth\.passkey|totp_\w+|ir\.mail_server|"
    r"auth\.oauth\.provider|mail\.mail\b(?!_)|session_token|identitycheck",
    re.IGNORECASE,
)
# What sets a way to log in, in code that writes; a view or a mail may have these words.
_LOGIN_NAMES = accounts.LOGIN_FIELDS | {"_set_encrypted_password", "change_password", "passwd"}
_SHOWN = frozenset({"ir.ui.view", "ir.ui.view.custom", "mail.template", "website.page"})


# === What comes to the ORM ===


def refuse_creating(model, vals_list):
    if transaction.in_call(model.env.cr):
        for vals in vals_list:
            _refuse_values(model, vals, "create")


def refuse_writing(records, vals):
    if transaction.in_call(records.env.cr):
        _refuse_values(records, vals, "write")


def refuse_translating(records, name, translations):
    """Translations of a text are stored past `write`."""
    if transaction.in_call(records.env.cr):
        for translation in translations.values():
            texts = translation.values() if isinstance(translation, dict) else [translation]
            for text in texts:
                _refuse_values(records, {name: text}, "write")


def refuse_posting(actions):
    """Refuses a webhook that posts secrets: its fields are records, not names."""
    if transaction.in_call(actions.env.cr):
        # sudo: fields are asked by their names
        for field in actions.sudo().webhook_field_ids:
            if secret_fields.is_name(field.name):
                message = f"A webhook may not post the field {field.name} of {field.model}, which holds a secret."
                raise faults.access_denied(actions._name, "write", message, field="webhook_field_ids")


def refuse_deleting(records):
    if transaction.in_call(records.env.cr) and records._name in CODE and not records.env.su:
        _require_level(records, "unlink")


def _refuse_values(model, vals, operation):
    if model._name in CODE:
        if not (model.env.su and vals.keys() <= _NOTED):
            _require_level(model, operation)
        _refuse_sinks(model, vals, operation)
    elif model._name in FIELDS or model._name in LITERALS or _is_rendered(model) or model._name == "ir.attachment":
        code = {name: value for name, value in vals.items() if _is_code(model, name, value, vals)}
        if code:
            _require_level(model, operation)
            _refuse_sinks(model, code, operation)
        elif model._name in LITERALS:
            _refuse_sinks(model, vals, operation)


def has_expressions(vals):
    """Whether a template engine would evaluate something in these values."""
    return any(_EXPRESSION.search(text) for text in _texts(vals))


def _is_rendered(model):
    return not model._transient and _RENDERED in model.env.registry and isinstance(model, model.pool[_RENDERED])


def _is_code(model, name, value, vals):
    if not isinstance(value, str) or not value:
        return False
    if model._name == "ir.attachment":
        # Odoo answers its content under that address; Odoo itself keeps its bundles so
        return name == "url" and value.startswith("/") and vals.get("type", "binary") == "binary" and not model.env.su
    if name in LITERALS.get(model._name, ()):
        return not _is_literal(value)
    return name in FIELDS.get(model._name, ()) or (_is_rendered(model) and bool(_EXPRESSION.search(value)))


def _is_literal(text):
    try:
        ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


# === The level ===


def _require_level(model, operation):
    level = method_levels.level(model.env.cr)
    if level not in (None, method_levels.ANY):
        message = (
            f"A record of {model._name} may hold code that Odoo runs later, outside of any call. This connection has "
            f"the Method Level “{level}”, and only “any” may create, change or delete such a record: an administrator "
            "raises the level of the connection, or does it in Odoo."
        )
        raise faults.access_denied(model._name, operation, message)


# === Sinks, by their names ===


def _refuse_sinks(model, vals, operation):
    for name, value in vals.items():
        for text in _texts(value):
            found = named_sink(text) or named_login_field(model, text)
            if found:
                message = (
                    f"The field {name} of {model._name} names {found}, which leads to a login credential or opens a "
                    "document. No AI tool may leave such code behind: do it in Odoo."
                )
                raise faults.access_denied(model._name, operation, message, field=name)


def _texts(value):
    """The texts in a value, also those of nested commands and of translations."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def named_sink(text):
    """The first name of a sink in a text, however it is written."""
    text = _plain(text)
    found = _SINK.search(text)
    if found:
        return found.group()
    return next((word for word in _WORD.findall(text) if word in _SINKS or _is_secret(word)), None)


def named_login_field(model, text):
    if model._name not in _SHOWN:
        return next((word for word in _WORD.findall(_plain(text)) if word in _LOGIN_NAMES), None)
    return None


def _is_secret(word):
    # a single word, such as `token`, is what any code calls a variable
    return "_" in word.strip("_") and secret_fields.is_name(word)


def _plain(text):
    text = _ESCAPED.sub(lambda match: chr(int(match[1] or match[2] or match[3], 16) % 0x110000), html.unescape(text))
    # as Python does with names
    return _JOINED.sub("", unicodedata.normalize("NFKC", text))
