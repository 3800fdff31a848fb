//! Taps: what passes between data servers and between Sentinels, read off the wire as it is
//! written.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Violation;
use super::history::{Position, Tree};
use crate::ids::{ConnKey, End, Kind, NodeId, Side};
use crate::net::Net;
use crate::program::Id;
use crate::resp::{Reader, Reply, int};
use crate::time::Time;

/// Something that was said on a wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fact {
    /// A Sentinel answered a request for its vote.
    Vote {
        /// Whose vote.
        voter: NodeId,
        /// For whom.
        candidate: Id,
        /// In which epoch.
        epoch: u64,
    },
    /// A Sentinel told another its configuration.
    Hello {
        /// Who said it.
        from: NodeId,
        /// The master's name.
        name: String,
        /// The master's address.
        addr: SocketAddr,
        /// The version of that address.
        config_epoch: u64,
    },
    /// A master began to send a replica everything.
    FullSync {
        /// The sender.
        master: NodeId,
        /// The receiver.
        replica: NodeId,
        /// From where the receiver had asked to go on.
        refused: Option<Position>,
    },
    /// A replica gave up what it was being sent, and asks anew.
    AbortedSync {
        /// The receiver.
        replica: NodeId,
    },
    /// A replica told how far it has applied the stream.
    Ack {
        /// Who.
        replica: NodeId,
        /// How far.
        offset: u64,
        /// Of which history.
        replid: Id,
    },
    /// A master continued where the replica was.
    PartialSync {
        /// The sender.
        master: NodeId,
        /// The receiver.
        replica: NodeId,
        /// Where the receiver was.
        asked: Position,
        /// The history it goes on in. It may have got that name in this very turn.
        granted: Id,
    },
}

/// All taps of a run.
pub struct Taps {
    kinds: Vec<Kind>,
    feeds: BTreeMap<ConnKey, Feed>,
    talks: BTreeMap<ConnKey, Talk>,
    /// Over which connection each replica is being sent everything.
    syncing: BTreeMap<NodeId, ConnKey>,
    gc_at: usize,
    /// What was said since the last look.
    pub facts: Vec<(Time, Fact)>,
    /// What masters sent.
    pub tree: Tree,
    /// What can't be.
    pub violation: Option<Violation>,
}

/// A connection between data servers.
#[derive(Default)]
struct Feed {
    requests: Reader,
    answers: Reader,
    asked: Option<Option<Position>>,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    #[default]
    Handshake,
    /// The answer was a full resynchronisation from there.
    Header(Position),
    /// A dataset until this mark.
    Marked {
        from: Position,
        mark: Vec<u8>,
        tail: Vec<u8>,
    },
    /// A dataset of that many more bytes.
    Sized { from: Position, left: u64 },
    /// The stream; the position is that of the last byte sent.
    Stream(Position),
    /// Nothing that is understood.
    Lost,
}

/// A connection between Sentinels.
#[derive(Default)]
struct Talk {
    requests: Reader,
    answers: Reader,
    lost: bool,
}

impl Taps {
    /// Taps for nodes of these kinds.
    pub const fn new(kinds: Vec<Kind>, tree: Tree) -> Self {
        Self {
            kinds,
            feeds: BTreeMap::new(),
            talks: BTreeMap::new(),
            syncing: BTreeMap::new(),
            gc_at: 256,
            facts: Vec::new(),
            tree,
            violation: None,
        }
    }

