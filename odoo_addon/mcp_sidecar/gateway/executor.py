"""Runs the steps of a compiled call as the person it is made for."""

from . import (
    bounded,
    calls,
    confinement,
    faults,
    groups,
    handles,
    levels,
    places,
    policy,
    reads,
    session,
    translation,
    traverse,
    writes,
)

_OPERATIONS = {
    "search_read": reads.search_read,
    "name_search": reads.name_search,
    "search_count": reads.search_count,
    "read": reads.read,
    "read_group": groups.read_group,
    "traverse": traverse.traverse,
    "create": writes.create,
    "write": writes.write,
    "unlink": writes.unlink,
    "call": calls.call,
}


def run(env, who, request, deadline):
    """The results of all steps, in their order. Nothing is left pending, so that what Odoo refuses shows here."""
    policy.check_call(who, request)
    for step in request["steps"]:
        policy.check_step(step, request["mode"])
    with levels.kept(env.cr, who), handles.owned(env.cr, who), confinement.confined(env.cr, who.allowed_models):
        return bounded.results(request["steps"], list(_results(env, who, request, deadline)))


def _results(env, who, request, deadline):
    for index, step in enumerate(request["steps"]):
        yield _step(env, who, request, step, index, deadline)
        deadline.check()


def _step(env, who, request, step, index, deadline):
    try:
        if step["op"] == "session":
            return session.session(env, who)
        result = _OPERATIONS[step["op"]](handles.entered(env, who, request, step), step)
        # pending changes are written now, so that a refusal names the step it belongs to
        env.cr.flush()
    except faults.RETRIED:
        raise
    except Exception as exc:
        raise StepFailed(step, index, deadline, alone=len(request["steps"]) == 1) from exc
    return result


class StepFailed(Exception):
    """A step raised; the cause waits to be translated until the cursor works again."""

    def __init__(self, step, index, deadline, alone):
        super().__init__()
        self._index = index
        operation = step["op"] if step["op"] in _RIGHTS else "read"
        method = step.get("method") or step["op"]
        # one that is canceled before its time was canceled by somebody
        deadline_ms = deadline.deadline_ms if deadline.has_passed else None
        self._place = translation.Place(step.get("model"), operation, method, deadline_ms)
        # of several steps, the one that changes this record
        self._record = step["ids"][0] if not alone and operation == "write" and len(step["ids"]) == 1 else None

    def translated(self, env):
        fault = translation.translate(self.__cause__, env, self._place)
        if self._record is not None:
            fault = fault.within(places.of_record(self._record))
        if fault.code == "bad_request":
            # an operation knows its own members only
            return faults.bad_request(f"steps.{self._index}.{fault.data['at']}", fault.message)
        return fault


_RIGHTS = ("create", "write", "unlink")
