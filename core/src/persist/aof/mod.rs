//! The append-only file: every change to the dataset, as the commands that make it.
//!
//! The log is a directory of files. Its manifest names a base, which is the dataset of one moment
//! (as RDB data, or as commands), and the files with what was written since, in order. The last
//! of them grows. Whatever happens, these hold:
//!
//! - The manifest names only files that are there: a file is made, and the directory synced,
//!   before the manifest that names it is written.
//! - The manifest is replaced, never written in place: written under another name, synced,
//!   renamed, and the directory synced.
//! - A file that is followed by another is whole and durable: it is appended to no more and
//!   synced before the manifest names the next one.
//! - A base is whole, durable and has its name before the manifest names it; until then the old
//!   base and what follows it are all that is needed to load the dataset.
//! - Files are removed after the manifest that no longer needs them is durable.
//! - Nothing is appended behind a part of an append that failed: the part is cut off first.
//! - A file of which a sync failed is not trusted again: its bytes may be lost although a later
//!   sync succeeds. It is replaced by a rewrite.

pub mod base;
pub mod load;
pub mod manifest;
pub mod writer;

/// Where the log is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// The directory (`appenddirname`).
    pub dir: Box<str>,
    /// What the names of its files begin with (`appendfilename`); also the name of the single
    /// file that servers before 7.0 have beside the directory.
    pub stem: Box<str>,
}

impl Names {
    /// The path of a file of the log.
    #[must_use]
    pub fn path(&self, name: &str) -> Box<str> {
        format!("{}/{name}", self.dir).into()
    }

    /// The path of the manifest.
    #[must_use]
    pub fn manifest(&self) -> Box<str> {
        format!("{}/{}.manifest", self.dir, self.stem).into()
    }

    /// The path under which a new manifest is written.
    #[must_use]
    pub fn temp_manifest(&self) -> Box<str> {
        format!("{}/temp-{}.manifest", self.dir, self.stem).into()
    }
}
