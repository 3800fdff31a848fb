//! Families of commands, and what of them two servers have in common.

use std::io;

use super::draw::Draw;
use super::families::{COMMON, SETTINGS, SPICE};
use super::pattern::Pattern;
use super::rules::Peer;
use super::server::Server;

/// Commands that are tested together.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// What it is asked for by.
    pub name: &'static str,
    /// How many connections a sequence uses.
    pub links: usize,
    /// Whether every command is answered by exactly one reply.
    pub pipelined: bool,
    /// How often each way to write a command is drawn, relative to the others.
    pub rows: &'static [Row],
    /// Commands that make values of the family, for RESTORE.
    pub samples: &'static [&'static str],
}

/// A way to write a command.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Relative frequency.
    pub weight: usize,
    /// The notation is that of [`Pattern`].
    pub text: &'static str,
    /// Whether Redis 7.0 has no such option, or does it so that nothing behind it is the same.
    pub since_7_2: bool,
}

/// A row.
pub(super) const fn row(weight: usize, text: &'static str) -> Row {
    Row {
        weight,
        text,
        since_7_2: false,
    }
}

/// A row with an option that came with Redis 7.2, or is what it is only since then.
pub(super) const fn row_7_2(weight: usize, text: &'static str) -> Row {
    Row {
        weight,
        text,
        since_7_2: true,
    }
}

/// What both servers know of a family.
#[derive(Debug)]
pub struct Known {
    rows: Vec<(usize, Pattern)>,
    spice: Vec<(usize, Pattern)>,
    /// Settings that make values change their encoding early.
    pub settings: Vec<Pattern>,
    /// Values that both can restore.
    pub payloads: Vec<Vec<u8>>,
}

/// Rows of other families, in a hundred.
const SPICE_PERCENT: usize = 12;

impl Known {
    /// Asks both servers what they know of a family.
    pub fn of(family: &Family, ours: &mut Server, theirs: &mut Server) -> io::Result<Self> {
        let mut select = |rows: &[Row]| {
            let mut selected = Vec::new();
            for row in rows {
                let pattern = Pattern::parse(row.text);
                let old = theirs.peer() == Peer::Redis70 && row.since_7_2;
                if !old && ours.knows(&pattern.name())? && theirs.knows(&pattern.name())? {
                    selected.push((row.weight, pattern));
                }
            }
            io::Result::Ok(selected)
        };
        let rows = select(family.rows)?;
        let mut spice = select(SPICE)?;
        if family.pipelined {
            spice.extend(select(COMMON)?);
        }
        let settings = select(SETTINGS)?;
        let mut kept = Vec::new();
        for (_, setting) in settings {
            let name = setting_name(&setting);
            if ours.has_setting(name)? && theirs.has_setting(name)? {
                kept.push(setting);
            }
        }
        let samples: Vec<&str> = super::families::ALL
            .iter()
            .flat_map(|family| family.samples)
            .copied()
            .collect();
        let mut payloads = Vec::new();
        for sample in samples {
            let name: Vec<&str> = sample.split(' ').take(1).collect();
            if ours.knows(&name)? && theirs.knows(&name)? {
                payloads.extend(theirs.payload_of(sample)?);
            }
        }
        Ok(Self {
            rows,
            spice,
            settings: kept,
            payloads,
        })
    }

    /// Whether there is something to test.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many ways to write a command there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// One of the rows, by weight.
    pub fn draw_row(&self, draw: &mut Draw<'_>) -> &Pattern {
        let from = if draw.chance(SPICE_PERCENT) {
            &self.spice
        } else {
            &self.rows
        };
        let total: usize = from.iter().map(|(weight, _)| weight).sum();
        let mut left = draw.below(total);
        for (weight, pattern) in from {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return pattern,
            }
        }
        unreachable!("what is drawn is below the sum of all weights")
    }
}

/// The setting in a row of CONFIG SET.
fn setting_name(pattern: &Pattern) -> &'static str {
    match pattern {
        Pattern::All(parts) => match parts.get(2) {
            Some(Pattern::Word(name) | Pattern::Kind(name)) => name,
            Some(Pattern::All(_) | Pattern::One(_) | Pattern::Repeat(..)) | None => "",
        },
        Pattern::Word(_) | Pattern::Kind(_) | Pattern::One(_) | Pattern::Repeat(..) => "",
    }
}
