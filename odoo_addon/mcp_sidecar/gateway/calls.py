"""Calling a public method of a model."""

import functools
import inspect

from . import (
    actions,
    domains,
    faults,
    inputs,
    methods,
    mistakes,
    outcomes,
    policy,
    reads,
    secret_fields,
    values,
    writability,
)
from .notes import Notes
from .quoting import foreign

# What has a meaning without records, though Odoo doesn't mark it as a method of the model: the rights to the model as a
# whole, and the form of a record that doesn't exist yet.
_WITHOUT_RECORDS = frozenset({"has_access", "onchange", "web_save"})
# What the ORM's own methods call a domain of the model; a search panel takes several.
_DOMAINS = frozenset({"domain", "search_domain", "category_domain", "filter_domain"})
# Methods whose first argument is the values of records, and whether these are new ones.
_TAKE_VALUES = {"copy": True, "create": True, "web_save": False, "write": False}


def call(env, step):
    model = policy.model_of(env, step["model"], "read")
    if actions.is_action_name(step["method"]):
        return _carried_out(model, step)
    method = policy.public_method(model, step["method"])
    policy.check_own(model, step["method"])
    records = _records(model, method, step)
    arguments = _bound(records, method, step)
    admitted = methods.admitted(records, step, arguments)
    notes = Notes()
    _check_values(records, arguments, step, notes)
    secret_fields.refuse_in(model, {**arguments.arguments, **arguments.kwargs})
    _check_search(model, step["method"], arguments.arguments)
    if step["method"] in policy.READING_METHODS:
        return _answer(_result(admitted, method, arguments, step))
    run = functools.partial(_result, admitted, method, arguments, step)
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
    if opened := actions.following(records, pressed_in, result):
        answer["opened"] = opened
    return answer


def _brought(records, admitted):
    """The context that a button has brought."""
    before, context = records.env.context, admitted.env.context
    return {key: value for key, value in context.items() if key not in before or before[key] != value}


def _answer(result):
    return {"result": secret_fields.without(values.plain(result))}


def _check_search(model, method, arguments):
    """What a method of the ORM searches and sorts by is checked as where an operation of its own does."""
    if not hasattr(model.env.registry["base"], method):
        return
    for given in (arguments, arguments.get("kwargs") or {}):
        for name in _DOMAINS & given.keys():
            if isinstance(given[name], list):
                given[name] = domains.checked_domain(model, given[name])
    if "search" in method and isinstance(arguments.get("order"), str):
        arguments["order"] = domains.checked_order(model, arguments["order"])


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


def _check_values(records, arguments, step, notes):
    """Judges the values that a method of the ORM is given as those of the operations that create and write."""
    name, bound = step["method"], arguments.arguments
    if name == "load" and isinstance(bound.get("fields"), list):
        for path in bound["fields"]:
            _check_column(records, path, notes)
    # the first is `self`
    parameter = list(bound)[1] if name in _TAKE_VALUES and len(bound) > 1 else None
    given = bound.get(parameter)
    if not given:
        return
    target = records.browse() if _TAKE_VALUES[name] else records
    if isinstance(given, dict):
        bound[parameter] = inputs.checked_values(target, given, notes)
    elif name == "create" and isinstance(given, list) and all(isinstance(item, dict) for item in given):
        bound[parameter] = [inputs.checked_values(target, item, notes) for item in given]


def _check_column(model, path, notes):
    """A column of an import is a path such as "order_line/product_id/.id", whose fields are all set."""
    for name in path.split("/") if isinstance(path, str) else ():
        field = model._fields.get(name)
        if field is None or name == "id":
            return
        writability.require(model.browse(), field, None, notes)
        if not field.relational:
            return
        model = model.env[field.comodel_name]


def _result(records, method, arguments, step):
    try:
        return method(records, *arguments.args[1:], **arguments.kwargs)
    except mistakes.KINDS as exc:
        sentence = mistakes.sentence(records, step, exc)
        if sentence is None:
            raise
        raise faults.bad_request("args", f"{step['method']} of {step['model']}: {sentence}") from exc


def _bound(records, method, step):
    """The arguments, matched with the method's signature, so that a mismatch can be told from a fault inside."""
    if "context" in step["kwargs"]:
        raise faults.invalid_context("context", "The context goes beside the steps, not into kwargs.")
    try:
        return inspect.signature(method).bind(records, *step["args"], **step["kwargs"])
    except TypeError as exc:
        raise faults.bad_request(
            "args", f"{step['method']} of {step['model']}: {foreign(exc, step['kwargs'])}."
        ) from exc
