//! LZF, the compression of strings in RDB files.
//!
//! A compressed block is a sequence of runs. A control byte below 32 announces that many plus one
//! literal bytes. Any other is a back reference: its upper three bits plus two are the length
//! (seven means that a further byte is added), its lower five bits and the next byte are the
//! distance minus one.

/// Bytes that a back reference of three bytes yields at most.
const REFERENCE_LEN_MAX: usize = 2 + 7 + 255;
/// Furthest a back reference reaches.
const DISTANCE_MAX: usize = 1 << 13;
/// Most literals one control byte announces.
const LITERALS_MAX: usize = 32;
/// Matches are found by the hash of this many bytes; a shorter one saves nothing.
const MATCH_MIN: usize = 3;
const TABLE_BITS: u32 = 13;
const TABLE_LEN: usize = 1 << TABLE_BITS;
/// Positions at the end of a match that later bytes can be matched with. Those before them would
/// find little more and cost as much as literals do.
const ENTERED_AFTER_MATCH: usize = 2;
/// Longest input that is compressed; positions are kept in 32 bits.
const INPUT_MAX: usize = 1 << 30;

/// A block that is no LZF of the announced length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LzfFault {
    /// The block ends within a run.
    Truncated,
    /// A back reference reaches before the start of the output.
    BadDistance,
    /// The block yields more bytes than announced, or fewer.
    WrongLength,
}

impl LzfFault {
    /// What is wrong, for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Truncated => "compressed string that ends within a run",
            Self::BadDistance => "compressed string that refers to bytes before its start",
            Self::WrongLength => "compressed string without the announced length",
        }
    }
}

