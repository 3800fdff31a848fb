//! Starting, winning and carrying out a failover.

use core::time::Duration;

use crate::machine::Mono;
use crate::sentinel::election::{self, Ballot, Standing};
use crate::sentinel::events::{self, EventKind};
use crate::sentinel::failover::Failover;
use crate::sentinel::info::{LinkDown, Role};
use crate::sentinel::instance::{Kind, MasterFacts, Reconf};
use crate::sentinel::link::{Expect, Side, TICK};
use crate::sentinel::names::{Epoch, HostAddr};
use crate::sentinel::record::Step;
use crate::sentinel::request::Request;
use crate::sentinel::select::{self, Candidate, Measure};
use crate::sentinel::vote::QUIET_DESYNC_MS;
use crate::sentinel::watch::{Act, SIMULATED_CRASH, Times, Watch};
use crate::sentinel::{GroupId, InstanceId, Members};

/// Why an operator's failover does not start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailoverRefusal {
    /// There is one.
    InProgress,
    /// Nobody could be promoted.
    NoGoodSlave,
}

impl Watch {
    /// Takes every step of a failover that can be taken.
    pub(super) fn drive_failover(&mut self, now: Mono, group: GroupId) {
        loop {
            let before = self.groups[group].failover;
            match before {
                Failover::Idle => self.start_if_needed(now, group),
                Failover::WaitStart {
                    epoch,
                    forced,
                    since,
                } => {
                    self.count_votes(now, group, epoch, forced, since);
                }
                Failover::SelectSlave { since, .. } => self.select(now, group, since),
                Failover::SendSlaveofNoOne {
                    promoted, since, ..
                } => self.send_slaveof_no_one(now, group, promoted, since),
                Failover::WaitPromotion {
                    promoted,
                    since,
                    told,
                    ..
                } => self.wait_promotion(now, group, promoted, since, told),
                Failover::ReconfSlaves {
                    promoted, since, ..
                } => self.reconf_slaves(now, group, promoted, since),
            }
            if self.groups[group].failover == before {
                return;
            }
        }
    }

    pub(super) fn failover_times(&self, group: GroupId, times: &mut Times) {
        let g = &self.groups[group];
        let timeout = g.options.failover_timeout + TICK;
        match g.failover {
            Failover::Idle => {
                if g.o_down.is_some() {
                    times.at("sentinel-failover-start", g.start.at);
                    let allowed = g.start.allowed_at(g.options.failover_timeout);
                    times.at("sentinel-failover-delay", allowed);
                    times.at(
                        "sentinel-failover-grace",
                        g.o_down.map(|at| at + CANDIDATE_GRACE),
                    );
                }
            }
            Failover::WaitStart { since, .. } => {
                let timeout = self.election_timeout(group) + TICK;
                times.at("sentinel-election-timeout", since + timeout);
            }
            Failover::SelectSlave { since, .. } => {
                times.at("sentinel-select", since + FRESH_INFO_WAIT);
            }
            Failover::SendSlaveofNoOne { since, .. } => {
                times.at("sentinel-slave-timeout", since + timeout);
            }
            Failover::WaitPromotion { since, told, .. } => {
                times.at("sentinel-slave-timeout", since + timeout);
                times.at("sentinel-slaveof-again", told + TELL_AGAIN);
            }
            Failover::ReconfSlaves { since, .. } => {
                times.at("sentinel-failover-timeout", since + timeout);
                for &id in &g.replicas {
                    if let Reconf::Sent(at) = self.instances[id]
                        .replica()
                        .map_or(Reconf::No, |r| r.reconf)
                    {
                        let limit = self.timing.slave_reconf_timeout + TICK;
                        times.at("sentinel-reconf-timeout", at + limit);
                    }
                }
            }
        }
    }

    fn election_timeout(&self, group: GroupId) -> Duration {
        let failover_timeout = self.groups[group].options.failover_timeout;
        self.timing.election_timeout.min(failover_timeout)
    }

