//! Replication towards the master of this node.

use core::net::IpAddr;

use tracing::{info, warn};

use super::Replication;
use crate::machine::{ConnId, ConnectFault, DiskFault, Now};
use crate::repl::action::{Action, Attempt};
use crate::repl::replica::{Event, Granted, Link, Step, Stored, Target};
use crate::repl::settings::DisklessLoad;

/// What bytes of the master led to.
#[derive(Debug, Eq, PartialEq)]
pub struct Received<'a> {
    /// How many of them were used up. The rest is to be kept and given again.
    pub consumed: usize,
    /// What the server must know before it goes on; `None` if there is nothing more to be had
    /// from these bytes.
    pub event: Option<Event<'a>>,
}

impl Replication {
    /// The id of the connection asked for with [`Action::Dial`].
    pub fn dialing(&mut self, attempt: Attempt, conn: ConnId) {
        if let Some(link) = &mut self.link {
            link.dialing(attempt, conn);
        }
    }

    /// The answer to [`Action::Resolve`].
    pub fn resolved(&mut self, now: Now, attempt: Attempt, ips: &[IpAddr]) {
        if let Some(link) = &mut self.link {
            link.resolved(now.mono, attempt, ips, &self.settings, &mut self.fx);
        }
    }

    /// How the attempt to connect to the master went.
    pub fn connected(&mut self, now: Now, conn: ConnId, result: Result<(), ConnectFault>) {
        if let Some(link) = &mut self.link {
            link.connected(now.mono, conn, result, &mut self.fx);
        }
    }

    /// Sentinels watch this node. That they may promote it is why it keeps its data from a
    /// master that has lost it.
    pub fn note_watched(&mut self, now: Now) {
        self.watched_at = Some(now.mono);
    }

    /// Learns whether the node holds data.
    pub fn note_holdings(&mut self, holds_data: bool) {
        if let Some(link) = &mut self.link {
            link.note(holds_data, self.watched_at);
        }
    }

    /// Whether the connection is the link to the master.
    #[must_use]
    pub fn is_master_link(&self, conn: ConnId) -> bool {
        self.link.as_ref().and_then(Link::conn) == Some(conn)
    }

    /// Whether what comes over this connection is the master's stream: commands to be parsed
    /// and executed, with [`stream_received`](Self::stream_received) for each read and
    /// [`applied`](Self::applied) for what was executed. Before that it goes to
    /// [`receive`](Self::receive).
    #[must_use]
    pub fn is_streaming(&self, conn: ConnId) -> bool {
        let stream = self.link.as_ref().filter(|link| link.stream().is_some());
        stream.and_then(Link::conn) == Some(conn)
    }

