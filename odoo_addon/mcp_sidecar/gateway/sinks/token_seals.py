"""Placeholders for tokens while a call runs: random texts, opened only in mails to those that a token is meant for.

A token that a call comes by could be sent to anyone, or be kept: in a field, an answer, a message, a report. So code of
the call gets a seal, which opens nothing. Odoo's own mail to a customer has to carry the real token, and is the one
place where seals are opened: when all addresses of the mail belong to those whom the token is meant for. In any other
mail they become empty. The tokens behind the seals are kept on the cursor, which ends with the call.
"""

import ast
import re
import secrets
from typing import NamedTuple

from odoo.tools.mail import email_normalize_all

_KEPT = "_mcp_seals"
_PREFIX = "mcpsealed"
_SEAL = re.compile(rf"{_PREFIX}[0-9a-f]{{32}}")

# Headers that lead a mail, a copy or its bounce somewhere else.
_LEADING = frozenset(
    {
        "bcc",
        "cc",
        "disposition-notification-to",
        "errors-to",
        "mail-followup-to",
        "reply-to",
        "resent-bcc",
        "resent-cc",
        "resent-to",
        "return-path",
        "to",
        "x-forge-to",
    }
)

# Models whose records aren't for a customer themselves, and the field that leads to the records that are.
_THROUGH = {
    "calendar.event": "attendee_ids",
    "discuss.channel": "channel_member_ids",
    "survey.survey": "user_input_ids",
}


class _Token(NamedTuple):
    text: str
    model: str
    ids: tuple
    emails: frozenset


def seal(env, text, records=None, emails=()):
    """A seal for the token, meant for the customers of these records and for these addresses; for none, it is dead."""
    if not isinstance(text, str) or not text or _SEAL.search(text):
        return text
    name = _PREFIX + secrets.token_hex(16)
    model, ids = (records._name, records._ids) if records else (None, ())
    addresses = frozenset(address for email in emails if email for address in email_normalize_all(email))
    vars(env.cr).setdefault(_KEPT, {})[name] = _Token(text, model, ids, addresses)
    return name


def are_in(text):
    return bool(text) and _PREFIX in text


def opened(mail):
    """The mail's text with the tokens that its recipients may have."""
    kept = vars(mail.env.cr).get(_KEPT, {})
    addresses = _addresses(mail)

    def token(match):
        sealed = kept.get(match.group())
        return sealed.text if sealed and addresses and addresses <= _recipients(mail.env, sealed) else ""

    return _SEAL.sub(token, mail.body_html)


# === Whom a token is meant for ===


def _recipients(env, token):
    emails = set(token.emails)
    if token.model in env:
        # sudo: who mails a document need not see its customer
        emails |= _customers(env[token.model].sudo().browse(token.ids).exists())
    return emails


def _customers(records):
    """Addresses of the customers of these documents, and of their colleagues who follow them."""
    if records._name == "ir.attachment":
        records = records.env[records.res_model].browse(records.res_id) if records.res_model in records.env else records
    elif records._name in _THROUGH:
        records = records[_THROUGH[records._name]]
    partners = records.env["res.partner"].union(*records._mail_get_partners(introspect_fields=False).values())
    if "message_partner_ids" in records._fields:
        companies = partners.commercial_partner_id
        partners |= records.message_partner_ids.filtered(lambda partner: partner.commercial_partner_id in companies)
    emails = [*partners.mapped("email"), *records._mail_get_primary_email().values()]
    if "email" in records._fields:
        emails += records.mapped("email")
    return {address for email in emails if email for address in email_normalize_all(email)}


# === Where a mail goes ===


def _addresses(mail):
    """All addresses that the mail and what comes of it go to; None where that can't be said."""
    texts = [mail.email_to, mail.email_cc, *mail.recipient_ids.mapped("email")]
    addresses = {address for text in texts if text for address in email_normalize_all(text)}
    if _is_redirected(mail):
        return None
    return addresses


def _is_redirected(mail):
    """Whether headers or the address for answers, which quote the mail, were chosen."""
    try:
        headers = ast.literal_eval(mail.headers or "{}")
        names = {str(name).strip().lower() for name in headers}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return True
    answers = set(email_normalize_all(mail.reply_to or mail.email_from or ""))
    return bool(names & _LEADING) or not answers <= _own_addresses(mail.env, answers)


def _own_addresses(env, addresses):
    """Those of the addresses that belong to the company, to one of its people or to one of its aliases."""
    # sudo: who sends a mail need not see these
    users = env["res.users"].sudo().with_context(active_test=False)
    found = users.search([("email_normalized", "in", list(addresses)), ("share", "=", False)])
    domains = env["mail.alias.domain"].sudo().search([]).mapped("name")
    companies = env["res.company"].sudo().search([]).mapped("email")
    own = {address for email in companies if email for address in email_normalize_all(email)}
    own.update(found.mapped("email_normalized"))
    return own | {address for address in addresses if address.rpartition("@")[2] in domains}
