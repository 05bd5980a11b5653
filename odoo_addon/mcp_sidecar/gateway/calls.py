"""Calling a public method of a model."""

import functools
import inspect

from odoo.exceptions import UserError

from . import actions, arguments, faults, html, methods, mistakes, outcomes, policy, reads, secret_fields, values
from .notes import Notes
from .quoting import foreign

# What has a meaning without records, though Odoo doesn't mark it as a method of the model: the rights to the model as a
# whole, and the form of a record that doesn't exist yet.
_WITHOUT_RECORDS = frozenset({"has_access", "onchange", "web_save"})


def call(env, step):
    model = policy.model_of(env, step["model"], "read")
    if actions.is_action_name(step["method"]):
        return _carried_out(model, step)
    method = policy.public_method(model, step["method"])
    policy.check_own(model, step["method"])
    records = _records(model, method, step)
    bound = _bound(records, method, step)
    admitted = methods.admitted(records, step, bound)
    notes = Notes()
    arguments.check(records, step["method"], bound.arguments, notes)
    html.note_posted(step["method"], bound, notes)
    secret_fields.refuse_in(model, {**bound.arguments, **bound.kwargs})
    if step["method"] in policy.READING_METHODS:
        return _answer(_result(admitted, method, bound, step))
    run = functools.partial(_result, admitted, method, bound, step)
    return _followed(admitted, _brought(records, admitted), notes, run)


def _carried_out(model, step):
    """Presses a button that carries out a stored action."""
    if not step["ids"] or step["args"] or step["kwargs"]:
        raise faults.bad_request(
            "ids", f"{step['method']} of {model._name} is a button: give records and no arguments."
        )
    policy.check_own(model, step["method"])
    records = reads.require_visible(model, step["ids"])
    admitted = methods.admitted_action(records, step["method"])
    pressed_in = _brought(records, admitted)
    return _followed(admitted, pressed_in, Notes(), lambda: actions.load(records, step["method"], pressed_in))


def _followed(records, pressed_in, notes, run):
    """Runs what a button or method does, and answers with what changed and what comes next."""
    watch = outcomes.Watch(records)
    result = run()
    answer = notes.added_to(_answer(result))
    if changes := watch.changes():
        answer["changed"] = changes
    if now := watch.now():
        answer["records"] = now
    if opened := actions.following(records, pressed_in, result):
        answer["opened"] = opened
    return answer


def _brought(records, admitted):
    """The context that a button has brought."""
    before, context = records.env.context, admitted.env.context
    return {key: value for key, value in context.items() if key not in before or before[key] != value}


def _answer(result):
    return {"result": secret_fields.without(values.plain(result))}


def _records(model, method, step):
    name = step["method"]
    of_the_model = getattr(method, "_api_model", False)
    if step["ids"]:
        if of_the_model:
            raise faults.bad_request("ids", f"{name} of {step['model']} takes no ids.")
        return reads.require_visible(model, step["ids"])
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
        sentence = mistakes.sentence(exc, _sent(bound)) or mistakes.singleton(exc, records)
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
    """The arguments, matched with the method's signature, so that a mismatch can be told from a fault inside."""
    if "context" in step["kwargs"]:
        raise faults.invalid_context("context", "The context goes beside the steps, not into kwargs.")
    signature = inspect.signature(method)
    try:
        return signature.bind(records, *step["args"], **step["kwargs"])
    except TypeError as exc:
        takes = mistakes.takes(records, step["method"], signature)
        message = f"{step['method']} of {step['model']}: {foreign(exc, step['kwargs'])}. {takes}"
        raise faults.bad_request("args", message) from exc
