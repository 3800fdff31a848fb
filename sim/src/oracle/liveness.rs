//! Liveness: once a core of the group is healed and the rest is frozen, the core must agree on
//! one master and serve.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::ids::NodeId;
use crate::options::Knobs;
use crate::program::{FailoverState, SentinelView, ServerView};
use crate::time::{Time, ms};

/// TILT lasts this long.
const TILT: Duration = Duration::from_secs(30);
/// Failovers that may fail before one must succeed.
const TRIES: u32 = 3;
/// A resynchronisation of a small dataset, with the pacing of INFO and of the diskless delay.
const RESYNC: Duration = Duration::from_secs(60);

/// The part of the group that must recover.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Core {
    /// A majority of Sentinels, at least the quorum.
    pub sentinels: BTreeSet<NodeId>,
    /// Data nodes, among them one that may be or become master.
    pub data: BTreeSet<NodeId>,
    /// Clients.
    pub clients: BTreeSet<NodeId>,
}

impl Core {
    /// Whether a node belongs to it.
    pub fn has(&self, node: NodeId) -> bool {
        self.sentinels.contains(&node) || self.data.contains(&node) || self.clients.contains(&node)
    }
}

/// The longest a core may take, by the knobs of the run.
pub fn patience(knobs: &Knobs) -> Duration {
    let timeout = ms(knobs.failover_timeout_ms);
    let roles = ms(knobs.down_after_ms) + Duration::from_secs(20);
    let repl = Duration::from_secs(2 * knobs.repl_timeout_s);
    let diskless = Duration::from_secs(knobs.diskless_delay_s);
    // Where nobody can be promoted.
    let kept = Duration::from_secs(knobs.keep_data_s);
    kept + roles + TILT + TRIES * 2 * timeout + repl + diskless + RESYNC
}

/// So many of a row of Sentinels, or as many more as it takes to be a majority by the count of each
/// of them; all, if that is not enough.
///
/// `voters` tells how many each knows, with itself and with those that are gone: one that has
/// changed its identity and its address before the others heard of it counts twice until it is
/// forgotten by name.
pub fn enough(voters: &[usize], count: usize) -> usize {
    (count..voters.len())
        .find(|&count| voters[..count].iter().all(|known| count > known / 2))
        .unwrap_or(voters.len())
}

/// Checks that a core agrees on roles; returns its master, or what is not yet so.
pub fn agreed(
    core: &Core,
    port: u16,
    server: impl Fn(NodeId) -> Option<ServerView>,
    sentinel: impl Fn(NodeId) -> Option<SentinelView>,
) -> Result<NodeId, String> {
    let mut agreed: Option<(SocketAddr, u64, NodeId)> = None;
    for &node in &core.sentinels {
        let view = sentinel(node).ok_or_else(|| format!("sentinel {node} is not up"))?;
        let [master] = &view.masters[..] else {
            return Err(format!("{node} watches {} masters", view.masters.len()));
        };
        if view.tilt {
            return Err(format!("{node} is in TILT"));
        }
        if master.state != FailoverState::None {
            return Err(format!("{node} is in a failover ({:?})", master.state));
        }
        if master.s_down || master.o_down {
            return Err(format!("{node} takes the master {} for down", master.addr));
        }
        match agreed {
            None => agreed = Some((master.addr, master.config_epoch, node)),
            Some((addr, epoch, _)) if (addr, epoch) == (master.addr, master.config_epoch) => {}
            Some((addr, epoch, other)) => {
                return Err(format!(
                    "{node} says the master is {} (epoch {}), {other} says {addr} (epoch {epoch})",
                    master.addr, master.config_epoch
                ));
            }
        }
    }
    let (addr, _, _) = agreed.ok_or_else(|| "the core has no sentinel".to_owned())?;
    let master = (core.data.iter().copied())
        .find(|node| node.at(port) == addr)
        .ok_or_else(|| format!("the master {addr} is not in the core"))?;
    let top = server(master).ok_or_else(|| format!("the master {master} is not up"))?;
    if let Some(above) = top.master {
        return Err(format!("the master {master} replicates {above}"));
    }
    for &node in &core.data {
        if node != master {
            follows(core, port, node, master, &top, &server)?;
        }
    }
    Ok(master)
}

