//! A group of consumers out of RDB data.

use std::collections::BTreeMap;

use super::fault;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::read::with_text;
use crate::value::stream::{Group, Pending, StreamId};

/// How far the reading of a group has come.
#[derive(Debug)]
pub(super) struct GroupReader {
    name: Box<[u8]>,
    group: Group,
    /// Whether it is stored when consumers were active.
    active: bool,
    /// How many of what is being read are still to come.
    left: u64,
    consumers: u64,
    /// Unacknowledged entries of which it is not known yet who has them: when they were delivered
    /// and how often.
    free: BTreeMap<StreamId, (i64, i64)>,
    next: NextOfGroup,
}

/// What is read next of a group.
#[derive(Debug)]
enum NextOfGroup {
    Pending,
    PendingEntry,
    Deliveries(StreamId, i64),
    Consumers,
    ConsumerName,
    Times(Box<[u8]>),
    Owned(Box<[u8]>),
    OwnedEntry(Box<[u8]>),
}

impl GroupReader {
    /// Starts behind what is known of the group as such.
    pub(super) fn new(name: Box<[u8]>, group: Group, active: bool) -> Self {
        Self {
            name,
            group,
            active,
            left: 0,
            consumers: 0,
            free: BTreeMap::new(),
            next: NextOfGroup::Pending,
        }
    }

    /// The group, once it is complete, and its name.
    pub(super) fn take(&mut self) -> (Box<[u8]>, Group) {
        let name = core::mem::take(&mut self.name);
        (name, core::mem::take(&mut self.group))
    }

    /// Reads on as far as the input goes; true once the group is complete.
    pub(super) fn read(&mut self, input: &mut Input) -> Result<bool, RdbFault> {
        while let Some(next) = self.step(input)? {
            self.next = self.pass_over(next);
            if matches!(self.next, NextOfGroup::ConsumerName) && self.consumers == 0 {
                if self.free.is_empty() {
                    return Ok(true);
                }
                let what = "Stream has pending entries that no consumer has";
                return Err(fault(what, input.offset()));
            }
        }
        Ok(false)
    }

    /// What is really next: nothing is read where there is none left.
    fn pass_over(&mut self, next: NextOfGroup) -> NextOfGroup {
        if self.left > 0 {
            next
        } else if matches!(next, NextOfGroup::PendingEntry) {
            NextOfGroup::Consumers
        } else if matches!(next, NextOfGroup::OwnedEntry(_)) {
            self.consumers -= 1;
            NextOfGroup::ConsumerName
        } else {
            next
        }
    }

    fn step(&mut self, input: &mut Input) -> Result<Option<NextOfGroup>, RdbFault> {
        Ok(match &mut self.next {
            NextOfGroup::Pending => input.len()?.map(|left| {
                self.left = left;
                NextOfGroup::PendingEntry
            }),
            NextOfGroup::PendingEntry => {
                let Some(bytes) = input.array::<24>() else {
                    return Ok(None);
                };
                let (id, delivered) = bytes.split_at(16);
                let id = StreamId::from_bytes(id.try_into().expect("sixteen bytes"));
                let delivered = i64::from_le_bytes(delivered.try_into().expect("eight bytes"));
                Some(NextOfGroup::Deliveries(id, delivered))
            }
            NextOfGroup::Deliveries(id, delivered) => {
                let Some(deliveries) = input.len()? else {
                    return Ok(None);
                };
                let times = (*delivered, deliveries.cast_signed());
                if self.free.insert(*id, times).is_some() {
                    let what = "Duplicated global PEL entry loading stream consumer group";
                    return Err(fault(what, input.offset()));
                }
                self.left -= 1;
                Some(NextOfGroup::PendingEntry)
            }
            NextOfGroup::Consumers => input.len()?.map(|count| {
                self.consumers = count;
                NextOfGroup::ConsumerName
            }),
            NextOfGroup::ConsumerName => {
                let Some(text) = input.text()? else {
                    return Ok(None);
                };
                Some(NextOfGroup::Times(with_text(&text, input, |name| {
                    name.into()
                })))
            }
            NextOfGroup::Times(name) => {
                let Some((seen, active)) = times(self.active, input) else {
                    return Ok(None);
                };
                let Some(number) = self.group.create(name, seen) else {
                    return Err(fault(
                        "Duplicate stream consumer detected",
                        input.text_offset(),
                    ));
                };
                self.group.consumer_mut(number).active_ms = active;
                Some(NextOfGroup::Owned(core::mem::take(name)))
            }
            NextOfGroup::Owned(name) => {
                let Some(left) = input.len()? else {
                    return Ok(None);
                };
                self.left = left;
                Some(NextOfGroup::OwnedEntry(core::mem::take(name)))
            }
            NextOfGroup::OwnedEntry(name) => {
                let Some(id) = input.array::<16>() else {
                    return Ok(None);
                };
                let name = core::mem::take(name);
                self.own(&name, StreamId::from_bytes(id), input.offset())?;
                self.left -= 1;
                Some(NextOfGroup::OwnedEntry(name))
            }
        })
    }

    /// Notes that a consumer has an entry.
    fn own(&mut self, name: &[u8], id: StreamId, offset: u64) -> Result<(), RdbFault> {
        let missing = "Consumer entry not found in group global PEL";
        let times = self.free.remove(&id);
        let (delivered_ms, deliveries) = times.ok_or_else(|| fault(missing, offset))?;
        let consumer = self.group.find(name).expect("it was made above");
        let pending = Pending {
            consumer,
            delivered_ms,
            deliveries,
        };
        self.group.assign(id, pending);
        Ok(())
    }
}

/// When a consumer was seen, and when it was active.
fn times(active: bool, input: &mut Input) -> Option<(i64, Option<i64>)> {
    if !active {
        let seen = i64::from_le_bytes(input.array()?);
        // Redis takes the one for the other where only one is stored.
        return Some((seen, Some(seen)));
    }
    let bytes = input.array::<16>()?;
    let (seen, active) = bytes.split_at(8);
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let active = Some(number(active)).filter(|&at| at >= 0);
    Some((number(seen), active))
}