/// Appends the decompressed block to `out`, exactly `len` bytes of it.
///
/// `out` keeps its content if the block is refused. No more memory is taken than the block can
/// yield, whatever `len` says.
pub fn decompress(block: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), LzfFault> {
    let start = out.len();
    let result = decompress_runs(block, len, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn decompress_runs(mut block: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), LzfFault> {
    // Three bytes of a reference yield the most per byte.
    if len / (REFERENCE_LEN_MAX / 3 + 1) > block.len() {
        return Err(LzfFault::WrongLength);
    }
    let start = out.len();
    out.reserve_exact(len);
    while let Some((&control, rest)) = block.split_first() {
        block = rest;
        let done = out.len() - start;
        let control = usize::from(control);
        if control < LITERALS_MAX {
            let literals = block.get(..=control).ok_or(LzfFault::Truncated)?;
            if literals.len() > len - done {
                return Err(LzfFault::WrongLength);
            }
            out.extend_from_slice(literals);
            block = &block[literals.len()..];
            continue;
        }
        let mut run = (control >> 5) + 2;
        if control >> 5 == 7 {
            let (&more, rest) = block.split_first().ok_or(LzfFault::Truncated)?;
            run += usize::from(more);
            block = rest;
        }
        let (&low, rest) = block.split_first().ok_or(LzfFault::Truncated)?;
        block = rest;
        let distance = ((control & 31) << 8 | usize::from(low)) + 1;
        if distance > done {
            return Err(LzfFault::BadDistance);
        }
        if run > len - done {
            return Err(LzfFault::WrongLength);
        }
        copy_within(out, distance, run);
    }
    if out.len() - start == len {
        Ok(())
    } else {
        Err(LzfFault::WrongLength)
    }
}

/// Appends `run` bytes that start `distance` before the end; the two ranges may overlap.
fn copy_within(out: &mut Vec<u8>, distance: usize, mut run: usize) {
    let from = out.len() - distance;
    while run > 0 {
        // What was appended repeats with the period `distance`, so it serves as a source too.
        let piece = run.min(out.len() - from);
        out.extend_from_within(from..from + piece);
        run -= piece;
    }
}

/// Compresses strings one after another, keeping its table between them.
#[derive(Debug)]
pub struct Compressor {
    /// For each hash of three bytes, `base` plus the last position that had it.
    table: Box<[u32; TABLE_LEN]>,
    /// Entries below belong to earlier inputs.
    base: u32,
}

impl Compressor {
    /// Makes the table, 32 KB.
    #[must_use]
    pub fn new() -> Self {
        let table = vec![0; TABLE_LEN].into_boxed_slice();
        Self {
            table: table.try_into().expect("it was made with this length"),
            base: 1,
        }
    }

    /// Appends the compressed form of `input` to `out` if it has at most `len_max` bytes, and
    /// says whether it did. The form depends on `input` alone.
    pub fn compress(&mut self, input: &[u8], len_max: usize, out: &mut Vec<u8>) -> bool {
        if input.len() <= MATCH_MIN || input.len() > INPUT_MAX {
            return false;
        }
        let start = out.len();
        let limit = start + len_max.min(input.len());
        let mut places = self.places(input);
        let mut literal_from = 0;
        let mut at = 0;
        while at + MATCH_MIN <= input.len() {
            if out.len() + (at - literal_from) > limit {
                break;
            }
            let Some((distance, run)) = places.find(at) else {
                at += 1;
                continue;
            };
            push_literals(&input[literal_from..at], out);
            push_reference(distance, run, out);
            let end = at + run;
            let entered = (at + 1).max(end - ENTERED_AFTER_MATCH)..end;
            entered.for_each(|at| _ = places.enter(at));
            at = end;
            literal_from = end;
        }
        push_literals(&input[literal_from..], out);
        let fits = out.len() <= limit;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Sets positions aside for an input, so that entries of earlier ones can't be mistaken.
    fn places<'a>(&'a mut self, input: &'a [u8]) -> Places<'a> {
        let len = u32::try_from(input.len()).expect("the input length was checked");
        if self.base.checked_add(len).is_none() {
            self.table.fill(0);
            self.base = 1;
        }
        let base = self.base;
        self.base += len;
        // A short input has few positions: with a part of the table they stay in the processor's
        // first cache.
        let bits = (len.ilog2() + 2).min(TABLE_BITS);
        Places {
            table: &mut self.table,
            base,
            shift: u32::BITS - bits,
            input,
        }
    }
}

/// Where the bytes of one input were seen last.
struct Places<'a> {
    table: &'a mut [u32; TABLE_LEN],
    base: u32,
    /// What leaves of a hash as many bits as there are slots for this input.
    shift: u32,
    input: &'a [u8],
}

impl Places<'_> {
    /// Enters the position, if as many bytes as a match has are left, and returns what their
    /// hash had before.
    fn enter(&mut self, at: usize) -> Option<u32> {
        let &[a, b, c] = self.input[at..].first_chunk::<MATCH_MIN>()?;
        let mixed = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1);
        let index = usize::try_from(mixed >> self.shift).expect("32 bits fit");
        let slot = &mut self.table[index % TABLE_LEN];
        let earlier = *slot;
        *slot = self.base + u32::try_from(at).expect("the input length was checked");
        Some(earlier)
    }

    /// The distance and length of an earlier match for the bytes at `at`.
    fn find(&mut self, at: usize) -> Option<(usize, usize)> {
        let earlier = self.enter(at)?.checked_sub(self.base)?;
        let earlier = usize::try_from(earlier).expect("32 bits fit");
        let distance = at - earlier;
        let run_max = (self.input.len() - at).min(REFERENCE_LEN_MAX);
        let (before, here) = (&self.input[earlier..], &self.input[at..at + run_max]);
        if distance > DISTANCE_MAX || before[..MATCH_MIN] != here[..MATCH_MIN] {
            return None;
        }
        Some((distance, same_len(before, here)))
    }
}

/// How many bytes the two have in common at their start.
fn same_len(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = size_of::<u64>();
    let word = |bytes: &[u8; STEP]| u64::from_le_bytes(*bytes);
    let (a_words, _) = a.as_chunks::<STEP>();
    let (b_words, _) = b.as_chunks::<STEP>();
    let mut words = a_words.iter().zip(b_words);
    let mut same = 0;
    if let Some(differ) = words.by_ref().find_map(|(a, b)| {
        let differ = word(a) ^ word(b);
        same += STEP;
        (differ != 0).then_some(differ)
    }) {
        let bytes = differ.trailing_zeros() / u8::BITS;
        return same - STEP + usize::try_from(bytes).expect("at most seven");
    }
    let rest = a[same..].iter().zip(&b[same..]);
    same + rest.take_while(|(a, b)| a == b).count()
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

fn push_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(u8::try_from(run.len() - 1).expect("a run has at most 32 literals"));
        out.extend_from_slice(run);
    }
}

