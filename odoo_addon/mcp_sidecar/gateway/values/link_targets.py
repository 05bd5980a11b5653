"""Which records a link may lead to."""


def existing(comodel, ids):
    """Those of the ids that are there, archived or not: as far as the user may read them, if the user may read any."""
    comodel = comodel.with_context(active_test=False)
    if comodel.has_access("read"):
        return set(comodel.search([("id", "in", list(ids))])._ids)
    return set(comodel.browse(ids).exists()._ids)
