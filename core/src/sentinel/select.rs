//! Which replica becomes the master.

use core::cmp::Reverse;
use core::time::Duration;

use crate::sentinel::info::{LinkDown, ReplId, Role};
use crate::sentinel::names::RunId;

/// What is known of one replica at the moment of choice.
#[derive(Clone, Debug)]
pub struct Candidate<K> {
    /// Who it is.
    pub key: K,
    /// Whether it is subjectively or objectively down.
    pub down: bool,
    /// Whether commands can be sent to it.
    pub connected: bool,
    /// Time since its last sign of life.
    pub silence: Duration,
    /// Time since its last INFO; `None` if there never was one.
    pub info_age: Option<Duration>,
    /// The role that INFO reported.
    pub role: Role,
    /// Whether the configured master reports that it follows this one.
    pub followed: bool,
    /// `slave_priority`
    pub priority: u32,
    /// How long it has been without its master.
    pub link_down: LinkDown,
    /// `slave_repl_offset`
    pub offset: u64,
    /// `master_replid`
    pub replid: ReplId,
    /// `run_id`
    pub runid: Option<RunId>,
}

/// What the choice is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// How long ago the last sign of life may be.
    pub silence_max: Duration,
    /// How old the last INFO may be.
    pub info_age_max: Duration,
    /// How long a replica may have been without its master.
    pub link_down_max: Duration,
    /// The history the master was writing, if its INFO told.
    pub replid: ReplId,
}

impl<K> Candidate<K> {
    /// Whether it may be promoted.
    ///
    /// A replica that never had its master's link since it started has, for all anybody knows,
    /// no data, unless the history it reports is the master's own. A master is none of the
    /// replicas, unless the configured master follows it: then it has the group's data.
    pub fn is_good(&self, measure: &Measure) -> bool {
        let linked = match self.link_down {
            LinkDown::No => true,
            LinkDown::ForSecs(secs) => Duration::from_secs(secs) <= measure.link_down_max,
            LinkDown::Never => self.shares_history(measure.replid),
        };
        !self.down
            && self.connected
            && self.silence <= measure.silence_max
            && self.priority != 0
            && (self.role == Role::Slave || self.followed)
            && self.info_age.is_some_and(|age| age <= measure.info_age_max)
            && linked
    }

    /// The same under another key.
    pub fn keyed<L>(self, key: L) -> Candidate<L> {
        Candidate {
            key,
            down: self.down,
            connected: self.connected,
            silence: self.silence,
            info_age: self.info_age,
            role: self.role,
            followed: self.followed,
            priority: self.priority,
            link_down: self.link_down,
            offset: self.offset,
            replid: self.replid,
            runid: self.runid,
        }
    }

    fn shares_history(&self, master: ReplId) -> bool {
        master.is_some() && self.replid == master
    }
}

/// Chooses among the candidates: the one that the master itself follows before any other, then
/// one of the master's own history, then the lowest priority number, then the one furthest in its
/// history, then the smallest run id.
///
/// Offsets of different histories say nothing about each other. Where the master's history is
/// not known, the one most candidates share stands in for it.
pub fn choose<K: Copy>(candidates: &[Candidate<K>], measure: &Measure) -> Option<K> {
    let good = || {
        candidates
            .iter()
            .filter(|candidate| candidate.is_good(measure))
    };
    let sharing = |replid: ReplId| good().filter(|one| one.shares_history(replid)).count();
    let history = match measure.replid {
        Some(replid) if sharing(Some(replid)) > 0 => Some(replid),
        Some(_) | None => good()
            .filter_map(|one| one.replid)
            .max_by_key(|&replid| (sharing(Some(replid)), Reverse(replid))),
    };
    good()
        .min_by_key(|one| {
            (
                !one.followed,
                !one.shares_history(history),
                one.priority,
                Reverse(one.offset),
                one.runid.is_none(),
                one.runid,
            )
        })
        .map(|one| one.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(letter: u8) -> RunId {
        RunId::parse(&[letter; 40]).unwrap()
    }

    fn candidate(key: u8) -> Candidate<u8> {
        Candidate {
            key,
            down: false,
            connected: true,
            silence: Duration::ZERO,
            info_age: Some(Duration::ZERO),
            role: Role::Slave,
            followed: false,
            priority: 100,
            link_down: LinkDown::ForSecs(1),
            offset: 10,
            replid: Some(id(b'h')),
            runid: Some(id(key)),
        }
    }

    fn measure() -> Measure {
        Measure {
            silence_max: Duration::from_secs(5),
            info_age_max: Duration::from_secs(5),
            link_down_max: Duration::from_secs(10),
            replid: Some(id(b'h')),
        }
    }

    fn chosen(candidates: &[Candidate<u8>]) -> Option<u8> {
        choose(candidates, &measure())
    }

    #[test]
    fn the_lowest_priority_number_wins_then_the_offset_then_the_run_id() {
        let (a, mut b, mut c) = (candidate(b'a'), candidate(b'b'), candidate(b'c'));
        assert_eq!(chosen(&[b.clone(), a.clone()]), Some(b'a'));
        b.offset = 11;
        assert_eq!(chosen(&[a.clone(), b.clone()]), Some(b'b'));
        c.priority = 50;
        assert_eq!(chosen(&[a, b, c]), Some(b'c'));
    }

    #[test]
    fn whoever_can_not_be_trusted_with_the_data_is_no_candidate() {
        let spoilers: [fn(&mut Candidate<u8>); 9] = [
            |one| one.down = true,
            |one| one.connected = false,
            |one| one.silence = Duration::from_secs(6),
            |one| one.priority = 0,
            |one| one.role = Role::Master,
            |one| one.info_age = None,
            |one| one.info_age = Some(Duration::from_secs(6)),
            |one| one.link_down = LinkDown::ForSecs(11),
            |one| {
                one.link_down = LinkDown::Never;
                one.replid = Some(id(b'x'));
            },
        ];
        for spoil in spoilers {
            let mut one = candidate(b'a');
            spoil(&mut one);
            assert_eq!(chosen(&[one.clone()]), None, "{one:?}");
        }
    }

    #[test]
    fn whom_the_master_follows_goes_before_all_others() {
        let (a, mut b) = (candidate(b'a'), candidate(b'b'));
        b.role = Role::Master;
        b.replid = Some(id(b'x'));
        assert_eq!(chosen(&[a.clone(), b.clone()]), Some(b'a'));
        b.followed = true;
        assert_eq!(chosen(&[a, b]), Some(b'b'));
    }

    #[test]
    fn a_replica_restarted_with_the_masters_own_history_is_a_candidate() {
        let mut one = candidate(b'a');
        one.link_down = LinkDown::Never;
        assert_eq!(chosen(&[one.clone()]), Some(b'a'));
        let unknown = Measure {
            replid: None,
            ..measure()
        };
        assert_eq!(choose(&[one], &unknown), None);
    }

    #[test]
    fn offsets_of_another_history_do_not_count() {
        let (a, mut b) = (candidate(b'a'), candidate(b'b'));
        b.replid = Some(id(b'x'));
        b.offset = 1_000_000;
        b.priority = 1;
        assert_eq!(chosen(&[a.clone(), b.clone()]), Some(b'a'));
        let c = candidate(b'c');
        let unknown = Measure {
            replid: None,
            ..measure()
        };
        assert_eq!(choose(&[b, c, a], &unknown), Some(b'a'));
    }
}
