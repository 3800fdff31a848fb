//! The notation of the tables: how a command may be written.
//!
//! Words that begin in lower case are kinds of arguments (see `draw.rs`), all others stand for
//! themselves, without the quote they may begin with. `[a|b]` is one of them or nothing, `(a|b)`
//! is one of them; behind a closing parenthesis, `+` repeats one to four times, `*` none to three
//! times and `#` many times. A lone `;` begins another command of the same step.

use super::draw::Draw;

/// How a command may be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pattern {
    /// A word that stands for itself.
    Word(&'static str),
    /// An argument of a kind.
    Kind(&'static str),
    /// One after the other.
    All(Vec<Self>),
    /// One of them.
    One(Vec<Self>),
    /// As often as a draw says.
    Repeat(Box<Self>, Times),
}

/// How often something is repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Times {
    /// None to three times.
    Any,
    /// One to four times.
    Some,
    /// About as often as it takes to outgrow a compact encoding.
    Many,
}

impl Pattern {
    /// Reads a row of a table.
    ///
    /// # Panics
    ///
    /// If it is not well formed.
    pub fn parse(text: &'static str) -> Self {
        let tokens = tokens(text);
        let mut left = tokens.as_slice();
        let pattern = alternatives(&mut left);
        assert!(
            left.is_empty(),
            "{text}: nothing opens what {left:?} closes"
        );
        pattern
    }

    /// Writes it once.
    pub fn draw(&self, draw: &mut Draw<'_>, into: &mut Vec<Vec<u8>>) {
        match self {
            Self::Word(word) => into.push(word.as_bytes().to_vec()),
            Self::Kind(kind) => into.push(draw.word(kind)),
            Self::All(parts) => parts.iter().for_each(|part| part.draw(draw, into)),
            Self::One(parts) => {
                let chosen = draw.below(parts.len());
                parts[chosen].draw(draw, into);
            }
            Self::Repeat(part, times) => {
                let count = match times {
                    Times::Any => draw.below(4),
                    Times::Some => 1 + draw.below(4),
                    Times::Many => 100 + draw.below(500),
                };
                (0..count).for_each(|_| part.draw(draw, into));
            }
        }
    }

    /// The kinds of arguments in it.
    pub fn kinds(&self) -> Vec<&'static str> {
        match self {
            Self::Word(_) => Vec::new(),
            Self::Kind(kind) => vec![*kind],
            Self::All(parts) | Self::One(parts) => parts.iter().flat_map(Self::kinds).collect(),
            Self::Repeat(part, _) => part.kinds(),
        }
    }

    /// The words it begins with that stand for themselves, at most two.
    pub fn name(&self) -> Vec<&'static str> {
        match self {
            Self::Word(word) => vec![*word],
            Self::All(parts) => {
                let words = parts.iter().take(2).map_while(|part| match part {
                    Self::Word(word) => Some(*word),
                    Self::Kind(_) | Self::All(_) | Self::One(_) | Self::Repeat(..) => None,
                });
                words.collect()
            }
            Self::Kind(_) | Self::One(_) | Self::Repeat(..) => Vec::new(),
        }
    }
}

fn tokens(text: &'static str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for word in text.split_ascii_whitespace() {
        let mut rest = word;
        while let Some(at) = rest.find(['[', ']', '(', ')', '|']) {
            if at > 0 {
                found.push(&rest[..at]);
            }
            // A sign of repetition belongs to its parenthesis.
            let repeats =
                rest[at..].starts_with(')') && rest[at + 1..].starts_with(['+', '*', '#']);
            let end = at + if repeats { 2 } else { 1 };
            found.push(&rest[at..end]);
            rest = &rest[end..];
        }
        if !rest.is_empty() {
            found.push(rest);
        }
    }
    found
}

/// Reads up to what closes, and leaves that.
fn alternatives(left: &mut &[&'static str]) -> Pattern {
    let mut all = vec![Vec::new()];
    while let Some((token, rest)) = left.split_first() {
        if *token == "]" || token.starts_with(')') {
            break;
        }
        *left = rest;
        let part = match *token {
            "|" => {
                all.push(Vec::new());
                continue;
            }
            "[" => {
                let inner = alternatives(left);
                close(left, "]");
                Pattern::One(vec![Pattern::All(Vec::new()), inner])
            }
            "(" => {
                let inner = alternatives(left);
                match close(left, ")") {
                    ")+" => Pattern::Repeat(Box::new(inner), Times::Some),
                    ")*" => Pattern::Repeat(Box::new(inner), Times::Any),
                    ")#" => Pattern::Repeat(Box::new(inner), Times::Many),
                    _ => inner,
                }
            }
            word if word.starts_with(|first: char| first.is_ascii_lowercase()) => {
                Pattern::Kind(word)
            }
            word => Pattern::Word(word.strip_prefix('\'').unwrap_or(word)),
        };
        all.last_mut().expect("there is one").push(part);
    }
    let mut all: Vec<Pattern> = all.into_iter().map(Pattern::All).collect();
    if all.len() == 1 {
        all.remove(0)
    } else {
        Pattern::One(all)
    }
}

fn close(left: &mut &[&'static str], with: &str) -> &'static str {
    let (token, rest) = left.split_first().expect("what opens is closed");
    assert!(token.starts_with(with), "{token} closes what {with} should");
    *left = rest;
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_they_say() {
        let pattern = Pattern::parse("SET key (A|B b) [NX] ; (key str)+");
        assert_eq!(pattern.name(), ["SET"]);
        assert_eq!(pattern.kinds(), ["key", "b", "key", "str"]);
        assert_eq!(Pattern::parse("CONFIG GET x").name(), ["CONFIG", "GET"]);
        let mut draw = Draw::new(7, &[]);
        for _ in 0..50 {
            let mut words = Vec::new();
            Pattern::parse("A [B] (C|D) (E)+").draw(&mut draw, &mut words);
            let text = words.join(&b' ');
            let text = String::from_utf8(text).unwrap();
            let rest = text.trim_start_matches("A ").trim_start_matches("B ");
            assert!(rest.starts_with("C E") || rest.starts_with("D E"), "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "nothing opens")]
    fn a_row_that_is_not_well_formed_is_told() {
        Pattern::parse("A ]");
    }
}
