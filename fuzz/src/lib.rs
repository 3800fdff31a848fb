//! The fuzz targets as plain functions over bytes, so that `cargo test` can replay their corpora.
#![forbid(unsafe_code)]

#[cfg(test)]
mod corpus;
pub mod ops;
pub mod rdb;
pub mod resp;
pub mod strings;
