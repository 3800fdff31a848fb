//! Bytes as choices.

/// What is left of the bytes; choices are the first ones once they are used up.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(super) fn is(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A number below a bound of at most 65,536, of one byte if that is enough.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let chosen = if bound <= 256 {
            usize::from(self.byte())
        } else {
            usize::from(u16::from_le_bytes(self.array()))
        };
        chosen % bound
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// An integer of any size.
    pub(super) fn integer(&mut self) -> i64 {
        match self.below(4) {
            0 => i64::from(i16::from_le_bytes(self.array())),
            1 => i64::from(i32::from_le_bytes(self.array())),
            2 => i64::from_le_bytes(self.array()),
            _ => self.pick(&[i64::MIN, i64::MAX, 0, -1]),
        }
    }

    /// A string, often one that came before, and at times one that looks like a number, is as
    /// long as a limit or longer than any.
    pub(super) fn text(&mut self) -> Vec<u8> {
        match self.below(8) {
            0..=2 => (self.below(80) as i64 - 40).to_string().into_bytes(),
            3 => self.integer().to_string().into_bytes(),
            4 => vec![b'a'; self.below(4)],
            5 => {
                let len = self.below(10);
                (0..len).map(|_| self.byte()).collect()
            }
            6 => vec![self.byte(); 60 + self.below(200)],
            _ => vec![self.byte(); self.below(10_000)],
        }
    }

    fn array<const LEN: usize>(&mut self) -> [u8; LEN] {
        let (taken, rest) = self.0.split_at(self.0.len().min(LEN));
        self.0 = rest;
        let mut array = [0; LEN];
        array[..taken.len()].copy_from_slice(taken);
        array
    }
}