    fn start_if_needed(&mut self, now: Mono, group: GroupId) {
        let g = &self.groups[group];
        if g.o_down.is_none() || !g.options.auto_failover {
            self.groups[group].start.at = None;
            return;
        }
        if g.start
            .allowed_at(g.options.failover_timeout)
            .is_some_and(|at| now < at)
            && !(g.start.no_good_slave && self.has_candidate(now, group))
        {
            return self.log_delay(now, group);
        }
        if !self.can_be_elected(group) {
            self.groups[group].start.at = None;
            return;
        }
        let g = &self.groups[group];
        let waited = g.o_down.is_some_and(|at| at + CANDIDATE_GRACE <= now);
        if !waited && !self.has_candidate(now, group) {
            // A Sentinel that sees one may go first.
            return;
        }
        let at = match g.start.at {
            Some(at) => at,
            None => {
                let at = now + self.start_delay(group);
                self.groups[group].start.at = Some(at);
                at
            }
        };
        if at <= now {
            self.start_failover(now, group, false);
        }
    }

    /// Says once for each delay why nothing happens.
    fn log_delay(&mut self, now: Mono, group: GroupId) {
        let g = &mut self.groups[group];
        let allowed = g.start.allowed_at(g.options.failover_timeout);
        if g.start.delay_logged != allowed && g.start.retry_at.is_none() {
            g.start.delay_logged = allowed;
            let wait = allowed.map_or(Duration::ZERO, |at| at.since(now)).as_secs();
            tracing::warn!(
                "Next failover delay: I will not start a failover of {} for {wait} seconds",
                g.name
            );
        }
    }

    /// Whether enough Sentinels can be asked for their votes, and a victory could be made durable.
    /// An election without that only uses an epoch up and makes those who do vote wait.
    fn can_be_elected(&self, group: GroupId) -> bool {
        if self.saver.is_failing() {
            return false;
        }
        let g = &self.groups[group];
        let needed = self.votes_needed(group, false);
        1 + g.peers.iter().filter(|&&id| self.can_vote(id)).count() >= needed
    }

    fn can_vote(&self, id: InstanceId) -> bool {
        let peer = &self.instances[id];
        peer.s_down.is_none() && self.links[peer.link].is_up()
    }

    /// Whether all who can vote are Sentinels of Holdfast's, which hold an election that nobody
    /// could win again soon. Those of Redis wait for twice the time of a failover, and each vote
    /// asked of them would make them wait again.
    fn are_kin(&self, group: GroupId) -> bool {
        let peers = self.groups[group].peers.iter();
        { peers }.all(|&id| !self.can_vote(id) || self.links[self.instances[id].link].kin)
    }

    fn votes_needed(&self, group: GroupId, forced: bool) -> usize {
        let g = &self.groups[group];
        let quorum = usize::try_from(g.options.quorum).expect("a u32 fits a usize");
        election::needed(g.voters(), quorum, forced)
    }

    fn start_delay(&mut self, group: GroupId) -> Duration {
        let g = &self.groups[group];
        // Who owes an answer may have died with the master, and is not waited for.
        let others = g.peers.iter().filter(|&&id| {
            let link = &self.links[self.instances[id].link];
            self.can_vote(id) && link.pings.owed_since().is_none()
        });
        let others = others.filter_map(|&id| self.instances[id].runid);
        let rank = election::rank(&g.name, g.config_epoch, self.id, others);
        election::start_delay(rank, &mut self.desync)
    }

    /// Starts a failover on an operator's word.
    pub fn force_failover(&mut self, now: Mono, group: GroupId) -> Result<(), FailoverRefusal> {
        if self.groups[group].failover.is_in_progress() {
            return Err(FailoverRefusal::InProgress);
        }
        if !self.has_candidate(now, group) {
            return Err(FailoverRefusal::NoGoodSlave);
        }
        tracing::warn!(
            "Executing user requested FAILOVER of '{}'",
            self.groups[group].name
        );
        self.start_failover(now, group, true);
        Ok(())
    }

