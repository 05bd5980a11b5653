"""The table of sinks names what Odoo has, and each of its rows does what it says while a call runs."""

from contextlib import closing

from odoo.tests import tagged

from ..gateway.sinks import credential_methods, evaluated_code, sealed_fields, token_seals
from .gateway_common import call
from .sinks_common import SinksCase


@tagged("-at_install", "post_install")
class TestTable(SinksCase):
    def test_each_method_exists_where_its_module_is_installed(self):
        for sink in credential_methods.SINKS:
            if sink.model not in self.env:
                continue
            owners = [name for name, cls in self.env.registry.items() if sink.method in vars(cls)]
            if not owners:
                module = self.module_of(sink)
                self.assertNotEqual(self.env["ir.module.module"]._get(module).state, "installed", sink)

    def module_of(self, sink):
        """The module that adds a method to a model of another module."""
        for prefix, module in (
            ("_auth_oauth", "auth_oauth"),
            ("_generate_profile", "website_profile"),
            ("_generate_mail_recipient", "mass_mailing"),
            ("_get_google", "google_calendar"),
            ("_get_microsoft", "microsoft_calendar"),
            ("_rating", "rating"),
            ("_fetch_gmail", "google_gmail"),
            ("_get_totp_mail", "auth_totp_mail"),
            ("_send_totp_mail", "auth_totp_mail"),
        ):
            if sink.method.startswith(prefix):
                return module
        raise AssertionError(f"{sink.model} has no method {sink.method}")

    def test_each_override_is_wrapped(self):
        names = {sink.method: sink.model for sink in credential_methods.SINKS}
        for cls in self.env.registry.values():
            inherited = {getattr(base, "_name", None) for base in cls.mro()}
            for base in cls.__bases__:
                if getattr(base, "pool", None) is None:
                    for name in vars(base).keys() & names.keys():
                        if any(sink.method == name and sink.model in inherited for sink in credential_methods.SINKS):
                            self.assertTrue(hasattr(vars(cls).get(name), "__wrapped__"), (cls, name))

    def test_nothing_changes_outside_of_a_call(self):
        partner = self.settings_admin.partner_id
        partner.signup_type = "reset"
        self.assertTrue(partner._generate_signup_token())
        self.assertTrue(self.settings_admin._session_token_get_values())
        self.assertTrue(self.env["ir.config_parameter"].get_param("database.secret"))

    def test_every_session_and_second_factor_is_refused(self):
        for code in (
            "env.user._compute_session_token('a' * 84)",
            "env.user.sudo()._session_token_get_values()",
            "env.user._session_token_hash_compute('a', (('id', 1),))",
            "env.user._legacy_session_token_hash_compute('a')",
            "env.user.action_totp_enable_wizard()",
            "env.user._totp_try_setting('ABCDEFGH', 123456)",
            "env.user.api_key_wizard()",
            "env['res.users.apikeys'].sudo()._generate(None, 'mcp', None)",
            "env['res.users.apikeys.description'].sudo().create({'name': 'x', 'duration': '1'}).make_key()",
        ):
            if any(name in code and not hasattr(self.env.user, name) for name in ("_totp_", "action_totp")):
                continue
            with self.subTest(code):
                self.assert_fault(self.tried(self.run_code(code)), "access_denied")
        for method in ("action_totp_enable_wizard", "api_key_wizard"):
            if hasattr(self.env.user, method):
                self.assertIn(
                    self.tried(call("res.users", method, self.settings_admin.ids)).code,
                    ("access_denied", "method_denied"),
                )

    def test_no_code_reads_the_secret_of_the_database(self):
        secret = self.env["ir.config_parameter"].get_param("database.secret")
        parameters = "env['ir.config_parameter'].sudo()"
        for value in (
            f"{parameters}.get_param('database.secret')",
            f"{parameters}._get_param('database.secret')",
            f"{parameters}.search([('key', '=', 'database.secret')]).value",
            f"{parameters}.search([('key', '=', 'database.secret')]).mapped('value')[0]",
            f"{parameters}.search_read([('key', '=', 'database.secret')], ['value'])[0]['value']",
            f"{parameters}.search([('key', '=', 'database.secret')]).read(['value'])[0]['value']",
            f"{parameters}.set_param('database.secret', {parameters}.get_param('database.secret'))",
        ):
            with self.subTest(value):
                code = f"env.user.partner_id.write({{'comment': {value}}})"
                text = self.tried_or_done(self.run_code(code))
                self.env.invalidate_all()
                self.assertNotIn(secret, text)
                self.assertNotIn(secret, str(self.settings_admin.partner_id.comment))
        guess = f"{parameters}.search_count([('value', '=like', '{secret[:4]}%')])"
        self.assert_fault(self.tried(self.run_code(f"raise UserError(str({guess}))")), "access_denied")
        template = "<t t-out=\"user.env['ir.config_parameter'].sudo().get_param('database.secret')\"/>"
        template = self.template("res.partner", body_html=template)
        render = f"env['mail.template'].browse({template.id})._render_field('body_html', env.user.partner_id.ids)"
        self.execute(self.run_code(f"env.user.partner_id.write({{'comment': str({render})}})"), mode="run")
        self.assertNotIn(secret, str(self.settings_admin.partner_id.comment))

    def test_the_secret_of_the_database_stays(self):
        secret = self.env["ir.config_parameter"].get_param("database.secret")
        parameters = "env['ir.config_parameter'].sudo()"
        for code in (
            f"{parameters}.set_param('database.secret', 'known')",
            f"{parameters}.set_param('database.secret', False)",
            f"{parameters}.search([('key', '=', 'database.secret')]).write({{'value': 'known'}})",
            f"{parameters}.search([('key', '=', 'database.uuid')]).write({{'key': 'database.secret'}})",
        ):
            self.assert_fault(self.tried(self.run_code(code)), "access_denied", model="ir.config_parameter")
        self.assertEqual(self.env["ir.config_parameter"].get_param("database.secret"), secret)

    def test_a_seal_opens_nothing_by_itself(self):
        with closing(self.env.registry.cursor()) as cr:
            env = self.env(cr=cr)
            sealed = token_seals.seal(env, "token", self.customer)
            self.assertNotIn("token", sealed)
            self.assertEqual(token_seals.seal(env, sealed, self.customer), sealed)
            self.assertFalse(token_seals.seal(env, False))

    def test_fields_are_closed_once(self):
        field = self.env["ir.attachment"]._fields["access_token"]
        kind = type(field)
        self.assertTrue(sealed_fields.is_sealed(field))
        sealed_fields.seal_model(self.env["ir.attachment"])
        self.assertIs(type(field), kind)
        self.assertEqual(field.type, "char")

    def test_whose_code_asks(self):
        self.assertFalse(evaluated_code.is_evaluating(self.env.cr))
        with evaluated_code.rendering(self.env.cr):
            self.assertTrue(evaluated_code.is_evaluating(self.env.cr))
            with evaluated_code.suspended(self.env.cr):
                self.assertFalse(evaluated_code.is_evaluating(self.env.cr))
