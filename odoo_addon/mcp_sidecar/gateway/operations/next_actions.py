"""Window actions: what a method answers for Odoo's web client to carry out next, such as a wizard.

The client opens a wizard in a context that it puts together from the button, the record and the action. Here the same
context is kept behind a handle, so that the wizard can be gone through by calls.
"""

from odoo.tools.safe_eval import safe_eval

from ..auth import context_handles
from ..buttons import view_buttons

WINDOW = "ir.actions.act_window"
_SERVER = "ir.actions.server"
_MAX_BUTTONS = 10


def is_action_name(name):
    """Whether a button's name stands for a stored action: its XML id or its number, neither of which a method has."""
    return "." in name or name.isdecimal()


def run_action(records, name, context):
    """The action behind a button, carried out where it runs on the server."""
    # sudo: actions are no data; that the user is shown the button was checked
    action = _found(records.env, name).sudo()
    if action.type == _SERVER:
        server_action = records.env[_SERVER].with_context(**context, **active_context(records)).browse(action.id)
        return server_action.run() or {}
    stored = records.env[action.type].sudo().browse(action.id)
    return stored._get_action_dict()


def _found(env, name):
    return env["ir.actions.actions"].browse(int(name)) if name.isdecimal() else env.ref(name)


def active_context(records):
    """What the client says of the records that a button was pressed on."""
    return {"active_model": records._name, "active_id": records[:1].id, "active_ids": records.ids}


def next_action(records, pressed_in, answer):
    """Of an action that opens a form to fill in: its model, a handle, and the buttons of the form.

    :param pressed_in: the context that the button itself brought
    """
    if not isinstance(answer, dict) or answer.get("type") != WINDOW or answer.get("res_model") not in records.env:
        return None
    wizard = records.env[answer["res_model"]]
    if wizard._abstract or not (wizard._transient or answer.get("target") == "new"):
        return None
    own = _evaluated(records, answer.get("context") or {})
    if own is None:
        return None
    context = {**context_handles.inherited_context(records.env.context), **pressed_in, **active_context(records), **own}
    handle = context_handles.issue(records.env, wizard._name, context)
    if handle is None:
        return None
    opened = {"model": wizard._name, "handle": handle, "buttons": _buttons(wizard)}
    return opened | ({"id": answer["res_id"]} if type(answer.get("res_id")) is int and answer["res_id"] else {})


def _evaluated(records, context):
    """The context of an action; written as a text, it may name what the button was pressed on and the user."""
    if isinstance(context, dict):
        return context
    names = {**active_context(records), "uid": records.env.uid}
    try:
        found = safe_eval(context.strip() or "{}", names)
    except (ValueError, TypeError, NameError, SyntaxError):
        return None
    return found if isinstance(found, dict) else None


def _buttons(wizard):
    labels = {button.method: button.label for button in view_buttons.buttons_of(wizard)}
    return dict(list(labels.items())[:_MAX_BUTTONS])
