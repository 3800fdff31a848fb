//! A server as far as a Sentinel can tell.

use std::collections::BTreeMap;

use crate::resp::{Argv, ParseLimits, Parsed, Parser, Sender, encode_command};

/// Where a server and its clients are.
#[derive(Debug)]
pub(super) struct FakeServer {
    pub(super) port: u16,
    pub(super) alive: bool,
    pub(super) runid: String,
    pub(super) replid: String,
    pub(super) replid2: Option<String>,
    pub(super) offset: u64,
    pub(super) priority: u32,
    /// The port of its master.
    pub(super) master: Option<u16>,
    pub(super) never_synced: bool,
    /// Seconds without its master that it reports while that is gone.
    pub(super) down_for: u32,
    /// Whether it keeps its data from its master, which has lost it.
    pub(super) refuses: bool,
    /// Commands seen, for tests that care.
    pub(super) seen: Vec<String>,
    /// Whether SLAVEOF is obeyed.
    pub(super) obeys: bool,
    /// Whether it takes what comes and answers nothing.
    pub(super) mute: bool,
    /// Whether it wants a password that nobody has.
    pub(super) locked: bool,
    /// Whether replicas that are gone are still listed.
    pub(super) lists_dead: bool,
    conns: BTreeMap<u64, FakeConn>,
    runs: u32,
}

#[derive(Debug, Default)]
struct FakeConn {
    input: Vec<u8>,
    subscribed: bool,
    queue: Option<Vec<Vec<String>>>,
}

/// What a server does in answer to bytes.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) sends: Vec<(u64, Vec<u8>)>,
    pub(super) hangups: Vec<u64>,
}

/// What a server has to know of the others for its INFO.
#[derive(Clone, Debug)]
pub(super) struct Neighbour {
    pub(super) port: u16,
    pub(super) alive: bool,
    pub(super) master: Option<u16>,
    pub(super) replid: String,
    pub(super) offset: u64,
}

impl FakeServer {
    pub(super) fn new(port: u16, master: Option<u16>) -> Self {
        Self {
            port,
            alive: true,
            runid: format!("{port:0>40}"),
            replid: "h".repeat(40),
            replid2: None,
            offset: 100,
            priority: 100,
            master,
            never_synced: false,
            down_for: 1,
            refuses: false,
            seen: Vec::new(),
            obeys: true,
            mute: false,
            locked: false,
            lists_dead: false,
            conns: BTreeMap::new(),
            runs: 0,
        }
    }

    pub(super) fn neighbour(&self) -> Neighbour {
        Neighbour {
            port: self.port,
            alive: self.alive,
            master: self.master,
            replid: self.replid.clone(),
            offset: self.offset,
        }
    }

    pub(super) fn open(&mut self, conn: u64) {
        self.conns.insert(conn, FakeConn::default());
    }

    pub(super) fn close(&mut self, conn: u64) {
        self.conns.remove(&conn);
    }

    pub(super) fn kill(&mut self) -> Vec<u64> {
        self.alive = false;
        std::mem::take(&mut self.conns).into_keys().collect()
    }

    /// Comes back as its configuration file says: as it was.
    pub(super) fn restart(&mut self) {
        self.alive = true;
        self.runs += 1;
        self.runid = format!("{}{:0>35}", self.runs + 10_000, self.port);
        if self.master.is_none() {
            self.replid2 = Some(std::mem::replace(
                &mut self.replid,
                format!("{:x<40}", self.port),
            ));
        }
    }

