//! SENTINEL SIMULATE-FAILURE.

use super::{Cx, Fail};
use crate::resp::ArgvRef;
use crate::sentinel::watch::SimulateFailure;

pub(super) fn simulate_failure(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    // As in Redis, whatever comes takes back what was asked for before.
    cx.sentinel.watch.simulate = SimulateFailure::default();
    let mut simulate = SimulateFailure::default();
    for word in args.skip(2).iter() {
        match &*word.to_ascii_lowercase() {
            b"crash-after-election" => simulate.after_election = true,
            b"crash-after-promotion" => simulate.after_promotion = true,
            b"help" => {
                let mut reply = cx.reply();
                reply.array(2);
                reply.bulk(b"crash-after-election");
                reply.bulk(b"crash-after-promotion");
                return Ok(());
            }
            _ => return Err("ERR Unknown failure simulation specified".to_owned()),
        }
    }
    cx.sentinel.watch.simulate = simulate;
    cx.reply().ok();
    Ok(())
}
