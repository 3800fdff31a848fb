//! Looks at the world after every turn and hands what it sees to the oracles.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::client::record::{Op, Outcome, Record};
use crate::ids::{Kind, NodeId};
use crate::options::{DATA_PORT, Options, VIRTUAL_IP};
use crate::oracle::alone::Alone;
use crate::oracle::append::Append;
use crate::oracle::durability::{Durability, Promise};
use crate::oracle::election::Election;
use crate::oracle::history::{Position, Tree};
use crate::oracle::loss::Reign;
use crate::oracle::promotion::{self, Corrections, Promotion};
use crate::oracle::quiet::Quiet;
use crate::oracle::session::Sessions;
use crate::oracle::suspects::Suspects;
use crate::oracle::virtual_ip::{Host, VirtualIp};
use crate::oracle::wire::Fact;
use crate::oracle::{Violation, short};
use crate::program::{FailoverState, SentinelView, ServerView};
use crate::schedule::Moment;
use crate::time::{Time, ms, us};
use crate::trace::{self, Logged};

use super::World;
use super::node::State;

/// The oracles' state and what a run counted.
pub struct Judges {
    /// Promises of Sentinels.
    pub election: Election,
    /// Reads of lists.
    pub append: Append,
    /// What append-only files promise.
    pub durability: Durability,
    /// The absence of alarms, in a run without faults.
    pub quiet: Option<Quiet>,
    /// When each node was master of which history.
    pub reigns: Vec<Reign>,
    /// What replicas held when their master was rebooted, and must not be lost.
    pub held: Vec<Position>,
    /// When processes of data nodes died.
    pub deaths: Vec<(NodeId, Time)>,
    /// When replicas were sent everything.
    pub full_syncs: Vec<(NodeId, Time)>,
    /// When faults were at work.
    pub fault_times: Vec<(Time, Time)>,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Sentinel events announced, by name.
    pub events: BTreeMap<String, u64>,
    /// Rare states that were reached.
    pub marks: BTreeMap<&'static str, u64>,
    /// For each client, when the last write and the last read that succeeded were asked.
    pub served: BTreeMap<NodeId, Served>,
    /// Masters that replicas can't reach.
    pub alone: Alone,
    /// Servers that may serve what was never written.
    pub suspects: Suspects,
    virtual_ip: VirtualIp,
    /// How many hosts have the virtual IP, and when that is to be looked at again.
    holders: usize,
    holders_due: Time,
    promotion: Promotion,
    corrections: Corrections,
    sessions: Sessions,
    servers: Vec<Option<ServerView>>,
    rewriting: Vec<bool>,
    /// Servers that have loaded what they started from.
    pub(super) ready: Vec<bool>,
    /// Where each live server last knew itself to be in a history.
    places: Vec<Option<Position>>,
    sentinels: Vec<Option<SentinelView>>,
    /// The number of the lasting reign of each node.
    reigning: BTreeMap<NodeId, usize>,
    candidates: BTreeMap<u64, BTreeSet<crate::program::Id>>,
    logged: Vec<Logged>,
    fresh: Vec<u32>,
    asked: usize,
}

/// When a client was last served.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Served {
    /// The last write that succeeded was asked then.
    pub write: Option<Time>,
    /// The last read that succeeded was asked then.
    pub read: Option<Time>,
}

impl Judges {
    /// Fresh oracles.
    pub fn new(options: &Options, no_faults: bool) -> Self {
        let nodes = options.topology.nodes();
        let promises = (options.topology.data()).map(|node| {
            let policy = options.knobs.appendfsync(node);
            Promise::of(policy, us(options.sync_max_us))
        });
        let formed = ms(15_000) + ms(1_000 * options.knobs.diskless_delay_s);
        Self {
            election: Election::default(),
            append: Append::default(),
            durability: Durability::new(promises.collect()),
            quiet: (no_faults && options.quiet()).then_some(Quiet {
                from: Time::ZERO + formed,
                part: None,
            }),
            reigns: Vec::new(),
            held: Vec::new(),
            deaths: Vec::new(),
            full_syncs: Vec::new(),
            fault_times: Vec::new(),
            faults: BTreeMap::new(),
            events: BTreeMap::new(),
            marks: BTreeMap::new(),
            served: BTreeMap::new(),
            alone: Alone::new(options),
            suspects: Suspects::default(),
            virtual_ip: VirtualIp::new(options),
            holders: 0,
            holders_due: Time::ZERO,
            promotion: Promotion::default(),
            corrections: Corrections::default(),
            sessions: Sessions::default(),
            servers: vec![None; nodes],
            rewriting: vec![false; nodes],
            ready: vec![false; nodes],
            places: vec![None; nodes],
            sentinels: vec![None; nodes],
            reigning: BTreeMap::new(),
            candidates: BTreeMap::new(),
            logged: Vec::new(),
            fresh: Vec::new(),
            asked: 0,
        }
    }