fn push_reference(distance: usize, run: usize, out: &mut Vec<u8>) {
    let [high, low] = u16::try_from(distance - 1).expect("13 bits").to_be_bytes();
    let run = run - 2;
    if run < 7 {
        out.push(u8::try_from(run).expect("3 bits") << 5 | high);
    } else {
        out.push(7 << 5 | high);
        out.push(u8::try_from(run - 7).expect("a run is limited to what a byte adds"));
    }
    out.push(low);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(compressor: &mut Compressor, input: &[u8]) -> Option<usize> {
        let mut block = b"kept".to_vec();
        if !compressor.compress(input, input.len(), &mut block) {
            assert_eq!(block, b"kept");
            return None;
        }
        let mut back = b"too".to_vec();
        decompress(&block[4..], input.len(), &mut back).expect("our own block is sound");
        assert_eq!(&back[3..], input);
        Some(block.len() - 4)
    }

    #[test]
    fn repeated_bytes_shrink_to_almost_nothing() {
        let mut compressor = Compressor::new();
        assert_eq!(round_trip(&mut compressor, &[b'a'; 264]), Some(5));
        assert!(round_trip(&mut compressor, &[b'x'; 100_000]).unwrap() < 1_200);
        let text = b"the quick brown fox jumps over the lazy dog; ".repeat(100);
        assert!(round_trip(&mut compressor, &text).unwrap() < 200);
    }

    #[test]
    fn a_block_longer_than_allowed_is_not_made() {
        let mut compressor = Compressor::new();
        let input: Vec<u8> = (0..=255).collect();
        assert!(!compressor.compress(&input, 255, &mut Vec::new()));
        assert!(!compressor.compress(b"abc", 3, &mut Vec::new()));
        assert!(!compressor.compress(b"", 0, &mut Vec::new()));
    }

    #[test]
    fn the_form_does_not_depend_on_what_was_compressed_before() {
        let input = b"abcabcabcabcabcabcabcabcabc-abcabc".repeat(3);
        let mut fresh = Vec::new();
        assert!(Compressor::new().compress(&input, 100, &mut fresh));
        let mut used = Compressor::new();
        used.base = u32::MAX - 50;
        for _ in 0..3 {
            let mut again = Vec::new();
            assert!(used.compress(&input, 100, &mut again));
            assert_eq!(again, fresh);
        }
    }

    #[test]
    fn a_huge_announced_length_takes_no_memory() {
        let mut out = Vec::new();
        let refused = decompress(&[0xff, 0xff, 0xff], usize::MAX, &mut out);
        assert_eq!(refused, Err(LzfFault::WrongLength));
        assert_eq!(out.capacity(), 0);
    }

    #[test]
    fn broken_blocks_are_refused_by_kind() {
        let refuse = |block: &[u8], len| decompress(block, len, &mut Vec::new()).unwrap_err();
        assert_eq!(refuse(&[5, 1, 2], 6), LzfFault::Truncated);
        assert_eq!(refuse(&[0, b'a', 0x20], 4), LzfFault::Truncated);
        assert_eq!(refuse(&[0, b'a', 0xe0], 4), LzfFault::Truncated);
        assert_eq!(refuse(&[0, b'a', 0x20, 1], 4), LzfFault::BadDistance);
        assert_eq!(refuse(&[0, b'a', 0x20, 0], 3), LzfFault::WrongLength);
        assert_eq!(refuse(&[0, b'a', 0x20, 0], 5), LzfFault::WrongLength);
    }

    proptest! {
        #[test]
        fn every_input_survives_a_round_trip(
            pieces in prop::collection::vec(
                (prop::collection::vec(0u8..4, 0..40), 1usize..30), 0..20),
        ) {
            let input: Vec<u8> = pieces.iter().flat_map(|(p, n)| p.repeat(*n)).collect();
            round_trip(&mut Compressor::new(), &input);
        }

        #[test]
        fn any_bytes_are_refused_or_yield_the_announced_length(
            block in prop::collection::vec(any::<u8>(), 0..200), len in 0usize..10_000,
        ) {
            let mut out = Vec::new();
            if decompress(&block, len, &mut out).is_ok() {
                prop_assert_eq!(out.len(), len);
            } else {
                prop_assert!(out.is_empty());
            }
        }
    }
}
