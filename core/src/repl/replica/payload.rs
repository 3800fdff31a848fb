//! Finds the end of a dataset that is being received.

use std::borrow::Cow;

use memchr::memmem;

const MARK_LEN: usize = 40;

/// How the dataset ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Payload {
    /// After so many more bytes.
    Counted {
        /// Bytes still to come.
        left: u64,
    },
    /// Before a mark. The last `matched` bytes taken are how the mark begins.
    Marked {
        /// The mark.
        mark: [u8; MARK_LEN],
        /// Bytes held back because they may belong to it.
        matched: usize,
    },
}

/// A piece of a dataset.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Taken<'a> {
    /// Bytes of the input this used up.
    pub(super) consumed: usize,
    /// The piece.
    pub(super) data: Cow<'a, [u8]>,
    /// Whether it is the last one.
    pub(super) end: bool,
}

impl Payload {
    /// Reads the line that announces a dataset, without its `$`.
    pub(super) fn announced(line: &[u8]) -> Option<Self> {
        if let Some(mark) = line.strip_prefix(b"EOF:") {
            let mark = mark.get(..MARK_LEN)?.try_into().expect("it is that long");
            return Some(Self::Marked { mark, matched: 0 });
        }
        let left = core::str::from_utf8(line).ok()?.parse().ok()?;
        Some(Self::Counted { left })
    }

    /// The length of the dataset, if it is known.
    pub(super) const fn size(&self) -> Option<u64> {
        match self {
            Self::Counted { left } => Some(*left),
            Self::Marked { .. } => None,
        }
    }

    /// Takes what belongs to the dataset from the start of `input`.
    pub(super) fn take<'a>(&mut self, input: &'a [u8]) -> Taken<'a> {
        match self {
            Self::Counted { left } => {
                let wanted = usize::try_from(*left).unwrap_or(usize::MAX);
                let consumed = input.len().min(wanted);
                *left -= consumed as u64;
                Taken {
                    consumed,
                    data: Cow::Borrowed(&input[..consumed]),
                    end: *left == 0,
                }
            }
            Self::Marked { mark, matched: 0 } => {
                let (len, end) = split(mark, input);
                let rest = input.len() - len;
                let consumed = if end { len + MARK_LEN } else { input.len() };
                *self = Self::Marked {
                    mark: *mark,
                    matched: if end { 0 } else { rest },
                };
                Taken {
                    consumed,
                    data: Cow::Borrowed(&input[..len]),
                    end,
                }
            }
            Self::Marked { mark, matched } => {
                let held = *matched;
                let mut joined = mark[..held].to_vec();
                joined.extend_from_slice(input);
                let (len, end) = split(mark, &joined);
                *matched = if end { 0 } else { joined.len() - len };
                let consumed = if end {
                    // What was held back does not hold the whole mark.
                    len + MARK_LEN - held
                } else {
                    input.len()
                };
                joined.truncate(len);
                Taken {
                    consumed,
                    data: Cow::Owned(joined),
                    end,
                }
            }
        }
    }
}

/// How many bytes of `input` certainly come before the mark, and whether the mark follows them.
fn split(mark: &[u8; MARK_LEN], input: &[u8]) -> (usize, bool) {
    if let Some(at) = memmem::find(input, mark) {
        return (at, true);
    }
    let longest = input.len().min(MARK_LEN - 1);
    let held = (1..=longest)
        .rev()
        .find(|&len| input.ends_with(&mark[..len]));
    (input.len() - held.unwrap_or(0), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARK: &[u8; MARK_LEN] = b"aabaabaaabbbaaaabbbbaaaaabbbbbaaaaaabbbb";

    /// The dataset found in `pieces` and what is left after its end.
    fn receive(mut payload: Payload, pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>, bool) {
        let (mut data, mut rest, mut end) = (Vec::new(), Vec::new(), false);
        for piece in pieces {
            if end {
                rest.extend_from_slice(piece);
                continue;
            }
            let taken = payload.take(piece);
            data.extend_from_slice(&taken.data);
            rest.extend_from_slice(&piece[taken.consumed..]);
            end = taken.end;
        }
        (data, rest, end)
    }

    #[test]
    fn both_announcements_are_read() {
        assert_eq!(
            Payload::announced(b"123"),
            Some(Payload::Counted { left: 123 })
        );
        let line = [b"EOF:", &MARK[..]].concat();
        assert_eq!(
            Payload::announced(&line),
            Some(Payload::Marked {
                mark: *MARK,
                matched: 0
            })
        );
        for bad in [&b""[..], b"x", b"-1", b"EOF:abc", b"99999999999999999999"] {
            assert_eq!(Payload::announced(bad), None);
        }
    }

    proptest! {
        #[test]
        fn a_marked_dataset_is_found_over_any_split(
            data in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 0..200),
            rest in proptest::collection::vec(any::<u8>(), 0..50),
            cuts in proptest::collection::vec(1usize..60, 0..300),
        ) {
            let all = [&data, &MARK[..], &rest].concat();
            // A dataset this short over two letters could hold the mark only by a miracle.
            prop_assume!(memmem::find(&all, MARK) == Some(data.len()));
            let mut pieces = Vec::new();
            let mut left = &all[..];
            for cut in cuts {
                let (piece, later) = left.split_at(cut.min(left.len()));
                pieces.push(piece);
                left = later;
            }
            pieces.push(left);
            let payload = Payload::Marked { mark: *MARK, matched: 0 };
            prop_assert_eq!(receive(payload, &pieces), (data, rest, true));
        }

        #[test]
        fn a_counted_dataset_ends_where_it_should(
            all in proptest::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let (data, rest) = all.split_at(at.index(all.len()) + 1);
            let (one, two) = all.split_at(cut.index(all.len()));
            let payload = Payload::Counted { left: data.len() as u64 };
            let expected = (data.to_vec(), rest.to_vec(), true);
            prop_assert_eq!(receive(payload, &[one, two]), expected);
        }
    }

    #[test]
    fn a_dataset_that_only_looks_like_its_mark_comes_out_whole() {
        let near = [&MARK[..39], &MARK[..20], b"x", &MARK[..39]].concat();
        let all = [&near, &MARK[..]].concat();
        let pieces: Vec<&[u8]> = all.chunks(1).collect();
        let payload = Payload::Marked {
            mark: *MARK,
            matched: 0,
        };
        assert_eq!(receive(payload, &pieces), (near, Vec::new(), true));
    }
}
