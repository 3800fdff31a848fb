//! Where a key lies.

use siphasher::sip::SipHasher13;

use crate::rng::Rng;

/// Turns keys into positions, in a way nobody can predict who does not know the seed.
#[derive(Clone, Copy, Debug)]
pub struct KeyHasher(SipHasher13);

impl KeyHasher {
    /// A hasher with a key drawn from `rng`.
    pub fn new(rng: &mut Rng) -> Self {
        Self(SipHasher13::new_with_keys(rng.next_u64(), rng.next_u64()))
    }

    /// A hasher whose key anyone knows.
    pub fn predictable() -> Self {
        Self(SipHasher13::new())
    }

    /// The 64 bits that place a key: the top ones choose its segment.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.0.hash(key)
    }
}