    /// Takes in bytes that the process at `end` wrote.
    pub fn wrote(&mut self, at: Time, net: &Net, end: End, bytes: &[u8]) {
        let Some(ways) = net.ways(end) else { return };
        let kinds = (
            self.kinds[ways.node.index()],
            self.kinds[ways.peer_node.index()],
        );
        let key = end.conn;
        match kinds {
            (Kind::Data, Kind::Data) => {
                self.collect(net);
                let feed = self.feeds.entry(key).or_default();
                let told = match end.side {
                    Side::Caller => {
                        let replica = ways.node;
                        let syncing = &mut self.syncing;
                        feed.on_request(bytes, replica, |fact| {
                            let here = syncing.get(&replica) == Some(&key);
                            if here && matches!(fact, Fact::Ack { .. }) {
                                syncing.remove(&replica);
                            }
                            self.facts.push((at, fact));
                        })
                    }
                    Side::Callee => {
                        let pair = (ways.node, ways.peer_node);
                        feed.on_answer(bytes, pair, &mut self.tree, |fact| {
                            self.facts.push((at, fact));
                        })
                    }
                };
                self.follow_sync(at, key, end.side, (ways.node, ways.peer_node));
                if let Err(violation) = told {
                    self.violation.get_or_insert(violation);
                }
            }
            (Kind::Sentinel, Kind::Sentinel) => {
                self.collect(net);
                let talk = self.talks.entry(key).or_default();
                let mut heard = |fact| self.facts.push((at, fact));
                match end.side {
                    Side::Caller => talk.on_request(bytes, ways.node, &mut heard),
                    Side::Callee => talk.on_answer(bytes, ways.node, &mut heard),
                }
            }
            (Kind::Data | Kind::Sentinel | Kind::Client, _) => {}
        }
    }

    /// Notices when a full synchronisation begins, ends and is given up.
    fn follow_sync(&mut self, at: Time, key: ConnKey, side: Side, (node, peer): (NodeId, NodeId)) {
        let feed = &self.feeds[&key];
        match (side, &feed.stage) {
            (Side::Caller, _) => {
                let asks = feed.asked.is_some();
                if asks && self.syncing.get(&node).is_some_and(|old| *old != key) {
                    self.syncing.remove(&node);
                    self.facts.push((at, Fact::AbortedSync { replica: node }));
                }
            }
            (Side::Callee, Stage::Header(_) | Stage::Marked { .. } | Stage::Sized { .. }) => {
                self.syncing.insert(peer, key);
            }
            // It ends when the replica tells of what it has loaded.
            (Side::Callee, Stage::Handshake | Stage::Stream(_) | Stage::Lost) => {}
        }
    }

    /// Forgets connections that are gone.
    fn collect(&mut self, net: &Net) {
        if self.feeds.len() + self.talks.len() < self.gc_at {
            return;
        }
        self.feeds.retain(|key, _| net.exists(*key));
        self.talks.retain(|key, _| net.exists(*key));
        self.gc_at = 256 + 2 * (self.feeds.len() + self.talks.len());
    }
}

impl Feed {
    fn on_request(
        &mut self,
        bytes: &[u8],
        replica: NodeId,
        mut heard: impl FnMut(Fact),
    ) -> Result<(), Violation> {
        self.requests.push(bytes);
        loop {
            let newlines = self.requests.rest().iter().take_while(|&&b| b == b'\n');
            let newlines = newlines.count();
            self.requests.skip(newlines);
            let Ok(Some(reply)) = self.requests.next_reply() else {
                return Ok(());
            };
            let Some(args) = words(&reply) else { continue };
            match &args[..] {
                [name, id, offset, ..] if name.eq_ignore_ascii_case(b"PSYNC") => {
                    self.asked = Some(asked(id, offset));
                }
                [name, ack, offset]
                    if name.eq_ignore_ascii_case(b"REPLCONF")
                        && ack.eq_ignore_ascii_case(b"ACK") =>
                {
                    if let Some(fact) = self.on_ack(replica, offset)? {
                        heard(fact);
                    }
                }
                _ => {}
            }
        }
    }

    fn on_ack(&self, replica: NodeId, offset: &[u8]) -> Result<Option<Fact>, Violation> {
        let (Stage::Stream(sent), Some(acked)) = (&self.stage, int(offset)) else {
            return Ok(None);
        };
        let Ok(offset) = u64::try_from(acked) else {
            return Ok(None);
        };
        if offset > sent.offset {
            let message = format!(
                "{replica} acknowledged offset {offset}, but was sent only {}",
                sent.offset
            );
            return Err(Violation::new("history", message));
        }
        let replid = sent.replid;
        Ok(Some(Fact::Ack {
            replica,
            offset,
            replid,
        }))
    }

