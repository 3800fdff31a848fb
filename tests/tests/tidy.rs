//! The style that a machine can check: module directions, what core may not use, and sizes that
//! may only shrink.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Production lines at which a file has to hand something over.
const FILE_LINES_MAX: usize = 1_000;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// Columns of a line.
const COLUMNS_MAX: usize = 100;

/// Longer functions, each with its length. Shrink or remove entries; add none.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[
    ("core/src/persist/replace.rs", "advance", 78),
    ("core/src/server/info.rs", "memory", 78),
    ("sim/src/toys/replica.rs", "run", 91),
];

/// Longer files, each with its length. Shrink or remove entries; add none.
const LONG_FILES: &[(&str, usize)] = &[];

/// Tables are lists of rows: their lines may be as long as a row is, and rustfmt leaves them.
const TABLES: &[&str] = &["core/src/config/table.rs", "core/src/command/"];

/// This file names what it forbids.
const HERE: &str = "tests/tests/tidy.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace is above")
        .to_path_buf()
}

/// Every Rust file of the workspace, by its path from the root.
fn sources() -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).expect("a source directory can be read") {
            let path = entry.expect("its entries too").path();
            if path.is_dir() {
                walk(&path, root, into);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let name = path
                    .strip_prefix(root)
                    .expect("it is below")
                    .display()
                    .to_string();
                into.insert(name, fs::read_to_string(&path).expect("sources are UTF-8"));
            }
        }
    }
    let root = root();
    let mut all = BTreeMap::new();
    for member in ["core", "io", "sim", "bin", "tests", "fuzz"] {
        for part in ["src", "tests", "benches", "fuzz_targets"] {
            let dir = root.join(member).join(part);
            if dir.is_dir() {
                walk(&dir, &root, &mut all);
            }
        }
    }
    assert!(all.len() > 50, "the sources were found");
    all
}

/// A file without its test module, which comes last.
fn production(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

fn is_test_file(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("/tests.rs") || name.starts_with("tests/")
}

/// Fails with every complaint at once.
fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn core_touches_nothing_outside() {
    const BANNED: &[(&str, &str)] = &[
        ("Instant::now", "time is an input"),
        ("SystemTime", "time is an input"),
        ("std::fs", "files are effects"),
        (
            "std::net",
            "addresses are in core::net, sockets are effects",
        ),
        ("std::thread", "a machine has one thread: its driver's"),
        ("std::env", "configuration is an input"),
        ("std::process", "processes are effects"),
        ("RandomState", "hashing is seeded by the caller"),
        ("rand::rng()", "randomness is a seed"),
        ("OsRng", "randomness is a seed"),
        ("thread_rng", "randomness is a seed"),
        (
            "use std::{",
            "each part of std is named by itself, so that it is seen here",
        ),
    ];
    let mut complaints = Vec::new();
    let files = sources();
    let core = files
        .iter()
        .filter(|(name, _)| name.starts_with("core/src/"));
    for (name, text) in core.filter(|(name, _)| !is_test_file(name)) {
        for (number, line) in production(text).lines().map(code).enumerate() {
            let at = number + 1;
            for (word, why) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                complaints.push(format!("{name}:{at}: {word}: {why}"));
            }
            let hashed = line.contains("HashMap") || line.contains("HashSet");
            if hashed && line.contains("std::collections") {
                complaints.push(format!("{name}:{at}: its order is not deterministic"));
            }
        }
    }
    report(&complaints);
}

/// What core is built from: nothing that has a clock, a thread, a file or a socket.
const CORE_DEPENDENCIES: &[&str] = &[
    "bytes",
    "corosensei",
    "crc",
    "hashbrown",
    "itoa",
    "memchr",
    "mlua",
    "rand",
    "rand_chacha",
    "ryu",
    "sha1",
    "sha2",
    "siphasher",
    "slab",
    "smallvec",
    "tracing",
];

