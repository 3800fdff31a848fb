//! Which of the connections may be those of servers above this one.

use core::time::Duration;
use std::collections::VecDeque;

use super::peer::{self, Peer};
use super::{Action, CloseReason, Primary};
use crate::machine::{Addr, ConnId, Mono};
use crate::repl::lineage::RunId;
use crate::repl::settings::Settings;

/// A replica gives a sign of life once a second; this leaves time for it to arrive.
pub(super) const SIGN_PERIOD: Duration = Duration::from_secs(2);

impl Primary {
    /// Closes the connections of replicas that know of other masters above this node than there
    /// are, so that they come back and ask again.
    pub(in crate::repl) fn close_untold(
        &mut self,
        now: Mono,
        masters: &[RunId],
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let untold = self.replicas.iter().filter(|peer| !peer.who.knows(masters));
        let untold: Vec<_> = untold.map(|peer| peer.conn).collect();
        for conn in untold {
            self.close(now, conn, CloseReason::Resync, settings, fx);
        }
    }

    /// Whether a connection that asked whom this node follows was told of these.
    pub(in crate::repl) fn knows(&self, conn: ConnId, masters: &[RunId]) -> bool {
        let who = self.described.get(&conn);
        who.is_none_or(|who| who.knows(masters))
    }

    /// The address under which a connection shows itself that does not ask whom this node
    /// follows, as all Holdfast replicas do.
    pub(in crate::repl) fn stranger(&self, conn: ConnId, remote: &Addr) -> Option<(String, i64)> {
        let who = self.described.get(&conn)?;
        let port = who.listening_port;
        who.told.is_none().then(|| (peer::ip(who, remote), port))
    }

    /// Whether a replica that does not ask whom this node follows, and has just given a sign of
    /// life, has the address.
    pub(in crate::repl) fn is_followed_by(
        &self,
        now: Mono,
        is_at: impl Fn(&str, i64) -> bool,
    ) -> bool {
        let lives = |peer: &&Peer| now.since(peer.heard_at) <= SIGN_PERIOD;
        let strangers = self.replicas.iter().filter(|peer| peer.who.told.is_none());
        strangers
            .filter(lives)
            .any(|peer| is_at(&peer.ip(), peer.who.listening_port))
    }
}
