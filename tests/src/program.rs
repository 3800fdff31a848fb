//! The programs under test: ours, brought up to date first, and Redis's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::say;

/// Whose programs a node runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flavour {
    /// Ours.
    Holdfast,
    /// Those of Redis that are installed.
    Redis,
}

impl Flavour {
    /// What starts a server.
    pub fn server(self) -> Command {
        match self {
            Self::Holdfast => {
                let mut command = Command::new(executable());
                command.arg("server");
                command
            }
            Self::Redis => Command::new("redis-server"),
        }
    }

    /// What starts a Sentinel.
    pub fn sentinel(self) -> Command {
        match self {
            Self::Holdfast => {
                let mut command = Command::new(executable());
                command.arg("sentinel");
                command
            }
            Self::Redis => Command::new("redis-sentinel"),
        }
    }
}

/// Whether `redis-server`, `redis-sentinel` and `redis-cli` are installed; says that `test` is
/// skipped if they are not.
///
/// # Panics
///
/// If they are not, and HOLDFAST_REQUIRE_PEERS=1 asks for them.
pub fn peers_are_here(test: &str) -> bool {
    let missing = ["redis-server", "redis-sentinel", "redis-cli"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_err());
    let Some(missing) = missing else { return true };
    let required = std::env::var("HOLDFAST_REQUIRE_PEERS").is_ok_and(|value| value == "1");
    assert!(!required, "{test} needs {missing}, which is not installed");
    say(&format!("skipped: {test}: {missing} is not installed"));
    false
}

/// The real command line client, on a port.
pub fn redis_cli(port: u16) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    // Neither options nor a password of whoever runs the tests.
    command
        .env_remove("REDISCLI_AUTH")
        .env_remove("REDISCLI_RCFILE");
    command
}

/// The `holdfast` of the profile this program was built with, built if it is not there or older
/// than its sources. HOLDFAST_BIN names another one.
///
/// # Panics
///
/// If it can't be built.
pub fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        if let Some(named) = std::env::var_os("HOLDFAST_BIN") {
            return PathBuf::from(named);
        }
        let dir = profile_dir();
        let path = dir.join("holdfast");
        if !is_fresh(&path) {
            build(&dir);
        }
        assert!(path.exists(), "cargo has built {}", path.display());
        path
    })
}

/// `target/debug`, `target/release`: tests lie in its `deps`, programs in itself.
fn profile_dir() -> PathBuf {
    let this = std::env::current_exe().expect("the system knows the program");
    let dir = this.parent().expect("a program lies in a directory");
    let dir = if dir.ends_with("deps") {
        dir.parent().expect("deps lies in one")
    } else {
        dir
    };
    dir.to_path_buf()
}

fn is_fresh(path: &Path) -> bool {
    let built = fs::metadata(path).and_then(|file| file.modified());
    let Ok(built) = built else { return false };
    let parts = ["Cargo.toml", "Cargo.lock", "bin", "core", "io"];
    parts
        .iter()
        .all(|part| newest(&workspace().join(part)) < built)
}

/// When the newest source below a path was changed.
fn newest(path: &Path) -> SystemTime {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a source directory can be read");
        let entries = entries.map(|entry| entry.expect("its entries too").path());
        return entries
            .map(|entry| newest(&entry))
            .max()
            .unwrap_or(SystemTime::UNIX_EPOCH);
    }
    let is_source = path
        .extension()
        .is_some_and(|ext| ext == "rs" || ext == "toml" || ext == "lock");
    let changed = fs::metadata(path).and_then(|file| file.modified());
    match (is_source, changed) {
        (true, Ok(changed)) => changed,
        (true | false, Ok(_) | Err(_)) => SystemTime::UNIX_EPOCH,
    }
}

fn build(dir: &Path) {
    let profile = dir
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("debug");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "-p", "holdfast", "--bin", "holdfast"])
        .current_dir(workspace());
    match profile {
        "debug" => {}
        profile => drop(command.args(["--profile", profile])),
    }
    command
        .arg("--target-dir")
        .arg(dir.parent().expect("profiles lie in the target directory"));
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} failed");
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace is above")
}
