//! Why a log can't be loaded.

use core::fmt;

use crate::machine::DiskFault;
use crate::persist::aof::Names;
use crate::persist::aof::manifest::ManifestFault;

/// Why a log can't be loaded. Its text is what Redis logs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AofFault {
    /// The manifest is not sound.
    Manifest(ManifestFault),
    /// The single file of a server before 7.0 could not be moved into the directory.
    Upgrade {
        /// Where from and to.
        names: Names,
        /// Why.
        fault: DiskFault,
    },
    /// A file that the manifest names can't be found.
    Length {
        /// Its name.
        name: Box<str>,
        /// Why.
        fault: DiskFault,
    },
    /// A file can't be read.
    Read {
        /// Its name.
        name: Box<str>,
        /// Why.
        fault: DiskFault,
    },
    /// The RDB data of a file is not sound.
    Preamble {
        /// Its name.
        name: Box<str>,
        /// Why.
        why: String,
    },
    /// Something in the place of a command.
    Format {
        /// The name of the file.
        name: Box<str>,
        /// Where the last command before it ends.
        offset: u64,
    },
    /// A command that there is not.
    UnknownCommand {
        /// The name of the file.
        name: Box<str>,
        /// The command.
        command: Box<str>,
    },
    /// The last file ends in the middle of something, and must not be cut back.
    Truncated {
        /// Its name.
        name: Box<str>,
    },
    /// A file that is not the last ends in the middle of something.
    NotLast,
    /// The last file could not be cut back.
    Truncating {
        /// Its name.
        name: Box<str>,
        /// Why.
        fault: DiskFault,
    },
}

impl fmt::Display for AofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(fault) => fault.fmt(f),
            Self::Upgrade { names, fault } => {
                let Names { dir, stem } = names;
                write!(
                    f,
                    "Error trying to rename the old AOF file {stem} into dir {dir}: {fault}"
                )
            }
            Self::Length { name, fault } => {
                write!(
                    f,
                    "Unable to obtain the AOF file {name} length. stat: {fault}"
                )
            }
            Self::Read { name, fault } => write!(
                f,
                "Fatal error: can't open the append log file {name} for reading: {fault}"
            ),
            Self::Preamble { name, why } => {
                write!(
                    f,
                    "Error reading the RDB preamble of the AOF file {name}, AOF loading aborted: \
                     {why}"
                )
            }
            Self::Format { name, offset } => write!(
                f,
                "Bad file format reading the append only file {name}: make a backup of your AOF \
                 file, then use ./redis-check-aof --fix <filename.manifest> (at offset {offset})"
            ),
            Self::UnknownCommand { name, command } => {
                write!(
                    f,
                    "Unknown command '{command}' reading the append only file {name}"
                )
            }
            Self::Truncated { name } => write!(
                f,
                "Unexpected end of file reading the append only file {name}. You can: 1) Make a \
                 backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. \
                 2) Alternatively you can set the 'aof-load-truncated' configuration option to \
                 yes and restart the server."
            ),
            Self::NotLast => f.write_str("Fatal error: the truncated file is not the last file"),
            Self::Truncating { name, fault } => {
                write!(f, "Error truncating the AOF file {name}: {fault}")
            }
        }
    }
}
