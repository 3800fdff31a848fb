//! Whom a server follows, up to the master of all, so that no server follows itself.
//!
//! A circle of replicas looks to each of them like a master that has nothing to say. So a replica
//! asks its master in the handshake (`REPLCONF masters *`) who it is and whom it follows, which
//! the master knows from its own handshake. A replica that is told of itself would close a circle.
//! When a server gets to know other masters above it, its replicas have to come back and ask
//! again, so what is known is never out of date while all links are up. A Redis does not answer.

use core::fmt;

use crate::limits::{REPL_LINE_BYTES_MAX, REPL_MASTERS_MAX};
use crate::rng::Rng;

/// The name of one process (`run_id`).
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct RunId([u8; RUN_ID_LEN]);

const RUN_ID_LEN: usize = 40;

const _: () = assert!(OK.len() + (1 + REPL_MASTERS_MAX) * (1 + RUN_ID_LEN) < REPL_LINE_BYTES_MAX);

impl RunId {
    /// That of the process with this seed.
    #[must_use]
    pub fn new(rng: &Rng) -> Self {
        Self(rng.fork("runid").hex40())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; RUN_ID_LEN] = text.try_into().ok()?;
        id.iter().all(u8::is_ascii_hexdigit).then_some(Self(id))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.0).expect("ids are ASCII"))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a server answers that knows the question.
const OK: &str = "+OK";

/// What a server answers that follows these, its own master first: the line without its type.
pub(super) fn answer(own: RunId, masters: &[RunId]) -> String {
    let mut text = OK[1..].to_owned();
    for id in core::iter::once(&own).chain(masters) {
        text += &format!(" {id}");
    }
    text
}

/// The server that has sent this line, and those above it; none if it does not know the question.
pub(super) fn told(line: &[u8]) -> Vec<RunId> {
    let Some(ids) = line.strip_prefix(OK.as_bytes()) else {
        return Vec::new();
    };
    let words = ids.split(|&b| b == b' ').filter(|word| !word.is_empty());
    words
        .map_while(RunId::parse)
        .take(REPL_MASTERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seed: u8) -> RunId {
        RunId::new(&Rng::new([seed; 32]))
    }

    #[test]
    fn what_is_answered_is_what_is_told() {
        let answer = answer(id(1), &[id(2), id(3)]);
        assert_eq!(answer, format!("OK {} {} {}", id(1), id(2), id(3)));
        assert_eq!(told(format!("+{answer}").as_bytes()), [id(1), id(2), id(3)]);
    }

    #[test]
    fn who_does_not_know_the_question_tells_nothing() {
        for line in [
            "-ERR Unrecognized REPLCONF option: masters",
            "+OK",
            "+OK thanks",
            "",
        ] {
            assert_eq!(told(line.as_bytes()), [], "{line}");
        }
    }

    #[test]
    fn only_the_nearest_of_a_long_chain_are_known() {
        let all: Vec<RunId> = (0..60).map(id).collect();
        let line = format!("+{}", answer(all[0], &all[1..]));
        assert_eq!(told(line.as_bytes()), all[..REPL_MASTERS_MAX]);
    }
}
