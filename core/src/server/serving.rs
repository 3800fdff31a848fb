//! Clients that have waited for keys get what has come.
//!
//! A unit's changes are all there before anyone is served, and every client is served by a unit
//! of its own: its command runs again as if it had come only now. What it changes may serve the
//! next one.

use super::Server;
use super::client::ClientFlags;
use super::exec::Outcome;
use crate::conn::Closing;
use crate::keyspace::EntryRef;
use crate::limits;
use crate::machine::ConnId;

impl Server {
    /// Looks at everyone who waits for a key that has changed, until nothing changes any more.
    #[inline]
    pub(super) fn serve_waiting(&mut self) {
        if self.has_to_serve() {
            self.serve_noted();
        }
    }

    /// Whether someone waits for a key that has changed. A pause keeps everyone waiting, and so
    /// do loading, a script in the middle of its work, and DEBUG SLEEP.
    pub(super) fn has_to_serve(&self) -> bool {
        let busy = || self.is_asleep() || self.is_within_script();
        let held = || self.st.is_paused() || self.st.is_loading() || busy();
        self.st.blocked.keys.has_noted() && !held()
    }

    fn serve_noted(&mut self) {
        for _ in 0..limits::SERVED_KEYS_PER_UNIT_MAX {
            let Some((db, key)) = self.st.blocked.keys.next_noted() else {
                return;
            };
            self.serve_key(db, &key);
        }
    }

    /// Looks at those who wait for a key, each once, in order of arrival.
    fn serve_key(&mut self, db: usize, key: &[u8]) {
        let now = self.st.now.wall;
        let mut place = 0;
        while let Some(waiter) = self.st.blocked.keys.waiter_from(db, key, place) {
            place = waiter.place + 1;
            let entry = self.keys.db(db).get(key);
            let value = entry.filter(|entry| !entry.is_expired(now));
            let value = value.map(EntryRef::value);
            // What is gone is of no use to those further behind either.
            if value.is_none() && !self.st.blocked.keys.awaits_removal(db, key) {
                return;
            }
            if (waiter.fits)(value) && self.is_open(waiter.conn) {
                self.serve(waiter.conn);
            }
        }
    }

    /// Whether a client would get what it is given.
    fn is_open(&self, conn: ConnId) -> bool {
        let entry = self.st.conns.get(conn).expect("who waits is connected");
        entry.closing() == Closing::No
    }

    /// Runs the command of a client that waits with it.
    fn serve(&mut self, conn: ConnId) {
        let wait = self.st.blocked.take(conn).expect("it was found waiting");
        self.st
            .client_mut(conn)
            .flags
            .set(ClientFlags::SERVED, true);
        let mut out = self.take_output(conn);
        let outcome = self.run(conn, wait.command.as_ref(), &mut out);
        assert!(
            !matches!(outcome, Outcome::Postponed(_)),
            "nothing is served during a pause"
        );
        self.give_output_back(conn, out);
        let client = self.st.client_mut(conn);
        let served = client.flags.has(ClientFlags::SERVED);
        client.flags.set(ClientFlags::SERVED, false);
        if outcome == Outcome::Refused {
            self.st.resume(conn);
        } else if served {
            self.st.release(conn);
        } else {
            self.st.blocked.put_back(conn, wait);
        }
    }
}
