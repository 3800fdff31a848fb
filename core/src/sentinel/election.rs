//! Votes: who is allowed to fail a master over, and in which epoch.

use core::time::Duration;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::machine::Mono;
use crate::rng::Rng;
use crate::sentinel::names::{Epoch, RunId};
use crate::sentinel::saver::Version;

/// This Sentinel's vote for one master.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Vote {
    /// For whom; not remembered over a restart, which is safe because the epoch is.
    pub leader: Option<RunId>,
    /// In which epoch. There is one vote per epoch.
    pub epoch: Epoch,
    /// The state of the file that holds this vote; before it is durable nobody may learn of it.
    pub version: Version,
    /// When it was given.
    pub given: Option<Mono>,
}

impl Vote {
    /// Whether a request in `epoch` can get a fresh vote.
    ///
    /// The epoch must lie beyond every vote given and beyond the configuration in force. Redis
    /// wants it to be the newest epoch heard of anywhere as well, which makes elections for
    /// many masters at once refuse each other; one vote per master and epoch doesn't need it.
    pub fn is_free(&self, epoch: Epoch, config_epoch: Epoch) -> bool {
        self.epoch < epoch && config_epoch < epoch
    }
}

/// What one voter is known to have said on one election.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ballot {
    /// It voted for this one.
    For(RunId),
    /// It answered, and has no vote in this epoch to give.
    Refused,
    /// It was asked and may still answer.
    Open,
    /// It can't be asked.
    Unreachable,
}

/// Where an election stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Enough votes are mine.
    Won,
    /// They may still become enough.
    Open,
    /// They can't become enough, and another candidate may have enough.
    Lost,
    /// Nobody can get enough any more.
    Split,
}

/// Counts the votes of all voters, mine among them.
///
/// The electorate is everybody ever heard of: a majority of those who answer is not enough.
pub fn tally(me: RunId, ballots: &[Ballot], needed: usize) -> Standing {
    assert!(
        ballots.len() / 2 < needed,
        "less than a majority elects nobody"
    );
    let votes_for = |id: RunId| ballots.iter().filter(|&&b| b == Ballot::For(id)).count();
    let open = ballots.iter().filter(|&&b| b == Ballot::Open).count();
    let mine = votes_for(me);
    if mine >= needed {
        return Standing::Won;
    }
    if mine + open >= needed {
        return Standing::Open;
    }
    // Who can't be asked may have voted, for somebody else as for me.
    let unknown = open
        + ballots
            .iter()
            .filter(|&&b| b == Ballot::Unreachable)
            .count();
    let rival = ballots.iter().any(|ballot| match ballot {
        Ballot::For(id) => *id != me && votes_for(*id) + unknown >= needed,
        Ballot::Refused | Ballot::Open | Ballot::Unreachable => false,
    });
    if rival || unknown >= needed {
        Standing::Lost
    } else {
        Standing::Split
    }
}

/// How many votes it takes.
pub fn needed(voters: usize, quorum: usize, forced: bool) -> usize {
    let majority = voters / 2 + 1;
    if forced {
        majority
    } else {
        majority.max(quorum)
    }
}

/// The place of `me` in the order in which Sentinels try to start an election.
///
/// All of them notice a dead master at about the same time. An order that each works out by
/// itself lets the first begin at once and makes the others wait for its request, instead of
/// splitting the vote. It differs from master to master and from one configuration to the next.
pub fn rank(
    master: &str,
    config_epoch: Epoch,
    me: RunId,
    others: impl Iterator<Item = RunId>,
) -> u32 {
    let place = |id: RunId| {
        let mut hasher = SipHasher13::new();
        hasher.write(master.as_bytes());
        hasher.write_u64(config_epoch.0);
        hasher.write(id.as_str().as_bytes());
        (hasher.finish(), id)
    };
    let mine = place(me);
    let before = others.filter(|&id| place(id) < mine).count();
    u32::try_from(before).expect("limits keep peers far below 2^32")
}

/// How long a Sentinel of this rank waits before it starts an election.
pub fn start_delay(rank: u32, rng: &mut Rng) -> Duration {
    let jitter = Duration::from_micros(rng.below(RANK_STEP_US / 4));
    match rank {
        0 => Duration::ZERO,
        1.. => RANK_STEP.saturating_mul(rank.min(RANKS_MAX)) + jitter,
    }
}

