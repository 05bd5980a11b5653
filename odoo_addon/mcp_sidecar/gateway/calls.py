"""Calling a public method of a model."""

import inspect

from . import domains, faults, methods, mistakes, policy, reads, secret_fields, values
from .quoting import foreign

# What has a meaning without records, though Odoo doesn't mark it as a method of the model: the rights to the model as a
# whole, and the form of a record that doesn't exist yet.
_WITHOUT_RECORDS = frozenset({"has_access", "onchange", "web_save"})
# What the ORM's own methods call a domain of the model; a search panel takes several.
_DOMAINS = frozenset({"domain", "search_domain", "category_domain", "filter_domain"})


def call(env, step):
    model = policy.model_of(env, step["model"], "read")
    method = policy.public_method(model, step["method"])
    policy.check_own(model, step["method"])
    records = _records(model, method, step)
    arguments = _bound(records, method, step)
    records = methods.admitted(records, step, arguments)
    secret_fields.refuse_in(model, {**arguments.arguments, **arguments.kwargs})
    _check_search(model, step["method"], arguments.arguments)
    return {"result": secret_fields.without(values.plain(_result(records, method, arguments, step)))}


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
