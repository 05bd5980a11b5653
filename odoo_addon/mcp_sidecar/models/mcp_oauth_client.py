import secrets
from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..gateway.audit import acts
from ..gateway.auth import credentials
from ..gateway.oauth import redirect_uris, users
from ..gateway.policy import call_rules

# last_used is exact to this, so that a client of many users doesn't rewrite its row with every token.
TOUCH_EVERY = timedelta(hours=1)
# What registers itself and is allowed by no user is deleted after so long.
KEPT_UNUSED = timedelta(hours=24)
# What an administrator may change of a client; all else is as it was registered or fetched.
CHANGEABLE = {"name", "active", "redirect_uris"}

KINDS = [("dynamic", "Dynamic Registration"), ("manual", "Created by Hand"), ("document", "Metadata Document")]
AUTH_METHODS = [
    ("none", "None (public client)"),
    ("client_secret_basic", "Client secret (Basic or POST)"),
    ("client_secret_post", "Client secret (POST or Basic)"),
]


class McpOauthClient(models.Model):
    """OAuth client: the application that an AI tool is, with the addresses that its authorization codes go to."""

    _name = "mcp.oauth.client"
    _inherit = ["mcp.protected.mixin"]
    _description = "MCP OAuth Client"
    _order = "name, id"

    name = fields.Char(
        required=True,
        help="What the application calls itself, or what an administrator has called it. Anyone can register under any "
        "name: the redirect host says more.",
    )
    client_id = fields.Char(
        string="Client ID",
        required=True,
        readonly=True,
        copy=False,
        help="What the application names itself by. Of a metadata document it is its address.",
    )
    kind = fields.Selection(
        KINDS,
        string="Type",
        required=True,
        readonly=True,
        help="Dynamic Registration: the AI tool has registered itself. Created by Hand: an administrator has created "
        "it in Odoo. Metadata Document: described by a document at the address that is its client ID.",
    )
    auth_method = fields.Selection(
        AUTH_METHODS,
        string="Authentication",
        required=True,
        readonly=True,
        default="none",
        help="How the application proves at the token endpoint that it is this client. A public client can't: it has "
        "no secret, and proves by PKCE that it is the one that asked.",
    )
    secret_digest = fields.Char(
        readonly=True,
        copy=False,
        prefetch=False,
        groups=fields.NO_ACCESS,
        help="SHA-256 of the proof of the client secret. The secret can't be had from it.",
    )
    redirect_uris = fields.Text(
        string="Redirect URIs",
        help="Where authorization codes may be sent to, one address a line. An address must match exactly, except for "
        "the port of a loopback address.",
    )
    grant_types = fields.Char(
        required=True,
        readonly=True,
        default="authorization_code refresh_token",
        help="What the client may ask tokens with, separated by spaces.",
    )
    client_credentials_user_id = fields.Many2one(
        "res.users",
        string="Acts As",
        readonly=True,
        index="btree_not_null",
        ondelete="cascade",
        help="The user that a client with the grant client_credentials acts as, without a login.",
    )
    client_uri = fields.Char(string="Home Page", readonly=True, help="The home page that the application names.")
    software_id = fields.Char(
        string="Software ID", readonly=True, help="The id of the software that the application names."
    )
    document_expires = fields.Datetime(
        readonly=True, help="Until when the metadata document that was last fetched counts as fresh."
    )
    active = fields.Boolean(
        default=True,
        copy=False,
        help="An archived client gets no tokens, and those that it had are deleted.",
    )
    last_used = fields.Datetime(readonly=True, copy=False, help="When the client last got a token.")
    connection_ids = fields.One2many(
        "mcp.connection",
        "oauth_client_id",
        string="Connections",
        readonly=True,
        context={"active_test": False},
        help="The connections of this client, one for each user who allowed it.",
    )
    request_ids = fields.One2many(
        "mcp.oauth.request",
        "client_id",
        string="Authorization Requests",
        readonly=True,
        groups="mcp_sidecar.group_admin",
        help="Logins with this client that are on their way or were lately.",
    )
    connection_count = fields.Integer(
        string="Number of Connections",
        compute="_compute_connection_count",
        help="How many users have allowed this client, revoked connections included.",
    )

    _client_id_unique = models.UniqueIndex("(client_id)", "This client exists already.")

    # === Computes and constraints ===

    def _compute_connection_count(self):
        connections = self.env["mcp.connection"].with_context(active_test=False)
        counts = dict(connections._read_group([("oauth_client_id", "in", self.ids)], ["oauth_client_id"], ["__count"]))
        for client in self:
            client.connection_count = counts.get(client._origin, 0)

    @api.constrains("name")
    def _check_name(self):
        for client in self:
            if not client.name.strip():
                raise ValidationError(self.env._("A client needs a name."))

    @api.constrains("redirect_uris", "grant_types")
    def _check_redirect_uris(self):
        for client in self:
            lines = (client.redirect_uris or "").splitlines()
            if not lines and "authorization_code" in client.grant_types.split():
                raise ValidationError(self.env._("A client that people log in with needs a redirect URI."))
            for number, line in enumerate(lines, start=1):
                if problem := redirect_uris.problem(line):
                    raise ValidationError(
                        self.env._(
                            "Redirect URIs, line %(number)s: %(problem)s Write one address a line: https, http on "
                            "127.0.0.1, [::1] or localhost, or a scheme of the application such as cursor://.",
                            number=number,
                            problem=problem,
                        )
                    )

    # === Write, delete ===

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._with_clean_uris(vals) for vals in vals_list])

    def write(self, vals):
        self._check_changeable(vals)
        result = super().write(self._with_clean_uris(vals))
        if "active" in vals:
            self._all_connections()._delete_tokens()
            self._publish_metadata()
            self._record_act("odoo/oauth_restore_client" if vals["active"] else "odoo/oauth_archive_client")
        return result

    def unlink(self):
        self._publish_metadata()
        # here, since the database would take them away without notice to the sidecars
        self._all_connections().unlink()
        if not self.env.su:
            self._record_act("odoo/oauth_delete_client")
        return super().unlink()

    def _record_act(self, method):
        for client in self:
            acts.record(self.env, method, client=client.name)

    def _check_changeable(self, vals):
        if self.env.su:
            return
        allowed = CHANGEABLE if all(client.kind == "manual" for client in self) else CHANGEABLE - {"redirect_uris"}
        if not vals.keys() <= allowed:
            raise UserError(
                self.env._(
                    "Of a client, its name and its state can be changed; if it was created by hand, its redirect "
                    "URIs as well. For anything else create another one."
                )
            )

    @api.model
    def _with_clean_uris(self, vals):
        if "redirect_uris" not in vals:
            return vals
        lines = (line.strip() for line in (vals["redirect_uris"] or "").splitlines())
        return {**vals, "redirect_uris": "\n".join(dict.fromkeys(filter(None, lines))) or False}

    def _all_connections(self):
        # sudo: who may archive or delete a client ends what it was allowed, for all users
        connections = self.env["mcp.connection"].sudo().with_context(active_test=False)
        return connections.search([("oauth_client_id", "in", self.ids)])

    def _publish_metadata(self):
        """The sidecars say which grants work; that is part of the settings."""
        if any(client.client_credentials_user_id for client in self):
            self.env["mcp.event"]._publish("settings")

    # === Clients that are created by hand ===

    @api.model
    def _create_manual(self, name, redirect_uris=None, confidential=False, client_credentials_user=None):
        """A new client, and its secret, which is shown once; False for a public client.

        :param redirect_uris: text, one address a line; empty for a client without logins
        :param client_credentials_user: the user that the client acts as by itself, if it may
        """
        self._check_may_manage()
        user = client_credentials_user
        if user:
            self._check_acts_as(user, confidential)
        if not user and not (redirect_uris or "").strip():
            raise UserError(self.env._("A client that people log in with needs a redirect URI."))
        grants = ["authorization_code", "refresh_token"] if (redirect_uris or "").strip() else []
        secret = credentials.generate("client_secret") if confidential else False
        # sudo: clients are created by this method only, which has checked the right to it
        client = self.sudo().create(
            {
                "name": (name or "").strip(),
                "client_id": "mcp_client_" + "".join(secrets.choice(credentials.ALPHABET) for _ in range(22)),
                "kind": "manual",
                "auth_method": "client_secret_basic" if confidential else "none",
                "secret_digest": secret and credentials.digest(credentials.proof(secret)),
                "redirect_uris": redirect_uris,
                "grant_types": " ".join([*grants, "client_credentials"] if user else grants),
                "client_credentials_user_id": user.id if user else False,
            }
        )
        connection = client._connect(user) if user else None
        client._publish_metadata()
        acts.record(self.env, "odoo/oauth_create_client", connection, client=client.name)
        return client.with_env(self.env), secret

    @api.model
    def _check_may_manage(self):
        call_rules.refuse_in_call(self, call_rules.own_denied(self, "create"))
        if not self.env.user.has_group("mcp_sidecar.group_admin"):
            raise AccessError(self.env._("Creating OAuth clients takes an MCP administrator."))

    def _check_acts_as(self, user, confidential):
        if not confidential:
            raise UserError(
                self.env._("A client that acts by itself has to be confidential: it proves so by a secret.")
            )
        if not users.may_connect(user):
            raise UserError(
                self.env._(
                    "A client can't act as “%s”: it takes an active internal user with the role MCP User.", user.name
                )
            )
        self._check_may_act_as(user)

    @api.model
    def _check_may_act_as(self, user):
        if user != self.env.user and not self.env.user._is_system():
            raise AccessError(
                self.env._(
                    "A client that acts as another user by itself takes a Settings administrator: "
                    "the holder of its secret acts as that user."
                )
            )

    def _connect(self, user):
        """The connection of a client that acts as a user without a login."""
        # sudo: the right to it was checked
        connections = self.env["mcp.connection"].sudo()
        return connections._create_for_client(self, user, {"granted_at": fields.Datetime.now()})

    def _connection_of(self, user):
        # sudo: the service account may read nothing
        connections = self.env["mcp.connection"].sudo().with_context(active_test=False)
        return connections.search([("oauth_client_id", "=", self.id), ("user_id", "=", user.id)], limit=1)

    # === Secrets ===

    def _rotate_secret(self):
        """A new secret, answered once; the old one stops working with this transaction."""
        self.ensure_one()
        self.check_access("write")
        self._check_may_manage()
        if self.auth_method == "none" or self.kind != "manual":
            raise UserError(self.env._("Only confidential clients that were created by hand have a secret to rotate."))
        if self.client_credentials_user_id:
            self._check_may_act_as(self.client_credentials_user_id)
        secret = credentials.generate("client_secret")
        # sudo: no user writes digests; the right to rotate was checked
        self.sudo().write({"secret_digest": credentials.digest(credentials.proof(secret))})
        acts.record(self.env, "odoo/oauth_rotate_secret", client=self.name)
        return secret

    # === Use ===

    def _touch(self):
        """Remembers that the client got a token just now, at most once an hour and never waiting for a lock."""
        now = fields.Datetime.now()
        try:
            with self.env.cr.savepoint():
                self.env.cr.execute(
                    """
                    UPDATE mcp_oauth_client SET last_used = %(now)s
                    WHERE id IN (
                        SELECT id FROM mcp_oauth_client
                        WHERE id = %(id)s AND (last_used IS NULL OR last_used < %(due)s)
                        FOR NO KEY UPDATE SKIP LOCKED
                    )
                    """,
                    {"now": now, "due": now - TOUCH_EVERY, "id": self.id},
                )
        except errors.SerializationFailure:
            return  # another request of the same client has just done it
        self.invalidate_recordset(["last_used"], flush=False)

    @api.model
    def _offers_client_credentials(self):
        """Whether a client may ask for tokens without a login, so that the sidecars say that it works."""
        # sudo: the service account may read nothing; whether there is such a client is part of the metadata
        offering = [("client_credentials_user_id", "!=", False), ("active", "=", True)]
        return bool(self.sudo().search_count(offering, limit=1))

    # === Retention ===

    @api.model
    def _sweep(self):
        """Deletes what has served its time: requests, tokens, and clients that no user has allowed."""
        self.env["mcp.oauth.request"]._delete_old()
        self.env["mcp.credential"]._delete_expired()
        self._delete_unused()

    @api.model
    def _delete_unused(self):
        # a login on its way keeps its client
        unused = self.with_context(active_test=False).search(
            [
                ("kind", "in", ("dynamic", "document")),
                ("create_date", "<", fields.Datetime.now() - KEPT_UNUSED),
                ("connection_ids", "=", False),
                ("request_ids", "not any", [("expires_at", ">", fields.Datetime.now())]),
            ]
        )
        unused.unlink()
