//! Golden files, and answers that no Odoo would send.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::odoo::encode;

const FAULT: &str = include_str!("../../../tests/wire/odoo/fault_access_denied.xml");
const TRACEBACK: &str = include_str!("../../../tests/wire/odoo/fault_traceback.xml");
const HELLO: &str = include_str!("../../../tests/wire/odoo/answer_hello.xml");
const LOGIN: &str = include_str!("../../../tests/wire/odoo/answer_login.xml");
const REFUSED: &str = include_str!("../../../tests/wire/odoo/answer_login_refused.xml");

fn answer(value: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{value}\n</param>\n</params>\n</methodResponse>\n"
    )
}

fn fault(members: &str) -> String {
    format!("<methodResponse><fault><value><struct>{members}</struct></value></fault></methodResponse>")
}

fn text(body: &str) -> Cow<'_, str> {
    match response(body) {
        Ok(XmlRpcResponse::Value(Scalar::Text(text))) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn recorded_answers_of_odoo_are_read() {
    let hello: Value = serde_json::from_str(&text(HELLO)).unwrap();
    assert_eq!(hello["contract"], 1);
    assert!(matches!(response(LOGIN), Ok(XmlRpcResponse::Value(Scalar::Int(uid))) if uid > 0));
    assert_eq!(response(REFUSED), Ok(XmlRpcResponse::Value(Scalar::Bool(false))));
    let Ok(XmlRpcResponse::Fault { code: 3, text }) = response(FAULT) else { panic!("no fault") };
    assert_eq!(text, "Access Denied");
    let Ok(XmlRpcResponse::Fault { code: 1, text }) = response(TRACEBACK) else { panic!("no fault") };
    assert!(text.starts_with("Traceback"));
}

#[test]
fn texts_come_as_they_were() {
    for (raw, wanted) in [
        ("", ""),
        ("   ", "   "),
        (" \r\n\t ", " \r\n\t "),
        ("&lt;b&gt; &amp;amp; &quot;&apos;", "<b> &amp; \"'"),
        ("&#13;&#x1F600;", "\r😀"),
        ("]]>", "]]>"),
        ("é😀", "é😀"),
    ] {
        for value in [format!("<value><string>{raw}</string></value>"), format!("<value>{raw}</value>")] {
            assert_eq!(text(&answer(&value)), wanted, "{value:?}");
        }
    }
    assert_eq!(text(&answer("<value><string/></value>")), "");
    assert_eq!(text(&answer("<value/>")), "");
}

#[test]
fn a_plain_text_is_borrowed_from_the_body() {
    let body = answer("<value><string>{\"a\":1}</string></value>");
    assert!(matches!(text(&body), Cow::Borrowed(_)));
}

#[test]
fn numbers_and_truth_are_read() {
    for (value, wanted) in [
        ("<int>7</int>", Scalar::Int(7)),
        ("<i4> -7 </i4>", Scalar::Int(-7)),
        ("<i8>9007199254740993</i8>", Scalar::Int(9_007_199_254_740_993)),
        ("<boolean>1</boolean>", Scalar::Bool(true)),
    ] {
        assert_eq!(response(&answer(&format!("<value>{value}</value>"))), Ok(XmlRpcResponse::Value(wanted)));
    }
}

#[test]
fn unusual_faults_keep_their_message() {
    let text_member = "<member><name>faultString</name><value><string>Oh no</string></value></member>";
    for (members, code) in [
        (format!("<member><name>faultCode</name><value>2</value></member>{text_member}"), 2),
        (format!("<member><name>faultCode</name><value><string>2</string></value></member>{text_member}"), 2),
        (format!("{text_member}<member><name>faultCode</name><value><int>2</int></value></member>"), 2),
        (format!("{text_member}<member><name>faultCode</name><value>warning</value></member>"), 1),
        (format!("<member><name>x</name><value><nil/></value></member>{text_member}"), 1),
        (
            format!(
                "<member><name>x</name><value><array><data><value><struct><member><name>faultCode</name>\
                 <value><int>9</int></value></member></struct></value><value><nil/></value></data></array>\
                 </value></member>{text_member}"
            ),
            1,
        ),
    ] {
        let wanted = XmlRpcResponse::Fault { code, text: "Oh no".into() };
        assert_eq!(response(&fault(&members)), Ok(wanted), "{members}");
    }
}

#[test]
fn other_documents_are_refused() {
    let good = answer("<value><string>{}</string></value>");
    assert!(response(&good).is_ok());
    let string = "<value><string>x</string></value>";
    for bad in [
        String::new(),
        " ".into(),
        "{}".into(),
        "<html/>".into(),
        "<methodResponse/>".into(),
        "<methodResponse><params/></methodResponse>".into(),
        "<methodResponse><params><param></param></params></methodResponse>".into(),
        format!("{good}<x/>"),
        format!("{good}trailing"),
        format!("{good}<!-- -->"),
        format!("x{good}"),
        format!("<!DOCTYPE methodResponse>{good}"),
        format!("<?xml version='1.0'?>{good}"),
        format!("<!-- -->{good}"),
        good.replace("</params>", ""),
        good[..good.len() - 5].to_owned(),
        answer(&format!("{string}{string}")),
        answer("<value><array><data></data></array></value>"),
        answer("<value><nil/></value>"),
        answer("<value><struct/></value>"),
        answer("<value><string>x</int></value>"),
        answer("<value><string a='1'>x</string></value>"),
        answer("<value><string>a<b/>c</string></value>"),
        answer("<value><string><![CDATA[x]]></string></value>"),
        answer("<value><string>&bogus;</string></value>"),
        answer("<value><string>&nbsp;</string></value>"),
        answer("<value><string>a & b</string></value>"),
        answer("<value><string>&#0;</string></value>"),
        answer("<value>x<string>y</string></value>"),
        answer("<value><int>x</int></value>"),
        answer("<value><int>99999999999999999999</int></value>"),
        answer("<value><boolean>2</boolean></value>"),
        "<!DOCTYPE r [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><methodResponse>&b;</methodResponse>".into(),
    ] {
        assert_eq!(response(&bad), Err(InvalidResponse), "{bad:?}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let (open, close) = ("<value><array><data>".repeat(100_000), "</data></array></value>".repeat(100_000));
    assert_eq!(response(&answer(&format!("{open}<value/>{close}"))), Err(InvalidResponse));
    assert_eq!(response(&answer(&open)), Err(InvalidResponse));
    let member = format!("<member><name>x</name>{open}<value/>{close}</member>");
    assert_eq!(response(&fault(&member)), Err(InvalidResponse));
    assert_eq!(response(&"<".repeat(100_000)), Err(InvalidResponse));
}

/// Text with the characters that fail most often.
fn awkward_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[\\x00-\\x20\\x7f-\\x9f]{0,8}",
        "[<>&\"'\\\\/\\]u]{0,8}",
        "[\u{FFF0}-\u{FFFF}\u{10000}-\u{1000F}\u{10FFF0}-\u{10FFFF}]{0,4}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_survives_an_answer(value in awkward_text()) {
        let json = serde_json::to_string(&value).unwrap();
        // As Python's xmlrpc writes it.
        let escaped = json.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let body = answer(&format!("<value><string>{escaped}</string></value>"));
        prop_assert_eq!(serde_json::from_str::<String>(&text(&body)).unwrap(), value);
    }

    #[test]
    fn any_text_survives_a_request(value in awkward_text(), number in any::<i64>()) {
        let json = encode::json(&(&value, number)).unwrap();
        prop_assert_eq!(serde_json::from_str::<(String, i64)>(&json).unwrap(), (value, number));
        let body = String::from_utf8(encode::execute("db", 2, "key", "hello", json.clone())).unwrap();
        let allowed = |c: char| matches!(c, '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        prop_assert!(body.chars().all(allowed), "XML 1.0 cannot carry it");
        // The last string is the JSON: a conforming reader gets it back.
        let sent = body.rsplit_once("<string>").unwrap().1.split_once("</string>").unwrap().0;
        prop_assert_eq!(unescape(sent).unwrap(), json);
    }

    #[test]
    fn no_text_makes_it_panic(body in "(<[/?!]?[a-zA-Z]{0,8}/?>|&[a-z#0-9]{0,4};|[ <>&a1\"'-]{0,6}){0,40}") {
        let _ = response(&body);
    }

    #[test]
    fn no_cut_makes_it_panic(end in 0..400_usize, junk in ".{0,8}") {
        let good = fault("<member><name>faultCode</name><value><int>1</int></value></member>");
        let cut = good.get(..end.min(good.len())).unwrap();
        if end < good.len() {
            let body = format!("{cut}{}", junk.replace(['<', '>'], ""));
            prop_assert_eq!(response(&body), Err(InvalidResponse));
        }
    }
}
