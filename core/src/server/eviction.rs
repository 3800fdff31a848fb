//! Eviction of keys: makes room when memory is above `maxmemory`.

use super::Server;
use super::roles::deletion;
use super::state::State;
use crate::command::gates::Conditions;
use crate::config::{MaxmemoryPolicy as Policy, NotifyFlags};
use crate::keyspace::{Evictor, Keyspace, Order, Rule, Tracked, Usage, Victim};
use crate::limits;
use crate::machine::Mono;
use core::time::Duration;

/// How far eviction has come.
#[derive(Debug, Default)]
pub struct Eviction {
    evictor: Evictor,
    /// Whether there is more to do in the turns to come.
    running: bool,
    /// Steps that commands of this turn have taken.
    taken: usize,
    /// Since when memory has been above its bound for want of time or of keys.
    exceeded_since: Option<Mono>,
}

/// What came of making room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Room {
    /// There is enough.
    Enough,
    /// There will be: a slice of the work is done.
    Coming,
    /// No key may go.
    None,
}

impl Eviction {
    /// Whether there is more to do.
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// For how long memory has been above its bound.
    pub(super) fn exceeded_for(&self, now: Mono) -> Duration {
        self.exceeded_since
            .map_or(Duration::ZERO, |since| now.since(since))
    }
}

impl Server {
    /// Goes on with eviction, if there is something to do.
    pub(super) fn go_on_evicting(&mut self) {
        self.st.eviction.taken = 0;
        if self.st.eviction.running && !self.st.persist.stalled {
            self.st.make_room(&mut self.keys);
        }
    }
}

impl State {
    /// Makes room if memory is above its bound, as far as a share of the turn allows, and notes
    /// whether commands that need memory are to be refused.
    pub(super) fn make_room(&mut self, keys: &mut Keyspace) {
        let room = self.find_room(keys);
        self.eviction.running = room == Room::Coming;
        let refuses = room == Room::None;
        self.conditions.set(Conditions::OUT_OF_MEMORY, refuses);
        let now = self.now.mono;
        if room != Room::Enough {
            self.eviction.exceeded_since.get_or_insert(now);
        } else if let Some(since) = self.eviction.exceeded_since.take() {
            self.stats.eviction_exceeded += now.since(since);
        }
    }

    /// Takes note of a new bound: what is above it goes in the turns to come.
    pub(super) fn maxmemory_changed(&mut self, keys: &Keyspace) {
        let (most, used) = (self.config.maxmemory(), self.used_memory(keys));
        if most > 0 && used > most {
            tracing::warn!(
                "WARNING: the new maxmemory value set via CONFIG SET ({most}) is smaller than the \
                 current memory usage ({used}). This will result in key eviction and/or the \
                 inability to accept new write commands depending on the maxmemory-policy."
            );
            self.eviction.running = true;
        }
    }

    fn find_room(&mut self, keys: &mut Keyspace) -> Room {
        let most = self.config.maxmemory();
        if most == 0 || !self.may_evict() || self.counted_memory(keys) <= most {
            return Room::Enough;
        }
        let share = share(self.config.maxmemory_eviction_tenacity());
        let turn = share.saturating_mul(limits::EVICTION_SHARES_PER_TURN);
        let left = turn.saturating_sub(self.eviction.taken).min(share);
        let mut budget = left.max(limits::EVICTION_STEPS_MIN);
        let given = budget;
        let rule = rule(self.config.maxmemory_policy());
        let room = loop {
            if self.counted_memory(keys) <= most {
                break Room::Enough;
            }
            // What is deleted already goes first, or keys would go in its place.
            if keys.has_garbage() && budget > 0 {
                keys.free_some(limits::EVICTION_FREED_STEP);
                budget = budget.saturating_sub(limits::EVICTION_FREED_STEP);
                continue;
            }
            let Some(rule) = rule.filter(|_| budget > 0) else {
                break if rule.is_some() || keys.has_garbage() {
                    Room::Coming
                } else {
                    Room::None
                };
            };
            match self.pick_victim(keys, rule, &mut budget) {
                Victim::Key { db, key } => {
                    self.delete_evicted(keys, db, &key);
                    budget = budget.saturating_sub(limits::EVICTION_KEY_STEPS);
                }
                Victim::NotYet => break Room::Coming,
                Victim::Nothing => break Room::None,
            }
        };
        self.eviction.taken += given - budget;
        self.end_batch();
        room
    }

    fn pick_victim(&mut self, keys: &mut Keyspace, rule: Rule, budget: &mut usize) -> Victim {
        let samples = self.config.maxmemory_samples() as usize;
        self.eviction
            .evictor
            .pick(keys, rule, samples, &mut self.rng, budget)
    }

