"""The operation `call`: invokes a public method of a model."""

import functools
import inspect

from odoo.exceptions import UserError

from ..buttons import permitted_methods
from ..fields import html
from ..fields.notes import Notes
from ..policy import call_rules, secret_fields
from ..quoting import quoted_message
from ..reading import read
from ..rpc import faults
from ..values import outputs
from . import argument_errors, method_arguments, next_actions, record_changes

# What has a meaning without records, though Odoo doesn't mark it as a method of the model: the rights to the model as a
# whole, and the form of a record that doesn't exist yet.
_WITHOUT_RECORDS = frozenset({"has_access", "onchange", "web_save"})


def call(env, step):
    model = call_rules.require_model(env, step["model"], "read")
    if next_actions.is_action_name(step["method"]):
        return _run_action(model, step)
    method = call_rules.public_method(model, step["method"])
    call_rules.refuse_own_model(model, step["method"])
    records = _records(model, method, step)
    bound = _bound(records, method, step)
    admitted = permitted_methods.require_callable(records, step, bound)
    notes = Notes()
    method_arguments.check(records, step["method"], bound.arguments, notes)
    html.note_posted(step["method"], bound, notes)
    secret_fields.refuse_arguments(model, {**bound.arguments, **bound.kwargs})
    if step["method"] in call_rules.READING_METHODS:
        return _answer(_result(admitted, method, bound, step))
    run = functools.partial(_result, admitted, method, bound, step)
    return _run_and_compare(admitted, _button_context(records, admitted), notes, run)


def _run_action(model, step):
    """Presses a button that carries out a stored action."""
    if not step["ids"] or step["args"] or step["kwargs"]:
        raise faults.bad_request(
            "ids", f"{step['method']} of {model._name} is a button: give records and no arguments."
        )
    call_rules.refuse_own_model(model, step["method"])
    records = read.require_readable(model, step["ids"])
    admitted = permitted_methods.require_action(records, step["method"])
    pressed_in = _button_context(records, admitted)
    return _run_and_compare(
        admitted, pressed_in, Notes(), lambda: next_actions.run_action(records, step["method"], pressed_in)
    )


def _run_and_compare(records, pressed_in, notes, run):
    """Runs what a button or method does, and answers with what changed and what comes next."""
    watch = record_changes.Snapshot(records)
    result = run()
    answer = notes.added_to(_answer(result))
    if changes := watch.changes():
        answer["changed"] = changes
    if now := watch.now():
        answer["records"] = now
    if opened := next_actions.next_action(records, pressed_in, result):
        answer["opened"] = opened
    return answer


def _button_context(records, admitted):
    """The context that a button has brought."""
    before, context = records.env.context, admitted.env.context
    return {key: value for key, value in context.items() if key not in before or before[key] != value}


def _answer(result):
    return {"result": secret_fields.redacted(outputs.plain(result))}


def _records(model, method, step):
    name = step["method"]
    of_the_model = getattr(method, "_api_model", False)
    if step["ids"]:
        if of_the_model:
            raise faults.bad_request("ids", f"{name} of {step['model']} takes no ids.")
        return read.require_readable(model, step["ids"])
    if not of_the_model and name not in _WITHOUT_RECORDS:
        # else it would do nothing, and answer as if it had
        raise faults.bad_request("ids", f"{name} of {step['model']} needs records: give their ids.")
    return model


def _result(records, method, bound, step):
    try:
        result = method(records, *bound.args[1:], **bound.kwargs)
        # pending changes may be of values that don't fit
        records.env.cr.flush()
    except (*faults.RETRIED, UserError, faults.CommitRefused):
        raise
    except Exception as exc:
        sentence = argument_errors.argument_error(exc, _sent(bound)) or argument_errors.singleton(exc, records)
        if sentence is None:
            raise
        raise faults.bad_request("args", f"{step['method']} of {step['model']}: {sentence}") from exc
    return result


def _sent(bound):
    """The arguments by the names that the caller knows."""
    _records, *given = bound.arguments.items()
    sent = dict(given)
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind == parameter.VAR_KEYWORD:
            sent |= sent.pop(name, {})
    return sent


def _bound(records, method, step):
    """The arguments, matched with the method's signature, so that a mismatch is distinguished from a fault inside."""
    if "context" in step["kwargs"]:
        raise faults.invalid_context("context", "The context goes beside the steps, not into kwargs.")
    signature = inspect.signature(method)
    try:
        return signature.bind(records, *step["args"], **step["kwargs"])
    except TypeError as exc:
        takes = argument_errors.takes(records, step["method"], signature)
        message = f"{step['method']} of {step['model']}: {quoted_message(exc, step['kwargs'])}. {takes}"
        raise faults.bad_request("args", message) from exc
