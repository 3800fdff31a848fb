//! The commands of docs/high-availability.md, run as they are written there, each on its host.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use holdfast_tests::lab::{HOSTS, Lab, can_have_one};
use holdfast_tests::{peers_are_here, say};

const DOCUMENT: &str = "docs/high-availability.md";
/// The hosts by the names they have there.
const NAMES: [&str; HOSTS + 1] = ["one", "two", "three", "client"];
/// For what is shown to come about.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command and what it shows.
#[derive(Debug, Default, Eq, PartialEq)]
struct Step {
    host: usize,
    command: String,
    /// Lines, in which `...` stands for anything; none if it does not matter.
    shows: Vec<String>,
}

#[test]
fn every_command_does_what_the_document_says() {
    if !peers_are_here("the tutorial") || !can_have_one("the tutorial") {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(DOCUMENT);
    let steps = steps_of(&fs::read_to_string(path).expect("the document is there"));
    assert!(steps.len() > 20, "{DOCUMENT} has its commands");
    let lab = Lab::bare("10.77.0.100");
    for step in &steps {
        let name = NAMES[step.host];
        say(&format!("{name}$ {}", step.command));
        let started = Instant::now();
        loop {
            let (succeeded, shown) = run(lab.shell(step.host, &step.command));
            if succeeded && matches(&step.shows, &shown) {
                break;
            }
            // What starts something is not started twice.
            let again = !step.shows.is_empty() && started.elapsed() < PATIENCE;
            assert!(
                again,
                "{name}$ {}\nshould show\n{}\nand shows\n{shown}",
                step.command,
                step.shows.join("\n")
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn run(mut command: Command) -> (bool, String) {
    let output = command.output().expect("a shell can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), text + &errors)
}

/// Reads lines like `one$ command`, with what belongs to them, out of the fenced parts.
fn steps_of(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut fenced = false;
    // The line that ends the document which the command reads.
    let mut here: Option<String> = None;
    let mut lasting = false;
    for line in document.lines() {
        if let Some(end) = &here {
            let step = steps.last_mut().expect("a command came before");
            step.command.push('\n');
            step.command.push_str(line);
            if line == end {
                here = None;
            }
            continue;
        }
        if line.starts_with("```") {
            (fenced, lasting) = (!fenced, false);
            continue;
        }
        if !fenced {
            continue;
        }
        let prompt = line.split_once("$ ");
        let host = prompt.and_then(|(name, _)| NAMES.iter().position(|known| *known == name));
        if let (Some(host), Some((_, command))) = (host, prompt) {
            here = command.split_once("<<").map(|(_, word)| word.to_owned());
            steps.push(Step {
                host,
                command: command.to_owned(),
                shows: Vec::new(),
            });
            lasting = true;
        } else if lasting && let Some(step) = steps.last_mut() {
            step.shows.push(line.to_owned());
        }
    }
    steps
}

/// Whether a command has shown these lines: all it has shown, blanks and the decoration that
/// redis-cli gives a terminal aside.
fn matches(lines: &[String], shown: &str) -> bool {
    let plain = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let line = words.join(" ");
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let item = line
            .split_once(") ")
            .filter(|(number, _)| is_number(number));
        let line = item.map_or(line.as_str(), |(_, rest)| rest);
        let line = line.strip_prefix("(integer) ").unwrap_or(line);
        let line = line.strip_prefix("(error) ").unwrap_or(line);
        line.trim_matches('"').to_owned()
    };
    let shown: Vec<String> = shown
        .lines()
        .map(plain)
        .filter(|line| !line.is_empty())
        .collect();
    let wanted: Vec<String> = lines.iter().map(|line| plain(line)).collect();
    wanted.is_empty()
        || wanted.len() == shown.len() && wanted.iter().zip(&shown).all(|(one, two)| fits(one, two))
}

/// Whether a text is this one, in which `...` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = true;
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || (open && pattern.ends_with("..."))
}

#[test]
fn commands_are_found_with_what_they_show() {
    let document = "text\none$ not this\n```\none$ cat > a <<END\nx $y\nEND\ntwo$ b -c\nOK\n...\n\
                    ```\n```\nport 1\n```\n";
    let step = |host, command: &str, shows: &[&str]| Step {
        host,
        command: command.to_owned(),
        shows: shows.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(
        steps_of(document),
        [
            step(0, "cat > a <<END\nx $y\nEND", &[]),
            step(1, "b -c", &["OK", "..."]),
        ]
    );
}

#[test]
fn what_is_shown_is_compared_without_decoration() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(
        &lines("1) \"10.0.0.1\"\n2) \"6379\""),
        "10.0.0.1\n6379\n"
    ));
    assert!(matches(&lines("(integer) 2"), "2\n"));
    assert!(matches(
        &lines("eth0... 10.0.0.1/24 ..."),
        "eth0@if3  UP   10.0.0.1/24 x"
    ));
    assert!(!matches(&lines("OK"), "ERR\n"));
    assert!(!matches(&lines("OK"), "OK\nOK\n"));
    assert!(!matches(&lines("a...b"), "a c"));
    assert!(matches(&[], "anything"));
}
