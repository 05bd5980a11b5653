//! Lint of the module structure, run on the source itself. No dependencies.
//!
//! A module may import only modules that stand before it in `LAYERS`; the files of one module import each other in no
//! circle; warp is named in `web` only; the environment is read in `config` only; a file has at most 500 lines and
//! opens with `//!`; comments use the standard terms. All faults are reported at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Lowest layer first: the whole rule about imports between modules. Modules without code yet have their place too.
const LAYERS: [&str; 17] = [
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
    "check",
    "tools",
    "mcp",
    "web",
    "app",
    "main",
];

/// Words that hide the standard term of a mechanism, or make a person of a machine: each group stays below one in a
/// thousand words of comments.
const DIALECT: [&[&str]; 3] = [
    &["told", "tell", "tells", "telling"],
    &["whoever", "whatever", "nobody", "somebody"],
    &["he", "his", "him", "himself"],
];

const MAX_LINES: usize = 500;

/// Ways to read the environment. Arguments are no environment; what `env!` reads, cargo has set.
const ENVIRONMENT: [&str; 6] = ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"];

#[test]
fn the_source_keeps_its_structure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    read(&root, &root, &mut files);
    assert!(files.len() > 30, "the source was not found");
    let mut tests = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    read(&root, &root, &mut tests);
    let mut faults = check(&files);
    faults.extend(long_tests(&tests));
    faults.extend(dialect(&files));
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
        if lines > MAX_LINES {
            fault(format!("has {lines} lines, more than {MAX_LINES}"));
        }
        if !text.starts_with("//!") {
            fault("does not open with a `//!` line".to_owned());
        }
        let Some(module) = module(path) else { continue };
        let Some(height) = LAYERS.iter().position(|layer| *layer == module) else {
            fault(format!("the module {module} has no place in the layers"));
            continue;
        };
        // Tests stand beside the code but belong to no layer.
        if path.ends_with("/tests.rs") {
            continue;
        }
        let words = words(body(text));
        for import in imports(&words) {
            match LAYERS.iter().position(|layer| *layer == import) {
                Some(other) if other > height => fault(format!("{module} -> {import} points upward")),
                Some(_) => true,
                None => fault(format!("{module} -> {import} is no module")),
            };
        }
        if module != "web" && words.iter().any(|word| word == "warp") {
            fault("names warp outside web".to_owned());
        }
        if module != "config" && reads_environment(&words) {
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
    faults.extend(circles(files));
    faults.into_iter().collect()
}

/// Files of tests that have outgrown one subject.
fn long_tests(files: &[(String, String)]) -> Vec<String> {
    let long = files.iter().filter(|(_, text)| text.contains("test]\n") && text.lines().count() > MAX_LINES);
    long.map(|(path, _)| format!("tests/{path}: has more than {MAX_LINES} lines of tests")).collect()
}

/// Groups of `DIALECT` that are not rare in the comments of all files together.
fn dialect(files: &[(String, String)]) -> Vec<String> {
    let comments = files.iter().flat_map(|(_, text)| text.lines());
    let comments = comments.filter_map(|line| line.trim_start().strip_prefix("//"));
    let words: Vec<String> = comments
        .flat_map(|line| line.split(|c: char| !c.is_alphabetic()))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let common = DIALECT.iter().filter_map(|group| {
        let uses = words.iter().filter(|word| group.contains(&word.as_str())).count();
        let rare = uses * 1000 < words.len() || uses == 0;
        (!rare).then(|| format!("comments: {uses} of {} words are one of {}", words.len(), group.join(", ")))
    });
    common.collect()
}

/// The module of a file; none for the crate's root.
fn module(path: &str) -> Option<&str> {
    match path {
        "lib.rs" => None,
        _ => Some(path.split('/').next().unwrap_or(path).trim_end_matches(".rs")),
    }
}

/// `lib.rs` lists the modules in the order of the layers.
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

/// The modules named by `crate::module` paths, alone or at the top of a braced group.
fn imports(words: &[String]) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        let ours = word == "crate" || word == "odoo_mcp_sidecar";
        match words.get(at + 1).map(String::as_str) {
            Some("::") if ours => modules.extend(words.get(at + 2).cloned()),
            Some("::{") if ours => modules.extend(group(&words[at + 2..])),
            _ => {}
        }
    }
    modules
}