    /// What a live data server last claimed.
    pub fn server(&self, node: NodeId) -> Option<ServerView> {
        *self.servers.get(node.index())?
    }

    /// What a live Sentinel last thought.
    pub fn sentinel(&self, node: NodeId) -> Option<&SentinelView> {
        self.sentinels.get(node.index())?.as_ref()
    }

    /// A process has died.
    pub fn died(&mut self, node: NodeId, at: Time, power: bool) {
        self.durability.died(node, at, power);
        self.ready[node.index()] = false;
        self.suspects.died(node);
        if self.servers[node.index()].take().is_some() {
            self.deaths.push((node, at));
        }
        self.sentinels[node.index()] = None;
        self.rewriting[node.index()] = false;
        self.places[node.index()] = None;
        self.end_reign(node, at);
    }

    /// Counts a rare state.
    pub fn mark(&mut self, name: &'static str) {
        *self.marks.entry(name).or_default() += 1;
    }

    fn end_reign(&mut self, node: NodeId, at: Time) {
        if let Some(number) = self.reigning.remove(&node) {
            self.reigns[number].to = Some(at);
        }
    }

    fn observe_reign(&mut self, node: NodeId, incarnation: u32, at: Time, view: &ServerView) {
        let lasting = self.reigning.get(&node).map(|number| &self.reigns[*number]);
        let wanted = view.master.is_none() && !view.loading;
        if lasting.is_some_and(|reign| wanted && reign.replid == view.replid) {
            return;
        }
        self.end_reign(node, at);
        if wanted {
            if self.reigning.len() == 1 {
                self.mark("two masters alive");
            }
            self.reigning.insert(node, self.reigns.len());
            self.reigns.push(Reign {
                node,
                incarnation,
                replid: view.replid,
                from: at,
                to: None,
            });
        }
    }
}

impl World {
    /// Looks at everything a turn of `id` may have changed.
    pub(super) fn after_turn(&mut self, id: NodeId) {
        self.hear(id);
        if let Some(driver) = self.nodes[id.index()].driver() {
            driver.program().check_invariants();
        }
        match self.nodes[id.index()].kind {
            Kind::Data if self.options.topology.side() == Some(id) => {}
            Kind::Data => self.observe_server(id),
            Kind::Sentinel => self.observe_sentinel(id),
            Kind::Client => self.observe_clients(),
        }
        self.observe_wire();
        // Who holds an address, and which server reaches which, changes with the turns of some
        // and with faults, which are seen soon enough.
        let kind = self.nodes[id.index()].kind;
        let now = self.queue.now();
        if kind == Kind::Sentinel || now >= self.judges.holders_due {
            self.judges.holders_due = now + HOLDERS_PERIOD;
            self.observe_virtual_ip();
        }
        if kind != Kind::Sentinel {
            self.observe_reach();
        }
    }

    /// Looks at which replicas could tell a master what they have.
    fn observe_reach(&mut self) {
        if !self.judges.alone.is_on() {
            return;
        }
        let data = || self.options.topology.data();
        let now = self.queue.now();
        for other in data() {
            let runs = matches!(self.nodes[other.index()].state, State::Up(_));
            for node in data().filter(|node| *node != other) {
                let reaches = runs && self.net.open(other, node);
                self.judges.alone.observe(now, node, other, reaches);
            }
        }
    }

    /// The Sentinels whose hosts have the virtual IP.
    pub fn holders(&self) -> Vec<NodeId> {
        let now = self.queue.now();
        let sentinels = self.options.topology.sentinels();
        let holds = |node: &NodeId| self.nodes[node.index()].addresses.holds(VIRTUAL_IP, now);
        sentinels.filter(holds).collect()
    }

