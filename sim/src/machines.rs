//! The machines under test and the views the oracles take of them.

use crate::program::{Boot, Program};

/// Makes the process of a node.
pub fn make(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    Err(format!("there is no machine for {:?} nodes", boot.kind))
}
