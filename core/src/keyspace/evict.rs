//! Which entry goes when memory is needed.

use super::Keyspace;
use super::db::Db;
use super::handle::EntryRef;
use super::usage::Usage;
use crate::rng::Rng;

/// Among which entries the choice is, and by what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// What makes an entry go before others.
    pub order: Order,
    /// Whether only entries that expire may go.
    pub expiring: bool,
}

/// What makes an entry go before others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Long since it was used.
    Recency,
    /// Rare use.
    Frequency,
    /// Little time left.
    Expiry,
    /// Nothing but chance.
    Chance,
}

/// What came of a choice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Victim {
    /// This one goes.
    Key {
        /// Its database.
        db: usize,
        /// Its name.
        key: Box<[u8]>,
    },
    /// None was found yet: the search goes on with the next choice.
    NotYet,
    /// No entry may go.
    Nothing,
}

/// Chooses among samples, and remembers the best it has seen.
#[derive(Debug, Default)]
pub struct Evictor {
    /// What the pool was filled by.
    rule: Option<Rule>,
    /// The best last.
    pool: Vec<Candidate>,
    /// The database that chance took last.
    last_db: usize,
}

#[derive(Debug)]
struct Candidate {
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

impl Evictor {
    /// Chooses an entry by looking at `samples` of each database. Every entry or segment looked at
    /// takes one from `budget`.
    pub fn pick(
        &mut self,
        keys: &mut Keyspace,
        rule: Rule,
        samples: usize,
        rng: &mut Rng,
        budget: &mut usize,
    ) -> Victim {
        if self.rule != Some(rule) {
            self.pool.clear();
            self.rule = Some(rule);
        }
        if !keys.dbs.iter().any(|db| rule.has_any(db)) {
            self.pool.clear();
            return Victim::Nothing;
        }
        if rule.order == Order::Chance {
            return self.pick_any(keys, rule, rng, budget);
        }
        while *budget > 0 {
            let usage = keys.shared.usage;
            for (index, db) in keys.dbs.iter_mut().enumerate() {
                sample(db, rule, samples, rng, budget, |entry| {
                    self.offer(rule.score(entry, usage), index, entry.key());
                });
            }
            while let Some(Candidate { db, key, .. }) = self.pool.pop() {
                let found = keys.dbs.get(db).and_then(|db| db.get(&key));
                if found.is_some_and(|entry| rule.allows(entry)) {
                    return Victim::Key { db, key };
                }
            }
        }
        Victim::NotYet
    }

    /// Takes a random entry of the next database that has one.
    fn pick_any(
        &mut self,
        keys: &mut Keyspace,
        rule: Rule,
        rng: &mut Rng,
        budget: &mut usize,
    ) -> Victim {
        let count = keys.dbs.len();
        for _ in 0..count {
            self.last_db = (self.last_db + 1) % count;
            let mut found = None;
            sample(&mut keys.dbs[self.last_db], rule, 1, rng, budget, |entry| {
                found = Some(entry.key().into());
            });
            if let Some(key) = found {
                let db = self.last_db;
                return Victim::Key { db, key };
            }
        }
        Victim::NotYet
    }

    /// Puts an entry into the pool if it is better than some that are there.
    fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let place = self.pool.partition_point(|held| held.score < score);
        let full = self.pool.len() == POOL_SIZE;
        if full && place == 0 {
            return;
        }
        let is_it = |held: &Candidate| held.db == db && *held.key == *key;
        if self.pool.iter().any(is_it) {
            return;
        }
        let key = key.into();
        let candidate = Candidate { score, db, key };
        if full {
            self.pool.remove(0);
            self.pool.insert(place - 1, candidate);
        } else {
            self.pool.insert(place, candidate);
        }
    }
}

impl Rule {
    fn has_any(self, db: &Db) -> bool {
        if self.expiring {
            db.expires() > 0
        } else {
            !db.is_empty()
        }
    }

    fn allows(self, entry: EntryRef<'_>) -> bool {
        !self.expiring || entry.expire().is_some()
    }

    /// The higher, the sooner it goes.
    fn score(self, entry: EntryRef<'_>, usage: Usage) -> u64 {
        match self.order {
            Order::Recency => usage.idle_secs(entry.lru()).into(),
            Order::Frequency => (u8::MAX - usage.freq(entry.lru())).into(),
            Order::Expiry => entry
                .expire()
                .map_or(0, |at| i64::MAX.abs_diff(at.as_millis())),
            Order::Chance => 0,
        }
    }
}

/// Shows `visit` some entries of a database among which the choice is; none if there is none, or
/// if the budget ran out before one was found.
fn sample(
    db: &mut Db,
    rule: Rule,
    count: usize,
    rng: &mut Rng,
    budget: &mut usize,
    mut visit: impl FnMut(EntryRef<'_>),
) {
    if !rule.has_any(db) {
        return;
    }
    if rule.expiring {
        return db.sample_expiring(count, rng, budget, visit);
    }
    for _ in 0..count {
        *budget = budget.saturating_sub(1);
        if let Some(entry) = db.random(rng) {
            visit(entry);
        }
    }
}

/// As many as Redis keeps.
const POOL_SIZE: usize = 16;

#[cfg(test)]
mod tests;