    /// Begins to gather votes, the own one first. It may be told to nobody, and not be counted,
    /// before it is durable; the others are asked meanwhile.
    fn start_failover(&mut self, now: Mono, group: GroupId, forced: bool) {
        let epoch = self.epoch.next();
        self.epoch = epoch;
        self.saver.touch();
        let delay = Duration::from_millis(self.desync.below(QUIET_DESYNC_MS));
        let g = &mut self.groups[group];
        assert!(
            g.vote.epoch < epoch,
            "nobody voted in an epoch that did not exist"
        );
        assert!(
            g.config_epoch < epoch,
            "no configuration is of an epoch to come"
        );
        g.failover = g.failover.start(epoch, forced, now);
        g.start.last = Some(now + delay);
        g.start.at = None;
        g.start.retry_at = None;
        g.start.no_good_slave = false;
        let master = g.master;
        self.tell(events::NEW_EPOCH, Some(master), epoch.to_string());
        self.tell_of(events::TRY_FAILOVER, master, "");
        self.record_start(now, group, epoch);
        self.vote(now, group, epoch, self.id);
        for id in self.groups[group].replicas.clone() {
            self.hurry_info(id);
        }
        self.hurry_info(master);
        self.mark(group);
    }

    fn count_votes(&mut self, now: Mono, group: GroupId, epoch: Epoch, forced: bool, since: Mono) {
        let g = &self.groups[group];
        let mut ballots: Vec<_> = g.peers.iter().map(|&id| self.ballot(id, epoch)).collect();
        assert_eq!(
            g.vote.epoch, epoch,
            "a candidate that voted for another stands down"
        );
        let durable = self.saver.is_durable(g.vote.version);
        ballots.push(match g.vote.leader {
            Some(leader) if durable => Ballot::For(leader),
            Some(_) | None => Ballot::Open,
        });
        let timeout = self.election_timeout(group) + TICK;
        let standing = election::tally(self.id, &ballots, self.votes_needed(group, forced));
        match standing {
            // After a crash I would take the epoch for a new one, and be told of the same votes.
            Standing::Won if !durable && now < since + timeout => {}
            Standing::Won if !durable => self.abort(now, group, events::ABORT_NOT_ELECTED),
            Standing::Won => self.win(now, group),
            Standing::Lost => self.abort(now, group, events::ABORT_NOT_ELECTED),
            Standing::Split => {
                let splits = self.groups[group].start.splits;
                let soon = !forced && self.are_kin(group);
                let delay = election::retry_delay(splits, &mut self.desync);
                let start = &mut self.groups[group].start;
                start.splits = splits.saturating_add(1);
                start.retry_at = soon.then(|| now + delay);
                self.abort(now, group, events::ABORT_NOT_ELECTED);
            }
            Standing::Open if since + timeout <= now => {
                self.abort(now, group, events::ABORT_NOT_ELECTED);
            }
            Standing::Open => {}
        }
    }

    fn ballot(&self, id: InstanceId, epoch: Epoch) -> Ballot {
        let peer = self.instances[id].peer().expect("peers are peers");
        match peer.leader {
            Some(leader) if peer.leader_epoch == epoch => Ballot::For(leader),
            // A vote in a newer election is one against me.
            Some(leader) if peer.leader_epoch > epoch && leader != self.id => Ballot::For(leader),
            Some(_) | None if peer.vote_answered >= epoch => Ballot::Refused,
            // One whose connection is just being made may still be asked.
            Some(_) | None if self.instances[id].s_down.is_none() => Ballot::Open,
            Some(_) | None => Ballot::Unreachable,
        }
    }

    fn win(&mut self, now: Mono, group: GroupId) {
        let g = &mut self.groups[group];
        assert!(
            self.saver.is_durable(g.vote.version),
            "a leader knows its epoch after a crash"
        );
        g.failover = g.failover.elected(now);
        g.start.splits = 0;
        let master = g.master;
        self.tell_of(events::ELECTED_LEADER, master, "");
        self.record_step(now, group, Step::Elected);
        if self.simulate.after_election {
            return self.crash();
        }
        self.tell_of(events::SELECT_SLAVE, master, "");
    }

