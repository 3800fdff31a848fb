//! Asking the other Sentinels where they believe the master to be.
//!
//! A hello tells that as well, but not when it was written: one that was on its way when the
//! network broke arrives when it is whole again. An answer is younger than its question.

use core::time::Duration;

use crate::machine::Mono;
use crate::resp::Value;
use crate::sentinel::instance::Belief;
use crate::sentinel::link::{Expect, Side};
use crate::sentinel::names::{HostAddr, parse_port};
use crate::sentinel::request::Request;
use crate::sentinel::watch::Watch;
use crate::sentinel::{GroupId, InstanceId};

impl Watch {
    /// Asks the others that are not known to have agreed since that instant, each of them at most
    /// once per [`ASK_PERIOD`].
    pub(super) fn ask_for_agreement(&mut self, now: Mono, group: GroupId, since: Mono) {
        for id in self.groups[group].peers.clone() {
            let link = self.instances[id].link;
            let belief = self.belief(id);
            let agrees = self.agreed(id).is_some_and(|asked| since <= asked);
            if agrees || belief.in_flight || !self.links[link].has_room() {
                continue;
            }
            // What was asked before there was any doubt is no reason to wait.
            let asked = belief.asked.filter(|asked| since <= *asked);
            if let Some(at) = asked.map(|asked| asked + ASK_PERIOD)
                && now < at
            {
                let next = self.virtual_ips.ask_at.map_or(at, |next| next.min(at));
                self.virtual_ips.ask_at = Some(next);
                continue;
            }
            let peer = self.instances[id].peer_mut().expect("peers are peers");
            peer.belief.asked = Some(now);
            peer.belief.in_flight = true;
            let request = Request::MasterAddr(self.groups[group].name.clone());
            let expect = Expect::MasterAddr(id, now);
            self.send(link, Side::Command, &request, expect);
        }
    }

    /// Takes the answer to a question put at that instant. One that is no address agrees with
    /// nobody.
    pub(in crate::sentinel) fn on_belief(&mut self, id: InstanceId, asked: Mono, reply: &Value) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let belief = &mut instance.peer_mut().expect("peers are asked").belief;
        belief.in_flight = false;
        belief.told = parse_addr(reply).map(|addr| (asked, addr));
    }

    /// When another Sentinel was asked last where it believes the master to be, if that is where
    /// this one does.
    pub(super) fn agreed(&self, id: InstanceId) -> Option<Mono> {
        let (asked, addr) = self.belief(id).told.as_ref()?;
        let here = self.master_addr(self.instances[id].group);
        here.is_called(addr.host(), addr.port()).then_some(*asked)
    }

    fn belief(&self, id: InstanceId) -> &Belief {
        &self.instances[id].peer().expect("peers are peers").belief
    }
}

/// Host and port, as SENTINEL GET-MASTER-ADDR-BY-NAME gives them.
fn parse_addr(reply: &Value) -> Option<HostAddr> {
    let [host, port] = reply.as_array()? else {
        return None;
    };
    let host = str::from_utf8(host.as_text()?).ok()?;
    Some(HostAddr::new(host, parse_port(port.as_text()?)?))
}

/// How long after a question to one that did not agree the next one follows.
const ASK_PERIOD: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_is_an_answer() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        let answer = |host, port| Value::Array(vec![bulk(host), bulk(port)]);
        let expected = Some(HostAddr::new("10.0.0.1", 6379));
        assert_eq!(parse_addr(&answer("10.0.0.1", "6379")), expected);
        assert_eq!(parse_addr(&answer("10.0.0.1", "70000")), None);
        assert_eq!(parse_addr(&Value::Null), None);
        assert_eq!(parse_addr(&Value::Array(vec![bulk("10.0.0.1")])), None);
        let refused = Value::Error(b"NOPERM this user has no permissions".to_vec());
        assert_eq!(parse_addr(&refused), None);
    }
}
