"""Method authorization at the level of buttons: what the user could press now, and an allow list beside it."""

import inspect
from typing import NamedTuple

from odoo.exceptions import AccessError

from ..auth import method_levels
from ..policy import call_rules
from ..rpc import faults
from . import view_buttons, visibility

# Whose buttons are for people only, by how the name of the model begins: they change how Odoo works, run code that is
# stored, or decide who gets in.
_CLOSED = (
    "auth.",
    "auth_",
    "base.",
    "change.password.",
    "fetchmail.server",
    "ir.",
    "mail.template",
    "mcp.",
    "portal.",
    "res.config",
    "res.device",
    "res.groups",
    "res.users",
    "reset.view.arch.wizard",
    "server.action.history.wizard",
    "sms.template",
    "wizard.ir.model.menu.create",
)
# Models with texts that Odoo evaluates later on; a wizard that sends one of them is none.
_EVALUATED = "mail.render.mixin"


class AllowedMethod(NamedTuple):
    """A method that is no button and may be called all the same, with these arguments only."""

    reason: str
    arguments: frozenset = frozenset()


# By model, or by what the model is built on, and method. No patterns: each was looked at.
ALLOWED_METHODS = {
    ("base", "action_archive"): AllowedMethod("Archive in the Actions menu of each list and form."),
    ("base", "action_unarchive"): AllowedMethod("Unarchive in the same menu."),
    ("base", "copy"): AllowedMethod("Duplicate in the same menu; what the copy holds is Odoo's choice."),
    ("mail.activity", "action_feedback"): AllowedMethod("Marks an activity as done.", frozenset({"feedback"})),
    ("mail.activity.mixin", "activity_schedule"): AllowedMethod(
        "Plans an activity on the record. It takes no user, who would be mailed.",
        frozenset({"act_type_xmlid", "date_deadline", "note", "summary"}),
    ),
    ("mail.thread", "message_post"): AllowedMethod(
        "Logs an internal note. It takes no recipients and no kind of message, so that it is mailed to no one new.",
        frozenset({"body", "body_is_html", "subject"}),
    ),
    ("res.partner", "address_get"): AllowedMethod(
        "Reads which contact is for which kind of mail.", frozenset({"adr_pref"})
    ),
}

_KEYWORDS = inspect.Parameter.VAR_KEYWORD
_LONGEST_LABEL = 40
_MOST_NAMED = 20
# a sidecar shows the first thousand characters of a refusal
_LONGEST_LIST = 650


def require_callable(records, step, arguments):
    """The records to call the method on, provided that the level of the running call admits it.

    They come with the context that the button has in Odoo's views.
    """
    level, method = method_levels.level(records.env.cr), step["method"]
    if method in call_rules.READING_METHODS:
        return records
    if level == method_levels.ANY:
        return _ButtonCall(records, method, _given(arguments)).in_its_context()
    if level == method_levels.BUTTONS:
        return _ButtonCall(records, method, _given(arguments)).admitted()
    raise _no_methods(records, method)


def require_action(records, name):
    """As `require_callable`, for a button that carries out a stored action: at each level it has to be shown."""
    if method_levels.level(records.env.cr) not in (method_levels.BUTTONS, method_levels.ANY):
        raise _no_methods(records, name)
    return _ButtonCall(records, name, frozenset()).admitted()


def _no_methods(records, method):
    return faults.method_denied(records._name, method, "This connection may call no methods.", level=method_levels.NONE)


def describe_buttons(record):
    """A sentence with the buttons that Odoo's views show on the record now."""
    return _has_now(record, view_buttons.buttons_of(record))


def _given(arguments):
    """Names of the arguments beside the records."""
    _records, *given = arguments.arguments.items()
    names = set()
    for name, value in given:
        names |= set(value) if arguments.signature.parameters[name].kind == _KEYWORDS else {name}
    return names


