//! What one client may expect of one connection to a master: it sees its own writes, counters
//! rise, lists only grow, and answers belong to questions.

use std::collections::BTreeMap;

use super::Violation;
use crate::client::record::{Element, Op, Outcome, Record};
use crate::ids::NodeId;

const ORACLE: &str = "session";

/// Error codes a server in this world has reason to send.
const EXPECTED_ERRORS: [&str; 8] = [
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "NOREPLICAS",
    "EXECABORT",
    "UNBLOCKED",
    "MISCONF",
    "OOM",
];

/// What each client's present connection has seen.
#[derive(Default)]
pub struct Sessions {
    open: BTreeMap<NodeId, Seen>,
    /// What each client has written to a key and had no answer to, with whether it may vanish:
    /// bytes of a connection given up may reach the server after those of a later one.
    adrift: BTreeMap<(NodeId, u32), Vec<(i64, bool)>>,
}

struct Seen {
    session: u32,
    server: NodeId,
    /// The server is a master no more, so that its dataset may be replaced.
    over: bool,
    /// The last value written and whether it may vanish.
    values: BTreeMap<u32, (i64, bool)>,
    counters: BTreeMap<u32, i64>,
    lists: BTreeMap<u32, Vec<Element>>,
    pushed: BTreeMap<u32, Vec<Element>>,
}

impl Sessions {
    /// Takes a master for demoted. FAILOVER leaves the connections of clients as they are.
    pub fn demoted(&mut self, server: NodeId) {
        let open = self.open.values_mut();
        open.filter(|seen| seen.server == server)
            .for_each(|seen| seen.over = true);
    }

    /// Takes in an operation whose fate is known.
    pub fn observe(&mut self, record: &Record) -> Result<(), Violation> {
        if let Outcome::Refused(text) = &record.outcome
            && !EXPECTED_ERRORS.iter().any(|code| text.starts_with(code))
        {
            let message = format!("{:?} was answered {text:?} by {}", record.op, record.server);
            return Err(Violation::new(ORACLE, message));
        }
        if record.outcome == Outcome::Unknown
            && let Some((key, value, expires)) = record.set()
        {
            let adrift = self.adrift.entry((record.client, key)).or_default();
            adrift.push((value, expires));
        }
        if !record.as_master || !record.acked() {
            return Ok(());
        }
        let begun = || Seen::begin(record.session, record.server);
        let seen = self.open.entry(record.client).or_insert_with(begun);
        if seen.session != record.session {
            *seen = begun();
        }
        if seen.over {
            return Ok(());
        }
        if let Some((element, lists)) = record.pushed() {
            for list in lists.into_iter().flatten() {
                seen.pushed.entry(list).or_default().push(element);
            }
        }
        if let Op::Get { key } = record.op
            && let Outcome::Value(got) = record.outcome
            && let Some(adrift) = self.adrift.get_mut(&(record.client, key))
        {
            seen.overtaken(key, got, adrift);
        }
        seen.check(record).map_err(|what| {
            let (client, server) = (record.client, record.server);
            let message = format!("{client} on one connection to {server}: {what}");
            Violation::new(ORACLE, message)
        })
    }
}

impl Seen {
    fn begin(session: u32, server: NodeId) -> Self {
        Self {
            session,
            server,
            over: false,
            values: BTreeMap::new(),
            counters: BTreeMap::new(),
            lists: BTreeMap::new(),
            pushed: BTreeMap::new(),
        }
    }

    /// Takes a read that shows a write adrift for that write having come in meanwhile, once.
    fn overtaken(&mut self, key: u32, got: Option<i64>, adrift: &mut Vec<(i64, bool)>) {
        let shown = |&(value, expires): &(i64, bool)| match got {
            Some(got) => got == value,
            None => expires,
        };
        let differs = (self.values.get(&key)).is_some_and(|(written, _)| Some(*written) != got);
        if differs && let Some(place) = adrift.iter().position(shown) {
            self.values.insert(key, adrift.remove(place));
        }
    }

    fn check(&mut self, record: &Record) -> Result<(), String> {
        if let Some((key, value, expires)) = record.set() {
            self.values.insert(key, (value, expires));
        }
        match (&record.op, &record.outcome) {
            (Op::Get { key }, Outcome::Value(got)) => self.check_value(*key, *got),
            (Op::Incr { key }, Outcome::Value(Some(now))) => {
                match self.counters.insert(*key, *now) {
                    Some(before) if before >= *now => {
                        Err(format!("counter {key} went from {before} to {now}"))
                    }
                    Some(_) | None => Ok(()),
                }
            }
            (Op::Read { list, .. }, Outcome::List(now)) => self.check_list(*list, now),
            (
                Op::Set { .. }
                | Op::SetExpiring { .. }
                | Op::Push { .. }
                | Op::PushTwo { .. }
                | Op::PushWait { .. }
                | Op::PushKept { .. }
                | Op::Get { .. }
                | Op::Incr { .. }
                | Op::Mixed { .. }
                | Op::Flush { .. }
                | Op::Read { .. },
                _,
            ) => Ok(()),
        }
    }

