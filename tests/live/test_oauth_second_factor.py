"""O21: Odoo's second factor stays in the way of a login, and leads back to the consent page with all parameters."""

import base64
import hashlib
import hmac
import os
import struct
import time
from collections.abc import Callable

import pytest
from support.cleaner import Cleaner
from support.odoo import Odoo
from support.people import Person
from testkit.browsing import Answer, Browser
from testkit.oauth import OAuthClient, answer_consent

STATE = "odd =&+%25/?#" * 40
NAME = "Live: second factor"


def one_time_password(secret: bytes) -> str:
    """TOTP of now (RFC 6238)."""
    digest = hmac.new(secret, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


@pytest.fixture
def second_factor(odoo: Odoo, clean: Cleaner) -> Callable[[int], bytes]:
    """Gives a user a second factor, as the user alone could do it in the preferences."""

    def give(user_id: int) -> bytes:
        secret = os.urandom(20)
        text = base64.b32encode(secret).decode()
        clean.note("ir.actions.server", [["name", "=", NAME]])
        [model] = odoo.call("ir.model", "search", [["model", "=", "res.users"]])
        code = f"env.cr.execute(\"UPDATE res_users SET totp_secret = '{text}' WHERE id = {user_id}\")"
        values = {"name": NAME, "model_id": model, "state": "code", "code": code}
        [action] = odoo.call("ir.actions.server", "create", [values])
        odoo.call("ir.actions.server", "run", [action])
        return secret

    return give


def follow(browser: Browser, answer: Answer) -> Answer:
    """The page that an answer leads to."""
    found = browser.follow(answer, lambda _url: False)
    assert isinstance(found, Answer) and found.status == 200, found
    return found


def test_o21_a_second_factor_leads_back_to_consent(
    public: OAuthClient, member: Person, second_factor: Callable[[int], bytes]
) -> None:
    secret = second_factor(member.id)
    browser = Browser()
    request = public.authorization(state=STATE)
    page = follow(browser, browser.send(request.url)).page
    login = page.form("csrf_token", "login", "password")
    page = follow(browser, browser.submit(login, login=member.login, password=member.login)).page
    assert not [form for form in page.forms if "decision" in dict(form.buttons)], "the password alone is not enough"
    code = page.form("csrf_token", "totp_token")
    answer = follow(browser, browser.submit(code, totp_token=one_time_password(secret)))
    assert "/mcp_sidecar/consent?request=" in answer.url, answer.url

    end = browser.follow(
        answer_consent(browser, answer.page, "allow"), lambda url: url.startswith(request.redirect_uri)
    )
    assert isinstance(end, str)
    callback = public.callback(end)
    assert callback.params["state"] == STATE
    assert public.tokens(public.exchange(request, callback.code)).access
