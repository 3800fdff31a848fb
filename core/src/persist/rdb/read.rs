//! Values out of RDB data, from whichever form they were stored in.

use bytes::Bytes;

use crate::limits::SHARED_REPLY_BYTES;
use crate::persist::listpack::{self, Entry, PackFault};
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::{Input, Text};
use crate::persist::rdb::kind::{
    NODE_PACKED, NODE_PLAIN, TYPE_LIST, TYPE_LIST_QUICKLIST, TYPE_LIST_QUICKLIST_2,
    TYPE_LIST_ZIPLIST, TYPE_STRING,
};
use crate::persist::ziplist;
use crate::value::{Fill, List, Str, Value};

/// How far the reading of one value has come.
#[derive(Debug)]
pub(super) enum ValueReader {
    Str,
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

/// What a step of reading came to.
pub(super) enum Progress {
    /// More bytes are needed.
    Wait,
    /// The value is there.
    Ready(Value),
    /// The value has no elements, which no key may have.
    Empty,
}

impl ValueReader {
    /// Starts on a value of a type; none for a type that is not supported.
    pub(super) fn new(kind: u8) -> Option<Self> {
        match kind {
            TYPE_STRING => Some(Self::Str),
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
    pub(super) fn read(&mut self, input: &mut Input, fill: Fill) -> Result<Progress, RdbFault> {
        loop {
            match self {
                Self::Str => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    *self = Self::Done;
                    return Ok(Progress::Ready(Value::Str(string(text, input))));
                }
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
                    push_ziplist(&text, input, &mut list)?;
                    return Ok(self.finish(list, fill));
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
                    return Ok(self.finish(list, fill));
                }
                Self::ItemsLeft { left, list } => {
                    let Some(text) = input.text()? else {
                        return Ok(Progress::Wait);
                    };
                    push_text(&text, input, list);
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
                push_ziplist(&text, input, list)?;
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
                    push_listpack(&text, input, list)?;
                } else {
                    push_text(&text, input, list);
                }
                let (left, list) = (*left - 1, core::mem::take(list));
                *self = Self::NodesLeft {
                    form: NodeForm::Contained,
                    left,
                    list,
                };
            }
            Self::Str
            | Self::Items
            | Self::ItemsLeft { .. }
            | Self::Ziplist
            | Self::Nodes { .. }
            | Self::Done => unreachable!("only nodes are read here"),
        }
        Ok(true)
    }

    fn finish(&mut self, mut list: List, fill: Fill) -> Progress {
        *self = Self::Done;
        if list.is_empty() {
            return Progress::Empty;
        }
        list.settle(fill);
        Progress::Ready(Value::List(list))
    }
}

fn string(text: Text, input: &Input) -> Str {
    match text {
        Text::Int(number) => Str::Int(number),
        Text::Span(span) if span.len() >= SHARED_REPLY_BYTES => {
            Str::Shared(Bytes::copy_from_slice(input.bytes(&span)))
        }
        Text::Span(span) => Str::new(input.bytes(&span)),
        Text::Owned(bytes) if bytes.len() >= SHARED_REPLY_BYTES => Str::Shared(bytes.into()),
        Text::Owned(bytes) => Str::new(&bytes),
    }
}

fn push_text(text: &Text, input: &Input, list: &mut List) {
    match text {
        Text::Int(number) => Entry::Int(*number).with_bytes(|item| list.push_back(item)),
        Text::Span(span) => list.push_back(input.bytes(span)),
        Text::Owned(bytes) => list.push_back(bytes),
    }
}

fn push_listpack(text: &Text, input: &Input, list: &mut List) -> Result<(), RdbFault> {
    let block = block(text, input)?;
    push_entries(listpack::Reader::new(block), input, list)
}

fn push_ziplist(text: &Text, input: &Input, list: &mut List) -> Result<(), RdbFault> {
    let block = block(text, input)?;
    push_entries(ziplist::Reader::new(block), input, list)
}

fn block<'a>(text: &'a Text, input: &'a Input) -> Result<&'a [u8], RdbFault> {
    match text {
        Text::Span(span) => Ok(input.bytes(span)),
        Text::Owned(bytes) => Ok(bytes),
        Text::Int(_) => Err(RdbFault::Corrupt {
            what: "a number where a packed list is expected",
            offset: input.text_offset(),
        }),
    }
}

fn push_entries<'a>(
    entries: Result<impl Iterator<Item = Result<Entry<'a>, PackFault>>, PackFault>,
    input: &Input,
    list: &mut List,
) -> Result<(), RdbFault> {
    let fault = |fault: PackFault| RdbFault::Corrupt {
        what: fault.what,
        offset: input.text_offset(),
    };
    for entry in entries.map_err(fault)? {
        entry
            .map_err(fault)?
            .with_bytes(|item| list.push_back(item));
    }
    Ok(())
}
