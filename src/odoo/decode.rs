//! Parser of XML-RPC answers: one scalar, or a fault. Anything else is refused.
//!
//! The `xmlrpc` crate's own parser builds a tree by recursion: nesting of a few thousand aborts the process,
//! and it loses texts of blanks and the message of an unusual fault. Here quick-xml reads the tags, the
//! grammar is written out below, nothing recurses, and the one long text is borrowed from the body.
//! A document type, an entity beyond XML's five, a comment, an attribute: none has a place in an answer.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;

/// How deep an unknown member of a fault may nest.
const MAX_DEPTH: usize = 32;

/// An answer of Odoo.
#[derive(Debug, PartialEq)]
pub(super) enum XmlRpcResponse<'a> {
    Value(Scalar<'a>),
    Fault { code: i64, text: Cow<'a, str> },
}

#[derive(Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Bool(bool),
}

/// The answer is not XML-RPC, or not of the contract. Carries nothing of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidResponse;

/// Reads a whole body.
pub(super) fn response(body: &str) -> Result<XmlRpcResponse<'_>, InvalidResponse> {
    let mut scan = XmlScanner { rest: body, begun: false };
    scan.open(Tag::MethodResponse)?;
    let response = match scan.markup()? {
        Markup::Open(Tag::Params) => {
            scan.open(Tag::Param)?;
            let value = scan.value()?.ok_or(InvalidResponse)?;
            scan.close(Tag::Param)?;
            scan.close(Tag::Params)?;
            XmlRpcResponse::Value(value)
        }
        Markup::Open(Tag::Fault) => {
            let fault = scan.fault()?;
            scan.close(Tag::Fault)?;
            fault
        }
        _ => return Err(InvalidResponse),
    };
    scan.close(Tag::MethodResponse)?;
    match scan.markup()? {
        Markup::End => Ok(response),
        _ => Err(InvalidResponse),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    MethodResponse,
    Params,
    Param,
    Value,
    Fault,
    Struct,
    Member,
    Name,
    Text,
    Int,
    Bool,
    Other,
}

impl Tag {
    fn from_name(name: &str) -> Self {
        match name {
            "methodResponse" => Self::MethodResponse,
            "params" => Self::Params,
            "param" => Self::Param,
            "value" => Self::Value,
            "fault" => Self::Fault,
            "struct" => Self::Struct,
            "member" => Self::Member,
            "name" => Self::Name,
            "string" => Self::Text,
            "int" | "i4" | "i8" => Self::Int,
            "boolean" => Self::Bool,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Markup {
    Open(Tag),
    Close(Tag),
    Empty(Tag),
    End,
}

/// A cursor over the body. Each step is either a run of text or one piece of markup.
struct XmlScanner<'a> {
    rest: &'a str,
    begun: bool,
}

impl<'a> XmlScanner<'a> {
    /// The raw text up to the next markup, which may be empty.
    fn text(&mut self) -> &'a str {
        let length = self.rest.find('<').unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        text
    }

    /// The next markup, before which only blanks may stand.
    fn markup(&mut self) -> Result<Markup, InvalidResponse> {
        if !self.text().bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Err(InvalidResponse);
        }
        self.tag()
    }

    /// The markup that begins right here.
    fn tag(&mut self) -> Result<Markup, InvalidResponse> {
        if self.rest.is_empty() {
            return Ok(Markup::End);
        }
        let mut reader = Reader::from_str(self.rest);
        // Names are matched by the grammar; a fresh reader knows no opening tag.
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_unmatched_ends = true;
        let event = reader.read_event().map_err(|_| InvalidResponse)?;
        let length = usize::try_from(reader.buffer_position()).map_err(|_| InvalidResponse)?;
        self.rest = self.rest.get(length..).ok_or(InvalidResponse)?;
        match event {
            Event::Start(start) if start.attributes_raw().trim().is_empty() => {
                self.begun = true;
                Ok(Markup::Open(Tag::from_name(start.name().as_ref())))
            }
            Event::Empty(start) if start.attributes_raw().trim().is_empty() => {
                Ok(Markup::Empty(Tag::from_name(start.name().as_ref())))
            }
            Event::End(end) => Ok(Markup::Close(Tag::from_name(end.name().as_ref()))),
            Event::Decl(_) if !self.begun => {
                self.begun = true;
                self.markup()
            }
            _ => Err(InvalidResponse),
        }
    }

