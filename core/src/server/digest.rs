//! Fingerprints of values and of the dataset, equal for equal data however it is kept.

use crate::keyspace::{EntryRef, Keyspace};
use crate::value::stream::StreamId;
use crate::value::{HashRef, IntText, ListRef, SetRef, StreamRef, ValueRef, ZsetRef};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::hash::Hasher as _;

/// Forty hexadecimal digits' worth.
pub type Digest = [u8; 20];

/// Of nothing.
pub const EMPTY: Digest = [0; 20];

/// The fingerprint of all databases; of an empty dataset, all zeros. Does not depend on order.
pub fn dataset(keys: &Keyspace) -> Digest {
    let mut all = EMPTY;
    for (index, db) in keys.dbs().iter().enumerate() {
        for entry in db.iter() {
            xor(&mut all, entry_digest(index, entry));
        }
    }
    all
}

/// The fingerprint of a value.
pub fn value(value: ValueRef<'_>) -> Digest {
    digest(|hasher| write_value(hasher, value))
}

/// As text.
pub fn hex(digest: Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry_digest(db: usize, entry: EntryRef<'_>) -> Digest {
    digest(|hasher| {
        hasher.write_u64(db as u64);
        write_part(hasher, entry.key());
        hasher.write_i64(entry.expire().map_or(-1, |at| at.as_millis()));
        write_value(hasher, entry.value());
    })
}

fn write_value(hasher: &mut SipHasher13, value: ValueRef<'_>) {
    match value {
        ValueRef::Str(text) => {
            hasher.write_u8(0);
            write_part(hasher, text.text(&mut IntText::default()));
        }
        ValueRef::List(list) => write_list(hasher, list),
        ValueRef::Hash(hash) => write_hash(hasher, hash),
        ValueRef::Set(set) => write_set(hasher, set),
        ValueRef::Zset(zset) => write_zset(hasher, zset),
        ValueRef::Stream(stream) => write_stream(hasher, stream),
    }
}

fn write_list(hasher: &mut SipHasher13, list: ListRef<'_>) {
    hasher.write_u8(1);
    hasher.write_u64(list.len() as u64);
    for element in list.iter() {
        write_part(hasher, element);
    }
}

fn write_hash(hasher: &mut SipHasher13, hash: HashRef<'_>) {
    hasher.write_u8(2);
    hasher.write_u64(hash.len() as u64);
    let mut all = EMPTY;
    for (field, value) in hash.iter() {
        let one = digest(|hasher| {
            write_part(hasher, field);
            write_part(hasher, value);
        });
        xor(&mut all, one);
    }
    hasher.write(&all);
}

fn write_set(hasher: &mut SipHasher13, set: SetRef<'_>) {
    hasher.write_u8(3);
    hasher.write_u64(set.len() as u64);
    let mut all = EMPTY;
    let mut scratch = IntText::default();
    for member in set.iter() {
        let member = member.text(&mut scratch);
        xor(&mut all, digest(|hasher| write_part(hasher, member)));
    }
    hasher.write(&all);
}

fn write_zset(hasher: &mut SipHasher13, zset: ZsetRef<'_>) {
    hasher.write_u8(4);
    hasher.write_u64(zset.len() as u64);
    for (member, score) in zset.iter() {
        write_part(hasher, member);
        // The small form knows no negative zero.
        hasher.write_u64((score + 0.0).to_bits());
    }
}

/// Without what replicas do not learn of groups: who was seen when, what was delivered again.
fn write_stream(hasher: &mut SipHasher13, stream: StreamRef<'_>) {
    let log = stream.log();
    hasher.write_u8(5);
    hasher.write_u64(log.len() as u64);
    for entry in log.range(StreamId::MIN, StreamId::MAX) {
        hasher.write(&entry.id.to_bytes());
        hasher.write_u64(entry.field_count() as u64);
        for (name, value) in entry.fields() {
            name.with_bytes(|name| write_part(hasher, name));
            value.with_bytes(|value| write_part(hasher, value));
        }
    }
    hasher.write(&log.last_id.to_bytes());
    hasher.write(&log.max_deleted.to_bytes());
    hasher.write_u64(log.added);
    hasher.write_u64(stream.group_count() as u64);
    for (name, group) in stream.groups() {
        write_part(hasher, name);
        hasher.write(&group.last_id.to_bytes());
        hasher.write_u64(group.pending().len() as u64);
        for (id, pending) in group.pending().since(StreamId::MIN) {
            hasher.write(&id.to_bytes());
            write_part(hasher, group.consumer(pending.consumer).name());
        }
    }
}

/// With its length, so that no two sequences of parts look alike.
fn write_part(hasher: &mut SipHasher13, part: &[u8]) {
    hasher.write_u64(part.len() as u64);
    hasher.write(part);
}

/// A hash of 128 bits, and 32 bits more that are made of it.
fn digest(write: impl Fn(&mut SipHasher13)) -> Digest {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    write(&mut hasher);
    let hash = hasher.finish128().as_bytes();
    let mut more = SipHasher13::new_with_keys(1, 0);
    more.write(&hash);
    let more = more.finish128().as_bytes();
    let mut all = EMPTY;
    all[..16].copy_from_slice(&hash);
    all[16..].copy_from_slice(&more[..4]);
    all
}

fn xor(all: &mut Digest, one: Digest) {
    for (a, b) in all.iter_mut().zip(one) {
        *a ^= b;
    }
}
