"""The consent page, asked over HTTP as a browser asks: who sees it, what it shows, what it stores and what not."""

import re
import secrets
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit
from xmlrpc.client import Fault

from lxml import html

from odoo import SUPERUSER_ID, fields, http
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..controllers.consent import PATH
from ..gateway.auth import credentials
from .common import McpHttpCase

ISSUER = "https://odoo-mcp.example.com"
HTTPS = "https://app.example.com/callback"


class ConsentCase(McpHttpCase):
    """A browser, and requests of AI tools for it."""

    def setUp(self):
        super().setUp()
        self.settings.write({"enabled": True, "public_url": ISSUER, "enable_oauth": True})

    def begin(self, redirect_uri=HTTPS, client=None, **values):
        """A request as the sidecar stores it; answers it and its handle."""
        handle = secrets.token_hex(22)[:43]
        client = client or self.client(redirect_uri)
        request = self.env["mcp.oauth.request"].create(
            {
                "request_digest": credentials.digest(credentials.proof(handle)),
                "browser_digest": credentials.digest(credentials.proof("a browser")),
                "client_id": client.id,
                "redirect_uri": redirect_uri,
                "state": "xyz",
                "code_challenge": "c" * 43,
                "resource": f"{ISSUER}/odoo/mcp",
                "issuer": ISSUER,
                "ip": "203.0.113.7",
                "expires_at": fields.Datetime.now() + timedelta(minutes=10),
                **values,
            }
        )
        return request, handle

    def client(self, *redirect_uris, name="Test Tool", **values):
        values = {"kind": "dynamic", "auth_method": "none", **values}
        return self.env["mcp.oauth.client"].create(
            {
                "name": name,
                "client_id": f"mcp_client_{secrets.token_hex(11)}",
                "redirect_uris": "\n".join(redirect_uris),
                **values,
            }
        )

    def address(self, handle):
        return f"{PATH}?request={quote(handle)}"

    def visit(self, handle, person=None):
        """The page's status and its tree, as this person sees it."""
        if person:
            self.authenticate(person.login, person.login)
        answer = self.url_open(self.address(handle), allow_redirects=False)
        return answer, html.fromstring(answer.text)

    def answer_form(self, page, handle, decision, **changed):
        """Presses a button of the page's form."""
        data = {field.get("name"): field.get("value") for field in page.xpath("//form//input[@type='hidden']")}
        chosen = page.xpath("//form//input[@type='radio'][@checked]")
        data |= {field.get("name"): field.get("value") for field in chosen}
        data |= {"decision": decision, **changed}
        data = {name: value for name, value in data.items() if value is not None}
        return self.url_open(page.xpath("//form/@action")[0], data=data, allow_redirects=False)

    def allow(self, person, handle, **changed):
        _answer, page = self.visit(handle, person)
        return self.answer_form(page, handle, "allow", **changed)

    def grants(self, person):
        return self.env["mcp.connection"].search([("kind", "=", "oauth"), ("user_id", "=", person.id)])

    def assertRefused(self, answer, status):
        self.assertEqual(answer.status_code, status)
        page = html.fromstring(answer.text)
        self.assertTrue(page.xpath("//p[contains(@class, 'o_mcp_message')]")[0].text_content().strip())
        self.assertFalse(page.xpath("//form"))
        self.assertNotIn("Traceback", answer.text)

    def assertPending(self, request):
        request.invalidate_recordset()
        self.assertEqual((request.status, request.user_id.id, request.connection_id.id), ("pending", False, False))


