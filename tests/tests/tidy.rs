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

/// Longer functions, each with the length it may not exceed. Shrink or remove entries; add none.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

/// Longer files, each with the length it may not exceed. Shrink or remove entries; add none.
const LONG_FILES: &[(&str, usize)] = &[];

/// Tables are lists of rows: their lines may be as long as a row is, and rustfmt leaves them.
const TABLES: &[&str] = &["core/src/config/table.rs", "core/src/command/"];

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
        ("thread_rng", "randomness is a seed"),
        (
            "std::collections::HashMap",
            "its order is not deterministic",
        ),
        (
            "std::collections::HashSet",
            "its order is not deterministic",
        ),
    ];
    let mut complaints = Vec::new();
    for (name, text) in sources()
        .iter()
        .filter(|(name, _)| name.starts_with("core/src/"))
    {
        for (number, line) in production(text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            for (word, why) in BANNED {
                if code.contains(word) {
                    complaints.push(format!("{name}:{}: {word}: {why}", number + 1));
                }
            }
        }
    }
    report(&complaints);
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let mut complaints = Vec::new();
    for (name, text) in &sources() {
        let allowed = name == "io/src/sys.rs" || name == "tests/tests/tidy.rs";
        let has = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or(line);
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        if has && !allowed {
            complaints.push(format!("{name}: unsafe code"));
        }
    }
    report(&complaints);
}

/// What each module of core may use. A module that is not listed may use everything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("machine", &[]),
    ("limits", &[]),
    ("glob", &[]),
    ("rng", &[]),
    ("resp", &["limits", "machine", "conn"]),
    ("conn", &["limits", "machine", "resp"]),
    ("pubsub", &["glob", "machine"]),
    ("value", &["limits", "resp"]),
    ("keyspace", &["limits", "machine", "resp", "rng", "value"]),
    ("config", &["glob", "limits", "machine", "resp"]),
    (
        "persist",
        &["keyspace", "limits", "machine", "resp", "rng", "value"],
    ),
    (
        "repl",
        &[
            "config", "conn", "limits", "machine", "persist", "resp", "rng",
        ],
    ),
    (
        "sentinel",
        &[
            "command", "config", "conn", "glob", "limits", "machine", "persist", "pubsub", "resp",
            "rng",
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
        let module = path
            .split('/')
            .next()
            .unwrap_or(path)
            .trim_end_matches(".rs");
        let Some((_, allowed)) = MAY_USE.iter().find(|(of, _)| *of == module) else {
            continue;
        };
        for (number, line) in production(text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            for used in code.split("crate::").skip(1) {
                let end = used.find(|c: char| !c.is_alphanumeric() && c != '_');
                let used = &used[..end.unwrap_or(used.len())];
                if !used.is_empty() && used != module && !allowed.contains(&used) {
                    let at = number + 1;
                    complaints.push(format!("{name}:{at}: {module} may not use {used}"));
                }
            }
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
    let mut complaints = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !is_test_file(name)) {
        for (function, lines) in functions(production(text)) {
            let exception = LONG_FUNCTIONS
                .iter()
                .find(|(file, of, _)| file == name && *of == function)
                .map(|(_, _, most)| *most);
            let most = exception.unwrap_or(FUNCTION_LINES_MAX);
            if lines > most {
                complaints.push(format!(
                    "{name}: fn {function}: {lines} lines, {most} allowed"
                ));
            }
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
    const BANNED: &[&str] = &["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX", "dbg!("];
    let mut complaints = Vec::new();
    for (name, text) in sources()
        .iter()
        .filter(|(name, _)| *name != "tests/tests/tidy.rs")
    {
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = BANNED.iter().find(|word| line.contains(**word)) {
                complaints.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    report(&complaints);
}

#[test]
fn the_project_stands_alone() {
    let mut complaints = Vec::new();
    let mut check = |name: &str, text: &str| {
        for (number, line) in text.lines().enumerate() {
            if line.contains("../shared") && name != "tests/tests/tidy.rs" {
                complaints.push(format!("{name}:{}: reaches outside", number + 1));
            }
        }
    };
    for (name, text) in &sources() {
        check(name, text);
    }
    for name in ["README.md", "ARCHITECTURE.md", "docs/deviations.md"] {
        let text = fs::read_to_string(root().join(name)).expect("the project has its documents");
        check(name, &text);
    }
    report(&complaints);
}
