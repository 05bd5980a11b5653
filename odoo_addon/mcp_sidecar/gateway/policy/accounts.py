"""Privilege escalation by accounts is refused: an account outlives a connection, and knows neither scope nor switch.

It neither creates an internal user nor promotes one, as Odoo mails a link that sets the password. It moves no internal
user to another contact, whose mailbox could reset the password. It gives no group that its own user lacks.
"""

import contextlib

from .. import transaction
from ..quoting import quoted
from ..rpc import faults

# Fields beside the password that a login accepts, of any module. They may be emptied.
LOGIN_FIELDS = frozenset(
    {
        "api_key_ids",
        "auth_passkey_key_ids",
        "new_password",
        "oauth_access_token",
        "oauth_provider_id",
        "oauth_uid",
        "password",
        "totp_last_counter",
        "totp_secret",
        "totp_trusted_device_ids",
    }
)
GROUP_FIELDS = frozenset({"user_ids", "all_user_ids", "implied_ids", "implied_by_ids"})

# Groups of people outside of the company, who are made and let in every day.
_OUTSIDE = ("base.group_portal", "base.group_public")


# === Ways to log in, and the mailbox that resets a password ===


def refuse_login_fields(users, vals):
    if not transaction.in_call(users.env.cr):
        return
    for name in LOGIN_FIELDS & vals.keys():
        if vals[name]:
            message = f"No AI tool may set {name} of a user, which is a way to log in: do it in Odoo."
            raise faults.access_denied("res.users", "write", message, field=name)


def refuse_contact_change(users, vals):
    if "partner_id" in vals and transaction.in_call(users.env.cr):
        # sudo: changing a user takes no right to see its contact
        refuse_if_internal(users.sudo().filtered(lambda user: user.partner_id.id != vals["partner_id"]))


def refuse_if_internal(users):
    """Refuses to give these users another contact."""
    if _internal(users):
        message = "No AI tool may give an internal user another contact, whose mailbox gets their mail: do it in Odoo."
        raise faults.access_denied("res.users", "write", message, field="partner_id")


# === Rights: what is refused is taken back, also where code catches the refusal ===


@contextlib.contextmanager
def refusing_user_escalation(users, changes_groups=True):
    """Around a change of users; those that are made meanwhile are added to the list."""
    made = []
    if not changes_groups or not transaction.in_call(users.env.cr):
        yield made
        return
    own, before = _grantable_groups(users.env), {user.id: _groups_of(user) for user in users}
    internal = _internal(users)
    with _rolled_back(users.env):
        yield made
        users = users.union(*made)
        _refuse_internal(users, _internal(users) - internal)
        for user in users:
            _refuse_escalation(users, _groups_of(user) - before.get(user.id, set()), own)


@contextlib.contextmanager
def refusing_group_escalation(groups, changes_members=True):
    """Around a change of who is in these groups and what they bring, as `refusing_user_escalation`."""
    made = []
    if not changes_members or not transaction.in_call(groups.env.cr):
        yield made
        return
    own, before = _grantable_groups(groups.env), _members_and_implied(groups)
    internal = _internal_users(groups.env)
    with _rolled_back(groups.env):
        yield made
        groups = groups.union(*made)
        _refuse_internal(groups, _internal_users(groups.env) - internal)
        # a new group has no members yet
        own = own.union(*(group._ids for group in made))
        for group_id, (members, brought) in _members_and_implied(groups).items():
            members_before, brought_before = before.get(group_id, (set(), set()))
            if members - members_before or brought - brought_before:
                _refuse_escalation(groups, brought, own)


@contextlib.contextmanager
def _rolled_back(env):
    try:
        with env.cr.savepoint():
            yield
    except BaseException:
        # Odoo may have remembered by then who is in which group
        env.registry.clear_cache("stable", "groups")
        raise


def _refuse_internal(model, users):
    if users:
        message = "No AI tool may make an internal user, or turn a user into one: create the account in Odoo."
        raise faults.access_denied(model._name, "write", message)


def _refuse_escalation(model, gained, own):
    beyond = gained - own
    # what Odoo's own code gives with sudo, such as that of its settings, is its own decision
    if beyond and not model.env.su:
        # sudo: giving a group takes no right to see it
        group = model.env["res.groups"].sudo().browse(min(beyond))
        message = f"No AI tool may give the group {quoted(group.full_name)}, which its own user lacks: do it in Odoo."
        raise faults.access_denied(model._name, "write", message)


# === Who has which rights: from the records, as what Odoo remembers of it may be of another moment ===


def _grantable_groups(env):
    """Ids of the groups that an AI tool may give: those of the user that it acts as, and those of outsiders."""
    # sudo: the definition of groups is asked, no data
    outside = [env.ref(xmlid).sudo().all_implied_ids.ids for xmlid in _OUTSIDE]
    return _groups_of(env.transaction.default_env.user).union(*outside)


def _groups_of(user):
    # sudo: changing a user takes no right to see its groups
    return set(user.sudo().with_context({}).all_group_ids.ids)


def _internal(users):
    """Those of the users that work in the company."""
    group = users.env["ir.model.data"]._xmlid_to_res_id("base.group_user")
    return users.filtered(lambda user: group in _groups_of(user))


def _internal_users(env):
    # sudo: changing groups takes no right to see users
    users = env["res.users"].sudo().with_context(active_test=False)
    return users.search([("all_group_ids", "in", env["ir.model.data"]._xmlid_to_res_id("base.group_user"))])


def _members_and_implied(groups):
    """By group: who is in it, and which groups it brings."""
    groups.env.invalidate_all()
    # sudo: changing a group takes no right to see all of its members
    groups = groups.sudo().with_context(active_test=False)
    return {group.id: (set(group.all_user_ids.ids), set(group.all_implied_ids.ids)) for group in groups}
