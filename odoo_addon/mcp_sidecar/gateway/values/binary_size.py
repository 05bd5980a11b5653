"""Sizes of binary fields: the content never travels through the gateway, so it isn't even loaded where possible."""

import base64
import binascii

from odoo.tools import SQL

# Fields of attachments that are computed from the stored file.
_FILE_FIELDS = {"datas", "raw", "db_datas"}


def sizes(records, field):
    """Bytes of content by record id; records without content are missing. The records have to be readable."""
    if not records:
        return {}
    if records._name == "ir.attachment" and field.name in _FILE_FIELDS:
        return {record.id: record.file_size for record in records}
    if field.store and field.attachment:
        return _attachment_sizes(records, field)
    if field.store:
        return _column_sizes(records, field)
    if field.related:
        return _related_sizes(records, field)
    return {record.id: _content_size(record[field.name]) for record in records}


def _attachment_sizes(records, field):
    # sudo: the content belongs to the field, and who may read the field's record may read it, as in `Binary.read`
    attachments = records.env["ir.attachment"].sudo()
    domain = [("res_model", "=", records._name), ("res_field", "=", field.name), ("res_id", "in", records.ids)]
    return {found.res_id: found.file_size for found in attachments.search_fetch(domain, ["res_id", "file_size"])}


def _column_sizes(records, field):
    records.flush_recordset([field.name])
    column = SQL.identifier(field.name)
    query = SQL(
        "SELECT id, octet_length(%(column)s), substring(%(column)s from octet_length(%(column)s) - 1)"
        " FROM %(table)s WHERE id IN %(ids)s AND %(column)s IS NOT NULL",
        column=column,
        table=SQL.identifier(records._table),
        ids=tuple(records.ids),
    )
    rows = records.env.execute_query(query)
    return {record_id: _decoded_size(length, bytes(tail)) for record_id, length, tail in rows}


def _decoded_size(length, tail):
    """Columns hold base64 text."""
    return max(length * 3 // 4 - tail.count(b"="), 0)


def _related_sizes(records, field):
    *path, name = field.related.split(".")
    found = {}
    for record in records:
        # sudo: a related field shows what it is related to, without a right to that, as in `Field._compute_related`
        target = (record.sudo() if field.compute_sudo else record).mapped(".".join(path))[:1]
        if target:
            found[record.id] = sizes(target, target._fields[name]).get(target.id)
    return found


def _content_size(value):
    if not value or not isinstance(value, (bytes, str)):
        # fields that Odoo only calls binary hold any value
        return None
    if isinstance(value, str):
        value = value.encode()
    try:
        return len(base64.b64decode(value, validate=True))
    except binascii.Error:
        return len(value)