    fn on_answer(
        &mut self,
        bytes: &[u8],
        pair: (NodeId, NodeId),
        tree: &mut Tree,
        mut heard: impl FnMut(Fact),
    ) -> Result<(), Violation> {
        if let Stage::Stream(sent) = &mut self.stage {
            tree.wrote(pair.0, &sent.replid, sent.offset + 1, bytes)?;
            sent.offset += bytes.len() as u64;
            return Ok(());
        }
        self.answers.push(bytes);
        while !self.answers.rest().is_empty() {
            match std::mem::replace(&mut self.stage, Stage::Lost) {
                Stage::Handshake => {
                    let Some(line) = take_line(&mut self.answers) else {
                        self.stage = Stage::Handshake;
                        return Ok(());
                    };
                    self.stage = self.on_line(&line, pair, &mut heard)?;
                }
                Stage::Header(from) => {
                    let Some(line) = take_line(&mut self.answers) else {
                        self.stage = Stage::Header(from);
                        return Ok(());
                    };
                    self.stage = header(&line, from);
                }
                Stage::Marked { from, mark, tail } => {
                    self.stage = self.on_payload(from, mark, tail);
                }
                Stage::Sized { from, left } => {
                    let here = left.min(self.answers.rest().len() as u64);
                    self.answers.skip(usize::try_from(here).expect("in memory"));
                    self.stage = match left - here {
                        0 => Stage::Stream(from),
                        left => Stage::Sized { from, left },
                    };
                }
                Stage::Stream(mut sent) => {
                    let rest = self.answers.rest().to_vec();
                    self.answers.skip(rest.len());
                    tree.wrote(pair.0, &sent.replid, sent.offset + 1, &rest)?;
                    sent.offset += rest.len() as u64;
                    self.stage = Stage::Stream(sent);
                }
                Stage::Lost => return Ok(()),
            }
        }
        Ok(())
    }

    fn on_line(
        &mut self,
        line: &[u8],
        (master, replica): (NodeId, NodeId),
        heard: &mut impl FnMut(Fact),
    ) -> Result<Stage, Violation> {
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        match &words[..] {
            [b"+FULLRESYNC", id, offset] => {
                let refused = self.asked.take().flatten();
                heard(Fact::FullSync {
                    master,
                    replica,
                    refused,
                });
                Ok(position(id, offset).map_or(Stage::Lost, Stage::Header))
            }
            [b"+CONTINUE", rest @ ..] => {
                let Some(Some(asked)) = self.asked.take() else {
                    return Err(Violation::new(
                        "history",
                        format!("{master} continued a stream {replica} did not ask for"),
                    ));
                };
                let granted = match rest {
                    [id] => identify(id),
                    _ => Some(asked.replid),
                };
                let Some(granted) = granted else {
                    return Ok(Stage::Lost);
                };
                heard(Fact::PartialSync {
                    master,
                    replica,
                    asked,
                    granted,
                });
                Ok(Stage::Stream(Position {
                    replid: granted,
                    offset: asked.offset,
                }))
            }
            _ => Ok(Stage::Handshake),
        }
    }

    fn on_payload(&mut self, from: Position, mark: Vec<u8>, mut tail: Vec<u8>) -> Stage {
        let rest = self.answers.rest();
        let keep = rest.len().saturating_sub(mark.len());
        tail.extend_from_slice(&rest[keep..]);
        let surplus = tail.len().saturating_sub(mark.len());
        tail.drain(..surplus);
        self.answers.skip(self.answers.rest().len());
        if tail == mark {
            Stage::Stream(from)
        } else {
            Stage::Marked { from, mark, tail }
        }
    }
}

impl Talk {
    fn on_request(&mut self, bytes: &[u8], from: NodeId, heard: &mut impl FnMut(Fact)) {
        if self.lost {
            return;
        }
        self.requests.push(bytes);
        loop {
            let reply = match self.requests.next_reply() {
                Ok(Some(reply)) => reply,
                Ok(None) => return,
                Err(_) => {
                    self.lost = true;
                    return;
                }
            };
            if let Some(args) = words(&reply)
                && let [name, _, payload] = &args[..]
                && name.eq_ignore_ascii_case(b"PUBLISH")
                && let Some(fact) = hello(from, payload)
            {
                heard(fact);
            }
        }
    }