    /// Deletes a key to make room, and tells everyone.
    fn delete_evicted(&mut self, keys: &mut Keyspace, db: usize, key: &[u8]) {
        let deleted = keys.db_mut(db).delete(key);
        assert!(deleted, "an evicted key was there");
        self.stats.evicted += 1;
        let word = deletion(self.config.lazyfree_lazy_eviction());
        self.feed(db, [word, key].into_iter());
        self.touch_watched(db, key);
        self.notify(NotifyFlags::EVICTED, "evicted", db, key);
    }

    /// Whether keys may go now. A replica leaves that to its master, unless told otherwise; a
    /// dataset that is not complete, or that is to stay as it is, is left alone.
    fn may_evict(&self) -> bool {
        let leaves = self.is_replica() && self.config.replica_ignore_maxmemory();
        !(leaves || self.is_loading() || self.is_paused())
    }

    /// Used memory as far as `maxmemory` counts it.
    pub fn counted_memory(&self, keys: &Keyspace) -> u64 {
        let kept = keys.kept_memory() as u64;
        let used = self.used_memory(keys);
        used.saturating_sub(self.not_counted_memory() + kept)
    }

    /// What replicas that lag behind take above `repl-backlog-size`: it must not drive keys out,
    /// whose deletion would make them lag more.
    pub fn not_counted_memory(&self) -> u64 {
        let stream = self.repl.backlog_memory() as u64;
        stream.saturating_sub(self.config.repl_backlog_size())
    }

    /// How it is kept when keys are used.
    pub(super) fn usage(&self) -> Usage {
        let tracked = match self.config.maxmemory_policy() {
            Policy::AllkeysLru | Policy::VolatileLru => Tracked::Recency,
            Policy::AllkeysLfu | Policy::VolatileLfu => Tracked::Frequency {
                log_factor: self.config.lfu_log_factor(),
                decay_minutes: self.config.lfu_decay_time(),
            },
            Policy::VolatileRandom
            | Policy::VolatileTtl
            | Policy::AllkeysRandom
            | Policy::Noeviction => Tracked::Neither,
        };
        Usage::new(self.now.wall, tracked)
    }

    /// Whether Redis would share small integers between keys, which it does not where it has to
    /// know of each when it was used.
    pub fn shares_integers(&self) -> bool {
        let tracks = match self.config.maxmemory_policy() {
            Policy::AllkeysLru | Policy::VolatileLru | Policy::AllkeysLfu | Policy::VolatileLfu => {
                true
            }
            Policy::VolatileRandom
            | Policy::VolatileTtl
            | Policy::AllkeysRandom
            | Policy::Noeviction => false,
        };
        self.config.maxmemory() == 0 || !tracks
    }
}

/// What a policy goes by; none if no key goes.
fn rule(policy: Policy) -> Option<Rule> {
    let (order, expiring) = match policy {
        Policy::VolatileLru => (Order::Recency, true),
        Policy::VolatileLfu => (Order::Frequency, true),
        Policy::VolatileRandom => (Order::Chance, true),
        Policy::VolatileTtl => (Order::Expiry, true),
        Policy::AllkeysLru => (Order::Recency, false),
        Policy::AllkeysLfu => (Order::Frequency, false),
        Policy::AllkeysRandom => (Order::Chance, false),
        Policy::Noeviction => return None,
    };
    Some(Rule { order, expiring })
}

/// The steps that `maxmemory-eviction-tenacity` grants a command. Redis grants 50 microseconds
/// for each point up to 10, and 15 per cent more for each above; at 100, all the time it takes.
fn share(tenacity: u32) -> usize {
    const LINEAR: u32 = 10;
    if tenacity >= 100 {
        return limits::EVICTION_STEPS_MAX;
    }
    let steps = u64::from(tenacity.min(LINEAR)) * 50 * limits::EVICTION_STEPS_PER_MICRO;
    let most = limits::EVICTION_STEPS_MAX;
    let grown = (LINEAR..tenacity).fold(steps, |steps, _| (steps * 115 / 100).min(most as u64));
    usize::try_from(grown).map_or(most, |grown| grown.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_grows_slowly_and_then_fast_up_to_a_bound() {
        let micros = |tenacity| share(tenacity) as u64 / limits::EVICTION_STEPS_PER_MICRO;
        assert_eq!(micros(0), 0);
        assert_eq!(micros(1), 50);
        assert_eq!(micros(10), 500);
        assert_eq!(micros(11), 575);
        assert!((2_000..2_100).contains(&micros(20)));
        assert_eq!(share(99), limits::EVICTION_STEPS_MAX);
        assert_eq!(share(100), limits::EVICTION_STEPS_MAX);
    }
}
