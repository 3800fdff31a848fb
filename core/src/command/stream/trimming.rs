//! What XADD and XTRIM are told about trimming.

use super::ids;
use crate::command::args::Args;
use crate::command::cx::{Cx, Origin};
use crate::command::fail::Fail;
use crate::value::stream::{Bound, Log, Trim};

/// How to trim, and where the command says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trimming {
    pub(super) trim: Trim,
    /// Which argument is the threshold.
    pub(super) threshold_at: usize,
    /// Which argument is the word LIMIT.
    pub(super) limit_at: Option<usize>,
}

/// The options as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Parser {
    bound: Option<Bound>,
    roughly: bool,
    threshold_at: usize,
    limit: Option<u64>,
    limit_at: Option<usize>,
}

impl Parser {
    /// Takes an option, if the next argument is one.
    pub(super) fn take(&mut self, args: &mut Args<'_>) -> Result<bool, Fail> {
        if args.left() < 2 {
            return Ok(false);
        }
        let at = args.position();
        if args.keyword("maxlen") {
            self.start(args)?;
            let length = args.int()?;
            let length = u64::try_from(length)
                .map_err(|_| Fail::Plain("The MAXLEN argument must be >= 0."))?;
            self.bound = Some(Bound::Length(length));
        } else if args.keyword("minid") {
            self.start(args)?;
            self.bound = Some(Bound::Id(ids::parse(args.bulk()?)?));
        } else if args.keyword("limit") {
            self.limit_at = Some(at);
            let limit = args.int()?;
            let limit = u64::try_from(limit)
                .map_err(|_| Fail::Plain("The LIMIT argument must be >= 0."))?;
            self.limit = Some(limit);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn start(&mut self, args: &mut Args<'_>) -> Result<(), Fail> {
        if self.bound.is_some() {
            return Err(Fail::Plain(
                "syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        self.roughly = args.left() >= 2 && args.keyword("~");
        if !self.roughly && args.left() >= 2 {
            args.keyword("=");
        }
        self.threshold_at = args.position();
        Ok(())
    }

    /// What is to be done, if anything.
    pub(super) fn finish(self, cx: &Cx<'_>) -> Result<Option<Trimming>, Fail> {
        let Some(bound) = self.bound else {
            if self.limit.is_some_and(|limit| limit > 0) {
                return Err(Fail::Plain(
                    "syntax error, LIMIT cannot be used without specifying a trimming strategy",
                ));
            }
            return Ok(None);
        };
        let limit = match (cx.data.origin, self.limit) {
            // As much was trimmed before as the limit allowed.
            (Origin::Master | Origin::Log, _) => 0,
            (Origin::Client, Some(_)) if !self.roughly => {
                return Err(Fail::Plain(
                    "syntax error, LIMIT cannot be used without the special ~ option",
                ));
            }
            (Origin::Client, Some(limit)) => limit,
            (Origin::Client, None) if self.roughly => usual_limit(cx),
            (Origin::Client, None) => 0,
        };
        Ok(Some(Trimming {
            trim: Trim {
                bound,
                roughly: self.roughly,
                limit,
            },
            threshold_at: self.threshold_at,
            limit_at: self.limit_at,
        }))
    }
}

/// So much that a client does not notice it: a hundred nodes, or as Redis has it where nodes
/// have no size.
fn usual_limit(cx: &Cx<'_>) -> u64 {
    match cx.data.st.shape.stream.entries as u64 {
        0 => 10_000,
        entries => entries.saturating_mul(100).min(1_000_000),
    }
}

/// The threshold by which exact trimming leaves what is there.
pub(super) fn threshold(log: &Log, bound: Bound) -> Vec<u8> {
    match bound {
        Bound::Length(_) => itoa::Buffer::new().format(log.len()).as_bytes().to_vec(),
        Bound::Id(_) => log.first_id().text().bytes().to_vec(),
    }
}
