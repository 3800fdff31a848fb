//! The addresses of a host: its own, and one that a Sentinel puts there for a time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use holdfast_core::machine::AddressOp;

use crate::rng::Draws;
use crate::time::{Time, ms};

const EBUSY: i32 = 16;
const EADDRNOTAVAIL: i32 = 99;
/// How late a system may take an address away whose time is over, milliseconds.
const LATE_MS: u64 = 1_000;

/// The addresses of one host.
#[derive(Debug, Default)]
pub struct Addresses {
    /// Those that are always there: a Sentinel's host has that of the server beside it as well.
    own: Vec<IpAddr>,
    /// Those put there, and when the system takes them away.
    put: BTreeMap<IpAddr, Time>,
}

impl Addresses {
    /// A host with addresses of its own.
    pub const fn new(own: Vec<IpAddr>) -> Self {
        Self {
            own,
            put: BTreeMap::new(),
        }
    }

    /// Carries a step out, or fails for once.
    pub fn run(
        &mut self,
        now: Time,
        op: &AddressOp,
        failing: f64,
        draws: &mut Draws,
    ) -> Result<Vec<IpAddr>, i32> {
        if draws.chance(failing) {
            return Err(EBUSY);
        }
        self.put.retain(|_, until| now < *until);
        match op {
            AddressOp::List => Ok(self.own.iter().chain(self.put.keys()).copied().collect()),
            AddressOp::Add { ip, seconds, .. } => {
                let lasts = ms(u64::from(*seconds) * 1_000 + draws.between(0, LATE_MS));
                self.put.insert(*ip, now + lasts);
                Ok(Vec::new())
            }
            AddressOp::Remove { ip, .. } => match self.put.remove(ip) {
                Some(_) => Ok(Vec::new()),
                None => Err(EADDRNOTAVAIL),
            },
            AddressOp::Announce { .. } => Ok(Vec::new()),
        }
    }

    /// The host loses its power.
    pub fn clear(&mut self) {
        self.put.clear();
    }

    /// Whether an address was put there and is there still.
    pub fn holds(&self, ip: IpAddr, now: Time) -> bool {
        self.put.get(&ip).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Keys, Stream};

    #[test]
    fn an_address_goes_when_its_time_is_over() {
        let vip: IpAddr = "10.9.0.100".parse().unwrap();
        let mut draws = Keys::new(1).draws(Stream::Disk, 0);
        let mut host = Addresses::default();
        let add = AddressOp::Add {
            ip: vip,
            prefix: 24,
            interface: "eth0".into(),
            seconds: 3,
        };
        host.run(Time::from_millis(1_000), &add, 0.0, &mut draws)
            .unwrap();
        assert!(host.holds(vip, Time::from_millis(3_999)));
        assert!(!host.holds(vip, Time::from_millis(5_001)));
        let late = Time::from_millis(5_001);
        let listed = host.run(late, &AddressOp::List, 0.0, &mut draws);
        assert_eq!(listed, Ok(Vec::new()));
        let failed = host.run(late, &AddressOp::List, 1.0, &mut draws);
        assert_eq!(failed, Err(EBUSY));
    }
}
