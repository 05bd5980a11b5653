from odoo import models

from ..gateway import service
from ..gateway.audit import ingest, integrity_check
from ..gateway.auth import identity
from ..gateway.endpoint import endpoint
from ..gateway.oauth import clients, grants, requests, tokens
from ..gateway.operations import schema
from ..gateway.policy import allowed_models
from ..gateway.rpc import contract, faults
from ..gateway.sync import connection_check, handshake, sessions


class McpGateway(models.AbstractModel):
    """RPC surface of the addon. Each method takes one JSON text and answers one, see `gateway.endpoint`."""

    _name = "mcp.gateway"
    _description = "MCP Gateway"

    # === Handshake and news: answered even while the master switch is off ===

    @endpoint(contract.HELLO)
    def hello(self, request):
        return handshake.hello(self.env, request)

    @endpoint(contract.CHANGES)
    def changes(self, request):
        return handshake.changes(self.env, request)

    # === Accounts of a sidecar: taken even while the master switch is off, as refusals are among them ===

    @endpoint(contract.APPEND_AUDIT)
    def append_audit(self, request):
        return ingest.append(self.env, request)

    @endpoint(contract.CHECK_AUDIT)
    def check_audit(self, request):
        return integrity_check.check(self.env, request)

    @endpoint(contract.SYNC_SESSIONS)
    def sync_sessions(self, request):
        return sessions.sync(self.env, request)

    # === A sidecar looks at itself, because an administrator has asked ===

    @endpoint(contract.BEGIN_CHECK)
    def begin_check(self, request):
        return connection_check.begin(self.env, request)

    @endpoint(contract.REPORT_CHECK)
    def report_check(self, request):
        return connection_check.report(self.env, request)

    # === Calls made for a person ===

    @endpoint(contract.AUTHENTICATE)
    def authenticate(self, request):
        return service.authenticate(self.env, request)

    @endpoint(contract.EXECUTE)
    def execute(self, request):
        return service.execute(self.env, request)

    @endpoint(contract.EXECUTE_BATCH)
    def execute_batch(self, request):
        for index, call in enumerate(request["calls"]):
            if call["mode"] != "read":
                raise faults.bad_request(f"calls.{index}.mode", "A batch takes reading calls only.")
        return {"answers": service.execute_batch(self.env, request["calls"])}

    @endpoint(contract.CALL_STATUS)
    def call_status(self, request):
        return service.call_status(self.env, request)

    @endpoint(contract.SCHEMA)
    def schema(self, request):
        with service.asking(self.env):
            principal = identity.resolve(self.env, request["proof"])
            context = {"lang": request["lang"]} if request["lang"] else {}
            person = identity.environment_of(self.env, principal, context)
            with allowed_models.restricted_to(self.env.cr, principal.allowed_models):
                if request["models"] is None:
                    return {"models": schema.models(person)}
                return {"fields": schema.fields(person, request["models"])}

    # === Authorization server: refusals are answered, see `gateway.oauth` ===

    @endpoint(contract.OAUTH_CLIENT)
    def oauth_client(self, request):
        return clients.look_up(self.env, request)

    @endpoint(contract.OAUTH_REGISTER)
    def oauth_register(self, request):
        return clients.register(self.env, request)

    @endpoint(contract.OAUTH_BEGIN)
    def oauth_begin(self, request):
        return requests.begin(self.env, request)

    @endpoint(contract.OAUTH_RESUME)
    def oauth_resume(self, request):
        return requests.resume(self.env, request)

    @endpoint(contract.OAUTH_TOKEN)
    def oauth_token(self, request):
        return grants.exchange_code(self.env, request)

    @endpoint(contract.OAUTH_REFRESH)
    def oauth_refresh(self, request):
        return grants.refresh(self.env, request)

    @endpoint(contract.OAUTH_CLIENT_CREDENTIALS)
    def oauth_client_credentials(self, request):
        return grants.client_credentials(self.env, request)

    @endpoint(contract.OAUTH_REVOKE)
    def oauth_revoke(self, request):
        return tokens.revoke(self.env, request)

    @endpoint(contract.OAUTH_INTROSPECT)
    def oauth_introspect(self, request):
        return tokens.introspect(self.env, request)
