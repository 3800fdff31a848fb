//! What is sent to both servers: drawn from a seed, or cut down from what was.

use std::fmt::Write as _;

use super::draw::Draw;
use super::family::{Family, Known};

/// A command: its words.
pub(crate) type Words = Vec<Vec<u8>>;

/// What is sent at once on one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Which connection.
    pub link: usize,
    /// Nearly always one.
    pub commands: Vec<Words>,
}

/// A sequence of commands for a pair of servers that hold nothing yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sequence {
    /// In the order they are sent in.
    pub steps: Vec<Step>,
    /// Whether each step is answered by as many replies as it has commands, so that many can be
    /// under way at once.
    pub pipelined: bool,
}

/// Kinds of arguments that nothing may be put in the place of: a short time to live, a time to
/// block or a size to allocate could be made of it.
const FRAGILE: &[&str] = &[
    "ttl",
    "ms",
    "life",
    "at",
    "atms",
    "wait",
    "offset",
    "bitoffset",
    "draws",
];

/// Kinds of arguments of commands that wait: nothing but their case is changed, or they might
/// wait for ever.
const BLOCKING: &[&str] = &["wait", "zero"];

impl Sequence {
    /// Draws one.
    pub fn generate(family: &Family, known: &Known, seed: u64, commands: usize) -> Self {
        let mut draw = Draw::new(seed, &known.payloads);
        let mut steps = Vec::new();
        for link in 0..family.links {
            if draw.chance(50) {
                steps.push(Step::of(link, &[b"HELLO", b"3"]));
            }
        }
        for setting in &known.settings {
            if draw.chance(25) {
                steps.push(Step::drawn(setting, 0, &mut draw, false));
            }
        }
        while steps.len() < commands {
            let link = draw.below(family.links);
            let row = known.draw_row(&mut draw);
            steps.push(Step::drawn(row, link, &mut draw, true));
        }
        steps.retain(|step| !step.commands.is_empty());
        Self {
            steps,
            pipelined: family.pipelined,
        }
    }

    /// As lines for redis-cli; a line tells where the connection changes.
    pub fn show(&self) -> String {
        let mut text = String::new();
        let several = self.steps.iter().any(|step| step.link > 0);
        let mut link = None;
        for step in &self.steps {
            if several && link != Some(step.link) {
                writeln!(text, "# connection {}", step.link + 1).expect("a string takes text");
                link = Some(step.link);
            }
            for words in &step.commands {
                writeln!(text, "{}", quoted(words)).expect("a string takes text");
            }
        }
        text
    }
}

impl Step {
    fn of(link: usize, words: &[&[u8]]) -> Self {
        Self {
            link,
            commands: vec![words.iter().map(|word| word.to_vec()).collect()],
        }
    }

    fn drawn(
        pattern: &super::pattern::Pattern,
        link: usize,
        draw: &mut Draw<'_>,
        spoil: bool,
    ) -> Self {
        let mut words = Vec::new();
        pattern.draw(draw, &mut words);
        let mut commands: Vec<Words> = words
            .split(|word| word == b";")
            .map(<[Vec<u8>]>::to_vec)
            .collect();
        let kinds = pattern.kinds();
        if spoil && commands.len() == 1 && draw.chance(10) {
            let fragile = kinds.iter().any(|kind| FRAGILE.contains(kind));
            let blocking = kinds.iter().any(|kind| BLOCKING.contains(kind));
            spoil_words(&mut commands[0], draw, fragile, blocking);
        }
        commands.retain(|words| !words.is_empty());
        Self { link, commands }
    }
}

/// Makes a command wrong in one way, or at least unusual.
fn spoil_words(words: &mut Words, draw: &mut Draw<'_>, fragile: bool, blocking: bool) {
    let at = draw.below(words.len());
    let other = draw.below(words.len());
    match draw.below(6) {
        _ if blocking => change_case(&mut words[0], draw),
        0 => change_case(&mut words[at], draw),
        1 => drop(words.pop()),
        2 => words.push(surplus(draw, fragile)),
        3 if at > 0 && !fragile => words[at] = draw.garbage(),
        4 if at > 0 && other > 0 && !fragile => words.swap(at, other),
        _ if at > 0 && !fragile => drop(words.remove(at)),
        _ => words.push(surplus(draw, fragile)),
    }
}

/// A word too many. It may be taken for an option that was left out, such as a count.
fn surplus(draw: &mut Draw<'_>, fragile: bool) -> Vec<u8> {
    let garbage = draw.garbage();
    if fragile { b"x".to_vec() } else { garbage }
}

fn change_case(word: &mut [u8], draw: &mut Draw<'_>) {
    for letter in word {
        if draw.chance(50) {
            letter.make_ascii_lowercase();
        }
    }
}

/// A command as redis-cli reads it.
pub(crate) fn quoted(words: &[Vec<u8>]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted_word(word)).collect();
    quoted.join(" ")
}

fn quoted_word(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let mut text = String::from("\"");
    for &byte in word {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a string takes text"),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_command_line() {
        let words = [b"SET".to_vec(), b"".to_vec(), b"a b\"\r\xff".to_vec()];
        assert_eq!(quoted(&words), "SET \"\" \"a b\\\"\\x0d\\xff\"");
    }
}