    /// Gives up a candidacy after a vote for somebody else.
    pub(super) fn yield_election(&mut self, now: Mono, group: GroupId) {
        if matches!(self.groups[group].failover, Failover::WaitStart { .. }) {
            self.abort(now, group, events::ABORT_NOT_ELECTED);
        }
    }

    /// Ends a failover before its promotion.
    pub(super) fn abort(&mut self, now: Mono, group: GroupId, kind: EventKind) {
        let g = &mut self.groups[group];
        assert_eq!(
            g.failover.new_master(),
            None,
            "a promotion is not taken back"
        );
        g.failover = Failover::Idle;
        let master = g.master;
        self.tell_of(kind, master, "");
        self.record_end(now, group, kind.name);
        self.mark(group);
    }

    /// Chooses the replica to promote, waiting a moment for those whose figures are old.
    fn select(&mut self, now: Mono, group: GroupId, since: Mono) {
        let patient = now < since + FRESH_INFO_WAIT;
        if patient && self.hurry_stale_candidates(now, group) {
            return;
        }
        let measure = self.measure(now, group);
        let Some(promoted) = select::choose(&self.candidates(now, group), &measure) else {
            if patient && self.hurry_stale_master(now, group) {
                return;
            }
            self.groups[group].start.no_good_slave = true;
            self.restore_master(now, group);
            return self.abort(now, group, events::ABORT_NO_GOOD_SLAVE);
        };
        let g = &mut self.groups[group];
        g.failover = g.failover.selected(promoted, now);
        let addr = self.instances[promoted].addr.clone();
        self.record_choice(now, group, addr);
        self.tell_of(events::SELECTED_SLAVE, promoted, "");
        self.tell_of(events::SEND_SLAVEOF_NOONE, promoted, "");
    }

    /// Makes the configured master a master again if there is none in the group, and nobody else
    /// to become one: it follows one of its own replicas, which is a replica too or is gone.
    ///
    /// This is the configuration of the epoch that was won: one whose leader is gone with the
    /// server it promoted, so that few have heard of it, is an older one when they come back.
    fn restore_master(&mut self, now: Mono, group: GroupId) {
        let g = &self.groups[group];
        let master = g.master;
        let Some(addr) = self.followed_by_master(group) else {
            return;
        };
        let replicas = g.replicas.iter().copied();
        let Some(followed) = { replicas }.find(|&id| addr.is_same(&self.instances[id].addr)) else {
            return;
        };
        let closed = self.is_slave(now, group, followed);
        let deserted = self.instances[followed].s_down.is_some() && self.is_deserted(group);
        if (closed || deserted) && self.is_slave(now, group, master) {
            tracing::warn!(
                "No server of '{}' is or can become a master: the configured one shall be it again",
                g.name
            );
            let epoch = g.failover.epoch().expect("a leader acts in its epoch");
            assert!(
                g.config_epoch < epoch,
                "whoever heard of a newer configuration gave up"
            );
            self.groups[group].config_epoch = epoch;
            self.saver.touch();
            self.send_role(master, None);
            self.hurry_hellos(group);
        }
    }

    /// Whether a server answers, and says that it is a replica.
    fn is_slave(&self, now: Mono, group: GroupId, id: InstanceId) -> bool {
        let recent = self.measure(now, group).info_age_max;
        let one = &self.instances[id];
        let answers = self.links[one.link].is_up();
        let reported = one.reported();
        answers
            && one.info_age(now).is_some_and(|age| age <= recent)
            && reported.is_some_and(|reported| reported.role == Role::Slave)
    }

    /// Whether the configured master has lost the one it follows, and has the group's data.
    ///
    /// As long as the two are connected, the one that Sentinel can't reach is not gone. A server
    /// that never had that link since it started, as one that hands over to a dead replica, has
    /// data if it goes on with a history that this group's masters have written. One that was
    /// restarted without its data would only have the others lose theirs.
    fn is_deserted(&self, group: GroupId) -> bool {
        let g = &self.groups[group];
        let replid = self.instances[g.master]
            .reported()
            .and_then(|one| one.replid);
        match self.master_facts(group).link_down {
            LinkDown::No => false,
            LinkDown::ForSecs(_) => true,
            LinkDown::Never => replid.is_some_and(|id| g.histories.noted(id).is_some()),
        }
    }

