"""What PostgreSQL refuses is said by the labels of fields, in none of its own words."""

from unittest.mock import patch

import psycopg2
from psycopg2 import errors

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger
from odoo.tools.safe_eval import safe_eval

from ..gateway.operations import executor
from .gateway_common import GatewayCase, call, create, write

# Words of PostgreSQL's sentences, of its tables and of its constraints.
FOREIGN = ("violates", "constraint", "relation", "DETAIL", "Detail", "Key (", "_fkey", "_rel", "null value", "SELECT")


@tagged("-at_install", "post_install")
class TestDatabaseRefusals(GatewayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner = cls.env["res.partner"].create({"name": "Deco Addict"})
        cls.category = cls.env["res.partner.category"].create({"name": "Gold"})
        cls.env.flush_all()

    def said(self, step, code="invalid"):
        with mute_logger("odoo.sql_db", "odoo.addons.mcp_sidecar.gateway.rpc.faults"):
            fault = self.fault(step, mode="run")
        self.assertEqual(fault.code, code, fault.message)
        for word in FOREIGN:
            self.assertNotIn(word, fault.message)
        return fault.message

    def said_of(self, *statement, within=None):
        """What is said of a statement that code runs for the caller."""

        def run(records):
            if within is not None:
                return within(records, *statement)
            return records.env.cr.execute(*statement)

        with patch.object(type(self.partner), "run", run, create=True):
            return self.said(call("res.partner", "run", self.partner.ids))

    # === Each kind of constraint ===

    def test_a_missing_value_is_named_by_its_field(self):
        message = self.said(create("ir.filters", {"model_id": "res.partner"}))
        self.assertIn('name ("Filter Name") of ir.filters is required', message)
        message = self.said_of("UPDATE res_currency SET symbol = NULL WHERE id = %s", [self.env.company.currency_id.id])
        self.assertIn('symbol ("Symbol") of res.currency is required', message)
        message = self.said_of("INSERT INTO res_country_state (name, code) VALUES ('x', 'y')")
        self.assertIn('country_id ("Country") of res.country.state is required', message)

    def test_a_doubled_value_is_named_by_its_fields(self):
        # a message that the constraint declares is the best one
        self.assertIn(
            "code of the country must be unique", self.said(create("res.country", {"name": "x", "code": "BE"}))
        )
        self.env.cr.execute("CREATE UNIQUE INDEX mcp_test_unique ON res_partner_category (name, color)")
        statement = "INSERT INTO res_partner_category (name, color) SELECT name, color FROM res_partner_category"
        message = self.said_of(f"{statement} WHERE id = %s", [self.category.id])
        self.assertIn("Another record of res.partner.category has the same", message)
        self.assertIn('name ("Name"), color ("Color")', message)

    def test_a_record_in_use_names_who_uses_it(self):
        country = self.env.ref("base.be")
        self.env["res.country.state"].create({"name": "x", "code": "y", "country_id": country.id})
        message = self.said({"op": "unlink", "model": "res.country", "ids": country.ids})
        self.assertIn('Records of res.country.state refer to it by country_id ("Country")', message)
        self.assertIn("archive", message)
        currency = self.env.company.currency_id
        self.assertIn("res.company", self.said({"op": "unlink", "model": "res.currency", "ids": currency.ids}))

    def test_a_link_to_nothing_names_the_field(self):
        message = self.said_of("UPDATE res_partner SET country_id = 999999 WHERE id = %s", [self.partner.id])
        self.assertIn('country_id ("Country") of res.partner refers to the record 999999', message)
        relation = self.env["res.partner"]._fields["category_id"].relation
        statement = f"INSERT INTO {relation} (partner_id, category_id) VALUES (%s, 999999)"
        message = self.said_of(statement, [self.partner.id])
        self.assertIn("would link a record that does not exist", message)

    def test_a_check_names_the_fields_that_it_is_about(self):
        self.env.cr.execute("ALTER TABLE res_partner_category ADD CONSTRAINT mcp_test_check CHECK (color < 100)")
        message = self.said(write("res.partner.category", self.category.ids, color=200))
        self.assertIn('A rule of res.partner.category for color ("Color")', message)
        self.assertTrue(self.run_one(write("res.partner.category", self.category.ids, color=99), mode="run"))

    def test_a_value_that_has_no_place_in_the_database(self):
        self.assertIn("out of the range", self.said_of("SELECT 2147483648::int"))
        self.assertIn("another type", self.said_of("SELECT 'x'::int"))
        self.assertIn("date", self.said_of("SELECT '2026-13-01'::date"))
        message = self.said(call("res.partner", "search", [], [], limit=-1), "bad_request")
        self.assertRegex(message, r"sent in .*limit")

    # === Wherever it is raised ===

    def test_inside_of_code_that_is_evaluated(self):
        def evaluated(records, query):
            safe_eval("records.env.cr.execute(query)", {"records": records, "query": query}, mode="exec")

        query = "UPDATE res_currency SET symbol = NULL"
        self.assertIn('symbol ("Symbol")', self.said_of(query, within=evaluated))

    def test_inside_of_a_server_action(self):
        action = self.env["ir.actions.server"].create(
            {
                "name": "Failing",
                "model_id": self.env.ref("base.model_res_currency").id,
                "state": "code",
                "code": "records.write({'symbol': False})\nenv.cr.flush()",
            }
        )
        context = {"active_model": "res.currency", "active_ids": self.env.company.currency_id.ids}

        def run(records):
            return action.with_env(records.env).sudo().with_context(**context).run()

        self.assertIn('symbol ("Symbol")', self.said_of(within=run))

    def test_what_odoo_quotes_of_it_is_worded_anew(self):
        def quoting(records):
            try:
                with records.env.cr.savepoint():
                    records.env.cr.execute("UPDATE res_currency SET symbol = NULL")
            except psycopg2.Error as exc:
                raise UserError(f"Import failed: {exc}") from exc  # pylint: disable=translation-required

        self.assertIn('symbol ("Symbol")', self.said_of(within=quoting))

        def with_its_own_words(records):
            try:
                with records.env.cr.savepoint():
                    records.env.cr.execute("UPDATE res_currency SET symbol = NULL")
            except psycopg2.Error as exc:
                raise UserError("The symbol is missing.") from exc  # pylint: disable=translation-required

        self.assertEqual(self.said_of(within=with_its_own_words), "The symbol is missing.")

    def test_in_the_messages_of_an_import(self):
        step = call("res.country", "load", [], ["name", "code"], [["x", "ZZ"], ["y", "ZZ"]])
        with mute_logger("odoo.sql_db"):
            result = self.run_one(step, mode="run")["result"]
        for message in result["messages"]:
            for word in FOREIGN:
                self.assertNotIn(word, message["message"])
        self.assertTrue(result["messages"])

    def test_of_odoos_own_users_nothing_is_reworded(self):
        error = errors.NotNullViolation()
        with patch("odoo.addons.mcp_sidecar.gateway.errors.constraints.generic") as generic:
            with self.assertRaises(Exception), mute_logger("odoo.sql_db"), self.env.cr.savepoint():  # noqa: B017
                self.env.cr.execute("UPDATE res_currency SET symbol = NULL")
            self.partner._sql_error_to_message_generic(error)
        self.assertFalse(generic.called)

    # === A query that is wrong in itself ===

    def test_a_wrong_query_of_odoo_is_a_fault_of_odoo(self):
        for query in ("SELECT nothing FROM res_partner", "SELEC 1"):
            with (
                self.subTest(query),
                patch.object(
                    type(self.partner), "run", lambda self, query=query: self.env.cr.execute(query), create=True
                ),
            ):
                self.said(call("res.partner", "run", self.partner.ids), "internal")


@tagged("-at_install", "post_install")
class TestOutages(GatewayCase):
    """A database that is away is no fault of Odoo, and comes back."""

    def fault_of(self, raised, **changes):
        def failing(env, step):
            raise raised

        step = {"op": "search_count", "model": "res.partner", "domain": []}
        with (
            patch.dict(executor._OPERATIONS, {"search_count": failing}),
            mute_logger("odoo.addons.mcp_sidecar.gateway.rpc.faults"),
        ):
            return self.fault(step, **changes)

    def test_a_database_that_is_away_is_temporary(self):
        for raised in (
            errors.AdminShutdown("terminating connection due to administrator command"),
            errors.CrashShutdown("x"),
            errors.CannotConnectNow("the database system is starting up"),
            errors.TooManyConnections("sorry, too many clients already"),
            errors.DiskFull("could not extend file"),
            errors.OutOfMemory("out of memory"),
            errors.QueryCanceled("canceling statement due to user request"),
            psycopg2.OperationalError("server closed the connection unexpectedly"),
            psycopg2.InterfaceError("connection already closed"),
            psycopg2.pool.PoolError("The Connection Pool Is Full"),
        ):
            for mode in ("read", "write"):
                with self.subTest(type(raised).__name__, mode=mode):
                    fault = self.fault_of(raised, mode=mode)
                    self.assert_fault(fault, "unavailable")
                    self.assertNotIn(str(raised), fault.message)

    def test_wherever_it_shows(self):
        away = errors.AdminShutdown("terminating connection")
        wrapped = UserError("Could not be done.")
        wrapped.__cause__ = away
        self.assert_fault(self.fault_of(wrapped), "unavailable")
        unexpected = ValueError("while evaluating")
        unexpected.__context__ = away
        self.assert_fault(self.fault_of(unexpected), "unavailable")

    def test_other_errors_of_the_database_are_not(self):
        for raised in (errors.UndefinedColumn("x"), psycopg2.ProgrammingError("x"), errors.InternalError_("x")):
            with self.subTest(type(raised).__name__):
                self.assertEqual(self.fault_of(raised).code, "internal")

    def test_a_statement_that_an_operator_ends(self):
        def canceled(env, step):
            env.cr.execute("DO $$ BEGIN RAISE EXCEPTION 'canceled' USING ERRCODE = '57014'; END $$")

        def too_slow(env, step):
            env.cr.execute("SELECT pg_sleep(5)")

        step = {"op": "search_count", "model": "res.partner", "domain": []}
        for operation, deadline_ms, code in ((canceled, 30000, "unavailable"), (too_slow, 200, "deadline")):
            with patch.dict(executor._OPERATIONS, {"search_count": operation}), mute_logger("odoo.sql_db"):
                self.assertEqual(self.fault(step, deadline_ms=deadline_ms).code, code)
