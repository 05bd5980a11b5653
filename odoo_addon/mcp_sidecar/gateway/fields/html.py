"""HTML on its way in and out: text that is no HTML is escaped, and changes by the sanitizer are detected."""

import re

from lxml import html as lxml_html
from lxml.etree import ParserError
from lxml.html import defs

from odoo.tools import plaintext2html

_KNOWN = defs.tags | {"t"}
_MARKUP = re.compile(r"<(?:/?(?P<tag>[a-z][a-z0-9]*)(?=[\s/>])[^<>]*>|!--)", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-z][a-z0-9]+|#\d+|#x[0-9a-f]+);", re.IGNORECASE)


def from_text(text):
    """The HTML of a value: text without a tag becomes paragraphs, and a "<" that begins no tag is escaped.

    The sanitizer would take an address such as <ana@example.com> for a tag, and drop it.
    """
    if _ENTITY.search(text) or any(_is_known(match) for match in _MARKUP.finditer(text)):
        return _escaped(text)
    return str(plaintext2html(text))


# Methods that take a message as text, and whether they take HTML if they are asked to.
_POSTING = {"message_notify": False, "message_post": True}


def note_posted(method, bound, notes):
    """Notes that a method is going to post markup as text."""
    given = {**bound.arguments, **bound.kwargs}
    body = given.get("body")
    if method not in _POSTING or not isinstance(body, str) or given.get("body_is_html") is not None:
        return
    if any(match["tag"] and _is_known(match) for match in _MARKUP.finditer(body)):
        way = "With body_is_html true it is posted as HTML." if _POSTING[method] else "message_post takes HTML."
        notes.add(f"body was posted as text, so its tags are shown as they are. {way}")


def _is_known(match):
    return match["tag"] is None or match["tag"].lower() in _KNOWN


def _escaped(text):
    parts, end = [], 0
    for match in _MARKUP.finditer(text):
        if _is_known(match):
            parts += [text[end : match.start()].replace("<", "&lt;"), match[0]]
            end = match.end()
    parts.append(text[end:].replace("<", "&lt;"))
    return "".join(parts)


def is_same(sent, stored):
    """Whether the stored HTML is what was sent, but for how it is written and an element around it."""
    return _outline(sent) == _outline(stored)


def _outline(text):
    """Elements and texts in their order."""
    try:
        root = lxml_html.fragment_fromstring(text or "", create_parent="div")
    except ParserError:
        return []
    while len(root) == 1 and root[0].tag in ("div", "p", "span") and not (root.text or "").strip():
        if root[0].attrib or (root[0].tail or "").strip():
            break
        root = root[0]
    return [part for part in _parts(root) if part]


def _parts(element):
    yield _words(element.text)
    for child in element:
        if isinstance(child.tag, str):
            yield (child.tag, *sorted(child.attrib.items()))
            yield from _parts(child)
            yield f"/{child.tag}"
        yield _words(child.tail)


def _words(text):
    return " ".join((text or "").split())
