//! What entries of a stream are known by.

/// The ID of an entry: the time it was added, and a number among those of that time.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StreamId {
    /// Milliseconds since the Unix epoch, or what the client said.
    pub ms: u64,
    /// Counts entries of the same millisecond.
    pub seq: u64,
}

impl StreamId {
    /// Before all entries.
    pub const MIN: Self = Self::new(0, 0);
    /// The last one there can be.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// Made of its parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The next one.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self::new(self.ms, seq)),
            None => Some(Self::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The one before.
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self::new(self.ms, seq)),
            None => Some(Self::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// The sixteen bytes under which the RDB format stores it.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.ms) << 64) | u128::from(self.seq)).to_be_bytes()
    }

    /// Out of the sixteen bytes of the RDB format.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let wide = u128::from_be_bytes(bytes);
        Self::new((wide >> 64) as u64, wide as u64)
    }

    /// Its text, `ms-seq`.
    pub fn text(self) -> IdText {
        let mut text = IdText {
            bytes: [0; ID_TEXT_MAX],
            len: 0,
        };
        let mut digits = itoa::Buffer::new();
        text.push(digits.format(self.ms).as_bytes());
        text.push(b"-");
        text.push(digits.format(self.seq).as_bytes());
        text
    }
}

/// The text of an ID.
#[derive(Clone, Copy, Debug)]
pub struct IdText {
    bytes: [u8; ID_TEXT_MAX],
    len: usize,
}

impl IdText {
    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Two numbers of twenty digits, and a dash.
const ID_TEXT_MAX: usize = 41;
