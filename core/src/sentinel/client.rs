//! What is kept with a client's connection.

use crate::acl::UserId;
use crate::conn::Conn;
use crate::machine::{Addr, ConnId, Mono};
use crate::resp::Proto;

/// A client and its state.
#[derive(Debug)]
pub(super) struct Client {
    /// Counts up from the first client on.
    pub id: u64,
    /// CLIENT SETNAME
    pub name: Box<str>,
    /// The protocol of its replies.
    pub proto: Proto,
    /// Whether it has proved to be its user, or need not.
    pub authenticated: bool,
    /// Who it is.
    pub user: UserId,
    /// Its next command waits for the end of the one that runs.
    pub held: bool,
    /// Since when it is connected.
    pub since: Mono,
    /// When it was last heard of.
    pub active: Mono,
    /// The full name of its last command.
    pub last_command: &'static str,
    /// Which replies it wants.
    pub replies: Replies,
    /// CLIENT NO-EVICT
    pub no_evict: bool,
    /// CLIENT NO-TOUCH
    pub no_touch: bool,
    /// CLIENT SETINFO LIB-NAME
    pub lib_name: Box<str>,
    /// CLIENT SETINFO LIB-VER
    pub lib_ver: Box<str>,
}

/// CLIENT REPLY
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Replies {
    /// All of them.
    #[default]
    On,
    /// None.
    Off,
    /// None to the command after this one.
    SkipNext,
    /// None to this command.
    Skip,
}

/// The subscriptions a line of CLIENT LIST counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subscriptions {
    /// To channels.
    pub channels: usize,
    /// To patterns.
    pub patterns: usize,
}

impl Client {
    /// A client that just connected.
    pub(super) fn new(id: u64, authenticated: bool, now: Mono) -> Self {
        Self {
            id,
            name: "".into(),
            proto: Proto::Resp2,
            authenticated,
            user: UserId::DEFAULT,
            held: false,
            since: now,
            active: now,
            last_command: "NULL",
            replies: Replies::On,
            no_evict: false,
            no_touch: false,
            lib_name: "".into(),
            lib_ver: "".into(),
        }
    }

    /// Starts a command; tells whether it gets replies.
    pub(super) fn begin_command(&mut self, now: Mono) -> bool {
        self.active = now;
        match self.replies {
            Replies::On => true,
            Replies::Off | Replies::Skip => false,
            Replies::SkipNext => {
                self.replies = Replies::Skip;
                false
            }
        }
    }

    /// Ends a command.
    pub(super) fn end_command(&mut self) {
        if self.replies == Replies::Skip {
            self.replies = Replies::On;
        }
    }
}

/// Why a name or a library's description is not taken.
pub(super) fn is_clean(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// One line of CLIENT LIST, without its end.
pub(super) fn list_line<S>(
    conn: &Conn<S>,
    client: &Client,
    user: &[u8],
    subs: Subscriptions,
    now: Mono,
) -> String {
    let ConnId { index, .. } = conn.id();
    let text = |addr: Option<&Addr>| addr.map(ToString::to_string).unwrap_or_default();
    let peer = conn.peer.as_ref();
    let subscribed = subs.channels + subs.patterns > 0;
    let mut flags = String::new();
    if subscribed {
        flags.push('P');
    }
    if client.no_evict {
        flags.push('e');
    }
    if client.no_touch {
        flags.push('T');
    }
    if matches!(peer.map(|peer| &peer.remote), Some(Addr::Unix(_))) {
        flags.push('U');
    }
    if flags.is_empty() {
        flags.push('N');
    }
    let pending = conn.out.len();
    let memory = conn.out.memory() + conn.input_memory();
    format!(
        "id={} addr={} laddr={} fd={index} name={} age={} idle={} flags={flags} db=0 sub={} psub={} \
         ssub=0 multi=-1 qbuf={} qbuf-free={} argv-mem=0 multi-mem=0 rbs={} rbp=0 obl={pending} \
         oll=0 omem=0 tot-mem={memory} events=r cmd={} user={} redir=-1 resp={} lib-name={} \
         lib-ver={}",
        client.id,
        text(peer.map(|peer| &peer.remote)),
        text(peer.map(|peer| &peer.local)),
        client.name,
        now.since(client.since).as_secs(),
        now.since(client.active).as_secs(),
        subs.channels,
        subs.patterns,
        conn.input_len(),
        conn.input_memory().saturating_sub(conn.input_len()),
        conn.out.memory(),
        client.last_command,
        String::from_utf8_lossy(user),
        client.proto.version(),
        client.lib_name,
        client.lib_ver,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_silences_exactly_the_next_command() {
        let now = Mono::default();
        let mut client = Client::new(1, true, now);
        assert!(client.begin_command(now));
        client.replies = Replies::SkipNext;
        client.end_command();
        assert!(!client.begin_command(now));
        client.end_command();
        assert!(client.begin_command(now));
    }

    #[test]
    fn names_hold_no_spaces_and_nothing_that_breaks_a_line() {
        assert!(is_clean(b"web-1"));
        assert!(!is_clean(b"web 1"));
        assert!(!is_clean(b"web\n1"));
        assert!(!is_clean("w\u{e9}b".as_bytes()));
    }
}
