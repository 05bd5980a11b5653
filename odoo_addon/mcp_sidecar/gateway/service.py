"""Application service: `execute`, `execute_batch`, `call_status` and `authenticate` for a validated request."""

import contextlib
import hashlib
import json

from .auth import identity
from .operations import executor
from .policy import call_rules
from .rpc import faults
from .transaction import Deadline, call_started, guarded

# Questions that have no deadline of their own.
_ASKING_MS = 30_000


# === One call ===


def execute(env, request):
    with call_started(env.cr) as begun:
        deadline = Deadline(request["deadline_ms"], begun)
        if request["mode"] == "read":
            return _read(env, request, deadline)
        return _write(env, request, deadline)


def _read(env, request, deadline):
    with _translated(env), _guarded_for(env, request, deadline) as principal:
        results = executor.run(
            identity.environment_of(env, principal, request["context"]), principal, request, deadline
        )
    _end_dry_run(request, results)
    return _answer(request, results)


def _write(env, request, deadline):
    with _translated(env), _guarded_for(env, request, deadline) as principal:
        # before anything stored is answered: the connection may do less today
        call_rules.check_call(principal, request)
        stored = None
        if not request["dry_run"]:
            stored = env["mcp.call"]._begin(principal.connection_id, request, _digest(request))
        if stored is not None:
            return _answer(request, stored, replayed=True)
        results = executor.run(
            identity.environment_of(env, principal, request["context"]), principal, request, deadline
        )
        _end_dry_run(request, results)
        env["mcp.call"]._finish(principal.connection_id, request["call_id"], results)
    return _answer(request, results)


@contextlib.contextmanager
def _guarded_for(env, request, deadline):
    """The guard of a call, and whom it is made for."""
    question = identity.principal_query(env, request["proof"])
    with guarded(env, deadline, request["mode"] == "read", question) as guard:
        yield identity.authenticate(env, request["proof"], request["ip"], guard.answer)


def _end_dry_run(request, results):
    if request["dry_run"]:
        # raised, so that nothing can be stored
        raise faults.GatewayError("dry_run", "Nothing was stored.", results=results)


def _answer(request, results, replayed=False):
    return {"call_id": request["call_id"], "results": results, "replayed": replayed}


def _digest(request):
    """What makes two requests the same call: all that decides about its effect."""
    parts = {name: request[name] for name in ("tool", "mode", "steps", "context")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _translated(env):
    """Turns a step's failure into its fault, outside of the savepoint that it has broken."""
    try:
        yield
    except executor.StepFailed as failure:
        raise failure.translated(env) from failure.__cause__


# === Several calls ===


def execute_batch(env, requests):
    with call_started(env.cr) as begun:
        return _Batch(env, requests, begun).answers()


class _Batch:
    """Reading calls of several people in one transaction, which must not see each other's cached values."""

    def __init__(self, env, requests, begun):
        self._env = env
        self._requests = requests
        self._deadlines = [Deadline(request["deadline_ms"], begun) for request in requests]
        self._known = {}
        self._last = None

    def answers(self):
        answers = {}
        longest = max(self._deadlines, key=lambda deadline: deadline.deadline_ms)
        with guarded(self._env, longest, read_only=True) as guard:
            for _key, index, principal in self._ordered(answers):
                answers[index] = self._answer(guard, index, principal)
        return [answers[index] for index in range(len(self._requests))]

    def _ordered(self, answers):
        """The calls whose proof is good, those of one person, allowed models and context beside each other."""
        calls = []
        for index, request in enumerate(self._requests):
            try:
                principal = self._authenticate(request["proof"], request["ip"])
            except faults.GatewayError as refusal:
                answers[index] = _refused(request, refusal)
            else:
                context = json.dumps(request["context"], sort_keys=True)
                calls.append(((principal.user_id, sorted(principal.allowed_models), context), index, principal))
        return sorted(calls, key=lambda call: call[:2])

    def _authenticate(self, proof, ip):
        if (proof, ip) not in self._known:
            self._known[proof, ip] = identity.authenticate(self._env, proof, ip)
        return self._known[proof, ip]

    def _answer(self, guard, index, principal):
        request, deadline = self._requests[index], self._deadlines[index]
        try:
            guard.bound(deadline)
            person = self._become(principal, request)
            answer = _answer(request, executor.run(person, principal, request, deadline))
            _end_dry_run(request, answer["results"])
            return answer
        except executor.StepFailed as failure:
            # the savepoint may be broken, and the cache may hold what never was
            guard.restart()
            return _refused(request, failure.translated(self._env))
        except faults.GatewayError as refusal:
            return _refused(request, refusal)

    def _become(self, principal, request):
        key = (principal.user_id, principal.allowed_models, request["context"])
        if key != self._last:
            # The cache belongs to the transaction: the next person would read what the last one was allowed to.
            self._env.cr.flush()
            self._env.transaction.clear()
            self._last = key
        return identity.environment_of(self._env, principal, request["context"])


def _refused(request, refusal):
    error = {"code": refusal.code, "message": refusal.message, "data": refusal.data}
    return {"call_id": request["call_id"], "error": error}


# === Questions ===


@contextlib.contextmanager
def asking(env):
    """A question of the sidecar: reads only, and is refused while the master switch is off."""
    with call_started(env.cr) as begun, guarded(env, Deadline(_ASKING_MS, begun), read_only=True):
        yield


def authenticate(env, request):
    with asking(env):
        principal = identity.authenticate(env, request["proof"], request["ip"])
        document = identity.connection_document(env, principal)
    # after the read-only part; a sidecar asks again each minute that a connection is in use
    env["mcp.connection"].browse(principal.connection_id)._touch()
    return document


def call_status(env, request):
    principal = identity.resolve(env, request["proof"])
    state, results = env["mcp.call"]._state(principal.connection_id, request["call_id"])
    return {"state": state, "answer": None if results is None else _answer(request, results)}