    pub(super) fn input(&mut self, conn: u64, bytes: &[u8], others: &[Neighbour]) -> Output {
        let mut out = Output::default();
        let Some(state) = self.conns.get_mut(&conn).filter(|_| !self.mute) else {
            return out;
        };
        state.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut state.input);
        let mut rest = input.as_slice();
        let limits = ParseLimits {
            bulk_max: 1 << 20,
            authenticated: true,
            from: Sender::Client,
        };
        loop {
            let mut argv = Argv::default();
            match Parser::default().parse(rest, &mut argv, &limits).unwrap() {
                Parsed::Command { len } => {
                    let args = argv.over(&rest[..len]);
                    let words: Vec<_> = args.iter().map(text).collect();
                    self.command(conn, words, others, &mut out);
                    rest = &rest[len..];
                }
                Parsed::Nothing { len } => rest = &rest[len..],
                Parsed::Incomplete | Parsed::Diverted { .. } => break,
            }
        }
        if let Some(state) = self.conns.get_mut(&conn) {
            state.input = rest.to_vec();
        }
        out
    }

    fn command(&mut self, conn: u64, words: Vec<String>, others: &[Neighbour], out: &mut Output) {
        let name = words[0].to_uppercase();
        self.seen.push(words.join(" "));
        let state = self.conns.get_mut(&conn).expect("connected");
        if name == "EXEC" {
            let queued = state.queue.take().unwrap_or_default();
            out.sends
                .push((conn, format!("*{}\r\n", queued.len()).into_bytes()));
            for words in queued {
                self.execute(conn, &words, others, out);
            }
        } else if let Some(queue) = &mut state.queue {
            queue.push(words);
            out.sends.push((conn, b"+QUEUED\r\n".to_vec()));
        } else if name == "MULTI" {
            state.queue = Some(Vec::new());
            out.sends.push((conn, b"+OK\r\n".to_vec()));
        } else {
            self.execute(conn, &words, others, out);
        }
    }

    fn execute(&mut self, conn: u64, words: &[String], others: &[Neighbour], out: &mut Output) {
        let reply = match words[0].to_uppercase().as_str() {
            _ if self.locked => b"-NOAUTH Authentication required.\r\n".to_vec(),
            "PING" => b"+PONG\r\n".to_vec(),
            "INFO" => {
                let info = self.info(others);
                format!("${}\r\n{info}\r\n", info.len()).into_bytes()
            }
            "SUBSCRIBE" => {
                self.conns.get_mut(&conn).expect("connected").subscribed = true;
                format!(
                    "*3\r\n$9\r\nsubscribe\r\n${}\r\n{}\r\n:1\r\n",
                    words[1].len(),
                    words[1]
                )
                .into_bytes()
            }
            "PUBLISH" => {
                let mut message = Vec::new();
                let parts = [b"message", words[1].as_bytes(), words[2].as_bytes()];
                encode_command(&mut message, &parts);
                let subscribers = self.conns.iter().filter(|(_, state)| state.subscribed);
                out.sends
                    .extend(subscribers.map(|(&to, _)| (to, message.clone())));
                b":1\r\n".to_vec()
            }
            "SLAVEOF" => {
                if self.obeys {
                    self.slaveof(&words[1], &words[2]);
                }
                b"+OK\r\n".to_vec()
            }
            "CLIENT" if words[1] == "KILL" => {
                let pubsub = words[3] == "pubsub";
                let doomed: Vec<_> = self
                    .conns
                    .iter()
                    .filter(|&(&id, state)| id != conn && state.subscribed == pubsub)
                    .map(|(&id, _)| id)
                    .collect();
                for id in &doomed {
                    self.conns.remove(id);
                }
                let reply = format!(":{}\r\n", doomed.len()).into_bytes();
                out.hangups.extend(doomed);
                reply
            }
            _ => b"+OK\r\n".to_vec(),
        };
        out.sends.push((conn, reply));
    }

    fn slaveof(&mut self, host: &str, port: &str) {
        if (host, port) == ("NO", "ONE") {
            if self.master.take().is_some() {
                let new = format!("{:p<40}", self.port);
                self.replid2 = Some(std::mem::replace(&mut self.replid, new));
            }
        } else {
            self.master = Some(port.parse().expect("a port"));
        }
    }

    fn info(&mut self, others: &[Neighbour]) -> String {
        let zeros = "0".repeat(40);
        let replid2 = self.replid2.as_ref().unwrap_or(&zeros).clone();
        let common = format!("# Server\r\nrun_id:{}\r\n# Replication\r\n", self.runid);
        let Some(port) = self.master else {
            let mut info = format!("{common}role:master\r\n");
            let replicas = others
                .iter()
                .filter(|one| (one.alive || self.lists_dead) && one.master == Some(self.port));
            for (index, one) in replicas.enumerate() {
                let port = one.port;
                let offset = one.offset;
                info += &format!(
                    "slave{index}:ip=127.0.0.1,port={port},state=online,offset={offset},lag=0\r\n"
                );
            }
            let replid = &self.replid;
            return info + &format!("master_replid:{replid}\r\nmaster_replid2:{replid2}\r\n");
        };
        let master = others.iter().find(|one| one.port == port && one.alive);
        let apart = self.never_synced || self.refuses;
        let up = master.filter(|one| one.master.is_none() && !apart);
        if let Some(master) = up {
            self.replid = master.replid.clone();
        }
        let status = if up.is_some() { "up" } else { "down" };
        let down_for = if self.never_synced {
            -1
        } else {
            i64::from(self.down_for)
        };
        let down = match up {
            Some(_) => String::new(),
            None => format!("master_link_down_since_seconds:{down_for}\r\n"),
        };
        let refused = match self.refuses {
            true => "master_sync_refused:1\r\n",
            false => "",
        };
        format!(
            "{common}role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{port}\r\n\
             master_link_status:{status}\r\n{down}{refused}slave_repl_offset:{}\r\n\
             slave_priority:{}\r\nreplica_announced:1\r\n\
             master_replid:{}\r\nmaster_replid2:{replid2}\r\n",
            self.offset, self.priority, self.replid
        )
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
