//! Configuration: one row per directive.
