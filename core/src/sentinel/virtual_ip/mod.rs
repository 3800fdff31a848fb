//! The virtual IP: an address that is on the host of the master, and on no other.
//!
//! [`Holder`] decides for one master: it is told what this Sentinel knows, and says what to do
//! to the addresses of its host. Three things make two holders rare and short. The address is
//! held only while the newest configuration known puts the master on this host, and the master
//! does not say otherwise; only while a majority of the Sentinels answers; and the system is told
//! to drop it by itself when it is not renewed, so that it outlives a Sentinel that was killed or
//! stands still by a few seconds only.

mod agreement;
mod holder;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::config::VirtualIp;
use crate::machine::{Mono, TimerName};
use crate::sentinel::events::{self, EventKind};
use crate::sentinel::info::Role;
use crate::sentinel::watch::{Act, Watch};
use crate::sentinel::{GroupId, InstanceId};
pub use holder::{Facts, Holder, News, Others};

/// The virtual IPs of all masters, and those that are given up.
#[derive(Debug, Default)]
pub struct VirtualIps {
    holders: BTreeMap<HolderId, Entry>,
    /// The holder of each master's present address.
    current: BTreeMap<Box<str>, HolderId>,
    next: u64,
    /// When others are to be asked again where they believe a master to be.
    ask_at: Option<Mono>,
    /// Since when the process is about to end.
    leaving: Option<Mono>,
}

/// Names a holder. One that was replaced lives on until its address is gone.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct HolderId(u64);

#[derive(Debug)]
struct Entry {
    /// The name of the master.
    master: Box<str>,
    holder: Holder,
}

impl VirtualIps {
    fn id_of(&self, master: &str, spec: &VirtualIp) -> Option<HolderId> {
        let id = *self.current.get(master)?;
        let entry = self.holders.get(&id)?;
        (entry.holder.spec() == spec).then_some(id)
    }

    fn take_in(&mut self, master: Box<str>, spec: VirtualIp, now: Mono) {
        let id = HolderId(self.next);
        self.next += 1;
        self.current.insert(master.clone(), id);
        let holder = Holder::new(spec, now);
        self.holders.insert(id, Entry { master, holder });
    }

    fn deadline(&self) -> Option<Mono> {
        let holders = self.holders.values();
        let next = holders.filter_map(|entry| entry.holder.deadline());
        next.chain(self.gives_up_at()).chain(self.ask_at).min()
    }

    fn gives_up_at(&self) -> Option<Mono> {
        let waits = self.leaving.filter(|_| !self.holders.is_empty());
        waits.map(|since| since + LEAVE_WAIT)
    }
}

impl Watch {
    /// Moves virtual IPs to where they belong, as far as this host is concerned.
    pub(super) fn tend_virtual_ips(&mut self, now: Mono) {
        if self.settings.virtual_ips.is_empty() && self.virtual_ips.holders.is_empty() {
            return;
        }
        for (master, spec) in &self.settings.virtual_ips {
            let known = self.virtual_ips.id_of(master, spec).is_some();
            if !known && self.virtual_ips.leaving.is_none() {
                self.virtual_ips.take_in(master.clone(), spec.clone(), now);
            }
        }
        self.virtual_ips.ask_at = None;
        let mut holders = core::mem::take(&mut self.virtual_ips.holders);
        holders.retain(|&id, entry| {
            let wanted = self.settings.virtual_ips.get(&entry.master) == Some(entry.holder.spec())
                && self.virtual_ips.current.get(&entry.master) == Some(&id);
            let group = self.by_name.get(&entry.master).filter(|_| wanted);
            let facts = group.map(|&group| self.virtual_ip_facts(group));
            if facts.is_none() || self.virtual_ips.leaving.is_some() {
                entry.holder.leave();
            }
            if let Some(op) = entry.holder.look(now, facts.as_ref()) {
                self.acts.push_back(Act::Address(id, op));
            }
            if let Some(&group) = group
                && let Some(since) = entry.holder.doubts_since()
            {
                self.ask_for_agreement(now, group, since);
            }
            !entry.holder.has_left()
        });
        self.virtual_ips.holders = holders;
    }