    fn check_value(&self, key: u32, got: Option<i64>) -> Result<(), String> {
        match (self.values.get(&key), got) {
            (None, _) | (Some((_, true)), None) => Ok(()),
            (Some((written, _)), Some(got)) if *written == got => Ok(()),
            (Some((written, _)), _) => Err(format!(
                "key {key} holds {got:?} after {written} was written"
            )),
        }
    }

    fn check_list(&mut self, list: u32, now: &[Element]) -> Result<(), String> {
        if let Some(before) = self.lists.get(&list)
            && !now.starts_with(before)
        {
            return Err(format!(
                "list {list} read as {} elements and then as {} that do not begin with them",
                before.len(),
                now.len()
            ));
        }
        if let Some(pushed) = self.pushed.get(&list) {
            // Pushes of one connection are in order, so one pass finds them all.
            let mut elements = now.iter();
            for element in pushed {
                if !elements.any(|at| at == element) {
                    return Err(format!("list {list} lacks {element}, pushed before"));
                }
            }
        }
        self.lists.insert(list, now.to_vec());
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::time::Time;

    pub(in crate::oracle) fn done(session: u32, op: Op, outcome: Outcome) -> Record {
        Record {
            client: NodeId(9),
            session,
            server: NodeId(0),
            incarnation: 1,
            as_master: true,
            op,
            asked: Time::from_millis(1),
            told: Time::from_millis(2),
            outcome,
        }
    }

    fn judge(records: &[Record]) -> Result<(), Violation> {
        let mut sessions = Sessions::default();
        records
            .iter()
            .try_for_each(|record| sessions.observe(record))
    }

    fn push(session: u32, element: Element) -> Record {
        done(session, Op::Push { list: 1, element }, Outcome::Done)
    }

    fn read(session: u32, elements: &[Element]) -> Record {
        done(
            session,
            Op::Read {
                list: 1,
                script: None,
            },
            Outcome::List(elements.to_vec()),
        )
    }

    #[test]
    fn a_connection_sees_its_own_pushes_in_order() {
        judge(&[push(1, 5), push(1, 6), read(1, &[4, 5, 9, 6])]).unwrap();
        assert!(judge(&[push(1, 5), read(1, &[4])]).is_err());
        assert!(judge(&[push(1, 5), push(1, 6), read(1, &[6, 5])]).is_err());
        judge(&[push(1, 5), read(2, &[4])]).unwrap();
    }

    #[test]
    fn a_list_only_grows_within_a_connection() {
        judge(&[read(1, &[1, 2]), read(1, &[1, 2, 3])]).unwrap();
        assert!(judge(&[read(1, &[1, 2]), read(1, &[1])]).is_err());
        assert!(judge(&[read(1, &[1, 2]), read(1, &[2, 1])]).is_err());
        judge(&[read(1, &[1, 2]), read(2, &[1])]).unwrap();
    }

    #[test]
    fn nothing_is_expected_of_a_master_that_was_demoted_but_what_follows_is() {
        let mut sessions = Sessions::default();
        sessions.observe(&read(1, &[1, 2])).unwrap();
        sessions.demoted(NodeId(1));
        assert!(sessions.observe(&read(1, &[1])).is_err());
        sessions.demoted(NodeId(0));
        sessions.observe(&read(1, &[])).unwrap();
        sessions.observe(&read(2, &[1, 2])).unwrap();
        assert!(sessions.observe(&read(2, &[1])).is_err());
    }

    #[test]
    fn values_are_those_written_and_counters_rise() {
        let set = |value| done(1, Op::Set { key: 3, value }, Outcome::Done);
        let get = |value| done(1, Op::Get { key: 3 }, Outcome::Value(value));
        judge(&[get(Some(77)), set(5), get(Some(5)), set(6), get(Some(6))]).unwrap();
        assert!(judge(&[set(5), get(None)]).is_err());
        assert!(judge(&[set(5), set(6), get(Some(5))]).is_err());
        let expiring = Op::SetExpiring {
            key: 3,
            value: 8,
            ttl_ms: 5,
        };
        judge(&[done(1, expiring, Outcome::Done), get(None)]).unwrap();

        // An answer that never came: the write may come in late, and once.
        let lost = done(1, Op::Set { key: 3, value: 7 }, Outcome::Unknown);
        let set = |value| done(2, Op::Set { key: 3, value }, Outcome::Done);
        let get = |value| done(2, Op::Get { key: 3 }, Outcome::Value(value));
        judge(&[
            lost.clone(),
            set(8),
            get(Some(8)),
            get(Some(7)),
            get(Some(7)),
        ])
        .unwrap();
        assert!(judge(&[lost.clone(), set(8), get(Some(7)), get(Some(8))]).is_err());
        assert!(judge(&[lost, set(8), get(Some(7)), set(9), get(Some(7))]).is_err());

        let incr = |value| done(1, Op::Incr { key: 0 }, Outcome::Value(Some(value)));
        judge(&[incr(1), incr(4)]).unwrap();
        assert!(judge(&[incr(4), incr(4)]).is_err());
    }

    #[test]
    fn an_error_nobody_has_reason_to_send_is_a_violation() {
        let refused = |text: &str| done(1, Op::Get { key: 1 }, Outcome::Refused(text.to_owned()));
        judge(&[refused(
            "READONLY You can't write against a read only replica.",
        )])
        .unwrap();
        assert!(judge(&[refused("ERR unknown command 'GET'")]).is_err());
    }
}
