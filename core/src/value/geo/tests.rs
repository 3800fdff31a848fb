use super::*;

fn place(lon: f64, lat: f64) -> Place {
    Place { lon, lat }
}

/// Scores and geohashes as Redis 7.0.15 has them.
#[test]
fn scores_and_geohashes_are_those_of_redis() {
    let cases = [
        (
            place(13.361389, 38.115556),
            3_479_099_956_230_698,
            "sqc8b49rny0",
        ),
        (
            place(15.087269, 37.502669),
            3_479_447_370_796_909,
            "sqdtr74hyu0",
        ),
        (place(-LON_MAX, -LAT_MAX), 0, "00bh0hbj200"),
        (
            place(LON_MAX, LAT_MAX),
            13_510_798_882_111_488,
            "bp05b5048p0",
        ),
        (place(0.0, 0.0), 3_377_699_720_527_872, "s0000000000"),
        (place(-0.1, 51.5), 2_163_557_734_948_328, "gcpuvxr1jz0"),
    ];
    for (place, score, geohash) in cases {
        assert_eq!(place.score(), score);
        let found = Place::of_score(score as f64);
        assert_eq!(found.geohash(), geohash.as_bytes(), "{place:?}");
        assert!(found.distance(place) < 1.0, "{place:?}");
    }
}

#[test]
fn distances_are_those_of_redis() {
    let of = |one: Place, two: Place, metres: f64| {
        let seen = |place: Place| Place::of_score(place.score() as f64);
        format!("{:.4}", seen(one).distance(seen(two)) / metres)
    };
    let (palermo, catania) = (place(13.361389, 38.115556), place(15.087269, 37.502669));
    assert_eq!(of(palermo, catania, 1.0), "166274.1516");
    let corners = (place(-LON_MAX, -LAT_MAX), place(LON_MAX, LAT_MAX));
    assert_eq!(of(corners.0, corners.1, 1000.0), "18919.8446");
    assert_eq!(of(palermo, palermo, 1.0), "0.0000");
}

#[test]
fn the_cells_cover_every_place_in_the_area() {
    let mut rng = crate::rng::Rng::new([4; 32]);
    let mut below = |bound: u64| rng.below(bound) as f64;
    for _ in 0..200 {
        let middle = place(below(360) - 180.0, below(171) - 85.0);
        let reach = below(5_000_000) + 1.0;
        for extent in [
            Extent::Radius(reach),
            Extent::Box {
                width: reach,
                height: reach / 3.0,
            },
        ] {
            let area = Area { middle, extent };
            let cells = area.cells();
            for _ in 0..200 {
                let near = place(
                    middle.lon + (below(1000) - 500.0) / 500.0 * 40.0,
                    middle.lat + (below(1000) - 500.0) / 500.0 * 40.0,
                );
                // Redis does not look across the date line, nor well around the poles.
                if !near.is_valid() || middle.lat.abs() > 60.0 || middle.lon.abs() > 130.0 {
                    continue;
                }
                let score = near.score() as f64;
                if area.distance(Place::of_score(score)).is_some() {
                    let covered = cells.iter().any(|cell| {
                        let (min, max) = cell.scores();
                        min <= score && score < max
                    });
                    assert!(covered, "{area:?} {near:?}");
                }
            }
        }
    }
}

#[test]
fn a_place_on_the_edge_lies_in_the_middle_cell_around_itself() {
    let edge = Place::of_score(place(180.0, 48.8).score() as f64);
    for reach in [500.0, 20_000_000.0] {
        let extent = Extent::Radius(reach);
        let area = Area {
            middle: edge,
            extent,
        };
        let score = place(180.0, 48.8).score() as f64;
        let (min, max) = area.cells()[0].scores();
        assert!(min <= score && score < max, "{reach}");
    }
}

#[test]
fn scores_that_no_place_has_stand_for_some_place() {
    assert_eq!(&Place::of_score(-5.0).geohash(), b"bp05b5048p0");
    assert_eq!(&Place::of_score(1e21).geohash(), b"00bh0hbj200");
}
