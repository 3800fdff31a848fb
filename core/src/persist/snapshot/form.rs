//! What a snapshot is written as.

use bytes::Bytes;

use crate::persist::aof::base::Commands;
use crate::persist::rdb::{Encoder, KeyMeta};
use crate::value::{Parts, ValueRef};

/// Writes entries in one of the forms.
#[derive(Debug)]
pub(super) enum Writer {
    Rdb(Box<Encoder>),
    Commands(Box<Commands>),
}

impl Writer {
    pub(super) fn select_db(&mut self, db: u32) {
        match self {
            Self::Rdb(encoder) => encoder.select_db(db),
            Self::Commands(commands) => commands.select_db(db),
        }
    }

    pub(super) fn key(&mut self, key: &[u8], value: ValueRef<'_>, meta: KeyMeta) {
        match self {
            Self::Rdb(encoder) => encoder.key(key, value, meta),
            Self::Commands(commands) => commands.key(key, value, meta.expire_ms),
        }
    }

    pub(super) fn parts_head(&mut self, key: &[u8], parts: &Parts, meta: KeyMeta) {
        match self {
            Self::Rdb(encoder) => encoder.parts_head(key, parts, meta),
            Self::Commands(commands) => commands.parts_head(key, parts, meta.expire_ms),
        }
    }

    pub(super) fn part(&mut self, parts: &mut Parts) -> Option<usize> {
        match self {
            Self::Rdb(encoder) => encoder.part(parts),
            Self::Commands(commands) => commands.part(parts),
        }
    }

    pub(super) fn eof(&mut self) {
        match self {
            Self::Rdb(encoder) => encoder.eof(),
            Self::Commands(commands) => commands.eof(),
        }
    }

    pub(super) fn flush(&mut self) {
        match self {
            Self::Rdb(encoder) => encoder.flush(),
            Self::Commands(commands) => commands.flush(),
        }
    }

    pub(super) fn buffered(&self) -> usize {
        match self {
            Self::Rdb(encoder) => encoder.buffered(),
            Self::Commands(commands) => commands.buffered(),
        }
    }

    pub(super) fn poll_chunk(&mut self) -> Option<Bytes> {
        match self {
            Self::Rdb(encoder) => encoder.poll_chunk(),
            Self::Commands(commands) => commands.poll_chunk(),
        }
    }
}