#[test]
fn members_depend_in_one_direction() {
    const FORBIDDEN: &[(&str, &[&str])] = &[
        (
            "core",
            &[
                "holdfast-io",
                "sim",
                "holdfast",
                "holdfast-tests",
                "holdfast-fuzz",
            ],
        ),
        (
            "io",
            &["sim", "holdfast", "holdfast-tests", "holdfast-fuzz"],
        ),
        (
            "sim",
            &[
                "holdfast-io",
                "holdfast",
                "holdfast-tests",
                "holdfast-fuzz",
                "mio",
                "libc",
            ],
        ),
        (
            "bin",
            &["sim", "holdfast-tests", "holdfast-fuzz", "mio", "libc"],
        ),
        (
            "fuzz",
            &["holdfast-io", "sim", "holdfast", "holdfast-tests"],
        ),
    ];
    let mut complaints = Vec::new();
    for (member, forbidden) in FORBIDDEN {
        for name in dependencies(member) {
            if forbidden.contains(&name.as_str()) {
                complaints.push(format!("{member} may not depend on {name}"));
            }
        }
    }
    for name in dependencies("core") {
        if !CORE_DEPENDENCIES.contains(&name.as_str()) {
            complaints.push(format!(
                "core depends on {name}, which nobody has looked at"
            ));
        }
    }
    report(&complaints);
}

/// The names below `[dependencies]` of a member.
fn dependencies(member: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(member).join("Cargo.toml"));
    let text = text.expect("a member has its manifest");
    let section = text
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1);
    let lines = section.take_while(|line| !line.starts_with('['));
    let name = |line: &str| {
        line.split(['.', ' ', '='])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let names: Vec<String> = lines.map(name).filter(|name| !name.is_empty()).collect();
    assert!(!names.is_empty(), "{member} depends on something");
    names
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let mut complaints = Vec::new();
    let words = [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe extern",
        "(unsafe_code",
    ];
    for (name, text) in &sources() {
        let forbids = |line: &str| line == "#![forbid(unsafe_code)]";
        let mut lines = text.lines().filter(|line| !forbids(line)).map(code);
        if name == HERE || name == "io/src/sys.rs" {
            continue;
        }
        if lines.any(|line| words.iter().any(|word| line.contains(word))) {
            complaints.push(format!("{name}: unsafe code"));
        }
    }
    for name in [
        "core/src/lib.rs",
        "sim/src/lib.rs",
        "bin/src/main.rs",
        "tests/src/lib.rs",
    ] {
        let text = fs::read_to_string(root().join(name)).expect("a member has its root");
        if !text.contains("#![forbid(unsafe_code)]") {
            complaints.push(format!("{name}: does not forbid unsafe code"));
        }
    }
    report(&complaints);
}

/// What each module of core may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("lib", &["machine"]),
    ("machine", &[]),
    ("limits", &[]),
    ("glob", &["limits"]),
    ("rng", &[]),
    ("resp", &["limits", "conn"]),
    ("conn", &["limits", "machine", "resp"]),
    ("pubsub", &["glob", "machine"]),
    ("value", &["limits", "resp", "rng"]),
    ("keyspace", &["limits", "machine", "rng", "value"]),
    ("config", &["glob", "limits"]),
    (
        "persist",
        &["keyspace", "limits", "machine", "resp", "rng", "value"],
    ),
    ("repl", &["limits", "machine", "resp", "rng"]),
    ("script", &["conn", "limits", "resp"]),
    (
        "acl",
        &[
            "config", "glob", "limits", "machine", "persist", "resp", "rng",
        ],
    ),
    (
        "command",
        &[
            "acl", "config", "conn", "glob", "keyspace", "limits", "machine", "persist", "pubsub",
            "repl", "resp", "script", "server", "value",
        ],
    ),
    (
        "server",
        &[
            "acl", "command", "config", "conn", "glob", "keyspace", "limits", "machine", "persist",
            "pubsub", "repl", "resp", "rng", "script", "value",
        ],
    ),
    (
        "sentinel",
        &[
            "acl", "config", "conn", "glob", "limits", "machine", "persist", "resp", "rng",
        ],
    ),
];

