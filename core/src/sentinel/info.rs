//! What a Sentinel reads out of a server's INFO.

use crate::limits::REPLICAS_PER_MASTER_MAX;
use crate::sentinel::names::{RunId, parse_port};

/// The role a server says it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// `role:master`
    Master,
    /// `role:slave`
    Slave,
}

impl Role {
    /// Redis's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Slave => "slave",
        }
    }
}

/// A replication id; `None` where INFO has forty zeros.
pub type ReplId = Option<RunId>;

/// How long a replica has been without its master's link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkDown {
    /// Connected, or not a replica.
    No,
    /// Since this many seconds.
    ForSecs(u64),
    /// Never connected since it started (servers print -1).
    Never,
}

/// The facts in one INFO reply. Absent lines are `None`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Info {
    /// `run_id:`
    pub run_id: Option<RunId>,
    /// `role:`
    pub role: Option<Role>,
    /// `slaveN:` lines, host and port as given.
    pub replicas: Vec<(String, u16)>,
    /// `master_link_down_since_seconds:`
    pub link_down: LinkDown,
    /// `master_host:` and `master_port:`
    pub master: Option<(String, u16)>,
    /// `master_link_status:up`
    pub link_up: Option<bool>,
    /// `master_sync_refused:`: it keeps its data from a master that has lost it.
    pub sync_refused: bool,
    /// `slave_priority:`
    pub priority: Option<u32>,
    /// `slave_repl_offset:`
    pub offset: Option<u64>,
    /// `replica_announced:`
    pub announced: Option<bool>,
    /// `master_replid:`
    pub replid: ReplId,
    /// `master_replid2:`
    pub replid2: ReplId,
}

impl Info {
    /// Reads a reply; lines that can't be understood are as good as absent.
    pub fn parse(text: &[u8]) -> Self {
        let mut info = Self {
            run_id: None,
            role: None,
            replicas: Vec::new(),
            link_down: LinkDown::No,
            master: None,
            link_up: None,
            sync_refused: false,
            priority: None,
            offset: None,
            announced: None,
            replid: None,
            replid2: None,
        };
        let mut host = None;
        let mut port = None;
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some(colon) = memchr::memchr(b':', line) else {
                continue;
            };
            let (field, value) = (&line[..colon], &line[colon + 1..]);
            match field {
                b"run_id" => info.run_id = RunId::parse(value),
                b"role" => info.role = role(value),
                b"master_link_down_since_seconds" => info.link_down = link_down(value),
                b"master_replid" => info.replid = replid(value),
                b"master_replid2" => info.replid2 = replid(value),
                b"master_host" => host = text_of(value),
                b"master_port" => port = parse_port(value),
                b"master_link_status" => info.link_up = Some(value == b"up"),
                b"master_sync_refused" => info.sync_refused = value == b"1",
                b"slave_priority" => info.priority = number(value),
                b"slave_repl_offset" => info.offset = number(value),
                b"replica_announced" => info.announced = Some(value != b"0"),
                _ => info.take_replica(field, value),
            }
        }
        info.master = host.zip(port);
        info
    }

    fn take_replica(&mut self, field: &[u8], value: &[u8]) {
        let Some(b'0'..=b'9') = field.strip_prefix(b"slave").and_then(|rest| rest.first()) else {
            return;
        };
        if self.replicas.len() < REPLICAS_PER_MASTER_MAX {
            self.replicas.extend(replica(value));
        }
    }
}

/// `ip=10.0.0.1,port=6379,...`, or before Redis 2.8 `10.0.0.1,6379,state`.
fn replica(value: &[u8]) -> Option<(String, u16)> {
    let mut fields = value.split(|&byte| byte == b',');
    let (first, second) = (fields.next()?, fields.next()?);
    let host = first.strip_prefix(b"ip=").unwrap_or(first);
    let port = second.strip_prefix(b"port=").unwrap_or(second);
    Some((text_of(host)?, parse_port(port)?))
}

fn role(value: &[u8]) -> Option<Role> {
    match value {
        b"master" => Some(Role::Master),
        b"slave" => Some(Role::Slave),
        _ => None,
    }
}

fn link_down(value: &[u8]) -> LinkDown {
    match number::<i64>(value).map(u64::try_from) {
        Some(Ok(seconds)) => LinkDown::ForSecs(seconds),
        // -1 says that there never was a link; a number out of range says nothing better.
        Some(Err(_)) | None => LinkDown::Never,
    }
}

fn replid(value: &[u8]) -> ReplId {
    RunId::parse(value).filter(|id| id.as_str().bytes().any(|byte| byte != b'0'))
}

/// A host can't be longer than a domain name, and goes into lines of words.
fn text_of(value: &[u8]) -> Option<String> {
    let fits = !value.is_empty() && value.len() <= 253 && value.iter().all(u8::is_ascii_graphic);
    let plain = fits
        && !value
            .iter()
            .any(|byte| matches!(byte, b',' | b'"' | b'\'' | b'\\'));
    plain
        .then(|| str::from_utf8(value).ok().map(str::to_owned))
        .flatten()
}

fn number<T: core::str::FromStr>(value: &[u8]) -> Option<T> {
    str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_master_names_its_replicas_in_both_forms() {
        let text = format!(
            "# Server\r\nrun_id:{ID}\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
             slave0:ip=10.0.0.2,port=6380,state=online,offset=14,lag=1\r\n\
             slave1:10.0.0.3,6381,online\r\nmaster_replid:{ID}\r\n\
             master_replid2:{}\r\n",
            "0".repeat(40)
        );
        let info = Info::parse(text.as_bytes());
        assert_eq!(info.role, Some(Role::Master));
        assert_eq!(info.run_id, RunId::parse(ID.as_bytes()));
        assert_eq!(info.replid, info.run_id);
        assert_eq!(info.replid2, None);
        let replicas = [("10.0.0.2".to_owned(), 6380), ("10.0.0.3".to_owned(), 6381)];
        assert_eq!(info.replicas, replicas);
    }

    #[test]
    fn a_replica_tells_of_its_master_and_its_link() {
        let text = b"role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n\
            master_link_status:down\r\nmaster_link_down_since_seconds:12\r\n\
            slave_repl_offset:77\r\nslave_priority:10\r\nreplica_announced:0\r\n";
        let info = Info::parse(text);
        assert_eq!(info.role, Some(Role::Slave));
        assert_eq!(info.master, Some(("10.0.0.1".to_owned(), 6379)));
        assert_eq!(info.link_up, Some(false));
        assert_eq!(info.link_down, LinkDown::ForSecs(12));
        assert_eq!((info.offset, info.priority), (Some(77), Some(10)));
        assert_eq!(info.announced, Some(false));
    }

    #[test]
    fn a_link_that_never_was_is_not_a_young_one() {
        let info = Info::parse(b"role:slave\nmaster_link_down_since_seconds:-1\n");
        assert_eq!(info.link_down, LinkDown::Never);
    }

    #[test]
    fn hosts_that_would_break_a_line_of_words_are_ignored() {
        let info = Info::parse(b"slave0:ip=a b,port=1\r\nslave1:ip=,port=1\r\nmaster_host:a\"\r\n");
        assert_eq!(info.replicas, []);
        assert_eq!(info.master, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(text: Vec<u8>) {
            Info::parse(&text);
        }
    }
}
