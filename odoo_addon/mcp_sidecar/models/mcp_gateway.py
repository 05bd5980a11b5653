from odoo import models

from ..gateway import (
    audit,
    audit_check,
    confinement,
    faults,
    identity,
    logs,
    replicas,
    requests,
    schema,
    service,
    sessions,
)
from ..gateway.door import door

logs.keep_arguments_out()


class McpGateway(models.AbstractModel):
    """What the sidecar can ask of Odoo. Each method takes one JSON text and answers one, see `gateway.door`."""

    _name = "mcp.gateway"
    _description = "MCP Gateway"

    # === Handshake and news: answered even while the master switch is off ===

    @door(requests.HELLO)
    def hello(self, request):
        return replicas.hello(self.env, request)

    @door(requests.CHANGES)
    def changes(self, request):
        return replicas.news(self.env, request)

    # === Accounts of a sidecar: taken even while the master switch is off, as refusals are among them ===

    @door(requests.APPEND_AUDIT)
    def append_audit(self, request):
        return audit.append(self.env, request)

    @door(requests.CHECK_AUDIT)
    def check_audit(self, request):
        return audit_check.check(self.env, request)

    @door(requests.SYNC_SESSIONS)
    def sync_sessions(self, request):
        return sessions.sync(self.env, request)

    # === Calls made for a person ===

    @door(requests.AUTHENTICATE)
    def authenticate(self, request):
        return service.authenticate(self.env, request)

    @door(requests.EXECUTE)
    def execute(self, request):
        return service.execute(self.env, request)

    @door(requests.EXECUTE_BATCH)
    def execute_batch(self, request):
        for index, call in enumerate(request["calls"]):
            if call["mode"] != "read":
                raise faults.bad_request(f"calls.{index}.mode", "A batch takes reading calls only.")
        return {"answers": service.execute_batch(self.env, request["calls"])}

    @door(requests.CALL_STATUS)
    def call_status(self, request):
        return service.call_status(self.env, request)

    @door(requests.SCHEMA)
    def schema(self, request):
        with service.asking(self.env):
            who = identity.resolve(self.env, request["proof"])
            context = {"lang": request["lang"]} if request["lang"] else {}
            person = identity.become(self.env, who, context)
            with confinement.confined(self.env.cr, who.allowed_models):
                if request["models"] is None:
                    return {"models": schema.models(person)}
                return {"fields": schema.fields(person, request["models"])}
