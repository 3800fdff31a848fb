//! Natural numbers of any size, with what reading and writing decimal numbers takes.

/// Digits of 32 bits, the lowest first, the highest of them not zero.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Big(Vec<u32>);

impl From<u64> for Big {
    fn from(number: u64) -> Self {
        let mut big = Self(vec![number as u32, (number >> 32) as u32]);
        big.trim();
        big
    }
}

impl Big {
    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bits it takes.
    pub(super) fn bits(&self) -> i32 {
        let zeros = self.0.last().map_or(0, |digit| digit.leading_zeros());
        (self.0.len() as i32) * 32 - zeros.cast_signed()
    }

    /// Multiplies by a number and adds another.
    pub(super) fn multiply(&mut self, by: u32, and: u32) {
        let mut carry = and;
        for digit in &mut self.0 {
            let product = u64::from(*digit) * u64::from(by) + u64::from(carry);
            *digit = product as u32;
            carry = (product >> 32) as u32;
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    /// Multiplies by a power of five.
    pub(super) fn multiply_by_fives(&mut self, count: u32) {
        for _ in 0..count / FIVES {
            self.multiply(5u32.pow(FIVES), 0);
        }
        self.multiply(5u32.pow(count % FIVES), 0);
    }

    /// Divides by a power of five; whether there is a rest.
    pub(super) fn divide_by_fives(&mut self, count: u32) -> bool {
        let mut rest = false;
        for _ in 0..count / FIVES {
            rest |= self.divide(5u32.pow(FIVES)) > 0;
        }
        rest | (self.divide(5u32.pow(count % FIVES)) > 0)
    }

    /// Multiplies by a power of two.
    pub(super) fn double(&mut self, times: u32) {
        self.multiply(1 << (times % 32), 0);
        if !self.is_zero() {
            let zeros = core::iter::repeat_n(0, (times / 32) as usize);
            self.0.splice(0..0, zeros);
        }
    }

    /// Its 128 highest bits, how far they are shifted, and whether any bit is set below them.
    pub(super) fn top(&self) -> (u128, i32, bool) {
        const DIGITS: usize = 4;
        let below = self.0.len().saturating_sub(DIGITS);
        let bits = self.0[below..]
            .iter()
            .rev()
            .fold(0, |bits: u128, digit| bits << 32 | u128::from(*digit));
        let cut = self.0[..below].iter().any(|&digit| digit > 0);
        (bits, below as i32 * 32, cut)
    }

    /// Its decimal digits.
    pub(super) fn decimal(mut self) -> String {
        const PART: u32 = 1_000_000_000;
        let mut parts = Vec::new();
        while !self.is_zero() {
            parts.push(self.divide(PART));
        }
        let mut text = parts.pop().unwrap_or(0).to_string();
        for part in parts.iter().rev() {
            text.push_str(&format!("{part:09}"));
        }
        text
    }

    /// Divides by a number and returns the rest.
    fn divide(&mut self, by: u32) -> u32 {
        let mut rest = 0;
        for digit in self.0.iter_mut().rev() {
            let part = u64::from(rest) << 32 | u64::from(*digit);
            *digit = (part / u64::from(by)) as u32;
            rest = (part % u64::from(by)) as u32;
        }
        self.trim();
        rest
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

/// The highest power of five in a digit.
const FIVES: u32 = 13;
