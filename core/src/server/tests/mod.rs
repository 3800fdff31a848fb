//! Whole servers behind the seam.

mod acl;
mod aof_history;
mod append_only;
mod bits;
mod blocking;
mod circles;
mod clients;
mod corners;
mod delays;
mod eviction;
mod failover;
mod geo;
mod harness;
mod hashes;
mod hyperloglog;
mod lists;
mod persistence;
mod plain_base;
mod receiving;
mod replication;
mod sets;
mod sorted_sets;
mod sorting;
mod stream_groups;
mod streams;
mod strings;
