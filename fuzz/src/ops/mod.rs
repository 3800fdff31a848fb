//! Bytes as operations on a structure and on a model of it, which must agree.

mod hashes;
mod input;
mod keyspace;
mod lists;
mod sets;
mod stage;
mod streams;
mod zsets;

pub use keyspace::keyspace_ops;

/// Lists beside rows of byte strings; see [`stage::run`].
pub fn list_ops(data: &[u8]) {
    stage::run::<lists::Lists>(data);
}

/// Hashes beside maps; see [`stage::run`].
pub fn hash_ops(data: &[u8]) {
    stage::run::<hashes::Hashes>(data);
}

/// Sets, of integers and others, beside ordered sets; see [`stage::run`].
pub fn set_ops(data: &[u8]) {
    stage::run::<sets::Sets>(data);
}

/// Sorted sets beside maps that are sorted when asked; see [`stage::run`].
pub fn zset_ops(data: &[u8]) {
    stage::run::<zsets::Zsets>(data);
}

/// Streams with their groups beside maps; see [`stage::run`].
pub fn stream_ops(data: &[u8]) {
    stage::run::<streams::Streams>(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    type Target = fn(&[u8]);

    /// The targets with the names of their corpora.
    const TARGETS: [(&str, Target); 6] = [
        ("list_ops", list_ops),
        ("hash_ops", hash_ops),
        ("set_ops", set_ops),
        ("zset_ops", zset_ops),
        ("stream_ops", stream_ops),
        ("keyspace_ops", keyspace_ops),
    ];

    #[test]
    fn the_corpora_are_run_as_by_the_models() {
        for (name, target) in TARGETS {
            crate::corpus::replay(name, target);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_operations_come_to_what_the_models_do(data in vec(any::<u8>(), 0..2_000)) {
            TARGETS.iter().for_each(|(_, target)| target(&data));
        }
    }
}
