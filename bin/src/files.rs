//! Configuration files as texts: the one on the command line, standard input, and those that an
//! `include` names.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use holdfast_core::config::Source;
use holdfast_core::config::cmdline::Run;
use holdfast_core::glob;

use crate::system;

/// Reads what the command line names, in order.
pub(crate) fn sources(run: &Run) -> Result<Vec<Source>, String> {
    let file = run.file.as_deref().map(read).transpose()?;
    let stdin = run.stdin.then(read_stdin).transpose()?;
    Ok(run.sources(file, stdin))
}

/// Reads the files an `include` names; a pattern may find none.
pub(crate) fn include(pattern: &str) -> Result<Vec<Source>, String> {
    let paths = if glob::is_pattern(pattern.as_bytes()) {
        expand(Path::new(pattern))
    } else {
        vec![PathBuf::from(pattern)]
    };
    let source = |path: &PathBuf| {
        let name = path.display().to_string();
        read(&name).map(|text| Source::new(&name, text))
    };
    paths.iter().map(source).collect()
}

/// Reads the file of ACL users, if there is to be one.
pub(crate) fn acl(path: &str) -> Result<Option<Box<[u8]>>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    fs::read(path)
        .map(|text| Some(text.into()))
        .map_err(|error| {
            let reason = system::reason(&error);
            format!(
                "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file \
             '{path}': {reason}"
            )
        })
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| {
        let reason = system::reason(&error);
        format!("Fatal error, can't open config file '{path}': {reason}")
    })
}

fn read_stdin() -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    match io::stdin().read_to_end(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let reason = system::reason(&error);
            Err(format!(
                "Fatal error, can't read the configuration from standard input: {reason}"
            ))
        }
    }
}

/// The existing paths that match, in the order of their names. As in a shell, names that begin
/// with a dot are only found by a pattern that does.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let name = match part {
            Component::Normal(name) if is_pattern(name) => name,
            Component::Normal(_)
            | Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => {
                found.iter_mut().for_each(|path| path.push(part));
                continue;
            }
        };
        found = found.iter().flat_map(|dir| matches_in(dir, name)).collect();
    }
    found.retain(|path| path.exists());
    found
}

fn is_pattern(name: &OsStr) -> bool {
    glob::is_pattern(name.as_encoded_bytes())
}

/// The entries of a directory that match. One that can't be read has none.
fn matches_in(dir: &Path, pattern: &OsStr) -> Vec<PathBuf> {
    let pattern = pattern.as_encoded_bytes();
    let here = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    let Ok(entries) = fs::read_dir(here) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let mut paths: Vec<PathBuf> = names
        .filter(|name| {
            let name = name.as_encoded_bytes();
            glob::matches(pattern, name) && (name[0] != b'.' || pattern[0] == b'.')
        })
        .map(|name| dir.join(name))
        .collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_include_takes_the_files_a_pattern_finds_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("conf.d/20.conf", "port 2"),
            ("conf.d/10.conf", "port 1"),
            ("conf.d/30.txt", "port 3"),
            ("conf.d/.hidden.conf", "port 4"),
            ("conf.e/40.conf", "port 5"),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let texts = |pattern: &str| -> Vec<String> {
            let pattern = dir.path().join(pattern).display().to_string();
            let sources = include(&pattern).unwrap();
            sources
                .into_iter()
                .map(|source| String::from_utf8(source.text).unwrap())
                .collect()
        };
        assert_eq!(texts("conf.d/*.conf"), ["port 1", "port 2"]);
        assert_eq!(texts("conf.?/[14]0.conf"), ["port 1", "port 5"]);
        assert_eq!(texts("conf.d/.*"), ["port 4"]);
        assert_eq!(texts("*/none*"), [""; 0]);
        assert_eq!(texts("conf.d/10.conf"), ["port 1"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_that_names_it() {
        let error = include("/nonexistent/a.conf").unwrap_err();
        let wanted =
            "Fatal error, can't open config file '/nonexistent/a.conf': No such file or directory";
        assert_eq!(error, wanted);
    }
}
