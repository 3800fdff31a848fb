//! zset: PLACEHOLDER.

use super::spec::Spec;

/// The family's rows.
pub static COMMANDS: &[Spec] = &[];
