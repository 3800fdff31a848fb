//! Which arguments of a command are keys.

use super::spec::{Begin, Find, Flags, KeyFlags, KeySpec, Spec};
use crate::acl::{Channels, Needs, Touched};
use crate::resp::{self, ArgvRef};

/// A key argument: where it stands and what is done to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyArg {
    /// Its index among the arguments, the command's name counted.
    pub index: usize,
    /// What is done to it.
    pub flags: KeyFlags,
}

/// Finds every key of a command. `None` if the arguments contradict themselves.
pub fn of(specs: &[KeySpec], argv: ArgvRef<'_>) -> Option<Vec<KeyArg>> {
    let mut keys = Vec::new();
    for spec in specs {
        let Some(first) = begin(spec.begin, argv) else {
            continue;
        };
        find(spec, first, argv, &mut keys)?;
    }
    Some(keys)
}

/// Finds every key of a command, with what it does to each with these arguments. `None` if they
/// contradict themselves.
pub fn of_command<H>(spec: &Spec<H>, argv: ArgvRef<'_>) -> Option<Vec<KeyArg>> {
    let mut keys = of(spec.keys, argv)?;
    keys.retain(|key| !key.flags.has(KeyFlags::NOT_KEY));
    if spec.name == "sort" {
        keys.extend(stored_by_sort(argv));
    }
    // MIGRATE has one key or, if that is empty, those behind KEYS.
    if spec.name == "migrate" && keys.len() > 1 {
        keys.retain(|key| !argv.get(key.index).is_empty());
    }
    for key in &mut keys {
        if key.flags.has(KeyFlags::VARIABLE_FLAGS) {
            key.flags = match spec.name {
                "bitfield" => flags_of_bitfield(argv),
                _ => flags_of_set(argv),
            };
        }
    }
    Some(keys)
}

/// The keys of a command, and what a user needs to be allowed for each. Arguments that contradict
/// themselves name none: the command fails.
pub fn touched<H>(spec: &Spec<H>, argv: ArgvRef<'_>) -> Vec<Touched> {
    let keys = of_command(spec, argv).unwrap_or_default();
    let needs = |flags: KeyFlags| {
        let reads = flags.has(KeyFlags::ACCESS);
        let writes = KeyFlags::INSERT.and(KeyFlags::DELETE).and(KeyFlags::UPDATE);
        let read = if reads { Needs::READ } else { Needs::NONE };
        read.and(if flags.has_any(writes) {
            Needs::WRITE
        } else {
            Needs::NONE
        })
    };
    keys.iter()
        .map(|key| Touched {
            index: key.index,
            needs: needs(key.flags),
        })
        .collect()
}

/// The channels a command publishes on or subscribes to.
pub fn channels<H>(spec: &Spec<H>, argv: ArgvRef<'_>) -> Channels {
    if !spec.flags.has(Flags::PUBSUB) {
        return Channels::default();
    }
    let args = match spec.name {
        "publish" | "spublish" => 1..2,
        "subscribe" | "ssubscribe" | "psubscribe" => 1..argv.len(),
        _ => 0..0,
    };
    let are_patterns = spec.name == "psubscribe";
    Channels { args, are_patterns }
}

/// What SET does to its key: it reads it only if it returns it.
fn flags_of_set(argv: ArgvRef<'_>) -> KeyFlags {
    let returns = (3..argv.len()).any(|at| argv.get(at).eq_ignore_ascii_case(b"get"));
    if returns {
        KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE)
    } else {
        KeyFlags::OW.and(KeyFlags::UPDATE)
    }
}

/// What BITFIELD does to its key: it only reads it if it has nothing but reads.
fn flags_of_bitfield(argv: ArgvRef<'_>) -> KeyFlags {
    let mut at = 2;
    while let Some(word) = argv.try_get(at) {
        let behind = argv.len() - at - 1;
        at += if word.eq_ignore_ascii_case(b"get") && behind >= 2 {
            3
        } else if word.eq_ignore_ascii_case(b"overflow") && behind >= 1 {
            2
        } else {
            return KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
        };
    }
    KeyFlags::RO.and(KeyFlags::ACCESS)
}

/// The key in which SORT stores: the last one behind STORE, where that is no argument of another
/// option.
fn stored_by_sort(argv: ArgvRef<'_>) -> Option<KeyArg> {
    let (mut at, mut found) = (2, None);
    while let Some(word) = argv.try_get(at) {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"limit") {
            at += 2;
        } else if is(b"by") || is(b"get") {
            at += 1;
        } else if is(b"store") && at + 1 < argv.len() {
            at += 1;
            found = Some(KeyArg {
                index: at,
                flags: KeyFlags::OW.and(KeyFlags::UPDATE),
            });
        }
        at += 1;
    }
    found
}

