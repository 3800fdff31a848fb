//! Dense registers: six bits each, the lowest bits first, four of them in three bytes.

use super::{Place, REGISTERS};

/// All registers, packed.
#[derive(Clone, Copy)]
pub(super) struct Registers6<'a>(&'a [[u8; 3]]);

impl<'a> Registers6<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (groups, rest) = bytes.as_chunks();
        debug_assert!(rest.is_empty() && groups.len() == REGISTERS / 4);
        Self(groups)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> + use<'a> {
        self.0.iter().flat_map(|group| unpack(*group))
    }
}

/// Raises a register; whether it was lower.
pub(super) fn raise(bytes: &mut [u8], place: Place) -> bool {
    let (groups, _) = bytes.as_chunks_mut::<3>();
    let group = &mut groups[place.index / 4];
    let mut registers = unpack(*group);
    let register = &mut registers[place.index % 4];
    let lower = *register < place.value;
    if lower {
        *register = place.value;
        *group = packed(registers);
    }
    lower
}

/// Packs all registers.
pub(super) fn pack(registers: &[u8; REGISTERS], bytes: &mut [u8]) {
    let (groups, _) = bytes.as_chunks_mut::<3>();
    let (fours, _) = registers.as_chunks::<4>();
    for (group, four) in groups.iter_mut().zip(fours) {
        *group = packed(*four);
    }
}

fn unpack([low, middle, high]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_le_bytes([low, middle, high, 0]);
    [0, 6, 12, 18].map(|shift| (bits >> shift) as u8 & REGISTER_MAX)
}

fn packed(registers: [u8; 4]) -> [u8; 3] {
    let bits = registers
        .iter()
        .rev()
        .fold(0, |bits: u32, register| bits << 6 | u32::from(*register));
    let [low, middle, high, _] = bits.to_le_bytes();
    [low, middle, high]
}

const REGISTER_MAX: u8 = 63;