    /// Whether a master that follows somebody still has to report.
    fn hurry_stale_master(&mut self, now: Mono, group: GroupId) -> bool {
        let master = self.groups[group].master;
        let follows = self.followed_by_master(group).is_some();
        let stale = follows && self.is_stale(now, master);
        if stale {
            self.hurry_info(master);
        }
        stale
    }

    /// Whether a server that can be asked reported too long ago for a choice.
    fn is_stale(&self, now: Mono, id: InstanceId) -> bool {
        let one = &self.instances[id];
        self.links[one.link].is_up() && one.info_age(now).is_none_or(|age| age > FRESH_INFO)
    }

    /// Whether a replica that could be chosen still has to report.
    fn hurry_stale_candidates(&mut self, now: Mono, group: GroupId) -> bool {
        let stale: Members = self.groups[group]
            .replicas
            .iter()
            .copied()
            .filter(|&id| self.instances[id].s_down.is_none() && self.is_stale(now, id))
            .collect();
        for &id in &stale {
            self.hurry_info(id);
        }
        !stale.is_empty()
    }

    fn has_candidate(&self, now: Mono, group: GroupId) -> bool {
        select::choose(&self.candidates(now, group), &self.measure(now, group)).is_some()
    }

    pub(super) fn measure(&self, now: Mono, group: GroupId) -> Measure {
        let g = &self.groups[group];
        let master = &self.instances[g.master];
        Measure {
            silence_max: self.timing.ping_period * 5,
            info_age_max: match master.s_down {
                Some(_) => self.timing.ping_period * 5,
                None => self.timing.info_period * 3,
            },
            link_down_max: self.masterless(now, group) + g.options.down_after.saturating_mul(10),
            replid: master.reported().and_then(|reported| reported.replid),
        }
    }

    /// How long replicas may have been without their master through no fault of their own.
    ///
    /// It counts as down some time after they lost it: after TILT, in which nobody is declared
    /// down, after it has said for a while that it is a replica, or when the first of them reports
    /// that it has lost its data, which may be a whole period after the report before.
    fn masterless(&self, now: Mono, group: GroupId) -> Duration {
        let id = self.groups[group].master;
        let master = &self.instances[id];
        let silence = self.links[master.link].pings.silence(now);
        let demoted = master
            .reported()
            .filter(|reported| reported.role == Role::Slave)
            .map(|reported| reported.role_since);
        let lost = self.lost_data_at(group, id);
        let lost = lost.map(|at| at - self.timing.info_period);
        let since = [master.s_down, demoted, lost].into_iter().flatten().min();
        since.map_or(silence, |at| now.since(at).max(silence))
    }

    pub(super) fn candidates(&self, now: Mono, group: GroupId) -> Vec<Candidate<InstanceId>> {
        let followed = self.followed_by_master(group);
        let candidate = |&id: &InstanceId| {
            let one = &self.instances[id];
            let facts = one.replica().expect("replicas are replicas");
            let link = &self.links[one.link];
            Candidate {
                key: id,
                down: one.s_down.is_some(),
                connected: !link.is_disconnected(),
                silence: now.since(link.pings.available()),
                info_age: one.info_age(now),
                role: facts.reported.role,
                followed: followed.is_some_and(|addr| addr.is_same(&one.addr)),
                priority: facts.priority,
                link_down: facts.link_down,
                offset: facts.offset,
                replid: facts.reported.replid,
                runid: one.runid,
            }
        };
        self.groups[group].replicas.iter().map(candidate).collect()
    }

    /// Whom the configured master says it follows, if it does.
    fn followed_by_master(&self, group: GroupId) -> Option<&HostAddr> {
        self.master_facts(group).follows.as_ref()
    }

    fn master_facts(&self, group: GroupId) -> &MasterFacts {
        match &self.instances[self.groups[group].master].kind {
            Kind::Master(facts) => facts,
            Kind::Replica(_) | Kind::Peer(_) => unreachable!("the master of a group is one"),
        }
    }

