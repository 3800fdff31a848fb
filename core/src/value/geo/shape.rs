//! Areas to search, and the cells that cover them.

use smallvec::SmallVec;

use super::{CELL_STEPS_MAX, Cell, EARTH_RADIUS_M, LAT_MAX, LON_MAX, Place, lat_distance};

/// An area around a place.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Its middle.
    pub middle: Place,
    /// How far it reaches.
    pub extent: Extent,
}

/// How far an area reaches, in metres.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// As far in all directions.
    Radius(f64),
    /// A rectangle, half of it on either side of the middle.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

impl Area {
    /// How far from the middle a place in the area is, in metres; none if it is not in it.
    pub fn distance(&self, place: Place) -> Option<f64> {
        match self.extent {
            Extent::Radius(radius) => {
                let distance = self.middle.distance(place);
                (distance <= radius).then_some(distance)
            }
            Extent::Box { width, height } => {
                if lat_distance(place.lat, self.middle.lat) > height / 2.0 {
                    return None;
                }
                let level = Place {
                    lat: place.lat,
                    ..self.middle
                };
                (place.distance(level) <= width / 2.0).then(|| self.middle.distance(place))
            }
        }
    }

    /// Cells that cover the area, in the order in which Redis searches them: the middle one, then
    /// those around it.
    pub fn cells(&self) -> SmallVec<[Cell; 9]> {
        let bounds = self.bounds();
        let mut steps = self.steps();
        let mut middle = Cell::of(self.middle, steps, LAT_MAX);
        if steps > 1 && !reaches(middle, &bounds) {
            steps -= 1;
            middle = Cell::of(self.middle, steps, LAT_MAX);
        }
        let (low, high) = middle.corners();
        // With so large cells, those around are not all different.
        let leaves_out = steps >= 2;
        let needed = |east: i32, north: i32| {
            !leaves_out
                || !((north < 0 && low.lat < bounds.south)
                    || (north > 0 && high.lat > bounds.north)
                    || (east < 0 && low.lon < bounds.west)
                    || (east > 0 && high.lon > bounds.east))
        };
        let mut cells: SmallVec<[Cell; 9]> = SmallVec::new();
        for (east, north) in AROUND {
            if needed(east, north) {
                let cell = middle.neighbour(east, north);
                if cells.last() != Some(&cell) {
                    cells.push(cell);
                }
            }
        }
        cells
    }

    /// How often to halve the earth so that the cells are just large enough.
    fn steps(&self) -> u8 {
        let mut reach = match self.extent {
            Extent::Radius(radius) => radius,
            Extent::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        if reach == 0.0 {
            return CELL_STEPS_MAX;
        }
        let mut steps = 1_i32;
        while reach < MERCATOR_MAX_M && steps < STEPS_TRIED_MAX {
            reach *= 2.0;
            steps += 1;
        }
        // The cell must have room for the area wherever in it the middle lies.
        steps -= 2;
        // Towards the poles, cells are narrower.
        steps -= match self.middle.lat.abs() {
            lat if lat > 80.0 => 2,
            lat if lat > 66.0 => 1,
            _ => 0,
        };
        u8::try_from(steps.clamp(1, i32::from(CELL_STEPS_MAX))).expect("it lies between the two")
    }

    fn bounds(&self) -> Bounds {
        let (width, height) = match self.extent {
            Extent::Radius(radius) => (radius, radius),
            Extent::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let Place { lon, lat } = self.middle;
        let up = (height / EARTH_RADIUS_M).to_degrees();
        // The parallel nearer to a pole is the shorter one.
        let outer = if lat < 0.0 { lat - up } else { lat + up };
        let aside = (width / EARTH_RADIUS_M / outer.to_radians().cos()).to_degrees();
        Bounds {
            west: lon - aside,
            east: lon + aside,
            south: lat - up,
            north: lat + up,
        }
    }
}

/// The degrees between which an area lies.
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

/// Whether a cell with those around it covers as much.
fn reaches(middle: Cell, bounds: &Bounds) -> bool {
    let corners = |east, north| middle.neighbour(east, north).corners();
    let (_, north) = corners(0, 1);
    let (south, _) = corners(0, -1);
    let (_, east) = corners(1, 0);
    let (west, _) = corners(-1, 0);
    north.lat >= bounds.north
        && south.lat <= bounds.south
        && east.lon >= bounds.east
        && west.lon <= bounds.west
}

/// Steps to the east and to the north.
const AROUND: [(i32, i32); 9] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
];
/// Half the circumference of the earth on the map.
const MERCATOR_MAX_M: f64 = 20_037_726.37;
/// A distance that is still shorter after so many doublings is next to none.
const STEPS_TRIED_MAX: i32 = 100;

const _: () = assert!(LON_MAX > LAT_MAX);