/// How long to wait after an election in which nobody could win; the range doubles each time.
pub fn retry_delay(splits: u32, rng: &mut Rng) -> Duration {
    let range = RETRY_RANGE_US << splits.min(RETRY_DOUBLINGS_MAX);
    Duration::from_micros(RETRY_RANGE_US / 2 + rng.below(range))
}

/// Longer than a request takes to a peer and back, shorter than anybody notices.
const RANK_STEP: Duration = Duration::from_micros(RANK_STEP_US);
const RANK_STEP_US: u64 = 25_000;
const RANKS_MAX: u32 = 10;
const RETRY_RANGE_US: u64 = 100_000;
const RETRY_DOUBLINGS_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(letter: u8) -> RunId {
        RunId::parse(&[letter; 40]).unwrap()
    }

    #[test]
    fn a_majority_of_all_voters_wins_and_a_majority_of_answers_does_not() {
        let me = id(b'a');
        let two_of_five = [
            Ballot::For(me),
            Ballot::For(me),
            Ballot::Unreachable,
            Ballot::Unreachable,
            Ballot::Unreachable,
        ];
        assert_ne!(tally(me, &two_of_five, needed(5, 2, false)), Standing::Won);
        let three_of_five = [Ballot::For(me), Ballot::For(me), Ballot::For(me)];
        assert_eq!(
            tally(me, &three_of_five, needed(5, 2, false)),
            Standing::Won
        );
        assert_eq!(needed(5, 4, false), 4);
        assert_eq!(needed(5, 4, true), 3);
    }

    #[test]
    fn two_voters_who_voted_for_themselves_split_the_election() {
        let ballots = [Ballot::For(id(b'a')), Ballot::For(id(b'b'))];
        assert_eq!(tally(id(b'a'), &ballots, 2), Standing::Split);
        assert_eq!(tally(id(b'b'), &ballots, 2), Standing::Split);
    }

    #[test]
    fn an_election_is_lost_when_another_may_have_won_it() {
        let (me, other) = (id(b'a'), id(b'b'));
        let ballots = [Ballot::For(me), Ballot::For(other), Ballot::For(other)];
        assert_eq!(tally(me, &ballots, 2), Standing::Lost);
        let hidden = [Ballot::For(me), Ballot::For(other), Ballot::Unreachable];
        assert_eq!(tally(me, &hidden, 2), Standing::Lost);
    }

    #[test]
    fn a_vote_is_free_only_beyond_the_last_vote_and_the_configuration() {
        let vote = Vote {
            epoch: Epoch(4),
            ..Vote::default()
        };
        assert!(!vote.is_free(Epoch(4), Epoch(0)));
        assert!(vote.is_free(Epoch(5), Epoch(0)));
        assert!(!vote.is_free(Epoch(5), Epoch(5)));
    }

    #[test]
    fn ranks_are_a_permutation_whoever_works_them_out() {
        let ids: Vec<_> = (b'a'..=b'g').map(id).collect();
        let mut ranks: Vec<_> = ids
            .iter()
            .map(|&me| {
                let others = ids.iter().copied().filter(|&id| id != me);
                rank("mymaster", Epoch(1), me, others)
            })
            .collect();
        ranks.sort_unstable();
        assert_eq!(ranks, (0..7).collect::<Vec<_>>());
    }

    fn ballot() -> impl Strategy<Value = Ballot> {
        prop_oneof![
            (b'a'..b'e').prop_map(|letter| Ballot::For(id(letter))),
            Just(Ballot::Refused),
            Just(Ballot::Open),
            Just(Ballot::Unreachable),
        ]
    }

    proptest! {
        #[test]
        fn no_two_candidates_win_the_same_election(
            ballots in prop::collection::vec(ballot(), 1..9),
            quorum in 1_usize..9,
        ) {
            let needed = needed(ballots.len(), quorum, false);
            let winners = (b'a'..b'e')
                .filter(|&letter| tally(id(letter), &ballots, needed) == Standing::Won)
                .count();
            prop_assert!(winners <= 1);
        }
    }
}
