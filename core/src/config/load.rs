//! Reading configuration files and the command line.

use super::fault::{ConfigError, Fault, Origin};
use super::row::Kind;
use super::store::{Config, Directive};
use super::table::{self, OBSOLETE};
use super::text::split_args;
use super::value::Value;
use crate::limits::{CONFIG_INCLUDE_DEPTH_MAX, CONFIG_LINES_MAX};

/// A text with directives, and what to call it in errors.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// A path, or `command line` or `stdin`.
    pub name: Box<str>,
    /// The text.
    pub text: Vec<u8>,
}

impl Source {
    /// A text under a name.
    pub fn new(name: &str, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// Reads the files an `include` names: none or more for a glob pattern, an error with the reason
/// if a file can't be read.
pub type Include<'a> = dyn FnMut(&str) -> Result<Vec<Source>, String> + 'a;

impl Config {
    /// Reads the sources of a server in order; a later directive overrides an earlier one.
    pub fn load(sources: &[Source], include: &mut Include<'_>) -> Result<Self, ConfigError> {
        let mut loader = Loader::new(Self::default(), Mode::Server, include);
        for source in sources {
            loader.read(source, 0)?;
        }
        Ok(loader.config)
    }
}

/// Whose files are read.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Server,
    /// Collects the `sentinel` lines.
    Sentinel(Vec<Directive>),
}

/// The state of reading several files into one configuration.
pub(super) struct Loader<'a> {
    pub(super) config: Config,
    pub(super) mode: Mode,
    include: &'a mut Include<'a>,
    /// The first `save` of all replaces the default save points; later ones add to it.
    save_seen: bool,
    lines: usize,
}

impl<'a> Loader<'a> {
    pub(super) fn new<'b: 'a>(config: Config, mode: Mode, include: &'a mut Include<'b>) -> Self {
        Self {
            config,
            mode,
            include,
            save_seen: false,
            lines: 0,
        }
    }

    pub(super) fn read(&mut self, source: &Source, depth: usize) -> Result<(), ConfigError> {
        for (index, line) in source.text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let origin = || Origin {
                file: source.name.clone(),
                line: index + 1,
                text: String::from_utf8_lossy(line).into(),
            };
            self.lines += 1;
            if self.lines > CONFIG_LINES_MAX {
                return Err(origin().error(Fault::Because("too many lines of configuration")));
            }
            self.read_line(line, depth, &origin)?;
        }
        Ok(())
    }

    fn read_line(
        &mut self,
        line: &[u8],
        depth: usize,
        origin: &dyn Fn() -> Origin,
    ) -> Result<(), ConfigError> {
        let fail = |fault| Err(origin().error(fault));
        let Some(args) = split_args(line) else {
            return fail(Fault::Quotes);
        };
        let Some((name, args)) = args.split_first() else {
            return Ok(());
        };
        if let Some((id, _)) = table::find(name) {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            self.set(id, &args).map_err(|fault| origin().error(fault))?;
            self.config.origins.insert(id, origin());
            return Ok(());
        }
        let args = args.to_vec();
        let keep = |args| Directive {
            args,
            origin: origin(),
        };
        match (name.to_ascii_lowercase().as_slice(), args.len()) {
            (b"include", 1) => self.include(&args[0], depth, origin),
            (b"user", 1..) => {
                if self.config.users.iter().any(|user| user.args[0] == args[0]) {
                    let user = String::from_utf8_lossy(&args[0]);
                    return fail(Fault::Other(
                        format!(
                            "Error in user declaration '{user}': Duplicate user found. \
                             A user can only be defined once in config files"
                        )
                        .into(),
                    ));
                }
                self.config.users.push(keep(args));
                Ok(())
            }
            (b"rename-command", 2) => {
                self.config.renamed_commands.push(keep(args));
                Ok(())
            }
            (b"loadmodule", 1..) => {
                self.config.modules.push(keep(args));
                Ok(())
            }
            // `--sentinel` on the command line comes here as a line of its own.
            (b"sentinel", 0) => Ok(()),
            (b"sentinel", _) => match &mut self.mode {
                Mode::Sentinel(lines) => {
                    lines.push(keep(args));
                    Ok(())
                }
                Mode::Server => fail(Fault::Because(
                    "sentinel directive while not in sentinel mode",
                )),
            },
            (name, 1) if OBSOLETE.iter().any(|old| old.as_bytes() == name) => Ok(()),
            (_, _) => fail(Fault::UnknownDirective),
        }
    }

    fn set(&mut self, id: usize, args: &[&[u8]]) -> Result<(), Fault> {
        let row = &table::ROWS[id];
        // One quoted argument may hold all the values.
        let split: Vec<&[u8]>;
        let args = match *args {
            [one] if row.takes_many() && !one.is_empty() => {
                split = one.split(|&byte| byte == b' ').collect();
                &split
            }
            [] | [_, ..] => args,
        };
        let nothing = Value::Save(Vec::new());
        let first = |seen: &mut bool| !core::mem::replace(seen, true);
        let old = if matches!(row.kind, Kind::Save) && first(&mut self.save_seen) {
            &nothing
        } else {
            &self.config.values[id]
        };
        let value = row.kind.parse(args, old)?;
        self.config.put(id, value);
        Ok(())
    }

    fn include(
        &mut self,
        pattern: &[u8],
        depth: usize,
        origin: &dyn Fn() -> Origin,
    ) -> Result<(), ConfigError> {
        if depth == CONFIG_INCLUDE_DEPTH_MAX {
            return Err(origin().error(Fault::Because("files include each other too deeply")));
        }
        let pattern = String::from_utf8_lossy(pattern);
        let sources = (self.include)(&pattern)
            .map_err(|reason| origin().error(Fault::Other(reason.into())))?;
        for source in &sources {
            self.read(source, depth + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
