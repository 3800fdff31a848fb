//! Looking up together what commands will look for one after the other.
//!
//! What is not close to the processor takes longer to come than all else that a command does.
//! These waits overlap if what several commands need is asked for at once. All of this is no more
//! than a hint: it changes nothing, and what it misses is found by the command itself.

use smallvec::SmallVec;

use super::Server;
use crate::conn::Input;
use crate::keyspace::{EntryRef, WarmKeys};
use crate::limits::{WARM_DB_KEYS_MIN, WARM_KEYS_MAX};
use crate::resp::{self, ArgvRef, Glance};
use crate::value::ValueRef;

type Glances<'a> = SmallVec<[Glance<'a>; WARM_KEYS_MAX]>;

impl Server {
    /// For a command and those behind it in the input of its connection, if there are any.
    pub(super) fn warm(&self, db: usize, args: ArgvRef<'_>, input: &Input) {
        if args.len() < 2 || input.is_empty() || !self.is_worth_warming(db, args.get(1)) {
            return;
        }
        let mut glances = Glances::new();
        glances.push(Glance {
            key: args.get(1),
            element: args.try_get(2).unwrap_or_default(),
        });
        glances.extend(resp::glances(input.bytes()).take(WARM_KEYS_MAX - 1));
        self.warm_glances(db, &glances);
    }

    /// For what several connections have sent.
    pub(super) fn warm_held(&self) {
        let mut glances = Glances::new();
        let mut shared = None;
        for (conn, bytes) in self.st.conns.held() {
            // Those with more than one command do it for themselves.
            let Some((glance, [])) = resp::peek(bytes) else {
                continue;
            };
            let db = self.st.client(conn).db;
            if shared.is_none() && !self.is_worth_warming(db, glance.key) {
                return;
            }
            // Most use one database.
            if *shared.get_or_insert(db) == db {
                glances.push(glance);
            }
        }
        if let Some(db) = shared
            && glances.len() > 1
        {
            self.warm_glances(db, &glances);
        }
    }

    /// Few keys are close to the processor anyway, and so are elements, but for those of a large
    /// value that the first command works with.
    fn is_worth_warming(&self, db: usize, first: &[u8]) -> bool {
        self.are_keys_many(db) || self.wide_value(db, first).is_some()
    }

    fn are_keys_many(&self, db: usize) -> bool {
        self.keys.db(db).len() >= WARM_DB_KEYS_MIN
    }

    fn wide_value(&self, db: usize, key: &[u8]) -> Option<ValueRef<'_>> {
        let value = self.keys.db(db).get(key).map(EntryRef::value);
        value.filter(|value| value.is_wide())
    }

    fn warm_glances(&self, db: usize, glances: &[Glance<'_>]) {
        if glances.len() > 1 && self.are_keys_many(db) {
            let keys: WarmKeys<'_> = glances.iter().map(|glance| glance.key).collect();
            self.keys.db(db).warm(&keys);
        }
        let key = glances[0].key;
        if let Some(value) = self.wide_value(db, key) {
            let same = glances.iter().filter(|glance| glance.key == key);
            let elements: WarmKeys<'_> = same.map(|glance| glance.element).collect();
            value.warm(&elements);
        }
    }
}
