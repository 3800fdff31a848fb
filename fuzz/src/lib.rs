//! The fuzz targets as plain functions over bytes, so that `cargo test` can replay their corpora.
#![forbid(unsafe_code)]

#[cfg(test)]
mod corpus;
pub mod files;
pub mod link;
pub mod ops;
pub mod rdb;
pub mod resp;
mod rig;
pub mod strings;