    fn observe_virtual_ip(&mut self) {
        if !self.options.virtual_ip {
            return;
        }
        let holders = self.holders();
        let host = |node: NodeId| {
            let view = self.judges.sentinel(node);
            let masters = view.and_then(|view| view.masters.first());
            Host {
                node,
                holds: holders.contains(&node),
                runs: matches!(self.nodes[node.index()].state, State::Up(_)),
                incarnation: self.incarnations[node.index()],
                voters: masters.map(|master| master.others + 1),
                config_epoch: masters.map(|master| master.config_epoch),
            }
        };
        let hosts: Vec<_> = self.options.topology.sentinels().map(host).collect();
        if holders.len() > 1 && self.judges.holders == 1 {
            self.judges.mark("two holders of the virtual IP");
        }
        self.judges.holders = holders.len();
        let net = &self.net;
        let reaches = |one, two| net.open(one, two) && net.open(two, one);
        let result = self
            .judges
            .virtual_ip
            .observe(self.queue.now(), &hosts, reaches);
        self.judge(result);
    }

    /// Takes what the machine logged.
    pub(super) fn hear(&mut self, id: NodeId) {
        let mut logged = std::mem::take(&mut self.judges.logged);
        trace::take(&mut logged);
        let now = self.queue.now();
        for line in logged.drain(..) {
            if line.sentinel_event {
                self.note(id, "event", &line.text);
                let name = line.text.split(' ').next().unwrap_or_default();
                if let Some(count) = self.judges.events.get_mut(name) {
                    *count += 1;
                } else {
                    self.judges.events.insert(name.to_owned(), 1);
                }
                if let Some(replica) = self.judges.corrections.hear(now, id, &line.text) {
                    self.judges.mark("correction without grace");
                    let result = self.judge_correction(id, replica);
                    self.judge(result);
                }
                if let Some(quiet) = &self.judges.quiet {
                    let result = quiet.announced(now, id, &line.text);
                    self.judge(result);
                }
            } else {
                self.note(id, &format!("log {}", line.level), &line.text);
            }
            if line
                .text
                .starts_with("!!! Warning: short read while loading the AOF file")
            {
                self.judges.mark("torn AOF tail");
            }
            if line.level == tracing::Level::ERROR {
                let message = format!("{id} logged an error: {}", line.text);
                self.fail(Violation::new("error-log", message));
            }
        }
        self.judges.logged = logged;
    }

    /// A Sentinel makes a master a replica.
    fn judge_correction(&self, by: NodeId, replica: SocketAddr) -> Result<(), Violation> {
        let own = self.judges.sentinel(by);
        let sentinels = self.options.topology.sentinels();
        let others = sentinels.filter(|&node| node != by);
        let others = others.filter_map(|node| Some((node, self.judges.sentinel(node)?)));
        promotion::undoes_none(by, own, replica, others)
    }

    fn observe_server(&mut self, id: NodeId) {
        let Some(view) = self.nodes[id.index()]
            .driver()
            .and_then(|d| d.program().server())
        else {
            return;
        };
        if !view.loading {
            self.judges.ready[id.index()] = true;
            let (is_master, now) = (view.master.is_none(), self.queue.now());
            (self.judges.suspects).observe(id, now, is_master, view.link_up);
            self.observe_files(id);
        }
        let driver = self.nodes[id.index()].driver();
        let rewrites = driver.is_some_and(|driver| driver.program().rewrites());
        let before = std::mem::replace(&mut self.judges.rewriting[id.index()], rewrites);
        if rewrites && !before {
            self.done(id, Moment::Rewrite);
        }
        if view.placed && !view.loading {
            self.judges.places[id.index()] = Some(Position {
                replid: view.replid,
                offset: view.offset,
            });
        }
        let old = self.judges.servers[id.index()].replace(view);
        if old == Some(view) {
            return;
        }
        if view.loading && !old.is_some_and(|old| old.loading) {
            self.done(id, Moment::Load);
        }
        let now = self.queue.now();
        let incarnation = self.incarnations[id.index()];
        self.judges.observe_reign(id, incarnation, now, &view);
        if old.is_some_and(|old| !old.loading && !view.loading && old.master != view.master) {
            self.done(id, Moment::Role);
        }
        if view.master.is_some() && old.is_some_and(|old| old.master.is_none()) {
            self.judges.sessions.demoted(id);
        }
        if let Some(old) = old.filter(|old| old.hands_over && !view.hands_over) {
            self.judges.mark(match view.master {
                Some(master) if Some(master) == old.master => "FAILOVER done",
                _ => "FAILOVER given up",
            });
        }
        let changed = old.is_none_or(|old| {
            (old.replid, old.master, old.link_up, old.loading)
                != (view.replid, view.master, view.link_up, view.loading)
        });
        if changed && self.tracing() {
            let text = describe(&view);
            self.note(id, "role", &text);
        }
        let result = self.sink.taps.tree.claims(id, &view);
        self.judge(result);
        let result = self.judges.promotion.claims(id, DATA_PORT, &view);
        self.judge(result);
        if Tree::wants_digest(&view) {
            self.compare_dataset(id, &view);
        }
    }