/// Checks that a replica is connected, directly or through others, to the master.
fn follows(
    core: &Core,
    port: u16,
    node: NodeId,
    master: NodeId,
    top: &ServerView,
    server: &impl Fn(NodeId) -> Option<ServerView>,
) -> Result<(), String> {
    let mut at = node;
    for _ in 0..core.data.len() {
        let view = server(at).ok_or_else(|| format!("{at} is not up"))?;
        let above = (view.master).ok_or_else(|| format!("{at} is a second master"))?;
        if !view.link_up {
            return Err(format!("the link of {at} to {above} is down"));
        }
        if view.replid != top.replid {
            return Err(format!("{at} has another history than the master {master}"));
        }
        if above == master.at(port) {
            return Ok(());
        }
        at = (core.data.iter().copied())
            .find(|other| other.at(port) == above)
            .ok_or_else(|| format!("{at} replicates {above}, which is not in the core"))?;
    }
    Err(format!("{node} is in a circle of replicas"))
}

/// When everything has to be well.
pub fn deadline(start: Time, knobs: &Knobs) -> Time {
    start + patience(knobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::election::tests::{master, view};

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);
    const C: NodeId = NodeId(2);

    fn core() -> Core {
        Core {
            sentinels: BTreeSet::from([NodeId(5), NodeId(6)]),
            data: BTreeSet::from([A, B, C]),
            clients: BTreeSet::new(),
        }
    }

    fn server(above: Option<NodeId>) -> ServerView {
        ServerView {
            replid: [b'a'; 40],
            replid2: [b'0'; 40],
            second_offset: -1,
            offset: 10,
            master: above.map(|node| node.at(6379)),
            link_up: above.is_some(),
            loading: false,
            placed: true,
            hands_over: false,
            backlog_from: None,
        }
    }

    fn well() -> SentinelView {
        let mut view = view(1, master());
        view.masters[0].s_down = false;
        view.masters[0].o_down = false;
        view
    }

    fn judge(
        servers: [ServerView; 3],
        sentinel: impl Fn(NodeId) -> SentinelView,
    ) -> Result<NodeId, String> {
        let server = |node: NodeId| Some(servers[node.index()]);
        agreed(&core(), 6379, server, |node| Some(sentinel(node)))
    }

    #[test]
    fn whoever_is_gone_and_not_forgotten_asks_for_a_larger_majority() {
        assert_eq!(enough(&[3, 3, 3], 2), 2);
        assert_eq!(enough(&[3, 3, 3], 3), 3);
        assert_eq!(enough(&[3, 4, 3], 2), 3);
        assert_eq!(enough(&[3, 3, 4], 2), 2);
        assert_eq!(enough(&[6, 6, 6], 2), 3);
    }

    #[test]
    fn a_master_with_replicas_direct_or_chained_is_agreed() {
        let star = [server(None), server(Some(A)), server(Some(A))];
        assert_eq!(judge(star, |_| well()), Ok(A));
        let chain = [server(None), server(Some(A)), server(Some(B))];
        assert_eq!(judge(chain, |_| well()), Ok(A));
    }

    #[test]
    fn everything_that_is_not_agreement_is_named() {
        let star = [server(None), server(Some(A)), server(Some(A))];
        let two_masters = [server(None), server(Some(A)), server(None)];
        assert!(judge(two_masters, |_| well()).is_err());
        let circle = [server(None), server(Some(C)), server(Some(B))];
        assert!(judge(circle, |_| well()).unwrap_err().contains("circle"));
        let demoted = [server(Some(B)), server(None), server(Some(A))];
        assert!(judge(demoted, |_| well()).is_err());

        let mut cut = star;
        cut[2].link_up = false;
        assert!(judge(cut, |_| well()).is_err());
        let mut other = star;
        other[1].replid = [b'z'; 40];
        assert!(judge(other, |_| well()).is_err());

        let disagreeing = |node: NodeId| {
            let mut view = well();
            view.masters[0].config_epoch = u64::from(node.0);
            view
        };
        assert!(judge(star, disagreeing).is_err());
        let failing = |_| {
            let mut view = well();
            view.masters[0].state = FailoverState::WaitStart;
            view
        };
        assert!(judge(star, failing).is_err());
        let tilted = |_| SentinelView {
            tilt: true,
            ..well()
        };
        assert!(judge(star, tilted).is_err());
    }
}
