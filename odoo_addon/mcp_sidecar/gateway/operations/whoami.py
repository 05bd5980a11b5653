"""The operation `session`: the user, companies, time and scope of a call."""

from odoo import fields, release

from ..values import outputs


def session(env, principal):
    # `env.user` is the user's own record read with sudo, as Odoo itself does for what a user may know of itself
    user = env.user
    return {
        "user": {
            "id": user.id,
            "login": user.login,
            "name": user.name,
            "lang": user.lang or None,
            "groups": sorted(user.with_context(env.context).group_ids.mapped("full_name")),
        },
        "company": {"id": env.company.id, "name": _name(env.company)},
        "companies": [_company(company, env.company) for company in _companies(env)],
        "covers": _covers(env),
        "languages": sorted(code for code, _name in env["res.lang"].get_installed()),
        # none where the user has none: days and hours are those of UTC then
        "tz": env.context.get("tz"),
        "now": outputs.instant(fields.Datetime.now()),
        "today": fields.Date.context_today(env["base"]).isoformat(),
        "odoo_version": release.series,
        "scope": principal.scope,
        "method_level": principal.method_level,
        "connection": {"id": principal.connection_id, "name": principal.connection_name},
    }


def _companies(env):
    return env["res.company"].browse(env.user._get_company_ids())


def _covers(env):
    """Which companies a call without `allowed_company_ids` is about, as `env.companies` and `env.company` have it."""
    companies = _companies(env)
    which = "this company" if len(companies) == 1 else f"all {len(companies)} companies"
    return (
        f"A call without context.allowed_company_ids covers {which}; "
        f"what it creates belongs to {_name(env.company)} (id {env.company.id})."
    )


def _company(company, current):
    return {
        "id": company.id,
        "name": _name(company),
        # sudo: as the name
        "currency": company.sudo().currency_id.name,
        "current": company == current,
    }


def _name(company):
    # sudo: a user knows the names of the companies they belong to
    return company.sudo().name