    /// Takes in the digest of a node's dataset where it stands.
    pub fn compare_dataset(&mut self, id: NodeId, view: &ServerView) {
        if self.judges.suspects.is(id) {
            return;
        }
        let digest = self.nodes[id.index()]
            .driver()
            .and_then(|d| d.program().dataset_digest());
        if let Some(digest) = digest {
            let result = self.sink.taps.tree.digest(id, view, digest);
            self.judge(result);
        }
    }

    fn observe_sentinel(&mut self, id: NodeId) {
        let node = &self.nodes[id.index()];
        let now = node.clock.now(self.queue.now());
        let Some(view) = node.driver().and_then(|d| d.program().sentinel(now)) else {
            return;
        };
        if self.judges.sentinels[id.index()].as_ref() == Some(&view) {
            return;
        }
        // Votes on the wire come first: they are what a leader in this view has won by.
        self.observe_wire();
        let incarnation = self.incarnations[id.index()];
        let result = self.judges.election.observe(id, incarnation, &view);
        self.judge(result);
        let result = self.judges.promotion.observe(id, incarnation, &view);
        self.judge(result);
        let old = self.judges.sentinels[id.index()].replace(view);
        self.note_failover(id, old.as_ref());
    }

    fn note_failover(&mut self, id: NodeId, old: Option<&SentinelView>) {
        let Some(view) = self.judges.sentinel(id) else {
            return;
        };
        let states = |view: &SentinelView| -> Vec<FailoverState> {
            view.masters.iter().map(|master| master.state).collect()
        };
        let now = states(view);
        let epochs: Vec<u64> = view
            .masters
            .iter()
            .map(|master| master.failover_epoch)
            .collect();
        let moment = now.iter().find_map(|state| match state {
            FailoverState::WaitStart => Some(Moment::Candidacy),
            FailoverState::SelectSlave => Some(Moment::Select),
            FailoverState::SendSlaveofNoOne => Some(Moment::Send),
            FailoverState::WaitPromotion => Some(Moment::Order),
            FailoverState::ReconfSlaves => Some(Moment::Reconf),
            FailoverState::None | FailoverState::UpdateConfig => None,
        });
        let configs = |view: &SentinelView| -> Vec<u64> {
            let masters = view.masters.iter();
            masters.map(|master| master.config_epoch).collect()
        };
        let switched = old.map(configs).is_some_and(|old| old != configs(view));
        if old.map(states).as_ref() != Some(&now) {
            let text = format!("failover {now:?} in epoch {epochs:?}");
            self.note(id, "failover", &text);
            if moment == Some(Moment::Candidacy) && self.candidates() > 1 {
                self.judges.mark("two candidates at once");
            }
            if let Some(moment) = moment {
                self.done(id, moment);
            }
        }
        if switched {
            self.done(id, Moment::Switch);
        }
    }

    /// How many Sentinels gather votes.
    fn candidates(&self) -> usize {
        let sentinels = self.options.topology.sentinels();
        let gathers = |node: &NodeId| {
            let view = self.judges.sentinel(*node);
            view.is_some_and(|view| {
                let mut masters = view.masters.iter();
                masters.any(|master| master.state == FailoverState::WaitStart)
            })
        };
        sentinels.filter(gathers).count()
    }

    fn observe_clients(&mut self) {
        let records = self.history.records();
        for record in &records[self.judges.asked..] {
            self.judges.append.asked(record);
        }
        self.judges.asked = records.len();
        let mut fresh = std::mem::take(&mut self.judges.fresh);
        self.history.take_fresh(&mut fresh);
        for number in fresh.drain(..) {
            let result = self.judge_record(number);
            let record = &self.history.records()[number as usize];
            self.judges.count_served(record);
            if self.tracing() {
                let text = format!(
                    "{:?} at {} -> {:?}",
                    record.op, record.server, record.outcome
                );
                let client = record.client;
                self.note(client, "op", &text);
            }
            self.judge(result);
        }
        self.judges.fresh = fresh;
        if let Some(what) = self.history.oddities().first()
            && !self.judges.suspects.have_spread()
        {
            let violation = Violation::new("session", what.clone());
            self.fail(violation);
        }
    }