    fn on_answer(&mut self, bytes: &[u8], voter: NodeId, heard: &mut impl FnMut(Fact)) {
        if self.lost {
            return;
        }
        self.answers.push(bytes);
        loop {
            let reply = match self.answers.next_reply() {
                Ok(Some(reply)) => reply,
                Ok(None) => return,
                Err(_) => {
                    self.lost = true;
                    return;
                }
            };
            let Reply::Array(Some(items)) = &reply else {
                continue;
            };
            if let [Reply::Int(_), Reply::Bulk(Some(id)), Reply::Int(epoch)] = &items[..]
                && let Some(candidate) = identify(id)
                && let Ok(epoch) = u64::try_from(*epoch)
            {
                heard(Fact::Vote {
                    voter,
                    candidate,
                    epoch,
                });
            }
        }
    }
}

/// A line without its end, past any newlines before it.
fn take_line(reader: &mut Reader) -> Option<Vec<u8>> {
    let newlines = reader.rest().iter().take_while(|&&byte| byte == b'\n');
    let newlines = newlines.count();
    reader.skip(newlines);
    let end = reader.rest().windows(2).position(|pair| pair == b"\r\n")?;
    let line = reader.rest()[..end].to_vec();
    reader.skip(end + 2);
    Some(line)
}

fn header(line: &[u8], from: Position) -> Stage {
    if let Some(mark) = line.strip_prefix(b"$EOF:") {
        return Stage::Marked {
            from,
            mark: mark.to_vec(),
            tail: Vec::new(),
        };
    }
    match line.strip_prefix(b"$").and_then(int).map(u64::try_from) {
        Some(Ok(left)) => Stage::Sized { from, left },
        Some(Err(_)) | None => Stage::Lost,
    }
}

/// What a PSYNC asks for: nothing, or to go on after a position.
fn asked(id: &[u8], next: &[u8]) -> Option<Position> {
    let replid = identify(id)?;
    let next = u64::try_from(int(next)?).ok()?;
    Some(Position {
        replid,
        offset: next.checked_sub(1)?,
    })
}

fn position(id: &[u8], offset: &[u8]) -> Option<Position> {
    Some(Position {
        replid: identify(id)?,
        offset: u64::try_from(int(offset)?).ok()?,
    })
}

fn identify(id: &[u8]) -> Option<Id> {
    id.try_into().ok()
}

fn hello(from: NodeId, payload: &[u8]) -> Option<Fact> {
    let text = str::from_utf8(payload).ok()?;
    let fields: Vec<&str> = text.split(',').collect();
    let [_, _, _, _, name, ip, port, config_epoch] = fields[..] else {
        return None;
    };
    Some(Fact::Hello {
        from,
        name: name.to_owned(),
        addr: SocketAddr::new(ip.parse().ok()?, port.parse().ok()?),
        config_epoch: config_epoch.parse().ok()?,
    })
}

