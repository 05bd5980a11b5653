"""Amounts of several currencies that one number would hide: where a group has some, the answer says so."""

_ADDED = ("sum", "avg", "min", "max")
_COMPANY = "company_id"
# What the company's own currency is called, where it is not stored.
_OF_COMPANY = ("company_currency_id", "company_currency")


def currency_aggregates(model, groupby, aggregates):
    """By aggregate of an amount, the aggregate that lists its currencies (or companies)."""
    watched = {}
    for spec in aggregates:
        name, _colon, function = spec.partition(":")
        field = model._fields.get(name)
        if field is None or field.type != "monetary" or function not in _ADDED:
            continue
        kept_in = _currency_source(model, field)
        if kept_in and kept_in not in groupby:
            watched[spec] = f"{kept_in}:array_agg_distinct"
    return watched


def _currency_source(model, field):
    """The stored field that an amount's currency is kept in, or follows from."""
    name = field.get_currency_field(model)
    own = model._fields.get(name)
    follows = own is not None and (own.related == f"{_COMPANY}.currency_id" or name in _OF_COMPANY)
    for candidate in (name, _COMPANY) if follows else (name,):
        kept = model._fields.get(candidate)
        if kept and kept.store and kept.type == "many2one" and model._has_field_access(kept, "read"):
            return candidate
    return None


def notes(model, watched, groups):
    """Sentences for the aggregates that mix currencies in one of these groups."""
    return [
        f"{spec} mixes currencies ({', '.join(sorted(mixed))}): group by currency or company as well, or filter by one."
        for spec, by in watched.items()
        if (mixed := _mixed(model, by, groups))
    ]


def _mixed(model, by, groups):
    """The codes of the currencies that are mixed in some group."""
    name = by.partition(":")[0]
    # sudo: codes of currencies are no secret, and a user knows the companies whose records they read
    comodel = model.env[model._fields[name].comodel_name].sudo()
    found = set()
    for group in groups:
        records = comodel.browse(record_id for record_id in group[by] or () if record_id)
        currencies = records.currency_id if name == _COMPANY else records
        if len(currencies) > 1:
            found.update(currencies.mapped("name"))
    return found