@tagged("-at_install", "post_install")
class TestConsentPage(ConsentCase):
    """What is shown, and that showing writes nothing."""

    def text(self, page, name):
        return page.xpath(f"//*[contains(@class, 'o_mcp_{name}')]")[0].text_content().strip()

    def test_it_names_the_application_the_address_the_account_and_the_company(self):
        request, handle = self.begin()
        answer, page = self.visit(handle, self.user)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(self.text(page, "client"), "Test Tool")
        self.assertEqual(self.text(page, "redirect"), "app.example.com")
        self.assertIn(self.user.company_id.name, self.text(page, "company"))
        self.assertIn(self.user.login, page.text_content())
        self.assertEqual(page.xpath("//button/@value"), ["allow", "deny"])
        self.assertIn("30 days", page.text_content())
        self.assertPending(request)
        self.assertFalse(self.grants(self.user))

    def test_what_is_in_the_query_besides_decides_nothing(self):
        request, handle = self.begin()
        self.authenticate(self.user.login, self.user.login)
        answer = self.url_open(f"{self.address(handle)}&decision=allow&scope=full", allow_redirects=False)
        self.assertEqual(answer.status_code, 200)
        self.assertPending(request)

    def test_headers_of_each_answer(self):
        _request, handle = self.begin()
        pages = [self.visit(handle, self.user)[0], self.visit("unknown", self.user)[0], self.allow(self.user, handle)]
        pages.append(self.url_open(self.address(handle), data={"decision": "allow"}, allow_redirects=False))
        self.assertEqual([page.status_code for page in pages], [200, 404, 303, 400])
        for page in pages:
            headers = page.headers
            self.assertEqual(headers["X-Frame-Options"], "DENY")
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            self.assertIn("frame-ancestors 'none'", headers["Content-Security-Policy"])
            # Chrome applies it to where a form's answer redirects to as well
            self.assertNotIn("form-action", headers["Content-Security-Policy"])

    def test_no_script_and_nothing_of_another_host(self):
        _request, handle = self.begin(client=self.client(HTTPS, client_uri="https://app.example.com/logo.png"))
        _answer, page = self.visit(handle, self.user)
        self.assertFalse(page.xpath("//script"))
        loaded = page.xpath("//img/@src | //link/@href | //iframe/@src | //source/@src")
        self.assertTrue(loaded)
        for address in loaded:
            self.assertFalse(urlsplit(address).netloc.replace(urlsplit(self.base_url()).netloc, ""), address)

    def test_what_the_application_says_of_itself_is_text(self):
        name = "<script>alert(1)</script> & “Bank”"
        _request, handle = self.begin(client=self.client(HTTPS, name=name))
        _answer, page = self.visit(handle, self.user)
        self.assertEqual(self.text(page, "client"), name)
        self.assertFalse(page.xpath("//script"))

    def test_the_warnings_are_loud_where_the_address_proves_nothing(self):
        def warning(redirect_uri, **values):
            _request, handle = self.begin(redirect_uri, self.client(redirect_uri, **values))
            _answer, page = self.visit(handle, self.user)
            return [
                next(level for level in ("danger", "warning") if f"alert-{level}" in name)
                for name in page.xpath("//div[@role='alert']/@class")
            ]

        for kind in ("dynamic", "manual"):
            for loopback in ("http://127.0.0.1:33418/cb", "http://localhost/cb", "http://[::1]:9/cb"):
                self.assertEqual(warning(loopback, kind=kind), ["danger"], loopback)
            for private in ("cursor://anysphere.cursor-mcp/oauth/callback", "com.example.app:/cb"):
                self.assertEqual(warning(private, kind=kind), ["danger"], private)
        self.assertEqual(warning(HTTPS), ["warning"])
        # what an administrator has created needs no warning about its name
        self.assertEqual(warning(HTTPS, kind="manual"), [])

    def test_the_choice_of_scope(self):
        def choices(**values):
            _request, handle = self.begin(**values)
            _answer, page = self.visit(handle, self.user)
            checked = page.xpath("//input[@name='scope'][@checked]/@value")
            return page.xpath("//input[@name='scope']/@value"), checked

        self.assertEqual(choices(scope_asked="full"), (["full", "read_only"], ["full"]))
        self.assertEqual(choices(scope_asked="read_only"), (["read_only"], ["read_only"]))
        self.assertEqual(choices(), (["full", "read_only"], ["full"]))
        self.settings.oauth_default_scope = "read_only"
        self.assertEqual(choices(), (["full", "read_only"], ["read_only"]))

    def test_it_says_that_the_user_allowed_it_before(self):
        client = self.client(HTTPS)
        _request, first = self.begin(client=client)
        _answer, page = self.visit(first, self.user)
        self.assertFalse(page.xpath("//p[contains(@class, 'o_mcp_allowed_before')]"))
        self.assertEqual(self.allow(self.user, first).status_code, 303)
        _request, second = self.begin(client=client)
        _answer, page = self.visit(second, self.user)
        self.assertTrue(self.text(page, "allowed_before"))
        # that is about this user alone
        _answer, page = self.visit(second, self.admin)
        self.assertFalse(page.xpath("//p[contains(@class, 'o_mcp_allowed_before')]"))

    def test_in_the_language_of_the_user(self):
        self.env["res.lang"]._activate_lang("ar_001")
        self.env["ir.module.module"]._load_module_terms(["mcp_sidecar"], ["ar_001"])
        self.user.lang = "ar_001"
        _request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        self.assertEqual((page.get("lang"), page.get("dir")), ("ar-001", "rtl"))
        for element in page.xpath("//h1 | //dt | //button | //a | //label//strong | //div[@role='alert']"):
            self.assertTrue(re.search("[\u0600-\u06ff]", element.text_content()), element.text_content())


