//! The commands that rules can name.

use super::Acl;
use core::ops::Range;
use std::collections::BTreeMap;

/// The commands of one kind of server, under the names they have before any renaming.
#[derive(Debug)]
pub struct Catalog {
    entries: Vec<Entry>,
    by_name: BTreeMap<Box<str>, Ordinal>,
    /// How many of them can be called.
    present: usize,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    categories: Acl,
    subcommands: Range<u16>,
    is_subcommand: bool,
}

/// The place of a command in its catalog.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ordinal(pub u16);

/// A command that goes into a catalog.
#[derive(Debug)]
pub struct Row {
    /// Its own word, in lower case.
    pub name: &'static str,
    /// All its categories.
    pub categories: Acl,
    /// Its subcommands, by their own words.
    pub subcommands: Vec<(&'static str, Acl)>,
}

impl Catalog {
    /// Numbers commands in their order, each before its subcommands. Rules may also name what is
    /// `absent`, by full names: commands that nobody can call. Those that are there are skipped.
    pub fn new(rows: impl Iterator<Item = Row>, absent: &[&'static str]) -> Self {
        let mut catalog = Self {
            entries: Vec::new(),
            by_name: BTreeMap::new(),
            present: 0,
        };
        for row in rows {
            catalog.add(row.name.into(), row.categories, false);
            for (sub, categories) in &row.subcommands {
                catalog.add(format!("{}|{sub}", row.name).into(), *categories, true);
            }
            catalog.close(row.subcommands.len());
        }
        catalog.present = catalog.entries.len();
        for &name in absent.iter().filter(|name| !name.contains('|')) {
            if catalog.add_absent(name) {
                let mut subcommands = 0;
                for &sub in absent.iter().filter(|sub| is_subcommand_of(sub, name)) {
                    subcommands += usize::from(catalog.add_absent(sub));
                }
                catalog.close(subcommands);
            }
        }
        for &sub in absent.iter().filter(|name| name.contains('|')) {
            catalog.add_absent(sub);
        }
        catalog
    }

    /// False if it is not absent.
    fn add_absent(&mut self, name: &'static str) -> bool {
        let is_absent = self.find(name.as_bytes()).is_none();
        if is_absent {
            self.add(name.into(), Acl::NONE, name.contains('|'));
        }
        is_absent
    }

    fn add(&mut self, name: Box<str>, categories: Acl, is_subcommand: bool) {
        let at = u16::try_from(self.entries.len()).expect("commands are few");
        let before = self.by_name.insert(name.clone(), Ordinal(at));
        assert!(before.is_none(), "{name}: two commands of the same name");
        self.entries.push(Entry {
            name,
            categories,
            subcommands: at + 1..at + 1,
            is_subcommand,
        });
    }

    /// The last so many entries are the subcommands of the one before them.
    fn close(&mut self, subcommands: usize) {
        let end = self.entries.len();
        let ends = u16::try_from(end).expect("commands are few");
        self.entries[end - subcommands - 1].subcommands.end = ends;
    }

    /// Finds a command by its full name, `container|subcommand` for a subcommand, in any case.
    pub fn find(&self, name: &[u8]) -> Option<Ordinal> {
        let name = core::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.by_name.get(&*name).copied()
    }

    /// How many commands and subcommands rules can name.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether rules can name no command at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The full name of a command.
    pub fn name(&self, at: Ordinal) -> &str {
        &self.entries[usize::from(at.0)].name
    }

    /// The subcommands of a command.
    pub(super) fn subcommands(&self, at: Ordinal) -> impl Iterator<Item = Ordinal> + use<> {
        let range = self.entries[usize::from(at.0)].subcommands.clone();
        range.map(Ordinal)
    }

    pub(super) fn is_subcommand(&self, at: Ordinal) -> bool {
        self.entries[usize::from(at.0)].is_subcommand
    }

    /// The commands of a category.
    pub fn in_category(&self, category: Acl) -> impl Iterator<Item = Ordinal> {
        let entries = self.entries[..self.present].iter().enumerate();
        entries
            .filter(move |(_, entry)| entry.categories.has(category))
            .map(|(at, _)| Ordinal(u16::try_from(at).expect("commands are few")))
    }
}

fn is_subcommand_of(name: &str, container: &str) -> bool {
    name.strip_prefix(container)
        .is_some_and(|rest| rest.starts_with('|'))
}
