"""Interception of the methods of Odoo that mint or show a credential, while an AI tool's call runs.

One table, by the method's name: many of these modules need not be installed, so that no model of this addon can inherit
from theirs. `wrap_sinks` wraps the methods instead, in the class that Odoo has just built for a model, whichever
module or override defines them. It is called by the ORM's own hook, `_post_model_setup__`, once for each model and
registry: no source is patched and no registry is built again. A test compares the table with the modules that are
installed.
"""

import functools
from typing import NamedTuple

from ..rpc import faults
from . import evaluated_code, sealed_fields, token_seals


class Sink(NamedTuple):
    """A method that mints or shows a credential."""

    model: str
    method: str
    what: object
    why: str


# === What a sink does: called with the records, the method and its arguments ===


def refuse(records, method, args, kwargs):
    raise faults.access_denied(records._name, "read", _REFUSAL)


def refuse_evaluated(records, method, args, kwargs):
    """Odoo's own code signs the session in which a report is printed; an evaluated text signs none."""
    if evaluated_code.is_evaluating(records.env.cr):
        refuse(records, method, args, kwargs)
    return method(*args, **kwargs)


def account(partners, method, args, kwargs):
    """A token that makes or opens an account: for an internal user none, for others in mails to themselves only."""
    # sudo: who mails a contact need not see its user; an archived one may come back
    users = partners.sudo().with_context(active_test=False).user_ids
    if not all(user.share for user in users):
        raise faults.access_denied(partners._name, "read", _REFUSAL)
    return _sealed(partners, method(*args, **kwargs), emails=partners.sudo().mapped("email"))


def document(records, method, args, kwargs):
    """A token that opens these records."""
    return _sealed(records, method(*args, **kwargs), records)


def partner(records, method, args, kwargs):
    """A token by which one partner is recognized, given as the last argument."""
    # sudo: who mails a contact need not see it
    contact = records.env["res.partner"].sudo().browse([*args, *kwargs.values()][-1])
    return _sealed(records, method(*args, **kwargs), emails=contact.exists().mapped("email"))


def user(records, method, args, kwargs):
    """A token by which one user is recognized, given as the last argument."""
    # sudo: who mails a user need not see it
    person = records.env["res.users"].sudo().browse([*args, *kwargs.values()][-1])
    return _sealed(records, method(*args, **kwargs), emails=person.exists().mapped("email"))


