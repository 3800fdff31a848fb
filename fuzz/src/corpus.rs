//! The inputs that were found to be worth keeping.

use std::path::Path;

/// Runs a target on every input kept for it, in the order of their names.
pub(crate) fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let entries = folder.read_dir().expect("the corpus is part of the source");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    for path in paths {
        let input = std::fs::read(&path);
        target(&input.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }
}
