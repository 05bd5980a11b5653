"""No key takes over an account, and no link to a document reaches anyone but its customer; ordinary mail goes out."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import httpx
import pytest
from conftest import Connection
from support.cleaner import Cleaner
from support.odoo import Odoo

ELSEWHERE = "attacker@example.net"
LINK = re.compile(r"[?&](?:amp;)?(?:access_)?token=([\w-]{20,})")


@pytest.fixture
def free(connect: Callable[..., Connection], odoo: Odoo) -> Connection:
    """A full connection of the administrator that may call any method."""
    connection = connect()
    odoo.call("mcp.connection", "write", [connection.id], {"method_level": "any"})
    return connection


@pytest.fixture
def mails(odoo: Odoo, clean: Cleaner) -> Callable[[], list[dict]]:
    """The mails made since the test began."""
    before = max(odoo.search("mail.mail", []) or [0])
    clean.note("mail.mail", [["id", ">", before]])

    def made() -> list[dict]:
        ids = odoo.search("mail.mail", [["id", ">", before]])
        return odoo.call("mail.mail", "read", ids, ["body_html", "email_to", "email_cc", "recipient_ids"])

    return made


@pytest.fixture
def hold_mails(odoo: Odoo) -> Iterator[None]:
    """Mails stay in the queue, where the test can read them."""
    server = odoo.call("ir.mail_server", "create", {"name": "live", "smtp_host": "127.0.0.1", "smtp_port": 9})
    yield
    odoo.call("ir.mail_server", "unlink", [server])


@pytest.fixture
def customer(odoo: Odoo, tag: str) -> int:
    """A customer with an address of its own."""
    return odoo.call("res.partner", "create", {"name": tag, "email": f"{tag}@example.org"})


@pytest.fixture
def order(odoo: Odoo, clean: Cleaner, customer: int) -> tuple[int, str]:
    """A quotation for the customer, and the token in its link."""
    made = odoo.call("sale.order", "create", {"partner_id": customer})
    clean.note("sale.order", [["id", "=", made]])
    url = odoo.call("sale.order", "get_portal_url", [made])
    return made, LINK.search(url)[1]


def opens_an_account(odoo: Odoo, text: str) -> bool:
    """Whether a link in the text sets a password: Odoo's own page says so."""
    for token in LINK.findall(unquote(text or "")):
        page = httpx.get(
            f"{odoo.url}/web/reset_password", params={"token": token, "db": odoo.database}, follow_redirects=True
        )
        if 'name="confirm_password"' in page.text:
            return True
    return False


@pytest.mark.parametrize(
    "chosen",
    [{"email_to": ELSEWHERE}, {"email_cc": ELSEWHERE}, {"recipient_ids": [[6, 0, []]], "email_to": ELSEWHERE}, {}],
)
def test_no_mail_sets_a_password(free: Connection, odoo: Odoo, mails: Callable, hold_mails: None, chosen: dict) -> None:
    template = odoo.ref("auth_signup.set_password_email")
    for method, target in (("send_mail", odoo.user_id), ("send_mail_batch", [odoo.user_id])):
        reply = free.wire.call(
            "execute_method",
            model="mail.template",
            method=method,
            ids=[template],
            args=[target],
            kwargs={"email_values": chosen},
        )
        assert "No AI tool" in reply.complaint
    assert not any(opens_an_account(odoo, mail["body_html"]) for mail in mails())


def test_no_preview_and_no_composer_shows_such_a_link(
    free: Connection, odoo: Odoo, clean: Cleaner, mails: Callable
) -> None:
    template = odoo.ref("auth_signup.set_password_email")
    preview = {"mail_template_id": template, "resource_ref": f"res.users,{odoo.user_id}"}
    composer = {
        "model": "res.users",
        "res_ids": str([odoo.user_id]),
        "template_id": template,
        "composition_mode": "mass_mail",
    }
    for model, values in (("mail.template.preview", preview), ("mail.compose.message", composer)):
        before = odoo.search(model, [])
        text = free.wire.call("create_record", model=model, values=values).text
        made = [record for record in odoo.search(model, []) if record not in before]
        for record in made:
            read = free.wire.call("execute_method", model=model, method="read", ids=[record])
            text += read.text
        assert not opens_an_account(odoo, text)
    assert not any(opens_an_account(odoo, mail["body_html"]) for mail in mails())


