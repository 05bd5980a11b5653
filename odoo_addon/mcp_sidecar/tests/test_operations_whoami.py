"""What a call without a context means: its companies, its time zone."""

from odoo.tests import tagged

from ..gateway.reading import time_zone_notes
from .gateway_common import GatewayCase, search


@tagged("post_install", "-at_install")
class TestSessionAnswer(GatewayCase):
    def session(self):
        self.env.flush_all()
        return self.run_one({"op": "session"})

    def test_a_user_without_a_time_zone_has_none(self):
        self.settings_admin.tz = False
        answer = self.session()
        self.assertIsNone(answer["tz"])
        self.settings_admin.tz = "Asia/Tokyo"
        self.assertEqual(self.session()["tz"], "Asia/Tokyo")

    def test_all_companies_of_the_user_are_covered(self):
        first = self.settings_admin.company_id
        self.settings_admin.company_ids = first
        self.assertIn("covers this company", self.session()["covers"])
        second = self.env["res.company"].create({"name": "Session two"})
        self.settings_admin.company_ids += second
        answer = self.session()
        self.assertEqual({row["id"]: row["current"] for row in answer["companies"]}, {first.id: True, second.id: False})
        self.assertIn("all 2 companies", answer["covers"])
        self.assertIn(f"{first.name} (id {first.id})", answer["covers"])
        self.settings_admin.company_id = second
        answer = self.session()
        self.assertEqual(answer["company"]["id"], second.id)
        self.assertEqual([row["id"] for row in answer["companies"] if row["current"]], second.ids)

    def test_what_is_said_is_what_a_call_does(self):
        second = self.env["res.company"].create({"name": "Session two"})
        self.settings_admin.company_ids += second
        self.env.flush_all()
        partner = self.env["res.partner"].create({"name": "Session partner", "company_id": second.id})
        step = {"op": "search_count", "model": "res.partner", "domain": [["id", "=", partner.id]]}
        self.assertEqual(self.run_one(step)["count"], 1)
        first = {"allowed_company_ids": self.settings_admin.company_id.ids}
        self.env["ir.rule"].search([("model_id.model", "=", "res.partner")]).active = True
        self.assertEqual(self.run_one(step, context=first)["count"], 0)


@tagged("post_install", "-at_install")
class TestLocalTimes(GatewayCase):
    """Where a day or an hour is that of a time zone, an answer says that there is none."""

    def noted(self, step, **changes):
        self.env.flush_all()
        return time_zone_notes.NOTE in self.run_one(step, **changes).get("notes", ())

    def steps(self):
        for condition in (
            ["create_date", ">=", "today -7d"],
            ["create_date", "=", "2026-11-01"],
            ["create_date", "in", ["2026-11-01"]],
            ["parent_id.create_date", "<", "2026-11-01"],
            ["child_ids", "any", [["create_date", "<", "2026-11-01"]]],
            ["create_date.hour_number", "=", 9],
        ):
            yield search("res.partner", [condition])
            yield {"op": "search_count", "model": "res.partner", "domain": [condition]}
        yield group("create_date:day")

    def test_a_user_without_one_is_told_so(self):
        self.settings_admin.tz = False
        for step in self.steps():
            with self.subTest(step):
                self.assertTrue(self.noted(step))
                self.assertFalse(self.noted(step, context={"tz": "Asia/Tokyo"}))

    def test_a_user_with_one_is_not(self):
        self.settings_admin.tz = "Europe/Brussels"
        for step in self.steps():
            with self.subTest(step):
                self.assertFalse(self.noted(step))

    def test_instants_and_dates_have_no_zone(self):
        self.settings_admin.tz = False
        for condition in (
            ["create_date", ">=", "2026-11-01T09:00:00Z"],
            ["create_date", ">=", "2026-11-01 09:00:00"],
            ["create_date", "=", None],
            ["name", "=", "2026-11-01"],
        ):
            with self.subTest(condition):
                self.assertFalse(self.noted(search("res.partner", [condition])))
        self.assertFalse(self.noted(group("country_id")))


def group(spec):
    step = {"op": "read_group", "model": "res.partner", "domain": [], "groupby": [spec], "aggregates": []}
    return {**step, "having": [], "limit": 80, "offset": 0, "order": None}
