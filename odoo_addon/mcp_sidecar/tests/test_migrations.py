"""Migrations: run on a database as the version before has left it."""

import importlib.util
from pathlib import Path

from odoo.tests import tagged

from .common import McpCase


class MigrationCase(McpCase):
    def migrate(self, version, name):
        path = Path(__file__).parents[1] / "migrations" / version / f"{name}.py"
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.migrate(self.env.cr, None)


@tagged("-at_install", "post_install")
class TestActionIds(MigrationCase):
    RENAMED = {"action_mcp_audit_log": "mcp_audit_log_action", "action_mcp_session": "mcp_session_action"}

    def test_actions_keep_their_records(self):
        data = self.env["ir.model.data"]
        before = {old: self.env.ref(f"mcp_sidecar.{new}") for old, new in self.RENAMED.items()}
        for old, new in self.RENAMED.items():
            data.search([("module", "=", "mcp_sidecar"), ("name", "=", new)]).name = old
        self.env.flush_all()
        for _again in range(2):
            self.migrate("19.0.1.2.0", "pre-action_ids")
            self.env.invalidate_all()
            self.env.registry.clear_cache()
            for old, new in self.RENAMED.items():
                self.assertEqual(self.env.ref(f"mcp_sidecar.{new}"), before[old])
                self.assertFalse(self.env.ref(f"mcp_sidecar.{old}", raise_if_not_found=False))


@tagged("-at_install", "post_install")
class TestResolveFunction(MigrationCase):
    def test_it_is_dropped(self):
        self.env.cr.execute(
            "CREATE OR REPLACE FUNCTION mcp_sidecar_resolve(shown text, superuser integer, service_groups integer[])"
            " RETURNS integer LANGUAGE sql AS 'SELECT 1'"
        )
        for _again in range(2):
            self.migrate("19.0.1.3.0", "post-resolve")
            self.env.cr.execute("SELECT count(*) FROM pg_proc WHERE proname = 'mcp_sidecar_resolve'")
            self.assertEqual(self.env.cr.fetchone(), (0,))


@tagged("-at_install", "post_install")
class TestCronName(MigrationCase):
    def test_the_old_name_is_replaced_and_another_one_kept(self):
        action = self.env.ref("mcp_sidecar.ir_cron_forget_answers")
        for before, after in (
            ("MCP: forget answers of changes", "MCP: delete expired answers of changes"),
            ("Our own name", "Our own name"),
        ):
            action.name = before
            self.env.flush_all()
            self.migrate("19.0.1.2.0", "post-cron_name")
            self.assertEqual(action.name, after)