def test_a_quotation_is_mailed_with_its_link(
    free: Connection, odoo: Odoo, mails: Callable, hold_mails: None, order: tuple[int, str], customer: int
) -> None:
    order_id, token = order
    values = {
        "model": "sale.order",
        "res_ids": str([order_id]),
        "composition_mode": "comment",
        "template_id": odoo.ref("sale.email_template_edi_sale"),
    }
    reply = free.wire.call("create_record", model="mail.compose.message", values=values)
    [composer] = re.findall(r'"id":(\d+)', reply.text)[:1]
    sent = free.wire.call(
        "execute_method", model="mail.compose.message", method="action_send_mail", ids=[int(composer)]
    )
    assert not sent.failed, sent.text
    made = mails()
    to_customer = [mail for mail in made if mail["recipient_ids"] == [customer]]
    assert to_customer, made
    assert all(f"access_token={token}" in mail["body_html"] for mail in to_customer)
    others = [mail for mail in made if mail["recipient_ids"] != [customer]]
    assert not any(token in mail["body_html"] for mail in others)
    messages = odoo.search("mail.message", [["model", "=", "sale.order"], ["res_id", "=", order_id]])
    assert token not in str(odoo.call("mail.message", "read", messages, ["body"]))


def test_its_link_goes_to_no_other_address(
    free: Connection, odoo: Odoo, clean: Cleaner, mails: Callable, hold_mails: None, order: tuple[int, str]
) -> None:
    order_id, token = order
    name = f"live-{uuid.uuid4().hex[:10]}"
    clean.note("mail.template", [["name", "=", name]])
    body = '<a t-att-href="object.get_portal_url()">see</a>'
    model = odoo.search("ir.model", [["model", "=", "sale.order"]])[0]
    template = odoo.call(
        "mail.template", "create", {"name": name, "model_id": model, "subject": "x", "body_html": body}
    )
    for chosen in ({"email_to": ELSEWHERE}, {"email_cc": ELSEWHERE}, {"headers": f"{{'Bcc': '{ELSEWHERE}'}}"}):
        reply = free.wire.call(
            "execute_method",
            model="mail.template",
            method="send_mail",
            ids=[template],
            args=[order_id],
            kwargs={"email_values": chosen},
        )
        assert not reply.failed, reply.text
    made = mails()
    assert len(made) == 3
    assert not any(token in mail["body_html"] for mail in made)
    answered = free.wire.call("execute_method", model="sale.order", method="get_portal_url", ids=[order_id])
    assert token not in answered.text


@pytest.mark.parametrize("level", ["none", "buttons"])
def test_code_for_later_takes_any(
    connect: Callable[..., Connection], free: Connection, odoo: Odoo, clean: Cleaner, level: str
) -> None:
    connection = connect()
    odoo.call("mcp.connection", "write", [connection.id], {"method_level": level})
    name = f"live-{uuid.uuid4().hex[:10]}"
    model = odoo.search("ir.model", [["model", "=", "res.partner"]])[0]
    records = {
        "mail.template": {"name": name, "model_id": model, "subject": "x"},
        "ir.ui.view": {"name": name, "type": "qweb", "arch": "<p>x</p>"},
        "ir.actions.server": {"name": name, "model_id": model, "state": "code", "code": "pass"},
    }
    for record_model, values in records.items():
        clean.note(record_model, [["name", "=", name]])
        reply = connection.wire.call("create_record", model=record_model, values=values)
        assert "Method Level" in reply.complaint, record_model
        assert odoo.count(record_model, [["name", "=", name]]) == 0
        assert not free.wire.call("create_record", model=record_model, values=values).failed
    sink = {**records["ir.actions.server"], "code": "object._get_signup_url()"}
    for wire in (connection.wire, free.wire):
        assert wire.call("create_record", model="ir.actions.server", values=sink).failed
    assert odoo.count("ir.actions.server", [["name", "=", name]]) == 1