    /// Judges the answer to an operation.
    fn judge_record(&mut self, number: u32) -> Result<(), Violation> {
        let record = &self.history.records()[number as usize];
        self.judges.alone.wrote(record)?;
        let suspects = &self.judges.suspects;
        if suspects.have_spread() || suspects.was(record.server, record.asked) {
            return Ok(());
        }
        self.had_it(record)?;
        self.judges.sessions.observe(record)?;
        self.judges.append.told(record)
    }

    /// WAIT told of as many replicas as have applied the write, or have lost it since.
    fn had_it(&self, record: &Record) -> Result<(), Violation> {
        let (Outcome::Waited(told), Some((element, lists))) = (&record.outcome, record.pushed())
        else {
            return Ok(());
        };
        let lists = || lists.into_iter().flatten();
        let lost = |node: NodeId| {
            let since = |(who, at): &(NodeId, Time)| *who == node && record.asked <= *at;
            let judges = &self.judges;
            judges.suspects.was(node, record.asked)
                || judges.deaths.iter().any(since)
                || judges.full_syncs.iter().any(since)
        };
        let holds = |node: NodeId| {
            let driver = self.nodes[node.index()].driver();
            driver.is_some_and(|d| lists().all(|list| d.program().has_element(list, element)))
        };
        let others = self.options.topology.data();
        let others = others.filter(|node| *node != record.server);
        let (have, lack): (Vec<NodeId>, Vec<NodeId>) =
            others.partition(|&node| lost(node) || holds(node));
        if have.len() < *told as usize {
            let message = format!(
                "WAIT of {} asked at {} told of {told} replicas that have {element}, but only \
                 {have:?} have it or have lost it since, and {lack:?} have not",
                record.server, record.asked
            );
            return Err(Violation::new("wait", message));
        }
        Ok(())
    }

    fn observe_wire(&mut self) {
        if let Some(violation) = self.sink.taps.violation.take() {
            self.fail(violation);
        }
        for (at, fact) in std::mem::take(&mut self.sink.taps.facts) {
            let result = self.observe_fact(at, fact);
            self.judge(result);
        }
    }

    /// A replica is sent everything: its place is no part of what its master has kept.
    ///
    /// A master gives up nothing of its history between a request and its answer, so what it has
    /// kept when it answers it had when it decided.
    fn needed(
        &self,
        master: NodeId,
        replica: NodeId,
        refused: Option<Position>,
    ) -> Result<(), Violation> {
        let (Some(above), Some(below)) = (self.judges.server(master), self.judges.server(replica))
        else {
            return Ok(());
        };
        let Some(from) = above.backlog_from else {
            return Ok(());
        };
        let place = match refused {
            Some(asked) => asked,
            // One that asks for everything although it has only just known where it was.
            None if below.master.is_some() => Position {
                replid: below.replid,
                offset: below.offset,
            },
            None => return Ok(()),
        };
        let known = refused.is_some() || self.judges.places[replica.index()] == Some(place);
        let end = Position {
            replid: above.replid,
            offset: above.offset,
        };
        let kept = from <= place.offset && place.offset <= above.offset;
        // A replica whose master's history got another id knows of the old one no more than it had
        // of it by then.
        let asked = i64::try_from(place.offset + 1).expect("offsets are below 2^63");
        let knows = above.master.is_none() || asked <= above.second_offset;
        let near = place.replid == above.replid || place.replid == above.replid2 && knows;
        if known && kept && near && self.sink.taps.tree.is_ancestor(place, end) {
            let message = format!(
                "{replica} at offset {} of {} was sent everything by {master}, which has kept its history from {from}",
                place.offset,
                short(&place.replid)
            );
            return Err(Violation::new("efficiency", message));
        }
        Ok(())
    }

