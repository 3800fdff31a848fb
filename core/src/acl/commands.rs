//! The commands a selector allows.

use super::{Acl, Catalog, Fault, Ordinal};
use std::collections::BTreeMap;

/// A set of commands, and the rules it was made by.
#[derive(Clone, Debug)]
pub(super) struct Commands {
    /// Every command without an exception.
    all: bool,
    /// The rules begin with `+@all`.
    base: bool,
    /// A bit per command of the catalog.
    bits: Vec<u64>,
    /// Commands that are allowed with some first arguments only.
    first_args: BTreeMap<Ordinal, Vec<Box<[u8]>>>,
    /// What was added and taken away since `+@all` or `-@all`, as far as it still has an effect.
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    allow: bool,
    /// In lower case; categories begin with `@`.
    name: Box<str>,
}

impl Commands {
    pub(super) fn none(catalog: &Catalog) -> Self {
        Self {
            all: false,
            base: false,
            bits: vec![0; catalog.len().div_ceil(64)],
            first_args: BTreeMap::new(),
            rules: Vec::new(),
        }
    }

    /// `+@all` or `-@all`.
    pub(super) fn set_all(&mut self, allow: bool) {
        self.all = allow;
        self.base = allow;
        self.bits.fill(if allow { u64::MAX } else { 0 });
        self.first_args.clear();
        self.rules.clear();
    }

    /// Whether every command there is or will be is allowed.
    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// `+name` or `-name`, where the name may be that of a category, or of a command with a first
    /// argument.
    pub(super) fn apply(
        &mut self,
        catalog: &Catalog,
        allow: bool,
        name: &[u8],
    ) -> Result<(), Fault> {
        if let Some(category) = name.strip_prefix(b"@") {
            let category = Acl::by_name(category).ok_or(Fault::Unknown)?;
            for command in catalog.in_category(category) {
                self.change(catalog, command, allow);
            }
        } else if let Some(command) = catalog.find(name) {
            self.change(catalog, command, allow);
        } else {
            // Only what is not allowed can be allowed in part.
            if !allow {
                return Err(Fault::Unknown);
            }
            self.allow_first_arg(catalog, name)?;
        }
        self.note(allow, name);
        Ok(())
    }

    fn allow_first_arg(&mut self, catalog: &Catalog, name: &[u8]) -> Result<(), Fault> {
        let bar = memchr::memrchr(b'|', name).ok_or(Fault::Unknown)?;
        let (command, arg) = (&name[..bar], &name[bar + 1..]);
        let command = catalog.find(command).ok_or(Fault::Unknown)?;
        if catalog.is_subcommand(command) {
            return Err(Fault::FirstArgument);
        }
        if arg.is_empty() {
            return Err(Fault::Syntax);
        }
        // Of a container that would be a subcommand.
        if catalog.subcommands(command).next().is_some() {
            return Err(Fault::Unknown);
        }
        tracing::warn!(
            "Deprecation warning: Allowing a first arg of an otherwise blocked command is a misuse \
             of ACL and may get disabled in the future (offender: +{})",
            String::from_utf8_lossy(name)
        );
        let args = self.first_args.entry(command).or_default();
        if !args.iter().any(|known| known.eq_ignore_ascii_case(arg)) {
            args.push(arg.into());
        }
        Ok(())
    }

    /// Changes a command and all its subcommands.
    fn change(&mut self, catalog: &Catalog, command: Ordinal, allow: bool) {
        self.set(command, allow);
        self.first_args.remove(&command);
        for sub in catalog.subcommands(command) {
            self.set(sub, allow);
        }
    }

    fn set(&mut self, command: Ordinal, allow: bool) {
        let (word, bit) = (usize::from(command.0 / 64), 1 << (command.0 % 64));
        if allow {
            self.bits[word] |= bit;
        } else {
            self.bits[word] &= !bit;
            self.all = false;
        }
    }

    /// A rule takes the place of what it makes void: the same one before, and those for
    /// subcommands of its command.
    fn note(&mut self, allow: bool, name: &[u8]) {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        self.rules.retain(|rule| {
            let rest = rule.name.strip_prefix(&*name);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        let name = name.into();
        self.rules.push(Rule { allow, name });
    }

    pub(super) fn allows(&self, command: Ordinal, first_arg: Option<&[u8]>) -> bool {
        let (word, bit) = (usize::from(command.0 / 64), 1 << (command.0 % 64));
        if self.all || self.bits[word] & bit != 0 {
            return true;
        }
        let args = self.first_args.get(&command);
        args.zip(first_arg)
            .is_some_and(|(args, arg)| args.iter().any(|known| known.eq_ignore_ascii_case(arg)))
    }

    /// The rules that make this set.
    pub(super) fn describe(&self) -> String {
        let mut text = String::from(if self.base { "+@all" } else { "-@all" });
        for rule in &self.rules {
            text.push_str(if rule.allow { " +" } else { " -" });
            text.push_str(&rule.name);
        }
        text
    }
}
