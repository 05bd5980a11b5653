"""Button discovery: parses the buttons that Odoo's views have for records of a model.

Those of its own form, list and kanban view, and those of the lists and forms that are embedded in the form of another
model. What a button needs to be shown is kept beside it, and judged by `visibility` for a record.
"""

import itertools
import logging
from collections import defaultdict
from typing import NamedTuple

import psycopg2
from lxml import etree

from ..policy import allowed_models

_logger = logging.getLogger(__name__)

TYPES = ("form", "list", "kanban")
_X2MANY = ("one2many", "many2many")
# What shows or repeats a part of a kanban card; written in JavaScript, so it can't be judged here.
_SCRIPTED = ("t-if", "t-elif", "t-else", "t-foreach", "t-call")
_MODIFIERS = ("invisible", "column_invisible")
_LABELS = ("string", "title", "help", "aria-label")

# In place of an expression that can't be judged here.
UNKNOWN = None


class Within(NamedTuple):
    """Where a list or form is embedded: a field of another model, and what hides it there."""

    model: str
    field: str
    hidden: tuple
    within: "Within | None"


class Button(NamedTuple):
    # the method that it calls, or the XML id or number of the action that it carries out
    method: str
    label: str
    # expressions, each of which hides it
    hidden: tuple
    context: str
    within: Within | None
    # shown above a list for the records that are selected, whichever they are
    for_selection: bool


def buttons_of(model):
    """The buttons in the views that Odoo answers this user, which depend on the user's groups only."""
    groups = tuple(sorted(model.env.user._get_group_ids()))
    return model.env["ir.ui.view"]._mcp_buttons(model._name, groups)


def find_buttons(env, model_name):
    """As `buttons_of`, in the order in which Odoo shows them."""
    # as Odoo itself would answer the user: it is remembered for each connection, and in no language
    with allowed_models.lifted(env.cr):
        env = env(context={})
        roots = [(model_name, view_type) for view_type in TYPES]
        roots += [(embedding, "form") for embedding in _embedding(env, model_name)]
        buttons = itertools.chain.from_iterable(_in_view(env, *root) for root in roots)
        # a tuple, as it is shared
        return tuple(dict.fromkeys(button for model, button in buttons if model == model_name))


def exists_in_any_view(env, model_name, method):
    """Whether some view of the model has such a button, be it for other users."""
    if "." in method:
        action = env.ref(method, raise_if_not_found=False)
        method = action.id if action else method
    # sudo: which buttons there are is no secret, only who may press them
    views = env["ir.ui.view"].sudo()
    return bool(views.search_count([("model", "=", model_name), ("arch_db", "like", f'name="{method}"')], limit=1))


# === Views ===


def _in_view(env, model_name, view_type):
    model = env[model_name]
    if not model.has_access("read"):
        return []
    try:
        arch = model.get_view(view_type=view_type)["arch"]
    except psycopg2.Error:
        raise
    except Exception:
        # broken in Odoo's own pages as well, and maybe a view of another model
        _logger.warning("MCP: no buttons from the %s view of %s, which can't be read", view_type, model_name)
        return []
    return list(_Walk(env).children(etree.fromstring(arch), model_name, (), None))


class _Walk:
    """Goes through a view; each button comes with the model whose records it is for."""

    def __init__(self, env):
        self._env = env

    def children(self, node, model, hidden, within, for_selection=False):
        for child in node.iterchildren(etree.Element):
            yield from self._node(child, model, hidden + _hidden(child), within, for_selection)

    def _node(self, node, model, hidden, within, for_selection):
        if node.tag == "field":
            yield from self._embedded(node, model, hidden, within)
        elif _is_button(node):
            label, context = _label(node), node.get("context") or ""
            yield model, Button(self._name(node), label, hidden, context, within, for_selection)
        elif node.tag != "groupby":
            # those of a groupby are for what the list is grouped by
            above_list = node.tag == "header" and node.getparent().tag in ("list", "kanban")
            yield from self.children(node, model, hidden, within, for_selection or above_list)

    def _name(self, node):
        name = node.get("name")
        if node.get("type") == "object" or not name.isdecimal():
            return name
        # sudo: the name of an action is no data. It belongs to the model of its type
        action = self._env["ir.actions.actions"].sudo().browse(int(name)).exists()
        names = self._env[action.type].sudo().browse(action.id).get_external_id() if action else {}
        return names.get(action.id) or name

    def _embedded(self, node, model, hidden, within):
        field = self._env[model]._fields.get(node.get("name"))
        if field is None or field.type not in _X2MANY:
            return
        for view in node.iterchildren(*TYPES):
            yield from self.children(view, field.comodel_name, (), Within(model, field.name, hidden, within))


def _is_button(node):
    # what a button would give its method beside the records is not for others to give
    is_button = node.tag in ("button", "a") and node.get("type") in ("object", "action")
    return is_button and node.get("name") and not node.get("args")


def _hidden(node):
    expressions = tuple(node.get(name) for name in _MODIFIERS if node.get(name) not in (None, "", "0", "False"))
    return expressions + tuple(UNKNOWN for name in _SCRIPTED if node.get(name) is not None)


def _label(node):
    texts = (node.get(name) for name in _LABELS)
    return next(filter(None, texts), None) or " ".join(" ".join(node.itertext()).split())


# === Forms of other models ===


def _embedding(env, model_name):
    """Names of the other models whose form has a list or form of its own for records of this one."""
    fields = defaultdict(set)
    for name, model in env.registry.items():
        if model._abstract or name == model_name:
            continue
        for field in model._fields.values():
            if field.type in _X2MANY and field.comodel_name == model_name:
                fields[name].add(field.name)
    # sudo: a user may not read views as such; what is in them is asked for as the user
    views = env["ir.ui.view"].sudo().search([("model", "in", list(fields)), ("type", "=", "form")])
    return sorted({view.model for view in views if _embeds(view.arch_db, fields[view.model])})


def _embeds(arch, names):
    """Whether the form brings its own list for one of the fields, or names one; else it is the model's own list."""
    return any(
        node.get("name") in names and (len(node) or "_view_ref" in node.get("context", ""))
        for node in etree.fromstring(arch).iter("field")
    )
