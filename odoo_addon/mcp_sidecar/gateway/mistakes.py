"""Tells a mistake in a method's arguments from a fault inside of Odoo.

Odoo's ORM says what is wrong with a field's name or a domain by the errors that Python has for it, as a fault in any
code would. What tells them apart is the way there: from the call to the error no code but the ORM's had a say, save
for overrides that hand on what they are given.
"""

import json
import traceback

from .quoting import foreign, quoted

# What the ORM raises for its arguments.
KINDS = (ValueError, TypeError, KeyError)

# Beside Odoo's `orm` package: what other addons put into every model, and what of it they do with their own hands.
_ORM_TOO = ("odoo.addons.web.models.models", "odoo.addons.mcp_sidecar.models.base")
# Here the ORM has a value computed, and complains of the code that does it.
_COMPUTING = ("__get__", "compute_value", "recompute")
_LONGEST = 300


def sentence(model, step, exc):
    """What Odoo says about the arguments of the call that raised, or None where something else may be at fault."""
    base = model.env.registry["base"]
    if not hasattr(base, step["method"]) or not _is_orms_own(base, exc):
        return None
    if not isinstance(exc, KeyError):
        return _line(foreign(exc, [step["args"], step["kwargs"]], _LONGEST))
    # the name alone; one that the caller didn't send is nothing of theirs
    sent = json.dumps([step["args"], step["kwargs"]])
    return _line(f"{quoted(exc.args[0])} is not known") if exc.args and _quoted(exc.args[0]) in sent else None


def _quoted(key):
    return json.dumps(key if isinstance(key, str) else str(key))


def _is_orms_own(base, exc):
    # the first frame is the one that called
    frames = [frame for frame, _line_number in traceback.walk_tb(exc.__traceback__)][1:]
    inner = [*frames[1:], None]
    return bool(frames) and all(
        _is_orm(frame) or _hands_on(base, frame, following) for frame, following in zip(frames, inner, strict=True)
    )


def _is_orm(frame):
    module = frame.f_globals.get("__name__", "")
    return (module.startswith("odoo.orm.") or module in _ORM_TOO) and frame.f_code.co_name not in _COMPUTING


def _hands_on(base, frame, following):
    """Whether the frame is an override of a method of all models that just called what it overrides."""
    name = frame.f_code.co_name
    return following is not None and following.f_code.co_name == name and hasattr(base, name)


def _line(text):
    return text.rstrip(".") + "."
