"""Every refusal on one page: what is promised, the function that refuses, the ORM hooks that ask it, and the tests.

A hook is a method of a model of Odoo, or of a mixin of this addon, that `models/` overrides; a refusal without hooks is
checked by the gateway before Odoo's code runs. `tests/test_policy_refusals.py` checks that each name here exists, and
that each override in `models/` stands in `REFUSALS` or, where it refuses nothing, in `OTHER_HOOKS`.
"""

from typing import NamedTuple


class Refusal(NamedTuple):
    promise: str
    functions: tuple  # below `gateway`
    hooks: tuple  # model and method
    tests: tuple  # module and class below `tests`


REFUSALS = (
    # --- the call as a whole ---
    Refusal(
        "Only the sidecar's service account calls the gateway.",
        ("endpoint.require_service",),
        (),
        ("test_endpoint.TestGateway",),
    ),
    Refusal(
        "Nothing runs while the master switch is off.",
        ("transaction.Guard",),
        (),
        ("test_endpoint.TestGateway",),
    ),
    Refusal(
        "A call from an address that the connection does not allow is refused.",
        ("auth.identity.authenticate", "auth.address_rules.is_allowed"),
        (),
        ("test_auth_address_rules.TestAddresses", "test_auth_address_rules.TestAddressRules"),
    ),
    Refusal(
        "A connection keeps to its scope, its tools, its models and its method level.",
        ("policy.call_rules.check_call", "policy.call_rules.check_step"),
        (),
        ("test_auth_identity.TestExecutorIdentity", "test_auth_method_levels.TestMethodLevelCalls"),
    ),
    Refusal(
        "A context has only the keys that a request may set.",
        ("auth.identity.checked_context",),
        (),
        ("test_auth_identity.TestExecutorIdentity",),
    ),
    Refusal(
        "A reading call changes nothing, and no call ends its transaction.",
        ("transaction.guarded",),
        (),
        ("test_transaction.TestGatewayTransaction",),
    ),
    # --- methods ---
    Refusal(
        "Private methods, methods made for code, and methods that log in are not called.",
        ("policy.call_rules.public_method",),
        (),
        ("test_operations_write.TestExecutorCalls", "test_escape_attempts.TestWaysIn"),
    ),
    Refusal(
        "At the level of buttons, a method is called only where its button is shown, and with its arguments.",
        ("buttons.permitted_methods.require_callable", "buttons.permitted_methods.require_action"),
        (),
        ("test_buttons_view_buttons.TestButtons", "test_buttons_permitted_methods.TestPresses"),
    ),
    # --- models and fields ---
    Refusal(
        "A connection with allowed models reaches no other model, in no way that its user's rights decide.",
        ("policy.allowed_models.require", "policy.allowed_models.is_allowed"),
        ("ir.model.access._get_allowed_models", "ir.model.access._make_access_error", "base.default_get"),
        ("test_policy_allowed_models.TestAllowedModels", "test_policy_allowed_models_writes.TestAllowedModelsWrites"),
    ),
    Refusal(
        "Fields that lead out of the allowed models are neither read, searched, ordered nor grouped by.",
        ("policy.field_reach.require_reachable",),
        ("base._order_field_to_sql",),
        ("test_policy_field_reach.TestAllowedModelsReads",),
    ),
    Refusal(
        "Rows that belong to records of other models, such as attachments, are hidden with these.",
        ("policy.linked_records.domain",),
        ("ir.rule._compute_domain",),
        ("test_policy_linked_records.TestAllowedModelsBearers",),
    ),
    Refusal(
        "Models that hold secrets or ways to log in are closed to every AI tool.",
        ("policy.denied_models.applies",),
        ("ir.model.access._get_allowed_models", "ir.model.access._make_access_error", "ir.rule._compute_domain"),
        ("test_policy_secret_fields.TestClosedModels", "test_policy_secret_fields.TestClosedRows"),
    ),
    Refusal(
        "Fields that hold a secret are neither read, searched, ordered, grouped by nor set.",
        (
            "policy.secret_fields.hides",
            "policy.secret_fields.refuse_arguments",
            "policy.secret_fields.refuse_setting",
            "sinks.sealed_fields.hides",
        ),
        ("base._check_field_access", "base.fields_get", "base._fetch_field"),
        ("test_policy_secret_fields.TestSecretFields",),
    ),
    Refusal(
        "Fields that Odoo's own code maintains are not written.",
        ("fields.writability.require_writable",),
        (),
        ("test_fields_writability.TestWritability",),
    ),
    Refusal(
        "Commands on an x2many field change lines of their own record only, and delete none by omission.",
        ("fields.x2many_lines.check_commands",),
        (),
        ("test_fields_x2many_lines.TestLines",),
    ),
    # --- accounts and what limits AI tools ---
    Refusal(
        "No AI tool changes this addon's own records.",
        ("policy.call_rules.refuse_own_model", "policy.call_rules.refuse_in_call"),
        ("mcp.protected.mixin.create", "mcp.protected.mixin.write", "mcp.protected.mixin.unlink"),
        ("test_escape_attempts.TestOwnLimits",),
    ),
    Refusal(
        "The ORM changes no entry of the audit log, for administrators neither.",
        (),
        ("mcp.append.only.mixin.create", "mcp.append.only.mixin.write", "mcp.append.only.mixin.unlink"),
        ("test_audit_hash_chain.TestSealed",),
    ),
    Refusal(
        "No AI tool sets, guesses or makes passwords and API keys.",
        ("policy.call_rules.refuse_credentials", "policy.accounts.refuse_login_fields"),
        (
            "res.users._check_credentials",
            "res.users._set_encrypted_password",
            "res.users.create",
            "res.users.write",
            "res.users.apikeys._generate",
        ),
        ("test_escape_attempts.TestWaysIn", "test_policy_accounts.TestOtherWaysIn"),
    ),
    Refusal(
        "No AI tool makes an internal user, or gives a group that its own user lacks.",
        ("policy.accounts.refusing_user_escalation", "policy.accounts.refusing_group_escalation"),
        ("res.users._create", "res.users.write", "res.groups.create", "res.groups.write"),
        ("test_policy_accounts.TestNewUsers", "test_policy_accounts.TestRights"),
    ),
    Refusal(
        "No AI tool redirects the mail of an internal user, which could reset a password.",
        ("policy.accounts.refuse_contact_change", "policy.accounts.refuse_if_internal"),
        ("res.users.write", "res.partner.write", "base.partner.merge.automatic.wizard._merge"),
        ("test_policy_accounts.TestContactsOfUsers", "test_escape_attempts.TestWaysIn"),
    ),
    Refusal(
        "The service account has one group and no password, and changes nothing, its own profile included.",
        ("rpc.service_account.refuse", "rpc.service_account.is_acting"),
        (
            "ir.model.access._get_allowed_models",
            "res.partner.write",
            "res.users._check_credentials",
            "res.users._rpc_api_keys_only",
            "res.users._set_encrypted_password",
            "res.users.create",
            "res.users.write",
            "res.users.unlink",
            "res.users.apikeys._generate",
            "res.users.apikeys.unlink",
            "res.users.settings.create",
            "res.users.settings.write",
            "res.users.settings.unlink",
        ),
        ("test_rpc_service_account.TestServiceUser", "test_rpc_service_account.TestServiceUserRpc"),
    ),
    # --- the authorization server ---
    Refusal(
        "Tokens, codes and clients are as good as the switches, the user, the connection and the client behind them.",
        ("oauth.refused.step", "oauth.users.may_connect", "oauth.clients.authenticated", "oauth.grants.refresh"),
        (),
        (
            "test_oauth_grants.TestCode",
            "test_oauth_grants.TestRefresh",
            "test_oauth_clients.TestClientAuthentication",
            "test_oauth_tokens.TestRevocation",
        ),
    ),
    Refusal(
        "A code or refresh token that is used twice revokes what came of it.",
        ("oauth.families.revoke",),
        (),
        ("test_oauth_grants.TestCode", "test_oauth_grants.TestRefresh", "test_oauth_races.TestRaces"),
    ),
    Refusal(
        "A code goes to a registered redirect URI only, and never to one that runs code or hides its host.",
        ("oauth.redirect_uris.problem", "oauth.redirect_uris.is_registered"),
        (),
        ("test_oauth_redirect_uris.TestRedirectUris", "test_oauth_requests.TestBegin"),
    ),
    Refusal(
        "Only a person allows a client, in a session of their own and on the page that asks.",
        ("oauth.consent.decide", "oauth.consent.is_own_page"),
        (),
        ("test_oauth_consent.TestConsent", "test_mcp_oauth_client.TestClientRpc"),
    ),
    # --- credentials are never rendered ---
    Refusal(
        "Methods that mint a credential are refused, or answer a placeholder that only its addressee's mail opens.",
        ("sinks.credential_methods.wrap_sinks", "sinks.token_seals.opened"),
        ("base._post_model_setup__", "mail.mail.create", "mail.mail.write"),
        (
            "test_sinks_credential_methods.TestTable",
            "test_sinks_token_seals.TestAccountLinks",
            "test_sinks_token_seals_documents.TestDocumentLinks",
        ),
    ),
    Refusal(
        "Templates and server actions of a call show no secret, whenever they are evaluated.",
        ("sinks.evaluated_code.applies", "sinks.evaluated_code.is_evaluating"),
        (
            "ir.config_parameter._get_param",
            "ir.qweb._render",
            "mail.render.mixin.create",
            "mail.render.mixin.write",
            "mail.render.mixin._render_field",
            "mail.render.mixin._render_template",
            "mcp.call.mark.mixin.create",
            "mcp.call.mark.mixin.write",
            "mail.message.schedule._send_notifications",
            "mail.scheduled.message._post_message",
        ),
        ("test_sinks_credential_methods.TestTable", "test_sinks_token_seals_documents.TestScheduled"),
    ),
    Refusal(
        "The key that signs Odoo's links is not changed by an AI tool.",
        ("policy.call_rules.refuse_in_call",),
        ("ir.config_parameter.create", "ir.config_parameter.write", "ir.config_parameter.unlink"),
        ("test_sinks_credential_methods.TestTable",),
    ),
    Refusal(
        "Code that Odoo evaluates later takes the method level any, and names no credential at any level.",
        (
            "sinks.stored_code.refuse_creating",
            "sinks.stored_code.refuse_writing",
            "sinks.stored_code.refuse_deleting",
            "sinks.stored_code.refuse_translating",
            "sinks.stored_code.refuse_posting",
        ),
        (
            "base.create",
            "base.write",
            "base.unlink",
            "base._update_field_translations",
            "ir.actions.server.create",
            "ir.actions.server.write",
        ),
        ("test_sinks_stored_code.TestLevel", "test_sinks_stored_code.TestNamedSinks"),
    ),
)

# Overrides that refuse nothing, and what they are for.
OTHER_HOOKS = {
    "base._search": "a total order, so that pages neither repeat nor lose rows",
    "base._read_group_orderby": "the same for groups",
    "base._sql_error_to_message_generic": "what the database refuses, without names of tables and constraints",
    "ir.ui.menu._visible_menu_ids": "keeps a cache that all connections of a user share from being narrowed",
    "mcp.schema.change.mixin.create": "publishes a change of the schema to the sidecars",
    "mcp.schema.change.mixin.write": "publishes a change of the schema to the sidecars",
    "mcp.schema.change.mixin.unlink": "publishes a change of the schema to the sidecars",
    "res.users.SELF_READABLE_FIELDS": "shows users their own grants in their preferences",
    "res.groups.unlink": "publishes a change of connections to the sidecars",
}
