//! Histories in which something went wrong once, each cut down to the faults it takes.

use std::fs;
use std::path::Path;

use sim::machines;
use sim::run::{Plan, run};

#[test]
fn histories_that_went_wrong_once_go_well() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    let mut seen = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let plan: Plan = serde_json::from_str(&text).unwrap();
        let outcome = run(&plan, machines::make, None);
        assert!(
            outcome.violation.is_none(),
            "{}: {:?}\nsee it: cargo run --release -p sim -- --schedule {0} --trace",
            path.display(),
            outcome.violation
        );
        seen += 1;
    }
    assert!(seen > 0, "the schedules were found");
}
