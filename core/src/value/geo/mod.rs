//! Places on earth, as scores of a sorted set: the same bits as Redis has.

mod cells;
mod shape;

pub use cells::Cell;
pub use shape::{Area, Extent};

/// A place in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// From -180 to 180.
    pub lon: f64,
    /// From [`LAT_MAX`] south to as much north.
    pub lat: f64,
}

/// The latitude beyond which there are no places (EPSG:900913).
pub const LAT_MAX: f64 = 85.051_128_78;
/// The highest longitude.
pub const LON_MAX: f64 = 180.0;

impl Place {
    /// Whether there is such a place.
    pub fn is_valid(self) -> bool {
        (-LON_MAX..=LON_MAX).contains(&self.lon) && (-LAT_MAX..=LAT_MAX).contains(&self.lat)
    }

    /// The score of a place: 52 bits.
    pub fn score(self) -> u64 {
        Cell::of(self, CELL_STEPS_MAX, LAT_MAX).bits()
    }

    /// The middle of the smallest cell that a score stands for.
    pub fn of_score(score: f64) -> Self {
        // Scores that no place has: as the processors that Redis mostly runs on convert them.
        let bits = if score < 0.0 {
            score as i64 as u64
        } else if score < 2_f64.powi(64) {
            score as u64
        } else {
            0
        };
        let cell = Cell::new(bits, CELL_STEPS_MAX);
        let (low, high) = cell.corners();
        let middle = |low: f64, high: f64, most: f64| f64::midpoint(low, high).clamp(-most, most);
        Self {
            lon: middle(low.lon, high.lon, LON_MAX),
            lat: middle(low.lat, high.lat, LAT_MAX),
        }
    }

    /// The eleven letters that are known as the geohash. Their latitudes go up to the poles; they
    /// are worth 55 bits, and the last letter has none that are known.
    pub fn geohash(self) -> [u8; 11] {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of(self, CELL_STEPS_MAX, 90.0).bits();
        let mut hash = [LETTERS[0]; 11];
        for (at, letter) in hash[..10].iter_mut().enumerate() {
            let five = bits >> (52 - 5 * (at + 1)) & 31;
            *letter = LETTERS[five as usize];
        }
        hash
    }

    /// Metres to another place along a great circle, by the haversine formula.
    pub fn distance(self, to: Self) -> f64 {
        let across = ((to.lon.to_radians() - self.lon.to_radians()) / 2.0).sin();
        if across == 0.0 {
            return lat_distance(self.lat, to.lat);
        }
        let (one, two) = (self.lat.to_radians(), to.lat.to_radians());
        let along = ((two - one) / 2.0).sin();
        let half_chord = along * along + one.cos() * two.cos() * across * across;
        2.0 * EARTH_RADIUS_M * half_chord.sqrt().asin()
    }
}

/// Metres between two latitudes.
fn lat_distance(one: f64, two: f64) -> f64 {
    EARTH_RADIUS_M * (two.to_radians() - one.to_radians()).abs()
}

/// What Redis takes for it.
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
/// Halvings of the earth in each direction that a score has.
const CELL_STEPS_MAX: u8 = 26;

#[cfg(test)]
mod tests;