fn words(reply: &Reply) -> Option<Vec<&[u8]>> {
    let Reply::Array(Some(items)) = reply else {
        return None;
    };
    (items.iter())
        .map(|item| match item {
            Reply::Bulk(Some(bytes)) => Some(&bytes[..]),
            Reply::Bulk(None)
            | Reply::Simple(_)
            | Reply::Error(_)
            | Reply::Int(_)
            | Reply::Array(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::command;

    const MASTER: NodeId = NodeId(0);
    const REPLICA: NodeId = NodeId(1);
    const ID: [u8; 40] = [b'a'; 40];

    struct Bench {
        feed: Feed,
        tree: Tree,
        facts: Vec<Fact>,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                feed: Feed::default(),
                tree: Tree::default(),
                facts: Vec::new(),
            }
        }

        fn ask(&mut self, args: &[&[u8]]) -> Result<(), Violation> {
            let mut bytes = Vec::new();
            command(&mut bytes, args);
            let facts = &mut self.facts;
            (self.feed).on_request(&bytes, REPLICA, |fact| facts.push(fact))
        }

        fn answer(&mut self, bytes: &[u8], step: usize) -> Result<(), Violation> {
            for chunk in bytes.chunks(step) {
                let facts = &mut self.facts;
                self.feed
                    .on_answer(chunk, (MASTER, REPLICA), &mut self.tree, |fact| {
                        facts.push(fact)
                    })?;
            }
            Ok(())
        }
    }

    #[test]
    fn a_full_sync_is_followed_through_its_payload_to_the_stream() {
        let mut push = Vec::new();
        command(&mut push, &[b"RPUSH", b"l", b"7"]);
        for step in [1, 3, 1000] {
            let mut bench = Bench::new();
            bench.ask(&[b"PSYNC", b"?", b"-1"]).unwrap();
            let mark = [b'm'; 40];
            let mut wire = b"+PONG\r\n+OK\r\n\n\n+FULLRESYNC ".to_vec();
            wire.extend_from_slice(&ID);
            wire.extend_from_slice(b" 100\r\n\n$EOF:");
            wire.extend_from_slice(&mark);
            wire.extend_from_slice(b"\r\nREDIS0011payload");
            wire.extend_from_slice(&mark);
            bench.answer(&wire, step).unwrap();
            bench.answer(&push, step).unwrap();
            assert_eq!(bench.facts.len(), 1);
            let index = bench.tree.index().unwrap();
            assert_eq!(index[&7][0].offset, 100 + push.len() as u64);
        }
    }

    #[test]
    fn an_acknowledgement_of_more_than_was_sent_is_a_violation() {
        let mut bench = Bench::new();
        bench.ask(&[b"PSYNC", &ID, b"5"]).unwrap();
        bench.answer(b"+CONTINUE\r\n12345", 4).unwrap();
        bench.ask(&[b"REPLCONF", b"ACK", b"9"]).unwrap();
        assert!(bench.ask(&[b"REPLCONF", b"ACK", b"10"]).is_err());
    }

    #[test]
    fn continuing_a_history_the_replica_does_not_have_is_a_violation() {
        let mut bench = Bench::new();
        bench.ask(&[b"PSYNC", &ID, b"5"]).unwrap();
        let mut wire = b"+CONTINUE ".to_vec();
        wire.extend_from_slice(&[b'b'; 40]);
        wire.extend_from_slice(b"\r\n");
        bench.answer(&wire, 100).unwrap();
        let [Fact::PartialSync { asked, granted, .. }] = bench.facts[..] else {
            panic!("{:?}", bench.facts);
        };
        assert!(bench.tree.continued(MASTER, asked, &granted).is_err());
    }

    #[test]
    fn votes_and_hellos_are_read_off_the_wire() {
        let mut talk = Talk::default();
        let mut facts = Vec::new();
        let mut wire = b"+PONG\r\n:1\r\n*3\r\n:1\r\n$1\r\n*\r\n:0\r\n*3\r\n:1\r\n$40\r\n".to_vec();
        wire.extend_from_slice(&ID);
        wire.extend_from_slice(b"\r\n:4\r\n");
        for chunk in wire.chunks(5) {
            talk.on_answer(chunk, MASTER, &mut |fact| facts.push(fact));
        }
        let vote = Fact::Vote {
            voter: MASTER,
            candidate: ID,
            epoch: 4,
        };
        assert_eq!(facts, [vote]);

        facts.clear();
        let mut wire = Vec::new();
        let payload = b"10.0.0.9,26379,me,4,mymaster,10.0.0.1,6379,3";
        command(&mut wire, &[b"PUBLISH", b"__sentinel__:hello", payload]);
        talk.on_request(&wire, MASTER, &mut |fact| facts.push(fact));
        let hello = Fact::Hello {
            from: MASTER,
            name: "mymaster".to_owned(),
            addr: "10.0.0.1:6379".parse().unwrap(),
            config_epoch: 3,
        };
        assert_eq!(facts, [hello]);
    }
}
