"""Validation of arguments of the ORM's own methods, as that of the operations that search and write."""

from ..errors import locations
from ..fields import inputs, writability
from ..rpc import faults
from ..search import domains

# What the ORM's own methods call a domain of the model; a search panel takes several.
_DOMAINS = frozenset({"domain", "search_domain", "category_domain", "filter_domain"})
# Methods whose first argument is the values of records, and whether these are new ones.
_TAKE_VALUES = {"copy": True, "create": True, "web_save": False, "write": False}
# What other methods call the values of their records.
_VALUES = frozenset({"vals", "values"})


def check(records, method, bound, notes):
    """Refuses what an operation would refuse, and puts the rest into the form that the ORM takes.

    :param bound: the arguments by name, the first of which is `self`
    """
    _check_search(records, method, bound)
    _check_values(records, method, bound, notes)


def _check_search(model, method, bound):
    """What a method of the ORM searches and sorts by is checked as where an operation of its own does."""
    if not hasattr(model.env.registry["base"], method):
        return
    for given in (bound, bound.get("kwargs") or {}):
        for name in _DOMAINS & given.keys():
            if isinstance(given[name], list):
                given[name] = domains.checked_domain(model, given[name])
    if "search" in method and isinstance(bound.get("order"), str):
        bound["order"] = domains.checked_order(model, bound["order"])


def _check_values(records, method, bound, notes):
    """Judges the values that a method is given as those of the operations that create and write."""
    if method == "load" and isinstance(bound.get("fields"), list):
        for path in bound["fields"]:
            _check_column(records, path, notes)
    # the first is `self`
    parameter = list(bound)[1] if method in _TAKE_VALUES and len(bound) > 1 else None
    if parameter:
        target = records.browse() if _TAKE_VALUES[method] else records
        bound[parameter] = _checked(target, method, parameter, bound[parameter], notes)
    elif not hasattr(records.env.registry["base"], method):
        for parameter in _VALUES & bound.keys():
            if _are_values(records, bound[parameter]):
                bound[parameter] = inputs.checked_values(records, bound[parameter], notes)


def _checked(target, method, parameter, given, notes):
    if isinstance(given, dict):
        return inputs.checked_values(target, given, notes)
    if method == "create" and isinstance(given, list) and all(isinstance(item, dict) for item in given):
        checked = []
        for index, item in enumerate(given):
            with locations.within(f"{parameter}[{index}]"):
                checked.append(inputs.checked_values(target, item, notes))
        return checked
    if method == "copy" and not given:
        return given
    several = ", or a list of them" if method == "create" else ""
    message = (
        f"{method} of {target._name} takes values by field name for {parameter}, such as {{field: value}}{several}."
    )
    raise faults.bad_request("args", message)


def _are_values(records, given):
    return isinstance(given, dict) and bool(given) and given.keys() <= records._fields.keys()


def _check_column(model, path, notes):
    """A column of an import is a path such as "order_line/product_id/.id", whose fields are all set."""
    for name in path.split("/") if isinstance(path, str) else ():
        field = model._fields.get(name)
        if field is None or name == "id":
            return
        writability.require_writable(model.browse(), field, None, notes)
        if not field.relational:
            return
        model = model.env[field.comodel_name]
