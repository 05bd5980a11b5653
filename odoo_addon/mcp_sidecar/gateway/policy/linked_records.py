"""Row-level security for rows that belong to a record of some model, such as attachments, messages and activities.

A connection with allowed models sees and changes only those whose model is allowed.
"""

from odoo.fields import Domain

# Rows that mean nothing without a record. A row without one belongs to its author, whom this field names.
_OWNED_BY = {
    "ir.attachment": "create_uid",
    "mail.activity": "user_id",
    "mail.message": "create_uid",
    "rating.rating": "create_uid",
}

# Where the model is named in another way than beside a many2one_reference. Some of these belong to other addons.
_NAMED_BY = {
    "ir.default": "field_id.model",
    "ir.exports": "resource",
    "ir.exports.line": "export_id.resource",
    "ir.filters": "model_id",
    "ir.model": "model",
    "ir.model.access": "model_id.model",
    "ir.model.fields": "model",
    "ir.model.fields.selection": "field_id.model",
    "ir.rule": "model_id.model",
    "mail.compose.message": "model",
    "mail.message.reaction": "message_id.model",
    "mail.notification": "mail_message_id.model",
    "mail.scheduled.message": "model",
    "mail.template": "model",
    "mail.tracking.value": "mail_message_id.model",
}


def model_name_paths(model):
    """Paths from a row to the name of the model that it belongs to."""
    paths = {
        field.model_field
        for field in model._fields.values()
        if field.type == "many2one_reference" and field.model_field
    }
    # what most of Odoo's models call it
    paths |= {"res_model", _NAMED_BY.get(model._name, "res_model")}
    return {path for path in paths if _searchable(model, path.partition(".")[0])}


def _searchable(model, name):
    field = model._fields.get(name)
    return field is not None and bool(field.store or field.search)


def domain(model, allowed):
    """The rows that a connection with these allowed models may see."""
    parts = [_rows(model, path, allowed) for path in sorted(model_name_paths(model))]
    for parent_name, field_name in model._inherits.items():
        if model._fields[field_name].store:
            parent = domain(model.env[parent_name], allowed)
            if not parent.is_true():
                parts.append(Domain(field_name, "any", parent))
    return Domain.AND(parts)


def _rows(model, path, allowed):
    without = Domain(path, "=", False)
    if model._name in _OWNED_BY:
        without &= Domain(_OWNED_BY[model._name], "=", model.env.uid)
    return Domain(path, "in", sorted(allowed)) | without
