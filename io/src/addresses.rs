//! The addresses of this host's interfaces: one thread that carries out [`AddressOp`]s in the
//! order given. The system may take a moment for each, as others change its interfaces too.

mod announce;
mod netlink;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use holdfast_core::machine::{AddressOp, Completion, Done, Ticket};

use crate::inbox::Inbox;
use crate::limits::THREAD_STACK_BYTES;
use netlink::Netlink;

/// The thread, as the loop sees it; it is started when there is something to do for it.
pub(crate) struct Addresses {
    inbox: Arc<Inbox>,
    jobs: Option<Sender<Job>>,
}

struct Job {
    ticket: Ticket,
    op: AddressOp,
}

impl Addresses {
    /// Completions go to `inbox`.
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, jobs: None }
    }

    /// Carries a step out. What fails at once is returned.
    pub(crate) fn push(&mut self, ticket: Ticket, op: AddressOp) -> Result<(), Completion> {
        let refused = |error: &io::Error| Completion {
            ticket,
            done: Done::Address(Err(error.raw_os_error().unwrap_or(libc::EIO))),
        };
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => {
                let jobs = start(Arc::clone(&self.inbox)).map_err(|error| refused(&error))?;
                self.jobs.insert(jobs)
            }
        };
        let sent = jobs.send(Job { ticket, op });
        sent.map_err(|_| {
            self.jobs = None;
            refused(&io::Error::from_raw_os_error(libc::EPIPE))
        })
    }
}

fn start(inbox: Arc<Inbox>) -> io::Result<Sender<Job>> {
    let (jobs, todo) = channel();
    let builder = std::thread::Builder::new().name("addresses".to_owned());
    let builder = builder.stack_size(THREAD_STACK_BYTES);
    builder.spawn(move || work(&todo, &inbox))?;
    Ok(jobs)
}

fn work(todo: &Receiver<Job>, inbox: &Inbox) {
    for Job { ticket, op } in todo {
        let result = carry_out(&op);
        let result = result.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO));
        inbox.put(Completion {
            ticket,
            done: Done::Address(result),
        });
    }
}

fn carry_out(op: &AddressOp) -> io::Result<Vec<IpAddr>> {
    match op {
        AddressOp::List => Netlink::open()?.addresses(),
        AddressOp::Add {
            ip,
            prefix,
            interface,
            seconds,
        } => {
            let index = netlink::index_of(interface)?;
            let added = Netlink::open()?.add(*ip, *prefix, index, *seconds);
            added.map(|()| Vec::new())
        }
        AddressOp::Remove {
            ip,
            prefix,
            interface,
        } => {
            let index = netlink::index_of(interface)?;
            let removed = Netlink::open()?.remove(*ip, *prefix, index);
            removed.map(|()| Vec::new())
        }
        AddressOp::Announce { ip, interface } => {
            let index = netlink::index_of(interface)?;
            // An interface without a hardware address has no neighbours that remember one.
            if let Some(mac) = Netlink::open()?.hardware_address(index)? {
                match ip {
                    IpAddr::V4(ip) => announce::arp(*ip, mac, index)?,
                    IpAddr::V6(ip) => announce::advertisement(*ip, mac, index)?,
                }
            }
            Ok(Vec::new())
        }
    }
}

/// Whether this process can put addresses on that interface, and tell the neighbours; if not, what
/// is missing and what to do about it.
pub fn check(interface: &str) -> Result<(), String> {
    if let Err(error) = netlink::index_of(interface) {
        return Err(match error.raw_os_error() {
            Some(libc::ENODEV) => format!(
                "This host has no network interface {interface}. `ip link` lists those there are."
            ),
            _ => format!("Can't ask for the network interface {interface}: {error}"),
        });
    }
    // What can't be read is left to the first try.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some(missing) = missing_capabilities(&status) else {
        return Ok(());
    };
    Err(format!(
        "A virtual IP takes the capabilities CAP_NET_ADMIN, to change the addresses of \
         {interface}, and CAP_NET_RAW, to tell the neighbours; this process lacks {missing}. Start \
         it by the unit dist/systemd/holdfast-sentinel-virtual-ip.service, as root, or after \
         `setcap cap_net_admin,cap_net_raw+ep` of the program; or remove this line."
    ))
}

fn missing_capabilities(status: &str) -> Option<String> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let effective = u64::from_str_radix(line.trim(), 16).ok()?;
    let needed = [(12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW")];
    let missing = needed.iter().filter(|(bit, _)| effective & (1 << bit) == 0);
    let missing: Vec<_> = missing.map(|(_, name)| *name).collect();
    (!missing.is_empty()).then(|| missing.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let status = |mask: &str| format!("Name:\tx\nCapPrm:\tffff\nCapEff:\t{mask}\nCapBnd:\t0\n");
        let missing = |mask: &str| missing_capabilities(&status(mask));
        let both = Some("CAP_NET_ADMIN and CAP_NET_RAW".to_owned());
        assert_eq!(missing("0000000000000000"), both);
        assert_eq!(missing("0000000000001000"), Some("CAP_NET_RAW".to_owned()));
        assert_eq!(
            missing("0000000000002000"),
            Some("CAP_NET_ADMIN".to_owned())
        );
        assert_eq!(missing("0000000000003000"), None);
        assert_eq!(missing_capabilities("no such line"), None);
        let error = check("no-such-if").unwrap_err();
        assert!(error.contains("no network interface no-such-if"), "{error}");
    }

    #[test]
    fn the_loopback_address_is_listed_and_needs_no_announcement() {
        let listed = carry_out(&AddressOp::List).unwrap();
        assert!(listed.contains(&IpAddr::from([127, 0, 0, 1])), "{listed:?}");
        let announced = carry_out(&AddressOp::Announce {
            ip: IpAddr::from([127, 0, 0, 1]),
            interface: "lo".into(),
        });
        assert_eq!(announced.unwrap(), Vec::<IpAddr>::new());
    }

    #[test]
    fn a_step_on_an_interface_that_is_not_there_fails() {
        let added = carry_out(&AddressOp::Add {
            ip: IpAddr::from([10, 9, 8, 7]),
            prefix: 24,
            interface: "no-such-if".into(),
            seconds: 3,
        });
        assert_eq!(added.unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