#[test]
fn modules_of_core_depend_in_one_direction() {
    let mut complaints = Vec::new();
    for (name, text) in &sources() {
        let Some(path) = name.strip_prefix("core/src/") else {
            continue;
        };
        if is_test_file(name) {
            continue;
        }
        let module = path
            .split('/')
            .next()
            .unwrap_or(path)
            .trim_end_matches(".rs");
        let Some((_, allowed)) = MAY_USE.iter().find(|(of, _)| *of == module) else {
            complaints.push(format!("{name}: {module} has no line in MAY_USE"));
            continue;
        };
        for used in used_modules(production(text)) {
            if used != module && !allowed.contains(&used.as_str()) {
                complaints.push(format!("{name}: {module} may not use {used}"));
            }
        }
    }
    report(&complaints);
}

/// The modules of the crate that a file names, also in `use crate::{one::A, two::B}`.
fn used_modules(text: &str) -> Vec<String> {
    let text: String = text
        .lines()
        .map(code)
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.push(first_word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut starts = true;
                for (at, letter) in list.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => starts = true,
                        letter if starts && !letter.is_whitespace() => {
                            found.push(first_word(&list[at..]));
                            starts = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn lists_of_modules_are_understood() {
    let text =
        "use crate::{limits, resp::{Argv, Value},\n    machine::Now};\nlet x = crate::rng::Rng;";
    assert_eq!(used_modules(text), ["limits", "resp", "machine", "rng"]);
}

#[test]
fn every_file_belongs_to_a_module() {
    let files = sources();
    let mut complaints = Vec::new();
    for name in files.keys() {
        let Some((dir, file)) = name.rsplit_once('/') else {
            continue;
        };
        let in_src = name.contains("/src/") && !name.contains("/src/bin/");
        if !in_src || matches!(file, "lib.rs" | "main.rs") {
            continue;
        }
        let (parent_dir, module) = match file {
            "mod.rs" => dir.rsplit_once('/').expect("a module lies below src"),
            file => (dir, file.trim_end_matches(".rs")),
        };
        let candidates = [
            format!("{parent_dir}/mod.rs"),
            format!("{parent_dir}/lib.rs"),
            format!("{parent_dir}/main.rs"),
            format!("{parent_dir}.rs"),
        ];
        let declared = candidates
            .iter()
            .filter_map(|parent| files.get(parent))
            .any(|parent| {
                parent
                    .lines()
                    .any(|line| line.trim_end().ends_with(&format!("mod {module};")))
            });
        if !declared {
            complaints.push(format!("{name}: no module declares it"));
        }
    }
    report(&complaints);
}

#[test]
fn files_and_lines_stay_short() {
    let mut complaints = Vec::new();
    for (name, text) in &sources() {
        let lines = production(text).lines().count();
        let exception = LONG_FILES
            .iter()
            .find(|(file, _)| file == name)
            .map(|(_, most)| *most);
        let most = exception.unwrap_or(FILE_LINES_MAX);
        if lines > most && !is_test_file(name) {
            complaints.push(format!("{name}: {lines} lines, {most} allowed"));
        }
        if exception.is_some_and(|most| lines < most) {
            complaints.push(format!(
                "{name}: has shrunk to {lines} lines: lower its entry"
            ));
        }
        if TABLES.iter().any(|table| name.starts_with(table)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX && !line.contains('"') {
                complaints.push(format!("{name}:{}: {columns} columns", number + 1));
            }
        }
    }
    report(&complaints);
}

#[test]
fn functions_stay_short() {
    let files = sources();
    let mut complaints = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| !is_test_file(name)) {
        for (function, lines) in functions(production(text)) {
            let listed = |(file, of, _): &&(&str, &str, usize)| file == name && *of == function;
            let most = LONG_FUNCTIONS
                .iter()
                .find(listed)
                .map_or(FUNCTION_LINES_MAX, |row| row.2);
            if lines > most {
                complaints.push(format!(
                    "{name}: fn {function}: {lines} lines, {most} allowed"
                ));
            }
        }
    }
    for (name, function, most) in LONG_FUNCTIONS {
        let found = files
            .get(*name)
            .map(|text| functions(production(text)))
            .unwrap_or_default();
        let longest = found
            .iter()
            .filter(|(of, _)| of == function)
            .map(|(_, lines)| *lines)
            .max();
        if longest != Some(*most) {
            complaints.push(format!(
                "{name}: fn {function}: is {longest:?} now: correct its entry"
            ));
        }
    }
    report(&complaints);
}

/// The functions of a file that rustfmt has laid out, with their lengths.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let Some(at) = code.find("fn ").filter(|_| is_function(code)) else {
            continue;
        };
        let name = code[at + 3..]
            .split(['(', '<'])
            .next()
            .unwrap_or_default()
            .to_string();
        let close = format!("{indent}}}");
        if let Some(len) = lines[start..].iter().position(|line| *line == close) {
            found.push((name, len + 1));
        }
    }
    found
}

