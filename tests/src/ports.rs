//! Free ports, below those the system gives to outgoing connections.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of ours as long as this value lives, also while nobody listens on it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Keeps other processes that ask here away.
    _lock: Option<File>,
}

const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

impl Port {
    /// Finds one that nobody has.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn free() -> Self {
        // Processes begin at different places, so that they seldom meet.
        let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("it is smaller");
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
            let offset = (u32::from(start) * 7 + u32::from(step)) % u32::from(COUNT);
            let number = FIRST + u16::try_from(offset).expect("it is smaller");
            if let Some(port) = Self::take(number) {
                return port;
            }
        }
        panic!("no port is free between {FIRST} and {}", FIRST + COUNT);
    }

    /// Finds so many in a row.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn row(count: usize) -> Vec<Self> {
        for _ in 0..COUNT {
            let mut row = vec![Self::free()];
            while row.len() < count {
                let next = row[row.len() - 1].number + 1;
                let Some(port) = Self::take(next) else { break };
                row.push(port);
            }
            if row.len() == count {
                return row;
            }
        }
        panic!("there are no {count} free ports in a row");
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    fn take(number: u16) -> Option<Self> {
        let dir = std::env::temp_dir().join("holdfast-test-ports");
        let made =
            fs::create_dir_all(&dir).and_then(|()| File::create(dir.join(number.to_string())));
        let lock = match made {
            Ok(file) => {
                file.try_lock().ok()?;
                Some(file)
            }
            // Somebody else's directory: looking whether the port is free has to do.
            Err(_) => None,
        };
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
        Some(Self {
            number,
            _lock: lock,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_until_it_is_dropped() {
        let port = Port::free();
        assert!(Port::take(port.number()).is_none());
        let number = port.number();
        drop(port);
        assert!(Port::take(number).is_some());
    }
}
