//! Proof that a run can be repeated: the same plan in another process must hash the same; if it
//! does not, the first event that differs is found and shown from both sides.

use std::io;
use std::ops::Range;
use std::process::{Command, Stdio};

use crate::hash::CHECKPOINT_EVENTS;
use crate::run::Outcome;

/// Where two runs parted.
pub struct Difference {
    /// What to tell.
    pub text: String,
}

/// Runs the plan again in a second process and compares.
pub fn compare(outcome: &Outcome, plan_args: &[String]) -> io::Result<Option<Difference>> {
    let output = child(plan_args, &["--checkpoints".to_owned()])?;
    let mut hashes: Vec<&str> = output.lines().collect();
    let last = hashes.pop().unwrap_or_default();
    let own: Vec<String> = outcome
        .checkpoints
        .iter()
        .map(|hash| format!("{hash:032x}"))
        .collect();
    if last == format!("{:032x}", outcome.hash) && own == hashes {
        return Ok(None);
    }
    let same = own.iter().zip(&hashes).take_while(|(a, b)| a == b).count() as u64;
    let window = same * CHECKPOINT_EVENTS..(same + 1) * CHECKPOINT_EVENTS + 1;
    let text = bisect(plan_args, window)?;
    Ok(Some(Difference { text }))
}

/// Shows the first event in a window that differs between two fresh processes.
fn bisect(plan_args: &[String], window: Range<u64>) -> io::Result<String> {
    let flag = [
        "--events".to_owned(),
        format!("{}..{}", window.start, window.end),
    ];
    let (one, two) = (child(plan_args, &flag)?, child(plan_args, &flag)?);
    let differs = one.lines().zip(two.lines()).find(|(a, b)| a != b);
    Ok(match differs {
        Some((a, b)) => format!("first event that differs\n  {a}\n  {b}"),
        None => format!(
            "the runs differ after event {}, and not when traced",
            window.start
        ),
    })
}

fn child(plan_args: &[String], more: &[String]) -> io::Result<String> {
    let output = Command::new(std::env::current_exe()?)
        .args(plan_args)
        .args(more)
        .stderr(Stdio::inherit())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