    fn send_slaveof_no_one(
        &mut self,
        now: Mono,
        group: GroupId,
        promoted: InstanceId,
        since: Mono,
    ) {
        let g = &self.groups[group];
        if !self.links[self.instances[promoted].link].is_up() {
            if since + g.options.failover_timeout + TICK <= now {
                self.abort(now, group, events::ABORT_SLAVE_TIMEOUT);
            }
            return;
        }
        self.send_role(promoted, None);
        let g = &mut self.groups[group];
        g.failover = g.failover.told(now);
        self.record_step(now, group, Step::Ordered);
        self.tell_of(events::WAIT_PROMOTION, promoted, "");
    }

    /// Sends the change of role, and the INFO that will show it right behind.
    pub(super) fn send_role(&mut self, id: InstanceId, master: Option<(String, u16)>) {
        let link = self.instances[id].link;
        let request = Request::SlaveOf(master);
        self.send(link, Side::Command, &request, Expect::Nothing);
        self.ask_info(id);
    }

    /// Success comes with the replica's INFO, see `promotion_seen`.
    fn wait_promotion(
        &mut self,
        now: Mono,
        group: GroupId,
        promoted: InstanceId,
        since: Mono,
        told: Mono,
    ) {
        let g = &self.groups[group];
        if since + g.options.failover_timeout + TICK <= now {
            return self.abort(now, group, events::ABORT_SLAVE_TIMEOUT);
        }
        // The connection may have been lost with the order, or the server was not able to obey.
        let again = told + TELL_AGAIN <= now && self.links[self.instances[promoted].link].is_up();
        if again {
            self.send_role(promoted, None);
            let g = &mut self.groups[group];
            g.failover = g.failover.told_again(now);
        }
    }

    /// The replica reports that it is a master: the configuration of this epoch is in force.
    pub(super) fn promotion_seen(&mut self, now: Mono, group: GroupId) {
        let g = &mut self.groups[group];
        let epoch = g
            .failover
            .epoch()
            .expect("a promotion belongs to a failover");
        g.failover = g.failover.promoted(now);
        assert!(
            g.config_epoch < epoch,
            "whoever heard of a newer configuration gave up"
        );
        g.config_epoch = epoch;
        self.saver.touch();
        let g = &self.groups[group];
        let (master, promoted) = (g.master, g.failover.new_master().expect("just promoted"));
        self.record_step(now, group, Step::Promoted);
        self.tell_of(events::PROMOTED_SLAVE, promoted, "");
        if self.simulate.after_promotion {
            return self.crash();
        }
        self.tell_of(events::RECONF_SLAVES, master, "");
        let from = self.instances[master].addr.clone();
        let to = self.instances[promoted].addr.clone();
        self.run_reconfig_script(group, "leader", &from, &to);
        // They leave at the end of this turn, also if the failover ends within it.
        self.hurry_hellos(group);
        self.record_step(now, group, Step::Announced);
    }

    /// Whether INFO of this instance is the one a failover waits for.
    pub(super) fn is_awaited(&self, group: GroupId, id: InstanceId, role: Role) -> bool {
        role == Role::Master
            && matches!(
                self.groups[group].failover,
                Failover::WaitPromotion { promoted, .. } if promoted == id
            )
    }

    fn crash(&mut self) {
        tracing::warn!("Failure simulation: this Sentinel crashes now");
        self.acts.push_back(Act::Exit(SIMULATED_CRASH));
    }
}

/// Figures older than this are asked for again before a choice.
const FRESH_INFO: Duration = Duration::from_secs(1);
/// How long a choice waits for them.
const FRESH_INFO_WAIT: Duration = Duration::from_millis(200);
/// How long a Sentinel that sees nobody to promote leaves the start to others.
const CANDIDATE_GRACE: Duration = Duration::from_secs(2);
/// When a replica that does not become a master is told again.
const TELL_AGAIN: Duration = Duration::from_secs(1);
