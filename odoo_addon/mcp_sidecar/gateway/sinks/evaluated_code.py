"""Caller inspection: whether Odoo's own code asks for a secret, or a text that is evaluated, such as a template.

Odoo's own code uses secrets as ever: it sends mails, calls other services, compares tokens. An evaluated text shows
them to its author or to the reader of its result. Two things distinguish them. While a template engine renders,
everything counts as evaluated, as all of it ends in the text. Elsewhere it is the nearest frame of the stack that
belongs neither to the ORM nor to an engine: `safe_eval` and QWeb compile texts under names that are no source files.
"""

import pathlib
import sys

import odoo.orm
import odoo.tools.sql

from .. import transaction

_CLOSED = "_mcp_sinks_closed"
_RENDERING = "_mcp_rendering"

_ORM = f"{pathlib.Path(odoo.orm.__file__).parent}/"
_HERE = f"{pathlib.Path(__file__).parents[2]}/"
_SQL = str(pathlib.Path(odoo.tools.sql.__file__))
# They read what an expression or a list of fields names.
_ENGINES = (
    "/base/models/ir_actions.py",
    "/base/models/ir_qweb.py",
    "/base/models/ir_qweb_fields.py",
    "/mail/models/mail_render_mixin.py",
    "/odoo/tools/rendering_tools.py",
)
# Overrides of the ORM, in any module: they pass on what they are asked for.
_PASSING = frozenset(
    {
        "_get_param",
        "_read_format",
        "_read_group",
        "_search",
        "copy_data",
        "export_data",
        "fetch",
        "formatted_read_group",
        "get_param",
        "name_search",
        "onchange",
        "read",
        "read_group",
        "search",
        "search_count",
        "search_fetch",
        "search_read",
        "set_param",
        "web_read",
        "web_search_read",
    }
)


def applies(cr):
    """Whether an AI tool's call runs on this cursor, or what such a call has left for later."""
    return transaction.in_call(cr) or bool(vars(cr).get(_CLOSED))


def kept_closed(cr):
    """For what a call has queued or scheduled: the same sinks are closed when it is carried out."""
    return transaction.scoped_value(cr, _CLOSED, True)


def rendering(cr):
    """Around a template engine."""
    return transaction.scoped_value(cr, _RENDERING, True)


def suspended(cr):
    """Around Odoo's own code that an engine calls and whose result is sealed."""
    return transaction.scoped_value(cr, _RENDERING, False)


def is_evaluating(cr):
    """Whether an evaluated text asks for what is being looked up."""
    return bool(vars(cr).get(_RENDERING)) or _is_evaluated(sys._getframe(1))


def _is_evaluated(frame):
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.endswith(".py") or name.endswith(_ENGINES):
            return True
        if not name.startswith((_ORM, _HERE, _SQL)) and frame.f_code.co_name not in _PASSING:
            return False
        frame = frame.f_back
    return False