    fn acknowledged(
        &self,
        replica: NodeId,
        replid: crate::program::Id,
        offset: u64,
    ) -> Result<(), Violation> {
        match self.judges.server(replica) {
            Some(view) if view.replid == replid && view.offset < offset => {
                let message = format!(
                    "{replica} acknowledged offset {offset} of {}, but has applied only {}",
                    short(&replid),
                    view.offset
                );
                Err(Violation::new("history", message))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn observe_full_sync(
        &mut self,
        at: Time,
        master: NodeId,
        replica: NodeId,
        refused: Option<Position>,
    ) -> Result<(), Violation> {
        self.note(master, "sync", &format!("full to {replica}"));
        self.judges.mark("full resync");
        if refused.is_some() {
            self.judges.mark("refused +CONTINUE");
        }
        self.judges.full_syncs.push((replica, at));
        self.judges.durability.replaced(replica, at);
        let suspects = &mut self.judges.suspects;
        let sound = !suspects.is(master) && !suspects.is(replica);
        suspects.is_sent_all(replica, master);
        if sound {
            self.needed(master, replica, refused)?;
        }
        match &self.judges.quiet {
            Some(quiet) => quiet.full_sync(at, master, replica),
            None => Ok(()),
        }
    }

    fn observe_fact(&mut self, at: Time, fact: Fact) -> Result<(), Violation> {
        match fact {
            Fact::Vote {
                voter,
                candidate,
                epoch,
            } => {
                let candidates = self.judges.candidates.entry(epoch).or_default();
                if candidates.insert(candidate) && candidates.len() == 2 {
                    self.judges.mark("split vote");
                }
                self.done(voter, Moment::Vote);
                self.judges.election.voted(voter, epoch, candidate)
            }
            Fact::Hello {
                from,
                name,
                addr,
                config_epoch,
            } => (self.judges.election).configured(from, &name, config_epoch, addr),
            Fact::FullSync {
                master,
                replica,
                refused,
            } => self.observe_full_sync(at, master, replica, refused),
            Fact::AbortedSync { replica } => {
                self.note(replica, "sync", "given up");
                self.judges.mark("aborted full sync");
                Ok(())
            }
            Fact::Ack {
                replica,
                offset,
                replid,
            } => self.acknowledged(replica, replid, offset),
            Fact::PartialSync {
                master,
                replica,
                asked,
                granted,
            } => {
                self.judges.suspects.goes_on(replica);
                if self.judges.suspects.is(replica) {
                    self.judges.mark("partial resync of what may be wrong");
                }
                let renamed = granted != asked.replid;
                self.note(
                    master,
                    "sync",
                    &format!("partial to {replica}, renamed {renamed}"),
                );
                self.judges.mark(if renamed {
                    "partial resync by replid2"
                } else {
                    "partial resync"
                });
                if let Some(quiet) = &self.judges.quiet {
                    quiet.partial_sync(at, master, replica)?;
                }
                self.sink.taps.tree.continued(master, asked, &granted)
            }
        }
    }
}

impl Judges {
    fn count_served(&mut self, record: &Record) {
        match &record.outcome {
            Outcome::Refused(text) if text.starts_with("NOREPLICAS") => {
                self.mark("min-replicas refusal");
            }
            Outcome::Refused(text) if text.starts_with("READONLY") => self.mark("READONLY refusal"),
            Outcome::Refused(text) if text.starts_with("LOADING") => self.mark("LOADING refusal"),
            Outcome::Waited(0) => self.mark("WAIT timeout"),
            Outcome::Unknown => self.mark("unknown outcome"),
            Outcome::Kept => self.mark("WAITAOF kept"),
            Outcome::Pending
            | Outcome::Refused(_)
            | Outcome::Waited(_)
            | Outcome::Done
            | Outcome::List(_)
            | Outcome::Value(_) => {}
        }
        if !record.acked() {
            return;
        }
        self.mark("operations done");
        if record.op.is_scripted() {
            self.mark("scripts");
        }
        let served = self.served.entry(record.client).or_default();
        match record.op {
            Op::Push { .. }
            | Op::PushTwo { .. }
            | Op::PushWait { .. }
            | Op::PushKept { .. }
            | Op::Set { .. }
            | Op::SetExpiring { .. }
            | Op::Incr { .. } => served.write = Some(record.asked),
            Op::Mixed { .. } => {
                served.write = Some(record.asked);
                self.mark("writes of every kind");
            }
            Op::Flush { .. } => self.mark("FLUSHALL"),
            Op::Read { .. } | Op::Get { .. } => served.read = Some(record.asked),
        }
    }
}

/// How long a change of who holds the virtual IP, or could hold it, goes unseen at most, while
/// anybody has a turn.
const HOLDERS_PERIOD: Duration = ms(10);

fn describe(view: &ServerView) -> String {
    let role = match view.master {
        None => "master".to_owned(),
        Some(above) => format!(
            "replica of {above} link {}",
            if view.link_up { "up" } else { "down" }
        ),
    };
    format!(
        "{role} {} at {} (before: {} until {}){}",
        short(&view.replid),
        view.offset,
        short(&view.replid2),
        view.second_offset,
        if view.loading { " loading" } else { "" }
    )
}
