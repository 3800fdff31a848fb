//! CLIENT LIST and CLIENT INFO: a line about each connection.

use super::client::{Class, Client, ClientFlags};
use super::state::State;
use crate::acl::UserId;
use crate::machine::{Addr, ConnId};
use crate::pubsub::Kind;
use core::fmt::Write as _;

/// Which connections are meant; every given condition must hold.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// By number.
    pub ids: Option<Vec<u64>>,
    /// By the address of the other side.
    pub addr: Option<&'a [u8]>,
    /// By our own address.
    pub laddr: Option<&'a [u8]>,
    /// By class.
    pub class: Option<Class>,
    /// By user.
    pub user: Option<UserId>,
    /// Not this one.
    pub except: Option<ConnId>,
}

impl State {
    /// The connections a filter lets through, by ascending client number.
    pub fn select_clients(&self, filter: &Filter<'_>) -> Vec<ConnId> {
        self.by_client_id
            .values()
            .copied()
            .filter(|&conn| self.is_selected(conn, filter))
            .collect()
    }

    fn is_selected(&self, conn: ConnId, filter: &Filter<'_>) -> bool {
        let client = self.client(conn);
        let is_text = |addr: &Option<Addr>, text: &[u8]| {
            addr.as_ref()
                .is_some_and(|addr| addr.to_string().as_bytes() == text)
        };
        let (remote, local) = self.addresses(conn);
        filter
            .ids
            .as_ref()
            .is_none_or(|ids| ids.contains(&client.id))
            && filter.addr.is_none_or(|text| is_text(&remote, text))
            && filter.laddr.is_none_or(|text| is_text(&local, text))
            && filter.class.is_none_or(|class| client.class() == class)
            && filter.user.is_none_or(|user| client.user == user)
            && filter.except != Some(conn)
    }

    /// The name of a client's user; our master is nobody's.
    fn user_of(&self, client: &Client) -> &[u8] {
        if client.flags.has(ClientFlags::MASTER) {
            b"(superuser)"
        } else {
            self.users.name(client.user)
        }
    }

    /// The addresses of both ends of a connection.
    pub fn addresses(&self, conn: ConnId) -> (Option<Addr>, Option<Addr>) {
        let peer = self.conns.get(conn).and_then(|conn| conn.peer.as_ref());
        (
            peer.map(|peer| peer.remote.clone()),
            peer.map(|peer| peer.local.clone()),
        )
    }

    /// The line of one connection, without a line end.
    pub fn describe_client(&self, id: ConnId) -> String {
        let conn = self
            .conns
            .get(id)
            .expect("described connections are in the table");
        let client = &conn.state;
        let rare = client.rare.as_deref();
        let (remote, local) = self.addresses(id);
        let text = |addr: Option<Addr>| addr.map(|addr| addr.to_string()).unwrap_or_default();
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let multi = if client.flags.has(ClientFlags::MULTI) {
            rare.map_or(0, |rare| rare.queue.len()).to_string()
        } else if client.flags.has(ClientFlags::EXECUTING) {
            rare.map_or(0, |rare| rare.executing).to_string()
        } else {
            "-1".into()
        };
        let multi_mem = rare.map_or(0, |rare| rare.queue_bytes);
        let qbuf = conn.input_len();
        let qbuf_free = conn.input_memory().saturating_sub(qbuf);
        let (pending, omem) = (conn.out.len(), conn.out.memory());
        let total = self.memory_of(conn);
        let command = client
            .last
            .map_or_else(|| "NULL".into(), |id| self.table.full_name(id));
        let mut line = String::with_capacity(320);
        write!(
            line,
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} \
             ssub={} multi={multi} qbuf={qbuf} qbuf-free={qbuf_free} argv-mem=0 \
             multi-mem={multi_mem} rbs={omem} rbp={pending} obl={pending} oll=0 omem={omem} \
             tot-mem={total} events={} cmd={command} user={} redir=-1 resp={} lib-name={} \
             lib-ver={}",
            client.id,
            text(remote),
            text(local),
            id.index + FIRST_FD,
            lossy(client.name()),
            self.now.mono.since(client.created).as_secs(),
            self.now.mono.since(client.active).as_secs(),
            flag_letters(client.flags),
            client.db,
            self.pubsub.count_of(id, Kind::Channel),
            self.pubsub.count_of(id, Kind::Pattern),
            self.pubsub.count_of(id, Kind::Shard),
            if pending == 0 { "r" } else { "rw" },
            lossy(self.user_of(client)),
            client.proto.version(),
            lossy(rare.map_or(b"", |rare| &rare.lib_name)),
            lossy(rare.map_or(b"", |rare| &rare.lib_ver)),
        )
        .expect("a String takes any text");
        line
    }
}

/// Core knows no file descriptors; the connection's slot stands in for one, above those every
/// process has.
const FIRST_FD: u32 = 8;

fn flag_letters(flags: ClientFlags) -> String {
    const LETTERS: &[(ClientFlags, char)] = &[
        (ClientFlags::REPLICA, 'S'),
        (ClientFlags::MASTER, 'M'),
        (ClientFlags::SUBSCRIBER, 'P'),
        (ClientFlags::MULTI.and(ClientFlags::EXECUTING), 'x'),
        (ClientFlags::BLOCKED, 'b'),
        (ClientFlags::DIRTY_CAS, 'd'),
        (ClientFlags::CLOSING, 'c'),
        (ClientFlags::UNIX, 'U'),
        (ClientFlags::NO_EVICT, 'e'),
        (ClientFlags::NO_TOUCH, 'T'),
    ];
    let letters: String = LETTERS
        .iter()
        .filter(|(any, _)| flags.has_any(*any))
        .map(|(_, letter)| letter)
        .collect();
    if letters.is_empty() {
        "N".into()
    } else {
        letters
    }
}