@tagged("-at_install", "post_install")
class TestConsentDecision(ConsentCase):
    """What pressing a button stores, and for whom."""

    def resume(self, answer, handle):
        """Where the answer leads to: the sidecar that asked, with this request; the secret that it carries."""
        self.assertEqual(answer.status_code, 303)
        target = urlsplit(answer.headers["Location"])
        self.assertEqual(f"{target.scheme}://{target.netloc}{target.path}", f"{ISSUER}/oauth/resume")
        query = parse_qs(target.query, strict_parsing=True)
        self.assertEqual((set(query), query["request"]), ({"request", "approval"}, [handle]))
        return query["approval"][0]

    def test_allow(self):
        request, handle = self.begin(scope_asked="full")
        approval = self.resume(self.allow(self.user, handle), handle)
        request.invalidate_recordset()
        self.assertEqual((request.status, request.user_id), ("approved", self.user))
        self.assertRegex(approval, r"^[0-9A-Za-z]{43}$")
        self.assertEqual(request.sudo().approval_digest, credentials.digest(credentials.proof(approval)))
        self.assertEqual((request.scope_granted, self.grants(self.user).scope_narrowed), ("full", False))

    def test_deny(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        self.resume(self.answer_form(page, handle, "deny"), handle)
        request.invalidate_recordset()
        self.assertEqual((request.status, request.user_id), ("denied", self.user))
        self.assertFalse(self.grants(self.user).filtered("active"))

    def test_less_than_was_asked(self):
        request, handle = self.begin(scope_asked="full")
        self.resume(self.allow(self.user, handle, scope="read_only"), handle)
        request.invalidate_recordset()
        self.assertEqual(request.scope_granted, "read_only")
        self.assertTrue(self.grants(self.user).scope_narrowed)

    def test_never_more_than_was_asked(self):
        request, handle = self.begin(scope_asked="read_only")
        self.allow(self.user, handle, scope="full")
        request.invalidate_recordset()
        self.assertNotEqual(request.scope_granted, "full")
        self.assertNotIn("full", self.grants(self.user).mapped("scope"))

    def test_a_second_click_has_the_same_outcome(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        first = self.resume(self.answer_form(page, handle, "allow"), handle)
        second = self.resume(self.answer_form(page, handle, "allow"), handle)
        self.assertNotEqual(first, second)
        # the other button changes nothing any more
        self.answer_form(page, handle, "deny")
        request.invalidate_recordset()
        self.assertEqual(request.status, "approved")
        self.assertEqual(len(self.grants(self.user)), 1)

    def test_a_page_that_is_opened_again_leads_on(self):
        _request, handle = self.begin()
        self.allow(self.user, handle)
        answer, page = self.visit(handle, self.user)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(page.xpath("//button/@value"), ["allow"])
        self.resume(self.answer_form(page, handle, "allow"), handle)

    def test_another_user_neither_sees_nor_repeats_it(self):
        request, handle = self.begin()
        self.allow(self.user, handle)
        answer, page = self.visit(handle, self.admin)
        self.assertGreaterEqual(answer.status_code, 400)
        self.assertFalse(page.xpath("//form"))
        request.invalidate_recordset()
        self.assertEqual(request.user_id, self.user)
        self.assertFalse(self.grants(self.admin))

    def test_the_open_page_of_another_user_allows_nothing(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        # another user logs in, in another tab of the same browser
        self.authenticate(self.admin.login, self.admin.login)
        self.assertRefused(self.answer_form(page, handle, "allow"), 400)
        self.assertPending(request)
        # and with a token of that session, the page is still that of the first one
        _answer, fresh = self.visit(handle)
        token = fresh.xpath("//input[@name='csrf_token']/@value")[0]
        self.assertRefused(self.answer_form(page, handle, "allow", csrf_token=token), 400)
        self.assertPending(request)

    def test_a_missing_or_wrong_token_is_a_page_and_stores_nothing(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        right = page.xpath("//input[@name='csrf_token']/@value")[0]
        for wrong in (None, "", "o", "0" * 40, right[:-1], right[::-1]):
            self.assertRefused(self.answer_form(page, handle, "allow", csrf_token=wrong), 400)
            self.assertPending(request)
        # in the address it would be in logs and in histories
        data = {"decision": "allow", "scope": "full", "account": str(self.user.id)}
        answer = self.url_open(f"{self.address(handle)}&csrf_token={quote(right)}", data=data, allow_redirects=False)
        self.assertRefused(answer, 400)
        self.assertPending(request)

    def test_what_no_button_sends_is_refused(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        for decision, scope in (("", "full"), ("maybe", "full"), (None, "full"), ("allow", "all"), ("allow", None)):
            answer = self.answer_form(page, handle, decision, scope=scope)
            self.assertGreaterEqual(answer.status_code, 400, (decision, scope))
            self.assertPending(request)

    def test_no_other_method(self):
        _request, handle = self.begin()
        self.authenticate(self.user.login, self.user.login)
        for method in ("PUT", "DELETE", "PATCH"):
            answer = self.url_open(self.address(handle), method=method, allow_redirects=False)
            self.assertEqual(answer.status_code, 405, method)

    def test_no_rpc_decides(self):
        request, handle = self.begin()
        for method in ("_decide", "_consent_values"):
            with self.assertRaises(Fault):
                self.rpc(self.user, "mcp.oauth.request", method, handle, "allow", "full")
        for person in (self.user, self.admin, self.system):
            with self.assertRaises(Fault):
                self.rpc(person, "mcp.oauth.request", "write", request.ids, {"status": "approved"})
        self.assertPending(request)


@tagged("-at_install", "post_install")
class TestConsentPeople(ConsentCase):
    """Who may allow anything."""

    def test_who_has_not_logged_in_does_so_and_comes_back(self):
        _request, handle = self.begin()
        address = self.address(handle) + "&" + "&".join(f"x{number}={'=%26+' * 25}" for number in range(20))
        self.assertGreater(len(address), 2000)
        self.authenticate(None, None)
        answer = self.url_open(address, allow_redirects=False)
        self.assertEqual(answer.status_code, 303)
        login = urlsplit(answer.headers["Location"])
        self.assertEqual(login.path, "/web/login")
        page = html.fromstring(self.url_open(answer.headers["Location"]).text)
        data = {field.get("name"): field.get("value") for field in page.xpath("//form//input[@name]")}
        self.assertEqual(data["redirect"], address)
        data |= {"login": self.user.login, "password": self.user.login}
        answer = self.url_open("/web/login", data=data)
        self.assertEqual(answer.status_code, 200)
        self.assertTrue(html.fromstring(answer.text).xpath("//button[@value='allow']"))

    def test_a_session_that_ended_before_the_click_leads_through_the_login(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        self.authenticate(None, None)
        answer = self.answer_form(page, handle, "allow")
        self.assertEqual(answer.status_code, 303)
        [redirect] = parse_qs(urlsplit(answer.headers["Location"]).query)["redirect"]
        self.assertEqual(redirect.rstrip("?"), self.address(handle))
        self.assertPending(request)

    def test_another_account_can_be_used(self):
        _request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        [link] = page.xpath("//a[contains(@class, 'o_mcp_other_account')]/@href")
        answer = self.url_open(link)
        # logged out, at the login page, and from there back here
        redirect = html.fromstring(answer.text).xpath("//input[@name='redirect']/@value")
        self.assertEqual(redirect, [self.address(handle)])

    def test_who_may_not_connect_tools_gets_a_page(self):
        request, handle = self.begin()
        for person in (self.portal, self.employee):
            answer, _page = self.visit(handle, person)
            self.assertRefused(answer, 403)
            # with everything that a form would send
            data = {"decision": "allow", "scope": "full", "account": str(person.id)}
            data["csrf_token"] = http.Request.csrf_token(self)
            self.assertRefused(self.url_open(self.address(handle), data=data, allow_redirects=False), 403)
            self.assertPending(request)

    def test_what_is_no_person_allows_nothing(self):
        request, handle = self.begin()
        slipped = self._person("mcp_test_slipped", "mcp_sidecar.group_user")
        self.slip_into_service(slipped)
        for uid in (SUPERUSER_ID, slipped.id):
            user = self.env["res.users"].browse(uid)
            for call in (
                lambda requests: requests._consent_values(handle),
                lambda requests: requests._decide(handle, "allow", "full"),
            ):
                with self.assertRaises(UserError), self.env.cr.savepoint():
                    call(self.env(user=user)["mcp.oauth.request"])
            self.assertPending(request)

    # === Requests that can't go on ===

    def test_requests_that_are_not_known_or_expired(self):
        _request, expired = self.begin(expires_at=fields.Datetime.now() - timedelta(seconds=1))
        for handle, status in (("", 404), ("x", 404), ("0" * 43, 404), ("\u0669" * 43, 404), (expired, 410)):
            answer, _page = self.visit(handle, self.user)
            self.assertRefused(answer, status)

    def test_a_finished_login_says_so(self):
        _request, handle = self.begin(status="exchanged", user_id=self.user.id)
        answer, page = self.visit(handle, self.user)
        self.assertEqual(answer.status_code, 200)
        self.assertFalse(page.xpath("//button"))
        self.assertIn("close this window", page.text_content())

    def test_nothing_is_allowed_while_oauth_is_off(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        for name in ("enabled", "enable_oauth"):
            self.settings[name] = False
            self.assertGreaterEqual(self.visit(handle, self.user)[0].status_code, 400, name)
            self.assertGreaterEqual(self.answer_form(page, handle, "allow").status_code, 400, name)
            self.settings[name] = True
            self.assertPending(request)

    def test_an_archived_client_is_not_allowed(self):
        client = self.client(HTTPS)
        request, handle = self.begin(client=client)
        client.active = False
        self.assertGreaterEqual(self.visit(handle, self.user)[0].status_code, 400)
        self.assertPending(request)

    def test_an_archived_user_is_out(self):
        request, handle = self.begin()
        _answer, page = self.visit(handle, self.user)
        self.user.active = False
        self.env.flush_all()
        answer = self.answer_form(page, handle, "allow")
        self.assertIn(answer.status_code, (303, 403))
        self.assertNotIn("/oauth/resume", answer.headers.get("Location", ""))
        self.assertPending(request)