    /// Whether the link is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link
            .as_ref()
            .is_some_and(|link| link.stream().is_some())
    }

    /// Whether bytes of the master are wanted at present.
    #[must_use]
    pub fn wants_read(&self, conn: ConnId) -> bool {
        self.link.as_ref().is_none_or(|link| link.wants_read(conn))
    }

    /// Bytes of the master that are not its stream. Call it with what is left until it yields
    /// no event.
    pub fn receive<'a>(&mut self, now: Now, conn: ConnId, input: &'a [u8]) -> Received<'a> {
        let mut consumed = 0;
        if let Some(link) = &mut self.link
            && link.is_shaking_hands()
        {
            let followed = self
                .primary
                .is_followed_by(now.mono, |ip, port| link.is_at(ip, port));
            link.note_followed_back(followed);
        }
        loop {
            let Some(link) = &mut self.link else {
                return Received {
                    consumed,
                    event: None,
                };
            };
            let rest = &input[consumed..];
            let (history, settings) = (&self.history, &self.settings);
            match link.receive(now.mono, conn, rest, history, settings, &mut self.fx) {
                Step::Consumed(len) => consumed += len,
                Step::Event(len, event) => {
                    consumed += len;
                    let event = Some(event);
                    return Received { consumed, event };
                }
                Step::Continue {
                    consumed: len,
                    replid,
                } => {
                    consumed += len;
                    if let Some(replid) = replid {
                        self.follow(now, replid);
                    }
                    let db = self.resume(now, conn);
                    let event = Some(Event::Streaming { db });
                    return Received { consumed, event };
                }
                Step::Stuck | Step::Failed => {
                    return Received {
                        consumed,
                        event: None,
                    };
                }
            }
        }
    }

    /// Whether a dataset that begins shall be received into memory (`repl-diskless-load`).
    #[must_use]
    pub const fn loads_into_memory(&self, dataset_is_empty: bool) -> bool {
        match self.settings.diskless_load {
            DisklessLoad::Disabled => false,
            DisklessLoad::OnEmptyDb => dataset_is_empty,
            DisklessLoad::Swapdb => true,
        }
    }

    /// The attempt whose dataset is arriving; names it in what follows.
    #[must_use]
    pub fn receiving(&self) -> Option<Attempt> {
        Some(self.link.as_ref()?.transfer()?.attempt())
    }

    /// Bytes of the dataset that is arriving, or 0 where the master does not say how many.
    #[must_use]
    pub fn receiving_size(&self) -> u64 {
        let transfer = self.link.as_ref().and_then(Link::transfer);
        transfer.map_or(0, |transfer| u64::try_from(transfer.size).unwrap_or(0))
    }

    /// Whether the dataset that is arriving is a later state of the one there is, so that the
    /// old one may be served until it is complete.
    #[must_use]
    pub fn receives_own_history(&self) -> bool {
        let transfer = self.link.as_ref().and_then(Link::transfer);
        transfer.is_some_and(|transfer| match transfer.granted() {
            Granted::Full(replid, _) => replid == self.history.replid(),
            Granted::Sync => false,
        })
    }

    /// The answer to [`Event::Begin`].
    pub fn receive_to(&mut self, now: Now, target: Target) {
        let link = self.link.as_mut().expect("a dataset comes over a link");
        link.receive_to(now.mono, target, &mut self.fx);
    }

    /// What has arrived of a dataset is being decoded.
    pub fn dataset_goes_on(&mut self, now: Now) {
        if let Some(link) = &mut self.link {
            link.dataset_goes_on(now.mono, &mut self.fx);
        }
    }

    /// The answer to [`Action::Disk`].
    pub fn disk_done(&mut self, now: Now, attempt: Attempt, result: Result<(), DiskFault>) {
        let Some(link) = &mut self.link else {
            return;
        };
        let Some(Stored { attempt, path }) =
            link.disk_done(now.mono, attempt, result, &mut self.fx)
        else {
            return;
        };
        info!("MASTER <-> REPLICA sync: Flushing old data");
        // From here on the node belongs to no history until the new dataset is loaded: it must
        // not be taken for a holder of the old one.
        link.discard_cached();
        self.drop_replicas(now);
        self.history.forget(&mut self.rng);
        info!("MASTER <-> REPLICA sync: Loading DB in memory");
        self.fx.push_back(Action::LoadFile { attempt, path });
        self.check();
    }

    /// The answer to [`Action::LoadFile`] and [`Event::End`]: the dataset is installed, with the
    /// database its file says the stream is in; or it is not, and nothing of it is kept. Answers
    /// the database of the stream if it goes on over the same connection.
    pub fn loaded(
        &mut self,
        now: Now,
        attempt: Attempt,
        outcome: Result<Option<u32>, ()>,
    ) -> Option<u32> {
        let link = self.link.as_mut()?;
        let granted = link.loading(attempt)?;
        let Ok(db) = outcome else {
            link.load_failed(now.mono, &mut self.fx);
            return None;
        };
        self.drop_replicas(now);
        match granted {
            Granted::Full(replid, offset) => self.history.adopt(replid, offset),
            Granted::Sync => self.history.forget(&mut self.rng),
        }
        self.create_backlog();
        let db = db.unwrap_or(0);
        let link = self.link.as_mut().expect("it was there before");
        link.go_online(now.mono, db, &self.history, &mut self.fx);
        self.check();
        self.is_connected().then_some(db)
    }

    /// Bytes of the stream came in.
    pub fn stream_received(&mut self, now: Now, conn: ConnId, len: usize) {
        if let Some(link) = &mut self.link {
            link.received(now.mono, conn, len);
        }
    }

    /// Commands of the stream were executed: the bytes they came as, the database selected
    /// after them, and whether a transaction is open.
    pub fn applied(&mut self, now: Now, conn: ConnId, raw: &[u8], db: u32, in_multi: bool) {
        let Some(link) = &mut self.link else {
            return;
        };
        let Some(stream) = link.stream_mut(conn) else {
            return;
        };
        let read = stream.read;
        let Ok(bytes) = stream.applied(raw, db, in_multi) else {
            warn!("Protocol error from master: a transaction is too long to be kept");
            link.protocol_error(now.mono, &mut self.fx);
            return;
        };
        // Sub-replicas and the backlog get exactly the bytes applied, when they are applied.
        let backlog = self
            .backlog
            .as_mut()
            .expect("a connected replica has a backlog");
        backlog.append(&bytes);
        self.history.advance(bytes.len());
        assert!(
            self.history.offset() <= read,
            "bytes are received before they are applied"
        );
        self.check();
    }

    /// The master asks how far we are (REPLCONF GETACK), or something else makes it worth
    /// knowing. It is told once at the end of the turn, when all that has come is applied, the
    /// question itself included.
    pub fn getack(&mut self, now: Now) {
        if let Some(link) = &mut self.link {
            link.acknowledge_soon(now.mono);
        }
    }

    /// The master's stream is no stream of commands: the link is given up, and with it what is
    /// known of the stream.
    pub fn master_protocol_error(&mut self, now: Now, conn: ConnId) {
        if self.is_master_link(conn)
            && let Some(link) = &mut self.link
        {
            link.protocol_error(now.mono, &mut self.fx);
        }
    }

    /// A connection is gone, whosever it was.
    pub fn hung_up(&mut self, now: Now, conn: ConnId) {
        self.waits.remove(conn);
        if let Some(link) = &mut self.link
            && link.hung_up(now.mono, conn, &mut self.fx)
        {
            return;
        }
        self.primary
            .forget(now.mono, conn, &self.settings, &mut self.fx);
    }

    fn follow(&mut self, now: Now, replid: crate::repl::ReplId) {
        if self.history.follow(replid) {
            warn!("Master replication ID changed to {replid}");
            // So that they learn it.
            self.primary
                .close_all(now.mono, &self.settings, &mut self.fx);
        }
    }

    fn resume(&mut self, now: Now, conn: ConnId) -> u32 {
        info!("Successful partial resynchronization with master.");
        self.create_backlog();
        let link = self.link.as_mut().expect("its reply has just been read");
        let db = link.resume(now.mono, conn, &self.history);
        let (masters, settings) = (link.masters(), &self.settings);
        self.primary
            .close_untold(now.mono, masters, settings, &mut self.fx);
        info!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
        self.check();
        db
    }

    /// Sub-replicas must not go on with a stream that belongs to another dataset.
    fn drop_replicas(&mut self, now: Now) {
        self.primary
            .close_all(now.mono, &self.settings, &mut self.fx);
        self.backlog = None;
    }
}
