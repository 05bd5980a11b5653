//! The rules of the house, checked on the source itself. No exceptions list, and no dependencies.
//!
//! Rooms may import only rooms that stand before them in `LAYERS`; warp is named in `web` only; the
//! environment is read in `config` only; a file has at most 500 lines and opens with `//!`. All faults are
//! told at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

/// From the ground to the roof: the whole rule about imports. Rooms that are not built yet stand at their place.
const LAYERS: [&str; 16] = [
    "vocab",
    "config",
    "telemetry",
    "odoo",
    "state",
    "mirror",
    "guard",
    "oauth",
    "audit",
    "sessions",
    "events",
    "tools",
    "mcp",
    "web",
    "app",
    "main",
];

const MOST_LINES: usize = 500;

/// Ways to read the environment. Arguments are no environment; what `env!` reads, cargo has set.
const ENVIRONMENT: [&str; 6] = ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"];

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    read(&root, &root, &mut files);
    assert!(files.len() > 30, "the source was not found");
    let faults = check(&files);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn read(root: &Path, directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    files.sort();
}

/// All faults of files given as path under `src` and text.
fn check(files: &[(String, String)]) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for (path, text) in files {
        let mut fault = |what: String| faults.insert(format!("{path}: {what}"));
        let lines = text.lines().count();
        if lines > MOST_LINES {
            fault(format!("has {lines} lines, more than {MOST_LINES}"));
        }
        if !text.starts_with("//!") {
            fault("does not open with a `//!` line".to_owned());
        }
        let Some(room) = room(path) else { continue };
        let Some(height) = LAYERS.iter().position(|layer| *layer == room) else {
            fault(format!("the room {room} has no place in the layers"));
            continue;
        };
        // Tests stand beside the code but belong to no layer.
        if path.ends_with("/tests.rs") {
            continue;
        }
        let words = words(body(text));
        for import in imports(&words) {
            match LAYERS.iter().position(|layer| *layer == import) {
                Some(other) if other > height => fault(format!("{room} -> {import} points upward")),
                Some(_) => true,
                None => fault(format!("{room} -> {import} is no room")),
            };
        }
        if room != "web" && words.iter().any(|word| word == "warp") {
            fault("names warp outside web".to_owned());
        }
        if room != "config" && reads_environment(&words) {
            fault("reads the environment outside config".to_owned());
        }
        if words.windows(4).any(|four| four == ["super", "::", "super", "::"]) {
            fault("climbs with super::super:: past this check".to_owned());
        }
    }
    for (path, text) in files {
        if path == "lib.rs" {
            faults.extend(order(text));
        }
    }
    faults.into_iter().collect()
}

/// The room of a file; none for the crate's root.
fn room(path: &str) -> Option<&str> {
    match path {
        "lib.rs" => None,
        _ => Some(path.split('/').next().unwrap_or(path).trim_end_matches(".rs")),
    }
}

/// `lib.rs` lists the rooms in the order of the layers.
fn order(text: &str) -> Option<String> {
    let listed: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let expected: Vec<_> = LAYERS.into_iter().filter(|layer| listed.contains(layer)).collect();
    (listed != expected).then(|| format!("lib.rs: lists {listed:?}, the layers say {expected:?}"))
}

/// The text before the inline test module.
fn body(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |at| &text[..at])
}

fn reads_environment(words: &[String]) -> bool {
    let call =
        |three: &[String]| three[0] == "env" && three[1] == "::" && ENVIRONMENT.contains(&three[2].as_str());
    let imported = |three: &[String]| three[0] == "std" && three[1] == "::" && three[2] == "env";
    let opened = |two: &[String]| two[0] == "env" && two[1] == "::{";
    words.windows(3).any(call)
        || words.windows(2).any(opened)
        || words.windows(4).any(|four| imported(&four[..3]) && four[3] == "as")
        || words.iter().any(|word| word == "option_env")
}

/// The rooms named by `crate::room` paths, alone or at the top of a braced group.
fn imports(words: &[String]) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        let ours = word == "crate" || word == "odoo_mcp_sidecar";
        match words.get(at + 1).map(String::as_str) {
            Some("::") if ours => rooms.extend(words.get(at + 2).cloned()),
            Some("::{") if ours => rooms.extend(group(&words[at + 2..])),
            _ => {}
        }
    }
    rooms
}