class _ButtonCall:
    """A call of a method at the level of buttons."""

    def __init__(self, records, method, given):
        self._records = records
        self._method = method
        self._given = given

    def admitted(self):
        if _is_closed(self._records):
            raise self._refusal(f"and buttons of {self._model} are not among them: press them in Odoo")
        listed = _listed(self._records, self._method)
        if listed is not None:
            self._check_given(listed.arguments)
            return self._records
        fitting = [button for button in self._buttons if button.method == self._method]
        if not fitting:
            raise self._refusal(self._no_button(), self._pressable())
        self._check_given(frozenset())
        return self._with_context(fitting)

    def in_its_context(self):
        """For a call that needs no button: the records as the client would have them where it is one that is shown."""
        fitting = [button for button in self._buttons if button.method == self._method]
        if self._given or not fitting or not all(_is_pressable(record, fitting) for record in self._records):
            return self._records
        return self._with_context(fitting)

    @property
    def _model(self):
        return self._records._name

    @property
    def _buttons(self):
        return view_buttons.buttons_of(self._records)

    # === A button, on each of the records ===

    def _with_context(self, fitting):
        # a button of no record is judged by what needs no record
        contexts = [self._context_of(record, fitting) for record in list(self._records) or [self._records]]
        if any(context != contexts[0] for context in contexts):
            raise self._refusal(f"and {self._method} does something else on each of these: call it on one at a time")
        return self._records.with_context(**contexts[0])

    def _context_of(self, record, fitting):
        unsure = False
        for button in fitting:
            try:
                scope = visibility.shown(record, button)
                if scope is not None:
                    return visibility.context_of(button, scope)
            except visibility.CannotTell:
                unsure = True
        if unsure:
            why = f"and whether {self._method} is shown on {_named(record)} only a browser can find out"
        else:
            why = f"and {self._method} is hidden on {_named(record)} now"
        raise self._refusal(why, _has_now(record, self._buttons))

    # === Refusals ===

    def _check_given(self, allowed):
        beyond = sorted(self._given - allowed)
        if beyond:
            takes = ", ".join(sorted(allowed)) or "nothing"
            leave_out = ", ".join(beyond[:_MOST_NAMED])
            raise self._refusal(f"and {self._method} takes {takes} beside the records then: leave out {leave_out}")

    def _no_button(self):
        if view_buttons.exists_in_any_view(self._records.env, self._model, self._method):
            return f"and {self._method} of {self._model} is a button that Odoo doesn't show to its user"
        return f"and {self._method} of {self._model} is none"

    def _pressable(self):
        if len(self._records) == 1:
            return _has_now(self._records, self._buttons)
        named = _list(self._buttons)
        if not named:
            return f"{self._model} has no buttons."
        return f"{self._model} has, each of them on some of its records: {named}."

    def _refusal(self, why, there_are=""):
        level = method_levels.level(self._records.env.cr)
        if level == method_levels.ANY:
            parts = (f"{self._method} can't be pressed here, {why}.", there_are)
        else:
            parts = (
                f"This connection may press buttons only, {why}.",
                there_are,
                "For more, a Settings administrator can change its Method Level in Odoo.",
            )
        message = " ".join(filter(None, parts))
        return faults.method_denied(self._model, self._method, message, level=level)


def _is_closed(records):
    names = [records._name, *records._inherits]
    evaluated = records.env.registry.get(_EVALUATED)
    is_evaluated = evaluated is not None and isinstance(records, evaluated) and not records._transient
    return is_evaluated or any(name.startswith(_CLOSED) for name in names)


def _listed(records, method):
    for (owner, name), listed in ALLOWED_METHODS.items():
        model = records.env.registry.get(owner) if name == method else None
        if model is not None and isinstance(records, model):
            return listed
    return None


# === Naming buttons: their labels are free text ===


def _has_now(record, all_buttons):
    named = _list(button for button in all_buttons if _is_shown(record, button))
    return f"{_named(record)} has now: {named}." if named else f"{_named(record)} has no buttons now."


def _is_pressable(record, fitting):
    return any(_is_shown(record, button) for button in fitting)


def _is_shown(record, button):
    try:
        return visibility.shown(record, button) is not None
    except visibility.CannotTell:
        return False


def _list(found):
    labels = {}
    # methods before actions, most of which only show other records
    for button in sorted(found, key=lambda button: "." in button.method or button.method.isdecimal()):
        labels.setdefault(button.method, button.label)
    named = [f"{method} ({_quoted(label)})" if label else method for method, label in labels.items()]
    shown = named[:_MOST_NAMED]
    while len(", ".join(shown)) > _LONGEST_LIST:
        shown.pop()
    more = len(named) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _named(record):
    if not record:
        return record._name
    try:
        return f"{record._name} {record.id} ({_quoted(record.display_name or '')})"
    except AccessError:
        # a connection with allowed models may not read all that a name is made of
        return f"{record._name} {record.id}"


def _quoted(text):
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split()).replace('"', "'")
    return f'"{plain[:_LONGEST_LABEL]}…"' if len(plain) > _LONGEST_LABEL else f'"{plain}"'
