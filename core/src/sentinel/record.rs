//! What became of the failovers of one master, for operators.

use std::collections::VecDeque;

use crate::limits::SENTINEL_FAILOVERS_KEPT;
use crate::machine::Mono;
use crate::sentinel::GroupId;
use crate::sentinel::names::{Epoch, HostAddr};
use crate::sentinel::watch::Watch;

/// One failover as this Sentinel saw it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The epoch it was carried out in.
    pub epoch: Epoch,
    /// Who carried it out.
    pub role: Role,
    /// The master before it.
    pub from: HostAddr,
    /// The master after it, once it is chosen.
    pub to: Option<HostAddr>,
    /// When each step was taken.
    steps: [Option<Mono>; STEPS.len()],
    /// Its last event; `None` while it goes on.
    pub outcome: Option<&'static str>,
}

/// Who carried a failover out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// This Sentinel.
    Leader,
    /// Another one.
    Observer,
}

/// A step of a failover.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// I found the master down.
    SDown,
    /// Enough Sentinels did.
    ODown,
    /// I began to gather votes, or voted for the one who did.
    Started,
    /// The votes were enough.
    Elected,
    /// The replica was chosen.
    Selected,
    /// It was told.
    Ordered,
    /// It showed as a master.
    Promoted,
    /// The others were told, or I was.
    Announced,
    /// All replicas follow the new master.
    Reconfigured,
    /// It was over.
    Ended,
}

/// The steps by their names, in order.
pub(super) const STEPS: [(&str, Step); 10] = [
    ("s-down", Step::SDown),
    ("o-down", Step::ODown),
    ("started", Step::Started),
    ("elected", Step::Elected),
    ("selected", Step::Selected),
    ("ordered", Step::Ordered),
    ("promoted", Step::Promoted),
    ("announced", Step::Announced),
    ("reconfigured", Step::Reconfigured),
    ("ended", Step::Ended),
];

/// The latest failovers, oldest first.
#[derive(Debug, Default)]
pub(super) struct Records(VecDeque<Record>);

impl Record {
    /// When a step was taken.
    pub(super) fn at(&self, step: Step) -> Option<Mono> {
        self.steps[step as usize]
    }

    /// When the first step was taken.
    pub(super) fn began(&self) -> Mono {
        let first = self.steps.iter().flatten().min();
        *first.expect("a record begins with a step")
    }
}

impl Records {
    /// Newest first.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Record> {
        self.0.iter().rev()
    }

    fn push(&mut self, record: Record) {
        if self.0.len() >= SENTINEL_FAILOVERS_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(record);
    }

    fn open(&mut self) -> Option<&mut Record> {
        self.0.back_mut().filter(|record| record.outcome.is_none())
    }
}

impl Watch {
    /// Opens the record of a failover of my own.
    pub(super) fn record_start(&mut self, now: Mono, group: GroupId, epoch: Epoch) {
        let mut record = self.new_record(group, epoch, Role::Leader);
        record.steps[Step::Started as usize] = Some(now);
        self.groups[group].records.push(record);
    }

    /// Notes a step of the failover that goes on, if it is the first of its kind.
    pub(super) fn record_step(&mut self, now: Mono, group: GroupId, step: Step) {
        if let Some(record) = self.groups[group].records.open() {
            record.steps[step as usize].get_or_insert(now);
        }
    }

    /// Notes whom the failover that goes on has chosen.
    pub(super) fn record_choice(&mut self, now: Mono, group: GroupId, to: HostAddr) {
        if let Some(record) = self.groups[group].records.open() {
            record.to = Some(to);
        }
        self.record_step(now, group, Step::Selected);
    }

    /// Closes the record of the failover that goes on, if there is one.
    pub(super) fn record_end(&mut self, now: Mono, group: GroupId, outcome: &'static str) {
        self.record_step(now, group, Step::Ended);
        if let Some(record) = self.groups[group].records.open() {
            record.outcome = Some(outcome);
        }
    }

    /// Notes the failover of another Sentinel, of which I am told.
    pub(super) fn record_update(
        &mut self,
        now: Mono,
        group: GroupId,
        epoch: Epoch,
        to: HostAddr,
        outcome: &'static str,
    ) {
        self.record_end(now, group, outcome);
        let mut record = self.new_record(group, epoch, Role::Observer);
        let vote = self.groups[group].vote;
        record.steps[Step::Started as usize] = vote.given.filter(|_| vote.epoch == epoch);
        record.steps[Step::Announced as usize] = Some(now);
        record.steps[Step::Ended as usize] = Some(now);
        record.to = Some(to);
        record.outcome = Some(outcome);
        self.groups[group].records.push(record);
    }

    fn new_record(&self, group: GroupId, epoch: Epoch, role: Role) -> Record {
        let g = &self.groups[group];
        let mut record = Record {
            epoch,
            role,
            from: self.announced_master(group),
            to: None,
            steps: [None; STEPS.len()],
            outcome: None,
        };
        record.steps[Step::SDown as usize] = self.instances[g.master].s_down;
        record.steps[Step::ODown as usize] = g.o_down;
        record
    }
}
