"""Calling a public method of a model."""

import inspect

from . import faults, policy, reads, secret_fields, values


def call(env, step):
    model = policy.model_of(env, step["model"], "read")
    method = policy.public_method(model, step["method"])
    policy.check_own(model, step["method"])
    records = _records(model, method, step)
    arguments = _bound(records, method, step)
    secret_fields.refuse_in(model, {**arguments.arguments, **arguments.kwargs})
    return {"result": secret_fields.without(values.plain(method(*arguments.args, **arguments.kwargs)))}


def _records(model, method, step):
    if not getattr(method, "_api_model", False):
        return reads.require_visible(model, step["ids"]) if step["ids"] else model
    if step["ids"]:
        raise faults.bad_request("ids", f"{step['method']} of {step['model']} takes no ids.")
    return model


def _bound(records, method, step):
    """The arguments, matched with the method's signature, so that a mismatch can be told from a fault inside."""
    if "context" in step["kwargs"]:
        raise faults.invalid_context("context", "The context goes beside the steps, not into kwargs.")
    try:
        return inspect.signature(method).bind(records, *step["args"], **step["kwargs"])
    except TypeError as exc:
        raise faults.bad_request("args", f"{step['method']} of {step['model']}: {exc}.") from exc