fn group(words: &[String]) -> Vec<String> {
    let (mut depth, mut first, mut modules) = (1, true, Vec::new());
    for word in words {
        match word.as_str() {
            "{" | "::{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            name if depth == 1 && first => {
                modules.push(name.to_owned());
                first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    modules
}

// === circles of files ===

/// Circles among the files of one module, each with its files in order.
///
/// A file's own parents do not count: a `mod.rs` holds what its files share and re-exports what they make.
fn circles(files: &[(String, String)]) -> Vec<String> {
    let sources = files.iter().filter(|(path, _)| !path.ends_with("tests.rs") && !path.contains("/tests/"));
    let sources: BTreeMap<Vec<String>, &(String, String)> =
        sources.map(|file| (module_path(&file.0), file)).collect();
    let mut reached: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (own, (_, text)) in &sources {
        reached.insert(own, imported_files(own, &words(body(text)), &sources));
    }
    // The transitive closure: what is reached by what is reached, until nothing is added.
    loop {
        let mut grown = false;
        for own in sources.keys() {
            let further: Vec<_> =
                reached[own].iter().filter_map(|other| reached.get(other)).flatten().cloned().collect();
            let known = reached.get_mut(own).unwrap();
            for other in further {
                grown |= known.insert(other);
            }
        }
        if !grown {
            break;
        }
    }
    let mut faults = BTreeSet::new();
    for (own, others) in &reached {
        if others.contains(*own) {
            let circle = others.iter().filter(|other| reached[*other].contains(*own));
            let names: Vec<&str> = circle.map(|other| sources[other].0.as_str()).collect();
            faults.insert(format!("{}: import each other in a circle", names.join(", ")));
        }
    }
    faults.into_iter().collect()
}

/// `tools/wording/answer.rs` as `tools`, `wording`, `answer`; a `mod.rs` as its folder.
fn module_path(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// The files of the same module that a file names, by `use` or by a path in its code.
fn imported_files(
    own: &[String],
    words: &[String],
    sources: &BTreeMap<Vec<String>, &(String, String)>,
) -> BTreeSet<Vec<String>> {
    let mut paths = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let follows = matches!(words.get(at + 1).map(String::as_str), Some("::" | "::{"));
        let inside = at > 0 && matches!(words[at - 1].as_str(), "::" | "::{");
        if !follows || inside {
            continue;
        }
        let start = match word.as_str() {
            "crate" => Vec::new(),
            "self" => own.to_vec(),
            "super" => own[..own.len() - 1].to_vec(),
            child => [own, &[child.to_owned()]].concat(),
        };
        let known = matches!(word.as_str(), "crate" | "self" | "super") || sources.contains_key(&start);
        if known {
            expand(words, at + 1, start, &mut paths);
        }
    }
    let file = |path: Vec<String>| {
        (1..=path.len()).rev().map(|end| path[..end].to_vec()).find(|path| sources.contains_key(path))
    };
    let same = |path: &Vec<String>| path[0] == own[0] && !own.starts_with(path);
    paths.into_iter().filter_map(file).filter(same).collect()
}

/// All paths of a `use` tree behind `start`; answers where the tree ends.
fn expand(words: &[String], mut at: usize, start: Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    match words.get(at).map(String::as_str) {
        Some("::") => {
            let next = words.get(at + 1).cloned();
            expand(words, at + 2, start.into_iter().chain(next).collect(), paths)
        }
        Some("::{") => {
            at += 1;
            while words.get(at).is_some_and(|word| word != "}") {
                at = match words[at].as_str() {
                    "," | "as" => at + 1,
                    "self" => expand(words, at + 1, start.clone(), paths),
                    name => expand(words, at + 1, [&start[..], &[name.to_owned()]].concat(), paths),
                };
            }
            at + 1
        }
        _ => {
            paths.push(start);
            at
        }
    }
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
        ("tools/a.rs", "use crate::utils::x;", "tools -> utils is no module"),
        ("utils/a.rs", "fn f() {}", "the module utils has no place in the layers"),
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
    let long = format!("//! Head.\n{}", "\n".repeat(MAX_LINES));
    assert_eq!(planted("web/a.rs", &long), ["web/a.rs: has 501 lines, more than 500"]);
    let all =
        planted("vocab/a.rs", "use crate::app::App;\nuse warp::Filter;\nfn f() { std::env::vars(); }\n");
    assert_eq!(all.len(), 4, "{all:?}");
    let lib = planted("lib.rs", "//! Crate.\npub mod config;\npub mod vocab;\n");
    assert_eq!(lib.len(), 1, "{lib:?}");
}

#[test]
fn planted_circles_are_found() {
    let plant = |files: &[(&str, &str)]| {
        let owned = |(path, code): &(&str, &str)| ((*path).to_owned(), format!("//! Head.\n{code}\n"));
        check(&files.iter().map(owned).collect::<Vec<_>>())
    };
    let found = plant(&[
        ("tools/mod.rs", "mod a;\nmod b;\nuse a::A;\npub struct M;"),
        ("tools/a.rs", "use super::{M, b::{self, B}};"),
        ("tools/b.rs", "fn f() { super::c::inner::call(); }"),
        ("tools/c/mod.rs", "mod inner;"),
        ("tools/c/inner.rs", "use crate::tools::a::A;"),
    ]);
    assert_eq!(found, ["tools/a.rs, tools/b.rs, tools/c/inner.rs: import each other in a circle"]);
    let found = plant(&[("odoo/a.rs", "mod x;\nuse x::X;"), ("odoo/a/x.rs", "use super::super_duper::Y;")]);
    assert_eq!(found, Vec::<String>::new());
    let found = plant(&[
        ("tools/mod.rs", "mod a;\nuse a::A;"),
        (
            "tools/a.rs",
            "use super::b::B;\nuse super::M;\n#[cfg(test)]\nmod tests {\n    use super::super::b;\n}",
        ),
        ("tools/b.rs", "use crate::odoo::a::A;\nfn f() { a::b(); }"),
        ("tools/b/tests.rs", "use crate::tools::a::A;"),
    ]);
    assert_eq!(found, Vec::<String>::new());
    let long = ("api/x.rs".to_owned(), format!("#[test]\n{}", "\n".repeat(MAX_LINES)));
    assert_eq!(long_tests(&[long]), ["tests/api/x.rs: has more than 500 lines of tests"]);
}

#[test]
fn planted_words_are_found() {
    let comments = |count: usize| {
        let text =
            format!("//! Head.\n{}// It is told.\nlet his = 1;\n", "/// One two three.\n".repeat(count));
        dialect(&[("web/a.rs".to_owned(), text)])
    };
    assert_eq!(comments(10), ["comments: 1 of 34 words are one of told, tell, tells, telling"]);
    assert_eq!(comments(400), Vec::<String>::new());
}
