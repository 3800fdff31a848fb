//! What only the system knows of the process and the machine it runs on.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// Name, release and architecture of the system, as INFO shows them.
pub(crate) fn os() -> String {
    let kernel = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    let (name, release) = (kernel("ostype"), kernel("osrelease"));
    match (name, release) {
        (Ok(name), Ok(release)) => {
            format!(
                "{} {} {}",
                name.trim(),
                release.trim(),
                std::env::consts::ARCH
            )
        }
        (Ok(_) | Err(_), Ok(_) | Err(_)) => std::env::consts::OS.to_owned(),
    }
}

/// Bytes of the machine's memory; 0 if it does not tell.
pub(crate) fn memory_bytes() -> u64 {
    fs::read_to_string("/proc/meminfo").map_or(0, |text| total_memory(&text))
}

fn total_memory(meminfo: &str) -> u64 {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: Option<u64> = kib.and_then(|figure| figure.trim().parse().ok());
    kib.and_then(|kib| kib.checked_mul(1024)).unwrap_or(0)
}

/// The absolute path by which the program was called, as Redis reckons it.
pub(crate) fn executable(name: &str) -> String {
    match std::path::absolute(name) {
        Ok(path) => path.display().to_string(),
        Err(_) => name.to_owned(),
    }
}

/// A fresh secret, the source of all randomness of a machine.
pub(crate) fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}

/// Whether a file is one that may be run.
pub(crate) fn is_executable(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(Path::new(path))
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Tells builds apart in `--version`.
pub(crate) fn build_id() -> u64 {
    let what = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    // FNV-1a.
    what.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The system's words for an error, without the number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_of_itself() {
        assert!(os().starts_with("Linux "), "{}", os());
        assert!(memory_bytes() > 1 << 20);
        assert_eq!(
            total_memory("MemFree: 1 kB\nMemTotal:   16 kB\n"),
            16 * 1024
        );
        assert_eq!(total_memory("MemTotal: many kB\n"), 0);
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }

    #[test]
    fn only_a_file_that_may_be_run_is_executable() {
        assert!(is_executable("/bin/sh"));
        assert!(!is_executable("/bin"));
        assert!(!is_executable("/etc/passwd"));
        assert!(!is_executable("/nonexistent"));
    }

    #[test]
    fn the_reason_of_an_error_has_no_number() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(reason(&error), "No such file or directory");
    }
}
