"""The sentences of the consent page that have values in them; the others are in its template."""

from odoo import tools


def of_question(env, asked):
    """What the page says about a request, in the language of its reader."""
    return {
        "title": env._("Allow “%(client)s” to use Odoo in your name?", client=asked["client_name"]),
        "company": _companies(env),
        "duration": _duration(env, asked["access_days"]),
        "allowed_before": _allowed_before(env, asked),
    }


def of_account(env):
    return env._("You are logged in as %(name)s (%(login)s).", name=env.user.name, login=env.user.login)


def _companies(env):
    # sudo: users may know the companies that they belong to
    user = env.user.sudo()
    others = len(user.company_ids - user.company_id)
    if not others:
        return user.company_id.name
    return env._("%(company)s and %(others)s more of yours", company=user.company_id.name, others=others)


def _duration(env, days):
    if days <= 1:
        return env._("Until it has not been used for a day, or you end it")
    return env._("Until it has not been used for %s days, or you end it", days)


def _allowed_before(env, asked):
    if not asked["allowed_before"]:
        return None
    return env._(
        "You have allowed this application before, on %(date)s.",
        date=tools.format_date(env, asked["allowed_before"]),
    )
