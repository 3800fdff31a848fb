//! The list-append oracle: every list is only ever appended to, so all reads of it lie on one
//! chain of prefixes, unless the history itself branched.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use super::history::{Position, Tree};
use crate::client::record::{Element, Outcome, Record};
use crate::ids::NodeId;
use crate::time::Time;

const ORACLE: &str = "append";

/// What was written to and read from every list.
#[derive(Default)]
pub struct Append {
    lists: BTreeMap<u32, List>,
}

#[derive(Default)]
struct List {
    /// Everything clients tried to push.
    asked: BTreeSet<Element>,
    refused: BTreeSet<Element>,
    /// The longest read of each branch.
    chains: Vec<Chain>,
}

struct Chain {
    elements: Vec<Element>,
    server: NodeId,
    first: Time,
    last: Time,
}

/// Two reads of one list of which neither is a prefix of the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Split {
    /// The list.
    pub list: u32,
    /// The servers that were read.
    pub servers: (NodeId, NodeId),
    /// From the first read of the one to the last read of the other.
    pub interval: (Time, Time),
    /// The first elements that differ.
    pub differ: (Element, Element),
}

impl Append {
    /// Takes in an operation as it is asked.
    pub fn asked(&mut self, record: &Record) {
        if let Some((element, lists)) = record.pushed() {
            for list in lists.into_iter().flatten() {
                self.lists.entry(list).or_default().asked.insert(element);
            }
        }
    }

    /// Takes in an operation whose fate is known.
    pub fn told(&mut self, record: &Record) -> Result<(), Violation> {
        if let Some((element, lists)) = record.pushed()
            && matches!(record.outcome, Outcome::Refused(_))
        {
            for list in lists.into_iter().flatten() {
                self.lists.entry(list).or_default().refused.insert(element);
            }
        }
        if let crate::client::record::Op::Read { list, .. } = record.op
            && let Outcome::List(elements) = &record.outcome
        {
            self.lists
                .entry(list)
                .or_default()
                .read(list, record, elements)?;
        }
        Ok(())
    }

    /// Reads that contradict each other.
    pub fn splits(&self) -> Vec<Split> {
        let mut splits = Vec::new();
        for (list, state) in &self.lists {
            for (index, one) in state.chains.iter().enumerate() {
                for two in &state.chains[index + 1..] {
                    let differ = (one.elements.iter().copied())
                        .zip(two.elements.iter().copied())
                        .find(|(a, b)| a != b)
                        .expect("chains are not prefixes of one another");
                    splits.push(Split {
                        list: *list,
                        servers: (one.server, two.server),
                        interval: (one.first.min(two.first), one.last.max(two.last)),
                        differ,
                    });
                }
            }
        }
        splits
    }

    /// Checks that every contradiction is a branch of the history: two elements that stand in
    /// one history can't each come first.
    pub fn explain(
        &self,
        tree: &Tree,
        index: &BTreeMap<Element, Vec<Position>>,
    ) -> Result<usize, Violation> {
        let splits = self.splits();
        for split in &splits {
            let places = |element| index.get(&element).map_or(&[][..], |places| &places[..]);
            for one in places(split.differ.0) {
                for two in places(split.differ.1) {
                    if tree.is_ancestor(*one, *two) || tree.is_ancestor(*two, *one) {
                        return Err(Violation::new(ORACLE, describe(split)));
                    }
                }
            }
        }
        Ok(splits.len())
    }
}

impl List {
    fn read(&mut self, list: u32, record: &Record, elements: &[Element]) -> Result<(), Violation> {
        // What an earlier read began with as well was looked at then.
        let known = self.chains.iter().map(|chain| chain.common(elements)).max();
        let known = known.unwrap_or(0);
        for (at, element) in elements.iter().enumerate() {
            let wrong = if at >= known && !self.asked.contains(element) {
                "was never pushed to it"
            } else if self.refused.contains(element) {
                "was refused"
            } else if at >= known && elements[..at].contains(element) {
                "is in it twice"
            } else {
                continue;
            };
            let message = format!(
                "{} has {element} in list {list}, which {wrong}",
                record.server
            );
            return Err(Violation::new(ORACLE, message));
        }
        for chain in &mut self.chains {
            if chain.elements.starts_with(elements) {
                chain.last = record.told;
                return Ok(());
            }
        }
        for chain in &mut self.chains {
            if elements.starts_with(&chain.elements) {
                chain.elements = elements.to_vec();
                chain.server = record.server;
                chain.last = record.told;
                return Ok(());
            }
        }
        self.chains.push(Chain {
            elements: elements.to_vec(),
            server: record.server,
            first: record.asked,
            last: record.told,
        });
        Ok(())
    }
}

impl Chain {
    /// How many elements the two have in common at their start.
    fn common(&self, elements: &[Element]) -> usize {
        let both = self.elements.iter().zip(elements);
        both.take_while(|(a, b)| a == b).count()
    }
}

fn describe(split: &Split) -> String {
    format!(
        "list {} was read with {} from {} and with {} from {} in the same place, between {} and {}, \
         though both stand in one history",
        split.list,
        split.differ.0,
        split.servers.0,
        split.differ.1,
        split.servers.1,
        split.interval.0,
        split.interval.1
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::record::Op;
    use crate::oracle::session::tests::done;
    use crate::resp::command;

    fn judge(pushes: &[Element], reads: &[&[Element]]) -> Result<Append, Violation> {
        let mut append = Append::default();
        for &element in pushes {
            append.asked(&done(1, Op::Push { list: 1, element }, Outcome::Done));
        }
        for elements in reads {
            let read = Outcome::List(elements.to_vec());
            append.told(&done(
                1,
                Op::Read {
                    list: 1,
                    script: None,
                },
                read,
            ))?;
        }
        Ok(append)
    }

    #[test]
    fn reads_in_any_order_lie_on_one_chain() {
        let append = judge(&[1, 2, 3], &[&[1, 2], &[], &[1, 2, 3], &[1]]).unwrap();
        assert!(append.splits().is_empty());
    }

    #[test]
    fn duplicates_refused_writes_and_values_from_nowhere_are_violations() {
        assert!(judge(&[1, 2], &[&[1, 1]]).is_err());
        assert!(judge(&[1, 2], &[&[3]]).is_err());
        let mut append = judge(&[1], &[]).unwrap();
        let refused = Outcome::Refused("NOREPLICAS".to_owned());
        let push = Op::Push {
            list: 1,
            element: 1,
        };
        append.told(&done(1, push, refused)).unwrap();
        let read = done(
            1,
            Op::Read {
                list: 1,
                script: None,
            },
            Outcome::List(vec![1]),
        );
        assert!(append.told(&read).is_err());
    }

    #[test]
    fn two_incompatible_reads_are_a_split_and_need_a_branch() {
        let append = judge(&[1, 2, 3], &[&[1, 2], &[1, 3]]).unwrap();
        assert_eq!(append.splits()[0].differ, (2, 3));

        let id = [b'a'; 40];
        let mut tree = Tree::default();
        assert_eq!(append.explain(&tree, &tree.index().unwrap()).unwrap(), 1);
        for element in [b"2", b"3"] {
            let mut bytes = Vec::new();
            command(&mut bytes, &[b"RPUSH", b"list:1", element]);
            let start = 1 + if element == b"2" {
                0
            } else {
                bytes.len() as u64
            };
            tree.wrote(NodeId(0), &id, start, &bytes).unwrap();
        }
        assert!(append.explain(&tree, &tree.index().unwrap()).is_err());
    }
}