/// Where a spec's search starts; `None` if its keyword does not occur.
fn begin(begin: Begin, argv: ArgvRef<'_>) -> Option<usize> {
    match begin {
        Begin::Index(index) => Some(usize::from(index)),
        Begin::Keyword(word, from) => {
            let is_word = |&at: &usize| argv.get(at).eq_ignore_ascii_case(word.as_bytes());
            let found = if from >= 0 {
                (usize::from(from.unsigned_abs())..argv.len()).find(is_word)
            } else {
                let last = argv.len().checked_sub(usize::from(from.unsigned_abs()))?;
                (1..=last).rev().find(is_word)
            };
            found.map(|at| at + 1)
        }
        Begin::Unknown(_) => None,
    }
}

fn find(spec: &KeySpec, first: usize, argv: ArgvRef<'_>, keys: &mut Vec<KeyArg>) -> Option<()> {
    let (first, last, step) = match spec.find {
        Find::Range { last, step, limit } => {
            let end = if last >= 0 {
                first + usize::from(last.unsigned_abs())
            } else if limit > 1 {
                first + argv.len().checked_sub(first)? / usize::from(limit) - 1
            } else {
                argv.len().checked_sub(usize::from(last.unsigned_abs()))?
            };
            (first, end, usize::from(step))
        }
        Find::Count {
            count,
            first: offset,
            step,
        } => {
            let count = argv
                .try_get(first + usize::from(count))
                .and_then(resp::parse_int)?;
            let count = usize::try_from(count).ok()?;
            let start = first + usize::from(offset);
            // Redis refuses a count beyond the arguments (db.c, getKeysUsingKeySpecs).
            if count > argv.len().saturating_sub(start) {
                return None;
            }
            let Some(before_last) = count.checked_sub(1) else {
                return Some(());
            };
            (
                start,
                start + before_last * usize::from(step),
                usize::from(step),
            )
        }
        Find::Unknown => return Some(()),
    };
    if last >= argv.len() {
        return None;
    }
    let found = (first..=last).step_by(step).map(|index| KeyArg {
        index,
        flags: spec.flags,
    });
    keys.extend(found);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgv;

    fn found(specs: &[KeySpec], words: &str) -> Option<Vec<usize>> {
        let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        let argv = OwnedArgv::from_slices(&words);
        of(specs, argv.as_ref()).map(|keys| keys.iter().map(|key| key.index).collect())
    }

    #[test]
    fn ranges_count_from_both_ends() {
        let ro = KeyFlags::RO;
        assert_eq!(found(&[KeySpec::at(1, ro)], "GET k"), Some(vec![1]));
        assert_eq!(
            found(&[KeySpec::range(1, -1, 2, ro)], "MSET a 1 b 2"),
            Some(vec![1, 3])
        );
        assert_eq!(
            found(&[KeySpec::range(1, -2, 1, ro)], "BLPOP a b 0"),
            Some(vec![1, 2])
        );
        assert_eq!(
            found(&[KeySpec::range(1, 1, 1, ro)], "RENAME a b"),
            Some(vec![1, 2])
        );
    }

    #[test]
    fn a_count_beyond_the_arguments_names_no_keys() {
        let counted = [KeySpec::counted(1, KeyFlags::RO)];
        assert_eq!(found(&counted, "LMPOP 2 a b LEFT"), Some(vec![2, 3]));
        assert_eq!(found(&counted, "LMPOP 0 a b LEFT"), Some(vec![]));
        assert_eq!(found(&counted, "LMPOP 9 a b LEFT"), None);
        assert_eq!(found(&counted, "LMPOP x a b LEFT"), None);
    }

    #[test]
    fn a_bitfield_of_reads_alone_is_a_read() {
        let reads = |words: &str| {
            let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
            flags_of_bitfield(OwnedArgv::from_slices(&words).as_ref()).has(KeyFlags::RO)
        };
        assert!(reads("BITFIELD k"));
        assert!(reads("BITFIELD k GET u8 0 overflow sat get u8 0"));
        assert!(!reads("BITFIELD k GET u8 0 set u8 0 1"));
        assert!(!reads("BITFIELD k GET u8"));
        assert!(!reads("BITFIELD k foo"));
    }

    #[test]
    fn sort_stores_behind_the_last_store_that_is_an_option() {
        let stored = |words: &str| {
            let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
            stored_by_sort(OwnedArgv::from_slices(&words).as_ref()).map(|key| key.index)
        };
        assert_eq!(stored("SORT k"), None);
        assert_eq!(stored("SORT k STORE"), None);
        assert_eq!(stored("SORT k store d ALPHA"), Some(3));
        assert_eq!(stored("SORT k STORE d STORE e STORE"), Some(5));
        assert_eq!(stored("SORT k BY store GET store LIMIT store store"), None);
        assert_eq!(stored("SORT k BY store STORE d"), Some(5));
    }

    #[test]
    fn a_keyword_that_does_not_occur_names_no_key() {
        let store = KeySpec {
            begin: Begin::Keyword("STORE", 2),
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            flags: KeyFlags::OW,
        };
        assert_eq!(found(&[store], "SORT k STORE d"), Some(vec![3]));
        assert_eq!(found(&[store], "SORT k ALPHA"), Some(vec![]));
    }
}
