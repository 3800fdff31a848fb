//! The dataset: a hash-ordered table per database, with expiry and memory accounting.
