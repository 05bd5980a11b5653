"""The page on which a user lets an AI tool act in their name: the only place where such a grant is given."""

from urllib.parse import quote

from odoo import http
from odoo.exceptions import UserError
from odoo.http import request

from . import consent_texts

PATH = "/mcp_sidecar/consent"
# Nothing of another host is loaded and no script runs. There is no form-action on purpose: browsers apply it to what a
# form's answer redirects to as well, and in the end that is an address of the AI tool.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class StaleForm(UserError):
    """The form was not made for this session."""

    http_status = 400


class Consent(http.Controller):
    # No read-only cursor: the request was stored a moment ago, and a copy of the database may not have it yet.
    @http.route(PATH, type="http", auth="user", methods=["GET"], sitemap=False)
    def show(self, **_params):
        """The question; writes nothing."""
        return self._readable(self._question)

    # Odoo answers a wrong token with a bare line of text: it is checked below, where the answer is a page.
    @http.route(PATH, type="http", auth="user", methods=["POST"], csrf=False, sitemap=False)
    def decide(self, **_params):
        """The answer: stored, and on to the sidecar that asked."""
        return self._readable(self._decision)

    def _question(self):
        asked = request.env["mcp.oauth.request"]._consent_values(self._handle())
        return self._page("mcp_sidecar.consent", asked=asked, **consent_texts.of_question(request.env, asked))

    def _decision(self):
        form = request.httprequest.form
        if not request.validate_csrf(form.get("csrf_token")) or form.get("account") != str(request.env.uid):
            raise StaleForm(request.env._("You have logged in again since this page was opened. Open it once more."))
        # a decision is stored as a whole or not at all: here an error ends in a page and not in a rollback
        with request.env.cr.savepoint():
            requests = request.env["mcp.oauth.request"]
            resume = requests._decide(self._handle(), form.get("decision"), form.get("scope"))
        # 303: the sidecar is visited, and gets nothing of what was posted
        return self._secured(request.redirect(resume, 303, local=False))

    # === Answers ===

    def _readable(self, answer):
        try:
            return answer()
        except UserError as error:
            stale = isinstance(error, StaleForm)
            return self._page("mcp_sidecar.consent_message", error.http_status, text=error.args[0], stale=stale)

    def _page(self, template, status=200, **values):
        env = request.env
        language = env["res.lang"]._get_data(code=env.lang or "en_US")
        address = f"{PATH}?request={quote(self._handle(), safe='')}"
        values |= {
            "document": {"lang": language.code.replace("_", "-"), "dir": language.direction},
            "address": address,
            "account": env.user,
            "logged_in": consent_texts.of_account(env),
            # here, since Odoo takes no texts for translation from a template that is a whole document
            "use_another": env._("Use another account"),
            "other_account": f"/web/session/logout?redirect={quote(address, safe='')}",
        }
        return self._secured(request.render(template, values, status=status))

    def _secured(self, response):
        response.headers.update(HEADERS)
        return response

    def _handle(self):
        # of the address, also where a form is posted: a login in between leads back to the address
        return request.httprequest.args.get("request", "")