fn group(words: &[String]) -> Vec<String> {
    let (mut depth, mut first, mut rooms) = (1, true, Vec::new());
    for word in words {
        match word.as_str() {
            "{" | "::{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            name if depth == 1 && first => {
                rooms.push(name.to_owned());
                first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    rooms
}

/// Identifiers and the marks that matter, without comments and literals.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            literal(rest, "\"", true)
        } else if rest.starts_with("r\"") {
            literal(&rest[1..], "\"", false) + 1
        } else if rest.starts_with("r#\"") {
            literal(&rest[2..], "\"#", false) + 2
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            end
        } else if let Some(mark) =
            ["::{", "::", "{", "}", ","].into_iter().find(|mark| rest.starts_with(mark))
        {
            words.push(mark.to_owned());
            mark.len()
        } else if let Some(quoted) =
            ["'\"'", "'{'", "'}'", "'\\''"].into_iter().find(|mark| rest.starts_with(mark))
        {
            quoted.len()
        } else {
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    words
}

/// The length of a literal that opens `text`, up to and with `close`.
fn literal(text: &str, close: &str, escapes: bool) -> usize {
    let mut at = 1;
    while at < text.len() {
        if escapes && text.as_bytes()[at] == b'\\' {
            at += 2;
        } else if text[at..].starts_with(close) {
            return at + close.len();
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

// === the check itself ===

fn planted(path: &str, text: &str) -> Vec<String> {
    check(&[(path.to_owned(), text.to_owned())])
}

#[test]
fn a_sound_file_has_no_fault() {
    let text = "//! Head.\nuse crate::vocab::Id;\nuse crate::{config, vocab::{self, Scope}};\n\
                // crate::app is only a comment\nconst T: &str = \"crate::web \\\" warp env::var\";\n\
                const V: &str = env!(\"CARGO_PKG_VERSION\");\nfn args() { std::env::args_os(); }\n\
                #[cfg(test)]\nmod tests {\n    use crate::app::App;\n}\n";
    assert_eq!(planted("odoo/client.rs", text), Vec::<String>::new());
    assert_eq!(planted("config/tests.rs", "//! Tests.\nuse crate::app::App;\n"), Vec::<String>::new());
    assert_eq!(planted("main.rs", "//! Main.\nuse odoo_mcp_sidecar::app::App;\n"), Vec::<String>::new());
}

#[test]
fn planted_faults_are_found() {
    let cases = [
        ("vocab/id.rs", "use crate::app::App;", "vocab -> app points upward"),
        (
            "vocab/id.rs",
            "use crate::{\n    vocab::Id,\n    web::{Edge, serve},\n};",
            "vocab -> web points upward",
        ),
        ("vocab/id.rs", "fn f() { crate::odoo::Client::new(); }", "vocab -> odoo points upward"),
        ("tools/a.rs", "use crate::utils::x;", "tools -> utils is no room"),
        ("utils/a.rs", "fn f() {}", "the room utils has no place in the layers"),
        ("mcp/a.rs", "use warp::Filter;", "names warp outside web"),
        ("mcp/a.rs", "fn f() { std::env::var(\"X\"); }", "reads the environment outside config"),
        ("mcp/a.rs", "use std::env::{self, var};", "reads the environment outside config"),
        ("mcp/a.rs", "use std::env as e;", "reads the environment outside config"),
        ("mcp/a.rs", "use super::super::web::Edge;", "climbs with super::super:: past this check"),
    ];
    for (path, code, expected) in cases {
        let faults = planted(path, &format!("//! Head.\n{code}\n"));
        assert_eq!(faults, [format!("{path}: {expected}")], "{code}");
    }
    assert_eq!(planted("web/a.rs", "use warp::Filter;\n"), ["web/a.rs: does not open with a `//!` line"]);
    let long = format!("//! Head.\n{}", "\n".repeat(MOST_LINES));
    assert_eq!(planted("web/a.rs", &long), ["web/a.rs: has 501 lines, more than 500"]);
    let all =
        planted("vocab/a.rs", "use crate::app::App;\nuse warp::Filter;\nfn f() { std::env::vars(); }\n");
    assert_eq!(all.len(), 4, "{all:?}");
    let lib = planted("lib.rs", "//! Crate.\npub mod config;\npub mod vocab;\n");
    assert_eq!(lib.len(), 1, "{lib:?}");
}