def address(records, method, args, kwargs):
    """A token for an address, which is one of the arguments."""
    texts = [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
    return _sealed(records, method(*args, **kwargs), emails=texts)


def registrations(records, method, args, kwargs):
    """A token that opens the registrations whose ids are given."""
    ids = [*args, *kwargs.values()][-1]
    return _sealed(records, method(*args, **kwargs), records.env["event.registration"].browse(ids))


def evaluated(records, method, args, kwargs):
    """Odoo's own code uses the token; an evaluated text gets none."""
    if not evaluated_code.is_evaluating(records.env.cr):
        return method(*args, **kwargs)
    return _sealed(records, method(*args, **kwargs))


def link(records, method, args, kwargs):
    """A link that shows a record's token: sealed as if a template had asked for it."""
    with evaluated_code.rendering(records.env.cr):
        return method(*args, **kwargs)


_REFUSAL = "No AI tool may make or see login credentials, such as a link that sets a password: do it in Odoo."


def _sealed(records, answer, meant_for=None, emails=()):
    if isinstance(answer, (list, tuple)):
        return type(answer)(token_seals.seal(records.env, item, meant_for, emails) for item in answer)
    return token_seals.seal(records.env, answer, meant_for, emails)


SINKS = (
    # accounts
    Sink("res.partner", "_generate_signup_token", account, "sets the password of a user, or makes one"),
    Sink("res.users", "_generate_profile_token", refuse, "confirms an address"),
    Sink("res.users", "_auth_oauth_signin", refuse, "logs in by another service"),
    Sink("res.users", "_auth_oauth_validate", refuse, "authenticates by another service"),
    Sink("res.users", "api_key_wizard", refuse, "makes an API key"),
    Sink("res.users.apikeys.description", "make_key", refuse, "makes an API key"),
    # second factors
    Sink("res.users", "action_totp_enable_wizard", refuse, "makes the secret of a second factor"),
    Sink("res.users", "_totp_try_setting", refuse, "sets a second factor"),
    Sink("res.users", "_get_totp_mail_key", refuse, "makes the codes of a second factor"),
    Sink("res.users", "_get_totp_mail_code", refuse, "is the code of a second factor"),
    Sink("res.users", "_send_totp_mail_code", refuse, "mails the code of a second factor"),
    Sink("auth_totp.wizard", "enable", refuse, "sets a second factor"),
    Sink("auth.passkey.key", "_start_registration", refuse, "begins to make a passkey"),
    Sink("auth.passkey.key", "_start_auth", refuse, "begins to log in by a passkey"),
    Sink("auth.passkey.key.create", "make_key", refuse, "makes a passkey"),
    # sessions of browsers
    Sink("res.users", "_compute_session_token", refuse_evaluated, "signs a session"),
    Sink("res.users", "_session_token_get_values", refuse_evaluated, "holds what signs sessions"),
    Sink("res.users", "_session_token_hash_compute", refuse_evaluated, "signs a session"),
    Sink("res.users", "_legacy_session_token_hash_compute", refuse_evaluated, "signs a session"),
    # documents in the portal
    Sink("portal.mixin", "_portal_ensure_token", document, "opens a document"),
    Sink("mail.thread", "_sign_token", partner, "lets a partner write to a document's portal page"),
    Sink("mail.thread", "_rating_get_access_token", document, "rates a document"),
    Sink("pos.bus.mixin", "_ensure_access_token", document, "opens an order of the point of sale"),
    Sink("payment.link.wizard", "_prepare_access_token", document, "opens a payment"),
    Sink("ir.attachment", "generate_access_token", evaluated, "opens a file"),
    Sink("event.event", "_get_tickets_access_hash", registrations, "opens tickets"),
    Sink("slide.channel.partner", "_get_invitation_hash", document, "opens a course"),
    Sink("survey.survey", "get_start_url", link, "opens a survey"),
    Sink("survey.survey", "get_print_url", link, "opens a survey"),
    Sink("survey.user_input", "get_start_url", link, "opens the answers to a survey"),
    Sink("survey.user_input", "get_print_url", link, "opens the answers to a survey"),
    Sink("survey.user_input", "action_print_answers", link, "opens the answers to a survey"),
    # subscriptions, which change without any login
    Sink("mailing.mailing", "_generate_mailing_recipient_token", address, "ends a subscription"),
    Sink("mailing.mailing", "_generate_mailing_report_token", user, "ends a report"),
    Sink("digest.digest", "_get_unsubscribe_token", user, "ends a digest"),
    Sink("mail.group", "_generate_action_token", address, "changes a subscription"),
    Sink("mail.group", "_generate_email_access_token", address, "ends a subscription"),
    Sink("mail.group", "_generate_group_access_token", evaluated, "opens a mail group"),
    Sink("mail.mail", "_generate_mail_recipient_token", evaluated, "counts the opening of a mail"),
    Sink("mail.thread", "_encode_link", evaluated, "follows or leaves a document"),
    # what the web client gets, and what calls other services
    Sink("ir.attachment", "_get_raw_access_token", evaluated, "opens a file"),
    Sink("ir.attachment", "_get_ownership_token", evaluated, "owns a file"),
    Sink("ir.attachment", "_get_thumbnail_token", evaluated, "opens a picture"),
    Sink("avatar.mixin", "_get_avatar_128_access_token", evaluated, "opens a picture"),
    Sink("res.partner", "_get_im_status_access_token", evaluated, "shows a presence"),
    Sink("mail.guest", "_get_im_status_access_token", evaluated, "shows a presence"),
    Sink("res.partner", "_get_mention_token", evaluated, "mentions a partner"),
    Sink("res.users", "_get_google_calendar_token", evaluated, "reads another calendar"),
    Sink("res.users", "_get_microsoft_calendar_token", evaluated, "reads another calendar"),
    Sink("google.gmail.mixin", "_fetch_gmail_access_token", evaluated, "sends mail by another service"),
    Sink("google.gmail.mixin", "_fetch_gmail_refresh_token", evaluated, "sends mail by another service"),
)
_BY_METHOD = {}
for _sink in SINKS:
    _BY_METHOD.setdefault(_sink.method, []).append(_sink)


def wrap_sinks(model):
    """Wraps the sinks that the model defines, and its fields that hold secrets."""
    cls = type(model)
    for name in _BY_METHOD.keys() & _defined(cls):
        found = _sink_of(cls, name)
        if found and name not in vars(cls):
            setattr(cls, name, _wrapped(cls, found))
    sealed_fields.seal_model(model)


def _defined(cls):
    """Names that the model's own definitions bring, rather than the models that it inherits from."""
    own = [base for base in cls.__bases__ if getattr(base, "pool", None) is None]
    return {name for base in own for name in vars(base)}


def _sink_of(cls, name):
    """The sink that a model's method of that name is: its own, or the one of a model that it inherits from."""
    inherited = {getattr(base, "_name", None) for base in cls.mro()}
    return next((sink for sink in _BY_METHOD[name] if sink.model in inherited), None)


def _wrapped(cls, sink):
    original = getattr(cls, sink.method)

    @functools.wraps(original)
    def method(self, *args, **kwargs):
        inner = getattr(super(cls, self), sink.method)
        if not evaluated_code.applies(self.env.cr):
            return inner(*args, **kwargs)
        return sink.what(self, functools.partial(_suspended, self.env.cr, inner), args, kwargs)

    return method


def _suspended(cr, method, *args, **kwargs):
    with evaluated_code.suspended(cr):
        return method(*args, **kwargs)
