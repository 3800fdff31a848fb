//! The Sentinel machine.