    /// Takes the answer to [`Act::Address`].
    pub(super) fn on_address(&mut self, now: Mono, id: HolderId, result: Result<Vec<IpAddr>, i32>) {
        let entry = self.virtual_ips.holders.get_mut(&id);
        let entry = entry.expect("a holder with a step under way stays");
        let Some(news) = entry.holder.done(now, result) else {
            return;
        };
        let spec = entry.holder.spec().to_string();
        let master = self.by_name.get(&entry.master).copied();
        let name = entry.master.clone();
        let (kind, more) = match news {
            News::Added => (events::VIRTUAL_IP, spec),
            News::Removed => (events::VIRTUAL_IP_OVER, spec),
            News::Lost => (events::VIRTUAL_IP_OVER, format!("{spec} #gone by itself")),
            News::Failed { what, errno } => {
                let reason = std::io::Error::from_raw_os_error(errno);
                tracing::warn!("Can't {what} the virtual IP {spec} of {name}: {reason}");
                (
                    events::VIRTUAL_IP_ERROR,
                    format!("{spec} #{what} error {errno}"),
                )
            }
        };
        self.tell_of_virtual_ip(kind, master, &name, &more);
    }

    fn tell_of_virtual_ip(
        &mut self,
        kind: EventKind,
        group: Option<GroupId>,
        name: &str,
        more: &str,
    ) {
        match group {
            Some(group) => self.tell_of(kind, self.groups[group].master, more),
            None => self.tell(kind, None, format!("master {name} {more}")),
        }
    }

    /// Gives all addresses up, or leaves them for a moment if they shall stay; the process is
    /// about to end.
    pub(super) fn leave_virtual_ips(&mut self, now: Mono) {
        self.virtual_ips.leaving.get_or_insert(now);
    }

    /// Whether nothing more is to be done before the process ends.
    pub(super) fn has_left_virtual_ips(&self, now: Mono) -> bool {
        let patient = (self.virtual_ips.gives_up_at()).is_some_and(|at| now < at);
        !patient
    }

    pub(super) fn virtual_ip_deadline(&self) -> Option<(Mono, TimerName)> {
        let at = self.virtual_ips.deadline()?;
        Some((at, TimerName("sentinel-virtual-ip")))
    }

    /// Whether a master's virtual IP is on this host, in a word; `None` if it has none.
    pub(super) fn virtual_ip_state(&self, master: &str) -> Option<&'static str> {
        let spec = self.settings.virtual_ips.get(master)?;
        let id = self.virtual_ips.id_of(master, spec);
        let entry = id.and_then(|id| self.virtual_ips.holders.get(&id));
        Some(entry.map_or("unknown", |entry| entry.holder.state()))
    }

    /// What counts for the address of one master.
    fn virtual_ip_facts(&self, group: GroupId) -> Facts {
        let g = &self.groups[group];
        let master = &self.instances[g.failover.new_master().unwrap_or(g.master)];
        let reported = master.reported().expect("servers report");
        let latest = |needed: usize, when: fn(&Self, InstanceId) -> Option<Mono>| {
            let mut times: Vec<_> = g.peers.iter().map(|&id| when(self, id)).collect();
            times.sort_unstable_by(|one, two| two.cmp(one));
            times.get(needed - 1).copied().flatten()
        };
        // So many others make a majority together with me. A group is no smaller than its quorum:
        // who knows fewer has forgotten the others, or has yet to hear of them.
        let quorum = usize::try_from(g.options.quorum).expect("a u32 fits");
        let needed = g.voters().max(quorum) / 2;
        Facts {
            master: master.addr.socket().map(|at| at.ip()),
            role: reported.info.as_ref().map(|_| reported.role),
            others: (needed > 0).then(|| Others {
                reached: latest(needed, |watch, id| {
                    let link = watch.instances[id].link;
                    watch.links[link].pings.reached()
                }),
                agreed: latest(needed, Self::agreed),
            }),
            patience: g.options.down_after,
        }
    }
}

impl Facts {
    /// Whether the master says that it is none.
    fn is_demoted(&self) -> bool {
        self.role == Some(Role::Slave)
    }
}

/// How long the end of the process waits for the addresses to be gone.
const LEAVE_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
