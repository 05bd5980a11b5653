"""Executor: runs the steps of a request in the environment of its user."""

from ..auth import context_handles, method_levels
from ..errors import locations, translation
from ..policy import allowed_models, call_rules
from ..reading import read, read_group, traverse
from ..rpc import faults
from . import answer_size, call_method, whoami, write

_OPERATIONS = {
    "search_read": read.search_read,
    "name_search": read.name_search,
    "search_count": read.search_count,
    "read": read.read,
    "read_group": read_group.read_group,
    "traverse": traverse.traverse,
    "create": write.create,
    "write": write.write,
    "unlink": write.unlink,
    "call": call_method.call,
}


def run(env, principal, request, deadline):
    """The results of all steps, in their order. Nothing is left pending, so that what Odoo refuses shows here."""
    call_rules.check_call(principal, request)
    for step in request["steps"]:
        call_rules.check_step(step, request["mode"])
    with (
        method_levels.level_applied(env.cr, principal),
        context_handles.owned_by(env.cr, principal),
        allowed_models.restricted_to(env.cr, principal.allowed_models),
    ):
        found = list(_results(env, principal, request, deadline))
        return answer_size.results(request["steps"], found, request.get("max_chars"))


def _results(env, principal, request, deadline):
    for index, step in enumerate(request["steps"]):
        yield _step(env, principal, request, step, index, deadline)
        deadline.check()


def _step(env, principal, request, step, index, deadline):
    try:
        if step["op"] == "session":
            return whoami.session(env, principal)
        result = _OPERATIONS[step["op"]](context_handles.step_environment(env, principal, request, step), step)
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
        # one that is canceled before its time was canceled by an administrator
        deadline_ms = deadline.deadline_ms if deadline.has_passed else None
        self._place = translation.Place(step.get("model"), operation, method, deadline_ms)
        # of several steps, the one that changes this record
        self._record = step["ids"][0] if not alone and operation == "write" and len(step["ids"]) == 1 else None

    def translated(self, env):
        fault = translation.translate(self.__cause__, env, self._place)
        if self._record is not None:
            fault = fault.within(locations.of_record(self._record))
        if fault.code == "bad_request":
            # an operation knows its own members only
            return faults.bad_request(f"steps.{self._index}.{fault.data['at']}", fault.message)
        return fault


_RIGHTS = ("create", "write", "unlink")
