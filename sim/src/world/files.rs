//! What servers do with their files, and what becomes of those.

use std::time::Duration;

use crate::disk::Image;
use crate::ids::{Kind, NodeId};
use crate::oracle::durability::Leaves;
use crate::oracle::loss;
use crate::time::{Time, ms, us};

use super::World;

/// So long a server may take to find out that something has failed, and to make it good.
const JUST: Duration = ms(10_000);

/// Why a server has ended by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WhyEnd {
    /// Something that it asked of the disk has failed.
    Failure,
    /// A file is not what was written.
    Rot,
}

impl World {
    /// Looks at what a server says of its files, and what it has kept if it was not looked at
    /// since it died.
    pub(super) fn observe_files(&mut self, id: NodeId) {
        if self.judges.durability.is_due(id) {
            self.look_for_writes(id);
        }
        let Some(driver) = self.nodes[id.index()].driver() else {
            return;
        };
        let (now, durability) = (self.queue.now(), &mut self.judges.durability);
        let log = driver.program().log();
        durability.logs(id, now, log.sound, log.durable);
        let saves = driver.program().saves();
        durability.saves(id, now, saves.done, saves.under_way);
    }

    /// A node is back with what its disk has kept.
    fn look_for_writes(&mut self, id: NodeId) {
        let Some(driver) = self.nodes[id.index()].driver() else {
            return;
        };
        let program = driver.program();
        let records = self.history.records();
        let result = (self.judges.durability).is_back(id, records, |list, element| {
            program.has_element(list, element)
        });
        let has = |list, element| program.has_element(list, element);
        let result = result.and_then(|count| loss::whole(records, has).map(|()| count));
        if self.judges.suspects.is(id) || self.judges.suspects.have_spread() {
            self.judges.mark("start from a file that may be wrong");
            return;
        }
        if let Ok(1..) = result {
            self.judges.mark("writes back after a crash");
        }
        self.judge(result.map(|_| ()));
    }

    pub(super) fn turn_bit(&mut self, id: NodeId, any: bool) {
        self.crash(id, true);
        let node = &mut self.nodes[id.index()];
        if let Some(path) = node.disk.turn_bit(any, &mut node.draws) {
            self.judges.mark("bit turned over at rest");
            if !path.ends_with(".rdb") || !self.options.knobs.all_checked() {
                self.judges.mark("bit turned over where nobody sees it");
                self.judges.suspects.rots(id, self.queue.now());
            }
            self.judges.durability.replaced(id, self.queue.now());
            self.note(id, "fault", &format!("turns over a bit of {path}"));
        }
    }

    /// A host loses power and comes back with an empty disk.
    pub(super) fn wipe(&mut self, id: NodeId) {
        self.crash(id, true);
        self.change_disk(id, None);
    }

    /// What a host's disk holds, and whether that may be wrong.
    pub(super) fn image(&self, id: NodeId) -> (Image, bool) {
        let image = self.nodes[id.index()].disk.image();
        (image, self.judges.suspects.is(id))
    }

    /// Gives a host that is down another disk: an older one or none, with the configuration of
    /// the one it had.
    pub(super) fn change_disk(&mut self, id: NodeId, image: Option<&Image>) {
        let disk = &mut self.nodes[id.index()].disk;
        match image {
            Some(image) => {
                disk.go_back_to(image, super::CONFIG_PATH);
                self.judges.mark("restart with an older disk");
            }
            None => {
                disk.wipe_except(super::CONFIG_PATH);
                self.judges.mark("restart with an empty disk");
            }
        }
        self.judges.suspects.wiped(id);
        self.judges.durability.replaced(id, self.queue.now());
    }

    /// Why a server may end by itself, if it may, in a turn in which it was told of a failure of
    /// its disk or was not. One that starts may if it could not do what it has to, or if a file is
    /// not what was written; one that serves only if its disk has failed under
    /// `appendfsync always`.
    pub(super) fn may_end(&self, id: NodeId, disk_failed: bool) -> Option<WhyEnd> {
        let node = &self.nodes[id.index()];
        if node.kind != Kind::Data {
            return None;
        }
        if self.judges.ready[id.index()] {
            let promised = self.judges.durability.promises_everything(id);
            return (promised && disk_failed).then_some(WhyEnd::Failure);
        }
        if node.disk_failed {
            return Some(WhyEnd::Failure);
        }
        let rotten = node.disk.is_rotten();
        let excused = node.disk.has_turned_bits() || node.files_doubtful;
        (rotten && excused).then_some(WhyEnd::Rot)
    }

    /// Whether a server that dies now has to be excused for a file that a failed sync had left:
    /// it has said that all is not well with its append-only file, or the disk has just failed.
    pub(super) fn has_doubtful_files(&self, id: NodeId, now: Time) -> bool {
        let node = &self.nodes[id.index()];
        let starts = !self.judges.ready[id.index()];
        let just_failed = node.failed_at.is_some_and(|at| now.since(at) < JUST);
        starts && node.files_doubtful || just_failed || self.judges.durability.doubts_log(id)
    }

    /// A process has ended by itself because of its disk. An operator starts it again, without the
    /// files if these can't be read.
    pub(super) fn ended_for_its_disk(&mut self, id: NodeId, why: WhyEnd) {
        self.kill(id, false);
        let now = self.queue.now();
        match why {
            WhyEnd::Rot => {
                self.nodes[id.index()].disk.wipe_except(super::CONFIG_PATH);
                self.judges.suspects.wiped(id);
                self.judges.durability.replaced(id, now);
                self.judges.mark("files beyond repair");
            }
            WhyEnd::Failure => self.judges.mark("exit for a disk fault"),
        }
        self.start_at(id, now + ms(1_000));
    }

    /// A server has ended as it was told to, and is started again. Whether all who may have told it
    /// told it to save is known.
    pub(super) fn left(&mut self, id: NodeId, all_save: bool) {
        self.judges.mark("clean shutdown");
        let saves = all_save || !self.options.knobs.save.is_empty();
        let how = if saves { Leaves::Saved } else { Leaves::Logged };
        self.judges.durability.leaves(id, how);
        // Whoever ends has made everything durable before.
        let power = self.nodes[id.index()].draws.chance(0.5);
        self.kill(id, power);
        if power {
            self.net.restore_power(&mut self.queue, id);
        }
        let after = ms(100) + us(100 * self.nodes[id.index()].draws.below(20_000));
        self.start_at(id, self.queue.now() + after);
    }
}

/// Whether a server that starts from this configuration reads the append-only file, and not the
/// RDB file.
pub(super) fn reads_log(config: &[u8]) -> bool {
    let mut lines = config.split(|&byte| byte == b'\n');
    lines.any(|line| line == b"appendonly yes")
}
