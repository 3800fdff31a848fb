//! The longest common subsequence of two strings.
//!
//! The table of dynamic programming has a row per byte of one string and a column per byte of the
//! other; neighbours in a row differ by 0 or 1. A row is kept as these differences, 64 in a word,
//! and made from the one before in a few operations per word (Hyyrö, "Bit-parallel LCS-length
//! computation revisited").

/// Bytes that both strings have in common, in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// Where they start in the first string.
    pub one: usize,
    /// Where they start in the second.
    pub two: usize,
    /// How many they are.
    pub len: usize,
}

/// The length of the longest common subsequence.
pub fn len(one: &[u8], two: &[u8]) -> usize {
    let mut table = Table::new(one, two);
    for &byte in one {
        table.next_row(byte);
    }
    table.steps()
}

/// The longest common subsequence, from its last run to its first. Of several as long, it is the
/// one that Redis finds.
pub fn runs(one: &[u8], two: &[u8]) -> Vec<Run> {
    let mut table = Table::new(one, two);
    let width = two.len().div_ceil(8);
    let mut rows = Vec::with_capacity(width * one.len());
    for &byte in one {
        table.next_row(byte);
        let bytes = table.flat.iter().flat_map(|word| word.to_le_bytes());
        rows.extend(bytes.take(width));
    }
    // Whether a column has more in common than the one before it, when rows up to this are seen.
    let steps_up = |row: usize, column: usize| {
        let flat = rows[row * width + column / 8] >> (column % 8) & 1;
        flat == 0
    };
    let mut runs: Vec<Run> = Vec::new();
    let (mut row, mut column) = (one.len(), two.len());
    while row > 0 && column > 0 {
        if one[row - 1] == two[column - 1] {
            match runs.last_mut() {
                Some(run) if run.one == row && run.two == column => {
                    run.one -= 1;
                    run.two -= 1;
                    run.len += 1;
                }
                Some(_) | None => runs.push(Run {
                    one: row - 1,
                    two: column - 1,
                    len: 1,
                }),
            }
            row -= 1;
            column -= 1;
        } else if steps_up(row - 1, column - 1) {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    runs
}

/// The latest row.
struct Table {
    /// A bit for each byte of the second string, the lowest first: unset where the row steps up.
    /// Those behind the last byte stay set.
    flat: Vec<u64>,
    /// For each byte that the first string has, where it is in the second.
    places: Vec<u64>,
    /// Which of `places` belong to a byte.
    place_of: [Option<u8>; 256],
}

impl Table {
    fn new(one: &[u8], two: &[u8]) -> Self {
        let words = two.len().div_ceil(WORD_BITS);
        let mut place_of = [None; 256];
        let mut kinds = 0;
        for &byte in one {
            let place = &mut place_of[usize::from(byte)];
            if place.is_none() {
                *place = Some(u8::try_from(kinds).expect("a byte has 256 values"));
                kinds += 1;
            }
        }
        let mut places = vec![0; kinds * words];
        for (at, &byte) in two.iter().enumerate() {
            if let Some(place) = place_of[usize::from(byte)] {
                places[usize::from(place) * words + at / WORD_BITS] |= 1 << (at % WORD_BITS);
            }
        }
        Self {
            flat: vec![u64::MAX; words],
            places,
            place_of,
        }
    }

    /// Goes on to the row of the next byte of the first string.
    fn next_row(&mut self, byte: u8) {
        let place = self.place_of[usize::from(byte)].expect("all its bytes have their places");
        let words = self.flat.len();
        let from = usize::from(place) * words;
        let mut carry = false;
        for (flat, same) in self.flat.iter_mut().zip(&self.places[from..from + words]) {
            let matched = *flat & same;
            let (sum, over) = flat.overflowing_add(matched);
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
            carry = over || over_by_carry;
            *flat = sum | (*flat & !same);
        }
    }

    /// How often the row steps up.
    fn steps(&self) -> usize {
        let steps = self.flat.iter().map(|word| word.count_zeros() as usize);
        steps.sum()
    }
}

const WORD_BITS: usize = u64::BITS as usize;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// By the table of dynamic programming as it stands in textbooks.
    fn model(one: &[u8], two: &[u8]) -> Vec<Run> {
        let mut table = vec![vec![0usize; two.len() + 1]; one.len() + 1];
        for row in 1..=one.len() {
            for column in 1..=two.len() {
                table[row][column] = if one[row - 1] == two[column - 1] {
                    table[row - 1][column - 1] + 1
                } else {
                    table[row - 1][column].max(table[row][column - 1])
                };
            }
        }
        let mut runs: Vec<Run> = Vec::new();
        let (mut row, mut column) = (one.len(), two.len());
        while row > 0 && column > 0 {
            if one[row - 1] == two[column - 1] {
                row -= 1;
                column -= 1;
                match runs
                    .last_mut()
                    .filter(|run| (run.one, run.two) == (row + 1, column + 1))
                {
                    Some(run) => {
                        *run = Run {
                            one: row,
                            two: column,
                            len: run.len + 1,
                        };
                    }
                    None => runs.push(Run {
                        one: row,
                        two: column,
                        len: 1,
                    }),
                }
            } else if table[row - 1][column] > table[row][column - 1] {
                row -= 1;
            } else {
                column -= 1;
            }
        }
        runs
    }

    #[test]
    fn the_last_run_comes_first() {
        let found = runs(b"ohmytext", b"mynewtext");
        let expected = [
            Run {
                one: 4,
                two: 5,
                len: 4,
            },
            Run {
                one: 2,
                two: 0,
                len: 2,
            },
        ];
        assert_eq!(found, expected);
        assert_eq!(len(b"ohmytext", b"mynewtext"), 6);
    }

    #[test]
    fn a_step_may_come_over_from_the_word_before() {
        let one = [&[b'a'; 64][..], b"b"].concat();
        let two = [&[b'a'; 64][..], b"cb"].concat();
        assert_eq!(len(&one, &two), 65);
        assert_eq!(runs(&one, &two), model(&one, &two));
    }

    proptest! {
        #[test]
        fn it_is_the_one_that_the_table_gives(
            one in vec(b'a'..b'e', 0..90),
            two in vec(b'a'..b'e', 0..200),
        ) {
            let found = runs(&one, &two);
            prop_assert_eq!(&found, &model(&one, &two));
            prop_assert_eq!(len(&one, &two), found.iter().map(|run| run.len).sum::<usize>());
            prop_assert_eq!(len(&two, &one), len(&one, &two));
        }
    }
}
