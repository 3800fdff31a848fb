//! Heals a core of the group and freezes the rest, for the liveness phase.

use crate::client::MASTER_NAME;
use crate::disk::Faults;
use crate::ids::NodeId;
use crate::net::Quality;
use crate::options::SENTINEL_PORT;
use crate::oracle::liveness::Core;
use crate::rng::Stream;
use crate::schedule::Fault;

use super::World;
use super::node::State;

impl World {
    /// Ends all faults within the core for good and freezes everything else.
    pub fn heal(&mut self, core: &Core) {
        self.faults_over = true;
        let now = self.queue.now();
        self.judges.fault_times.push((now, now));
        for (number, struck) in std::mem::take(&mut self.striking).into_iter().enumerate() {
            if let (Fault::Move { .. }, Some(node)) = (&self.schedule[number].fault, struck.node)
                && core.has(node)
            {
                // Whoever is to stand still would be started by that.
                self.move_to(node, SENTINEL_PORT);
            }
            for (from, to) in struck.cuts {
                if core.has(from) && core.has(to) {
                    self.net.mend(&mut self.queue, from, to);
                }
            }
        }
        self.forget_held(core);
        self.net.set_quality(Quality::CALM);
        let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        for id in ids {
            if !core.has(id) {
                self.freeze(core, id);
                continue;
            }
            self.drift(id, 0);
            self.give_names(id);
            let disk = &mut self.nodes[id.index()].disk;
            disk.faults = Faults::default();
            self.resume(id);
            self.restore(id);
        }
    }

    /// Leaves a host outside the core down, standing still, cut off, or talking without hearing.
    fn freeze(&mut self, core: &Core, id: NodeId) {
        let mut draws = self.keys.draws(Stream::Core, 100 + u64::from(id.0));
        let manner = match draws.below(4) {
            // Where no process runs none stands still, and none is to be started.
            1 if matches!(self.nodes[id.index()].state, State::Down) => 0,
            manner => manner,
        };
        let words = ["down", "paused", "cut off", "deaf"];
        let text = format!("stays {}", words[usize::try_from(manner).expect("below 4")]);
        self.note(id, "freeze", &text);
        match manner {
            0 => self.kill(id, true),
            1 => self.pause(id),
            _ => {
                let others: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
                for other in others.into_iter().filter(|other| core.has(*other)) {
                    self.net.cut(other, id);
                    if manner == 2 {
                        self.net.cut(id, other);
                    }
                }
            }
        }
    }

    /// A node that is frozen while a group has yet to find its master after a reboot may be the
    /// only one that holds what is to be kept.
    fn forget_held(&mut self, core: &Core) {
        let topology = &self.options.topology;
        let stands = |node| {
            (self.judges.server(node)).is_some_and(|top| self.in_place(node, &top).is_some())
        };
        if !topology.data().all(|node| core.has(node)) && !topology.data().any(stands) {
            self.judges.held.clear();
        }
    }

    /// How many Sentinels one counts that watch the master, with itself: as it thinks, or by its
    /// file if it is down.
    pub fn voters(&self, sentinel: NodeId) -> usize {
        let view = self.judges.sentinel(sentinel);
        let others = match view.and_then(|view| view.masters.first()) {
            Some(master) => master.others,
            None => {
                let config = self.nodes[sentinel.index()]
                    .disk
                    .content(super::CONFIG_PATH);
                let config = String::from_utf8_lossy(config.unwrap_or_default());
                let known = format!("sentinel known-sentinel {MASTER_NAME} ");
                config
                    .lines()
                    .filter(|line| line.starts_with(&known))
                    .count()
            }
        };
        others + 1
    }
}
