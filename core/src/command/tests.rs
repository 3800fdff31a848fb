//! What must hold for every row of the table.

use super::FAMILIES;
use super::spec::{Acl, Arity, Flags, Handler, Spec};
use super::table::Table;

fn all() -> impl Iterator<Item = &'static Spec> {
    FAMILIES
        .iter()
        .copied()
        .flatten()
        .flat_map(|spec| core::iter::once(spec).chain(spec.subcommands))
}

#[test]
fn names_are_lower_case_and_found_in_any_case() {
    let table: Table<Handler> = Table::new(FAMILIES, &[]);
    for spec in FAMILIES.iter().copied().flatten() {
        assert!(
            spec.name.bytes().all(|b| !b.is_ascii_uppercase()),
            "{}",
            spec.name
        );
        let id = table.by_name(spec.name.to_ascii_uppercase().as_bytes());
        assert_eq!(
            table.command(id.expect("it is in the table")).spec.name,
            spec.name
        );
        for sub in spec.subcommands {
            let full = format!("{}|{}", spec.name, sub.name);
            let id = table
                .by_full_name(full.as_bytes())
                .expect("so are its subcommands");
            assert_eq!(*table.full_name(id), *full);
        }
    }
}

#[test]
fn renamed_and_removed_commands_go_by_their_new_names_alone() {
    let renamed = [
        ("FLUSHDB".into(), "badger".into()),
        ("keys".into(), "".into()),
    ];
    let table: Table<Handler> = Table::new(FAMILIES, &renamed);
    assert!(table.by_name(b"flushdb").is_none());
    assert!(table.by_name(b"Badger").is_some());
    assert!(table.by_name(b"keys").is_none());
}

#[test]
fn every_write_on_keys_says_which() {
    // These act on whole databases.
    const WHOLE: &[&str] = &["flushall", "flushdb", "swapdb"];
    for spec in all().filter(|spec| spec.flags.has(Flags::WRITE)) {
        assert!(
            !spec.keys.is_empty() || WHOLE.contains(&spec.name),
            "{}",
            spec.name
        );
    }
}

#[test]
fn every_command_is_explained_and_classed() {
    for spec in all() {
        assert!(
            spec.docs.summary.ends_with('.'),
            "{}: {}",
            spec.name,
            spec.docs.summary
        );
        let acl = spec.categories();
        assert!(acl.has(Acl::FAST) != acl.has(Acl::SLOW), "{}", spec.name);
        let least = match spec.arity {
            Arity::Exactly(n) | Arity::AtLeast(n) => n,
        };
        assert!(least >= 1, "{}: the name counts as an argument", spec.name);
    }
}
