//! Commands: one row per command, its handler below it, in the file of its family.
