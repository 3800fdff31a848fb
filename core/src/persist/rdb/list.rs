//! Lists as RDB data: quicklists, and the forms of older versions.

use crate::limits::RDB_PLAIN_NODE_BYTES;
use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::kind::{
    NODE_PACKED, NODE_PLAIN, TYPE_LIST, TYPE_LIST_QUICKLIST, TYPE_LIST_QUICKLIST_2,
    TYPE_LIST_ZIPLIST,
};
use crate::persist::rdb::read::{Progress, each_listpack, each_ziplist, with_text};
use crate::value::{List, ListParts, ListRef, Packed, Shape, Value};

/// The type that lists are written as.
pub(super) const KIND: u8 = TYPE_LIST_QUICKLIST_2;

/// Writes a small list as a single node.
pub(super) fn write_small(out: &mut Encoder, list: ListRef<'_>) {
    out.len(1);
    out.len(NODE_PACKED);
    out.listpack(list.iter());
}

/// Writes how many nodes follow.
pub(super) fn write_head(out: &mut Encoder, parts: &ListParts) {
    out.len(parts.len() as u64);
}

/// Writes the next node and returns what that cost; none if there is none.
pub(super) fn write_part(out: &mut Encoder, parts: &mut ListParts) -> Option<usize> {
    let chunk = parts.take()?;
    write_node(out, chunk);
    Some(chunk.bytes())
}

fn write_node(out: &mut Encoder, chunk: &Packed) {
    if chunk.len() == 1
        && let Some(item) = chunk.front()
        && item.len() >= RDB_PLAIN_NODE_BYTES
    {
        out.len(NODE_PLAIN);
        return out.string(item);
    }
    out.len(NODE_PACKED);
    out.listpack(chunk.iter());
}

/// How far the reading of a list has come.
#[derive(Debug)]
pub(super) enum Reader {
    /// A list of strings, before its length.
    Items,
    ItemsLeft {
        left: u64,
        list: List,
    },
    Ziplist,
    /// A list of nodes, before their number.
    Nodes {
        form: NodeForm,
    },
    NodesLeft {
        form: NodeForm,
        left: u64,
        list: List,
    },
    /// A node of which the container is known.
    Node {
        packed: bool,
        left: u64,
        list: List,
    },
    Done,
}

/// What the nodes of a quicklist are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NodeForm {
    /// Ziplists, as Redis wrote before 7.0.
    Ziplists,
    /// Each preceded by its container.
    Contained,
}

impl Reader {
    /// Starts on a list of a type; none for a type of something else.
    pub(super) fn new(kind: u8) -> Option<Self> {
        match kind {
            TYPE_LIST => Some(Self::Items),
            TYPE_LIST_ZIPLIST => Some(Self::Ziplist),
            TYPE_LIST_QUICKLIST => Some(Self::Nodes {
                form: NodeForm::Ziplists,
            }),
            TYPE_LIST_QUICKLIST_2 => Some(Self::Nodes {
                form: NodeForm::Contained,
            }),
            _ => None,
        }
    }

    /// Reads on as far as the input goes.
    pub(super) fn read(&mut self, input: &mut Input, shape: &Shape) -> Result<Progress, RdbFault> {
        loop {
            match self {
                Self::Items => {
                    let Some(left) = input.len()? else {
                        return Ok(Progress::Wait);
                    };
                    *self = Self::ItemsLeft {
                        left,
                        list: List::new(),
                    };
                }
                Self::Ziplist => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    let mut list = List::new();
                    each_ziplist(&text, input, |item| list.push_back(item))?;
                    return Ok(self.finish(list, shape));
                }
                Self::Nodes { form } => {
                    let Some(left) = input.len()? else {
                        return Ok(Progress::Wait);
                    };
                    *self = Self::NodesLeft {
                        form: *form,
                        left,
                        list: List::new(),
                    };
                }
                Self::ItemsLeft { left: 0, list } | Self::NodesLeft { left: 0, list, .. } => {
                    let list = core::mem::take(list);
                    return Ok(self.finish(list, shape));
                }
                Self::ItemsLeft { left, list } => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    with_text(&text, input, |item| list.push_back(item));
                    *left -= 1;
                }
                Self::NodesLeft { .. } | Self::Node { .. } => {
                    if !self.read_node(input)? {
                        return Ok(Progress::Wait);
                    }
                }
                Self::Done => unreachable!("a value that was read is not read again"),
            }
        }
    }

    /// Reads a step of a node; false if more bytes are needed.
    fn read_node(&mut self, input: &mut Input) -> Result<bool, RdbFault> {
        match self {
            Self::NodesLeft {
                form: NodeForm::Ziplists,
                left,
                list,
            } => {
                let Some(text) = input.text()? else {
                    return Ok(false);
                };
                each_ziplist(&text, input, |item| list.push_back(item))?;
                *left -= 1;
            }
            Self::NodesLeft {
                form: NodeForm::Contained,
                left,
                list,
            } => {
                let offset = input.offset();
                let Some(container) = input.len()? else {
                    return Ok(false);
                };
                if container != NODE_PLAIN && container != NODE_PACKED {
                    let what = "Quicklist integrity check failed: unknown node container";
                    return Err(RdbFault::Corrupt { what, offset });
                }
                let packed = container == NODE_PACKED;
                *self = Self::Node {
                    packed,
                    left: *left,
                    list: core::mem::take(list),
                };
            }
            Self::Node { packed, left, list } => {
                let Some(text) = input.text()? else {
                    return Ok(false);
                };
                if *packed {
                    each_listpack(&text, input, |item| list.push_back(item))?;
                } else if with_text(&text, input, <[u8]>::is_empty) {
                    // Only a long item is a node of its own.
                    let what = "Quicklist integrity check failed: a plain node without bytes";
                    let offset = input.offset();
                    return Err(RdbFault::Corrupt { what, offset });
                } else {
                    with_text(&text, input, |item| list.push_back(item));
                }
                let (left, list) = (*left - 1, core::mem::take(list));
                *self = Self::NodesLeft {
                    form: NodeForm::Contained,
                    left,
                    list,
                };
            }
            Self::Items
            | Self::ItemsLeft { .. }
            | Self::Ziplist
            | Self::Nodes { .. }
            | Self::Done => unreachable!("only nodes are read here"),
        }
        Ok(true)
    }

    fn finish(&mut self, mut list: List, shape: &Shape) -> Progress {
        *self = Self::Done;
        if list.as_ref().is_empty() {
            return Progress::Empty;
        }
        list.settle(shape.list);
        Progress::Ready(Value::List(list))
    }
}