fn is_function(code: &str) -> bool {
    let words = [
        "fn ",
        "pub fn ",
        "pub(",
        "const fn ",
        "pub const fn ",
        "async fn ",
    ];
    words.iter().any(|word| code.starts_with(word)) && !code.ends_with(';')
}

#[test]
fn nothing_is_left_for_later() {
    const BANNED: &[&str] = &[
        "todo!(",
        "unimplemented!(",
        "TODO",
        "FIXME",
        "XXX",
        "HACK",
        "dbg!(",
        "#[ignore",
        "previously",
        "in a real implementation",
    ];
    let mut complaints = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| *name != HERE) {
        for (number, line) in text.lines().enumerate() {
            // What the log or a client reads is Redis's wording.
            let quoted = line.contains('"') && !line.trim_start().starts_with("//");
            if let Some(word) = BANNED.iter().find(|word| line.contains(**word))
                && !quoted
            {
                complaints.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    report(&complaints);
}

/// Everything that is written for people.
fn documents() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let docs = fs::read_dir(root().join("docs")).expect("the project has documents");
    let docs = docs.map(|entry| entry.expect("they can be listed").file_name());
    let docs = docs.map(|name| format!("docs/{}", name.display()));
    for name in docs.chain(["README.md".to_owned(), "ARCHITECTURE.md".to_owned()]) {
        let text = fs::read_to_string(root().join(&name)).expect("documents are UTF-8");
        all.insert(name, text);
    }
    all
}

#[test]
fn the_project_stands_alone() {
    const OUTSIDE: &[&str] = &["../shared", "/work/", "/root/"];
    let mut complaints = Vec::new();
    let (files, documents) = (sources(), documents());
    for (name, text) in files
        .iter()
        .chain(&documents)
        .filter(|(name, _)| *name != HERE)
    {
        for (number, line) in text.lines().enumerate() {
            if OUTSIDE.iter().any(|path| line.contains(path)) {
                complaints.push(format!("{name}:{}: reaches outside", number + 1));
            }
        }
    }
    report(&complaints);
}

#[test]
fn documents_name_files_and_tests_that_exist() {
    const FOLDERS: &[&str] = &[
        "core/", "io/", "sim/", "bin/", "tests/", "fuzz/", "docs/", "scripts/", "dist/",
    ];
    let mut complaints = Vec::new();
    for (name, text) in &documents() {
        // What stands between back quotes: every second piece.
        let spans = text
            .lines()
            .flat_map(|line| line.split('`').skip(1).step_by(2));
        for span in spans.filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder))) {
            let (path, test) = span.split_once(": ").unwrap_or((span, ""));
            let path = path.split(' ').next().unwrap_or(path);
            let file = root().join(path);
            if !file.exists() {
                complaints.push(format!("{name}: `{span}`: there is no such file"));
            } else if !test.is_empty() {
                let text = fs::read_to_string(file).expect("sources are UTF-8");
                if !text.contains(&format!("fn {test}(")) {
                    complaints.push(format!("{name}: `{span}`: there is no such test"));
                }
            }
        }
    }
    report(&complaints);
}
