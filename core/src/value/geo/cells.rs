//! Cells: the earth halved again and again, in turns by longitude and latitude.

use super::{CELL_STEPS_MAX, LAT_MAX, LON_MAX, Place};

/// A cell: how often the earth was halved in each direction, and which half it was each time.
/// The bits of the longitude and the latitude take turns, the latitude's last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cell {
    bits: u64,
    steps: u8,
}

impl Cell {
    pub(super) fn new(bits: u64, steps: u8) -> Self {
        Self { bits, steps }
    }

    /// The cell that a place lies in, where latitudes reach from `-lat_max` to `lat_max`.
    pub(super) fn of(place: Place, steps: u8, lat_max: f64) -> Self {
        let halves = f64::from(1_u32 << steps);
        let within = |value: f64, most: f64| ((value + most) / (2.0 * most) * halves) as u32;
        Self {
            bits: spread(within(place.lat, lat_max)) | spread(within(place.lon, LON_MAX)) << 1,
            steps,
        }
    }

    pub(super) fn bits(self) -> u64 {
        self.bits
    }

    /// The scores of the places in it, from the first to before the last.
    pub fn scores(self) -> (f64, f64) {
        let shift = 2 * u32::from(CELL_STEPS_MAX - self.steps);
        // 52 bits, which a double holds.
        (
            (self.bits << shift) as f64,
            ((self.bits + 1) << shift) as f64,
        )
    }

    /// Its south-western and its north-eastern corner.
    pub(super) fn corners(self) -> (Place, Place) {
        let halves = f64::from(1_u32 << self.steps);
        let at = |index: u32, most: f64| -most + f64::from(index) / halves * (2.0 * most);
        let (lat, lon) = (gather(self.bits), gather(self.bits >> 1));
        let corner = |lat: u32, lon: u32| Place {
            lon: at(lon, LON_MAX),
            lat: at(lat, LAT_MAX),
        };
        let next = (lat.wrapping_add(1), lon.wrapping_add(1));
        (corner(lat, lon), corner(next.0, next.1))
    }

    /// The cell so many cells to the east and to the north, around the earth. A place on the
    /// eastern or northern edge has an index that is too high; it stays so in its own cell.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let within = (1_u32 << self.steps) - 1;
        let moved = |index: u32, by: i32| match by {
            0 => index,
            by => index.wrapping_add_signed(by) & within,
        };
        let lat = moved(gather(self.bits), north);
        let lon = moved(gather(self.bits >> 1), east);
        Self {
            bits: spread(lat) | spread(lon) << 1,
            steps: self.steps,
        }
    }
}

/// Puts the bits of a number at the even places.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in ROUNDS.into_iter().rev() {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Takes the bits from the even places.
fn gather(bits: u64) -> u32 {
    let mut number = bits & ROUNDS[0].1;
    for pair in ROUNDS.windows(2) {
        let [(shift, _), (_, mask)] = pair else {
            unreachable!("windows are of two")
        };
        number = (number | number >> shift) & mask;
    }
    ((number | number >> 16) & u64::from(u32::MAX)) as u32
}

/// How far groups of bits move apart, and where they lie then.
const ROUNDS: [(u32, u64); 5] = [
    (1, 0x5555_5555_5555_5555),
    (2, 0x3333_3333_3333_3333),
    (4, 0x0f0f_0f0f_0f0f_0f0f),
    (8, 0x00ff_00ff_00ff_00ff),
    (16, 0x0000_ffff_0000_ffff),
];