    fn open(&mut self, tag: Tag) -> Result<(), InvalidResponse> {
        if self.markup()? == Markup::Open(tag) { Ok(()) } else { Err(InvalidResponse) }
    }

    fn close(&mut self, tag: Tag) -> Result<(), InvalidResponse> {
        if self.markup()? == Markup::Close(tag) { Ok(()) } else { Err(InvalidResponse) }
    }

    /// A whole `<value>`; none where it holds no scalar (only in a fault's unknown members).
    fn value(&mut self) -> Result<Option<Scalar<'a>>, InvalidResponse> {
        match self.markup()? {
            Markup::Open(Tag::Value) => {}
            Markup::Empty(Tag::Value) => return Ok(Some(Scalar::Text(Cow::Borrowed("")))),
            _ => return Err(InvalidResponse),
        }
        let bare = self.text();
        match self.tag()? {
            // XML-RPC takes a value without a type for a string.
            Markup::Close(Tag::Value) => return unescape(bare).map(|text| Some(Scalar::Text(text))),
            _ if !bare.bytes().all(|byte| byte.is_ascii_whitespace()) => return Err(InvalidResponse),
            Markup::Empty(Tag::Text) => {
                self.close(Tag::Value)?;
                return Ok(Some(Scalar::Text(Cow::Borrowed(""))));
            }
            Markup::Open(tag @ (Tag::Text | Tag::Int | Tag::Bool)) => {
                let raw = self.text();
                if self.tag()? != Markup::Close(tag) {
                    return Err(InvalidResponse);
                }
                let scalar = scalar(tag, raw)?;
                self.close(Tag::Value)?;
                return Ok(Some(scalar));
            }
            Markup::Open(_) => self.skip(2)?,
            Markup::Empty(_) => self.close(Tag::Value)?,
            _ => return Err(InvalidResponse),
        }
        Ok(None)
    }

    /// Skips to the end of `depth` open elements.
    fn skip(&mut self, mut depth: usize) -> Result<(), InvalidResponse> {
        while depth > 0 {
            self.text();
            match self.tag()? {
                Markup::Open(_) if depth < MAX_DEPTH => depth += 1,
                Markup::Close(_) => depth -= 1,
                Markup::Empty(_) => {}
                _ => return Err(InvalidResponse),
            }
        }
        Ok(())
    }

    /// The struct of a fault: `faultCode`, which may be a string, `faultString`, and maybe more.
    fn fault(&mut self) -> Result<XmlRpcResponse<'a>, InvalidResponse> {
        let (mut code, mut text) = (None, None);
        self.open(Tag::Value)?;
        self.open(Tag::Struct)?;
        while self.next_member()? {
            self.open(Tag::Name)?;
            let name = self.text();
            self.close(Tag::Name)?;
            match (name.trim(), self.value()?) {
                ("faultCode", Some(Scalar::Int(number))) => code = Some(number),
                ("faultCode", Some(Scalar::Text(number))) => code = number.trim().parse().ok(),
                ("faultString", Some(Scalar::Text(words))) => text = Some(words),
                _ => {}
            }
            self.close(Tag::Member)?;
        }
        self.close(Tag::Value)?;
        // A code that is no number is none of Odoo's: it counts as an unknown failure.
        Ok(XmlRpcResponse::Fault { code: code.unwrap_or(1), text: text.unwrap_or_default() })
    }

    /// Whether another member follows; passes its opening tag, or the closing tag of the struct.
    fn next_member(&mut self) -> Result<bool, InvalidResponse> {
        match self.markup()? {
            Markup::Open(Tag::Member) => Ok(true),
            Markup::Close(Tag::Struct) => Ok(false),
            _ => Err(InvalidResponse),
        }
    }
}

fn scalar(tag: Tag, raw: &str) -> Result<Scalar<'_>, InvalidResponse> {
    match (tag, raw.trim()) {
        (Tag::Text, _) => unescape(raw).map(Scalar::Text),
        (Tag::Int, number) => number.parse().map(Scalar::Int).map_err(|_| InvalidResponse),
        (Tag::Bool, "0") => Ok(Scalar::Bool(false)),
        (Tag::Bool, "1") => Ok(Scalar::Bool(true)),
        _ => Err(InvalidResponse),
    }
}

/// Resolves XML's five entities and character references; an unknown entity is refused.
fn unescape(raw: &str) -> Result<Cow<'_, str>, InvalidResponse> {
    quick_xml::escape::unescape(raw).map_err(|_| InvalidResponse)
}

#[cfg(test)]
mod tests;
