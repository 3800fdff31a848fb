//! SENTINEL SIMULATE-FAILURE.

use super::{Cx, Fail};
use crate::resp::ArgvRef;
use crate::sentinel::watch::SimulateFailure;

/// What is asked for takes the place of what was asked for before, as far as it is understood.
pub(super) fn simulate_failure(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    cx.sentinel.watch.simulate = SimulateFailure::default();
    for word in args.skip(2).iter() {
        let simulate = &mut cx.sentinel.watch.simulate;
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
    cx.reply().ok();
    Ok(())
}
