//! LCS: what two strings have in common.

use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::value::lcs::{self, Run};

/// What LCS is to answer.
#[derive(Clone, Copy, Default)]
struct Options {
    len: bool,
    places: bool,
    with_len: bool,
    len_min: i64,
}

impl Options {
    fn parse(mut args: Args<'_>) -> Result<Self, Fail> {
        let mut options = Self::default();
        while !args.is_done() {
            if args.keyword("idx") {
                options.places = true;
            } else if args.keyword("len") {
                options.len = true;
            } else if args.keyword("withmatchlen") {
                options.with_len = true;
            } else if args.keyword("minmatchlen") {
                options.len_min = args.int()?;
            } else {
                return Err(Fail::Syntax);
            }
        }
        if options.places && options.len {
            return Err(Fail::Plain(
                "If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

pub(super) fn lcs(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let one = text(cx, args.bulk()?)?;
    let two = text(cx, args.bulk()?)?;
    let options = Options::parse(args)?;
    check_size(cx, one.len(), two.len())?;
    if options.len {
        cx.out.int(lcs::len(&one, &two) as i64);
        return Ok(());
    }
    let runs = lcs::runs(&one, &two);
    if options.places {
        show_places(cx, &runs, options);
    } else {
        let parts = runs.iter().rev();
        let parts: Vec<&[u8]> = parts.map(|run| &one[run.one..run.one + run.len]).collect();
        cx.out.bulk(&parts.concat());
    }
    Ok(())
}

fn text(cx: &mut Cx<'_>, key: &[u8]) -> Result<Vec<u8>, Fail> {
    match cx.data.read_str(key) {
        Ok(found) => Ok(found.map(|text| text.to_vec()).unwrap_or_default()),
        Err(_) => Err(Fail::Plain("The specified keys must contain string values")),
    }
}

/// The table that Redis makes has four bytes for each pair of bytes, and one row and one column
/// more; the limit for a string limits it too. Ours is far smaller, but as costly in time.
fn check_size(cx: &Cx<'_>, one: usize, two: usize) -> Result<(), Fail> {
    let bytes = (one as u128 + 1) * (two as u128 + 1) * 4;
    if bytes > u128::from(cx.data.st.config.proto_max_bulk_len()) {
        return Err(Fail::Plain(
            "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

fn show_places(cx: &mut Cx<'_>, runs: &[Run], options: Options) {
    cx.out.map(2);
    cx.out.bulk(b"matches");
    let shown = runs.iter().filter(|run| run.len as i64 >= options.len_min);
    cx.out.array(shown.clone().count());
    for run in shown {
        cx.out.array(if options.with_len { 3 } else { 2 });
        for start in [run.one, run.two] {
            cx.out.array(2);
            cx.out.int(start as i64);
            cx.out.int((start + run.len - 1) as i64);
        }
        if options.with_len {
            cx.out.int(run.len as i64);
        }
    }
    cx.out.bulk(b"len");
    let len: usize = runs.iter().map(|run| run.len).sum();
    cx.out.int(len as i64);
}
