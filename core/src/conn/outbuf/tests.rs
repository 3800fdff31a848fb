use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn writable(out: &OutBuf, durable: u64) -> Vec<u8> {
    let mut slices = Slices::new();
    out.writable(LogPos(durable), &mut slices);
    slices.iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn a_reply_is_hidden_until_its_write_is_durable() {
    let mut out = OutBuf::default();
    out.push(b"+PONG\r\n");
    out.fence(LogPos(10));
    out.consume(7, LogPos(9));
    out.push(b"+OK\r\n");

    assert_eq!(writable(&out, 9), b"");
    assert!(out.is_fenced(LogPos(9)));
    assert_eq!(writable(&out, 10), b"+OK\r\n");
    out.consume(5, LogPos(10));
    assert!(out.is_empty());
    assert!(!out.is_fenced(LogPos(10)));
}

#[test]
fn a_deferred_reply_hides_what_follows_until_it_is_filled() {
    let mut out = OutBuf::default();
    out.push(b"*2\r\n");
    let slot = out.defer();
    out.push(b":2\r\n");
    assert_eq!(writable(&out, 0), b"*2\r\n");
    out.consume(4, LogPos(0));
    assert!(!out.is_empty());

    out.fill(slot, b":1\r\n");
    assert_eq!(writable(&out, 0), b":1\r\n:2\r\n");
    out.consume(8, LogPos(0));
    assert!(out.is_empty());
    assert_eq!(out.len(), 0);
}

/// What is to come out, in order, of one buffer.
#[derive(Default)]
struct Model {
    items: Vec<Item>,
    sent: usize,
}

#[derive(Clone)]
enum Item {
    Data(Vec<u8>),
    Fence(u64),
    Slot(SlotId),
    Filled(Vec<u8>),
}

impl Model {
    fn visible(&self, durable: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for item in &self.items {
            match item {
                Item::Data(data) | Item::Filled(data) => bytes.extend_from_slice(data),
                Item::Fence(until) if *until <= durable => {}
                Item::Fence(_) | Item::Slot(_) => break,
            }
        }
        bytes.split_off(self.sent)
    }

    fn pending(&self) -> usize {
        let bytes: usize = self.items.iter().map(Item::len).sum();
        bytes - self.sent
    }

    fn slots(&self) -> impl Iterator<Item = SlotId> {
        self.items.iter().filter_map(|item| {
            if let Item::Slot(slot) = item {
                Some(*slot)
            } else {
                None
            }
        })
    }

    /// Inserts behind the fences at a place: they hide what is inserted there.
    fn insert(&mut self, index: usize, bytes: Vec<u8>) {
        let here = self.items[index..].iter().take_while(|item| match item {
            Item::Data(data) => data.is_empty(),
            Item::Fence(_) => true,
            Item::Slot(_) | Item::Filled(_) => false,
        });
        let fences = here
            .enumerate()
            .filter(|(_, item)| matches!(item, Item::Fence(_)));
        let behind = fences.last().map_or(index, |(last, _)| index + last + 1);
        self.items.insert(behind, Item::Data(bytes));
    }

    fn fill(&mut self, slot: SlotId, reply: Vec<u8>) {
        let place = self
            .items
            .iter_mut()
            .find(|item| matches!(item, Item::Slot(id) if *id == slot));
        *place.unwrap() = Item::Filled(reply);
    }
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Self::Data(data) | Self::Filled(data) => data.len(),
            Self::Fence(_) | Self::Slot(_) => 0,
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Push(usize),
    Shared(usize),
    Fence(u64),
    Defer,
    Fill { which: usize, len: usize },
    Mark,
    Insert(usize),
    Consume(u8),
    Durable(u64),
    Recycle,
}

fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![4 => 0..40_usize, 1 => 0..20_000_usize];
    prop_oneof![
        6 => len.clone().prop_map(Op::Push),
        2 => len.prop_map(Op::Shared),
        2 => (0..4_u64).prop_map(Op::Fence),
        2 => Just(Op::Defer),
        3 => (any::<usize>(), 0..200_usize).prop_map(|(which, len)| Op::Fill { which, len }),
        2 => Just(Op::Mark),
        3 => (1..12_usize).prop_map(Op::Insert),
        4 => any::<u8>().prop_map(Op::Consume),
        2 => (0..4_u64).prop_map(Op::Durable),
        1 => Just(Op::Recycle),
    ]
}

/// An output buffer, its model, and where bytes can be inserted.
#[derive(Default)]
struct Pair {
    out: OutBuf,
    model: Model,
    marks: Vec<(Mark, usize)>,
    written: u64,
    durable: u64,
    next: u8,
}

impl Pair {
    /// Bytes unlike any close by.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let first = self.next;
        self.next = self.next.wrapping_add(17);
        (0..len)
            .map(|at| first.wrapping_add((at % 251) as u8))
            .collect()
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Push(len) => {
                let bytes = self.bytes(len);
                self.out.push(&bytes);
                self.model.items.push(Item::Data(bytes));
            }
            Op::Shared(len) => {
                let bytes = self.bytes(len);
                self.out.push_shared(&bytes.clone().into());
                self.model.items.push(Item::Data(bytes));
            }
            Op::Fence(more) => {
                self.written += more;
                self.out.fence(LogPos(self.written));
                self.model.items.push(Item::Fence(self.written));
            }
            Op::Defer => self.model.items.push(Item::Slot(self.out.defer())),
            Op::Fill { which, len } => {
                let slots: Vec<_> = self.model.slots().collect();
                if !slots.is_empty() {
                    let bytes = self.bytes(len);
                    self.out.fill(slots[which % slots.len()], &bytes);
                    self.model.fill(slots[which % slots.len()], bytes);
                }
            }
            Op::Mark => self.marks.push((self.out.mark(), self.model.items.len())),
            Op::Insert(len) => {
                if let Some((mark, index)) = self.marks.pop() {
                    let bytes = self.bytes(len);
                    self.out.insert(mark, &bytes);
                    self.model.insert(index, bytes);
                }
            }
            Op::Consume(share) => {
                self.marks.clear();
                let lent = writable(&self.out, self.durable).len();
                let count = if share > 200 {
                    lent
                } else {
                    lent * usize::from(share) / 200
                };
                self.out.consume(count, LogPos(self.durable));
                self.model.sent += count;
                if self.out.is_empty() {
                    assert_eq!(self.out.chunks(), 0, "drained output keeps nothing");
                    assert!(self.out.memory() < 2 * limits::REPLY_CHUNK_BYTES);
                }
            }
            Op::Durable(more) => self.durable = (self.durable + more).min(self.written),
            Op::Recycle => {
                if self.marks.is_empty()
                    && let Some(spare) = self.out.take_spare()
                {
                    self.out.give_spare(spare);
                }
            }
        }
    }

    fn check(&self) {
        let visible = self.model.visible(self.durable);
        let lent = writable(&self.out, self.durable);
        assert!(visible.starts_with(&lent), "what is lent comes next");
        assert_eq!(visible.is_empty(), lent.is_empty());
        assert_eq!(
            self.out.has_writable(LogPos(self.durable)),
            !visible.is_empty()
        );
        assert_eq!(self.out.len(), self.model.pending());
        let empty = self.model.pending() == 0 && self.model.slots().next().is_none();
        assert_eq!(self.out.is_empty(), empty);
    }
}

proptest! {
    #[test]
    fn any_order_of_replies_fences_and_deferred_replies_comes_out_right(
        ops in vec(op(), 1..60),
    ) {
        let mut pair = Pair::default();
        for op in &ops {
            pair.step(op);
            pair.check();
        }
        for slot in pair.model.slots().collect::<Vec<_>>() {
            pair.out.fill(slot, b"");
            pair.model.fill(slot, Vec::new());
        }
        pair.durable = pair.written;
        while !pair.out.is_empty() {
            pair.step(&Op::Consume(u8::MAX));
            pair.check();
        }
        prop_assert_eq!(pair.model.pending(), 0);
        prop_assert!(!pair.out.is_fenced(LogPos(pair.durable)));
    }
}

#[test]
fn memory_goes_back_as_a_long_reply_is_sent() {
    let mut out = OutBuf::default();
    for _ in 0..100_000 {
        out.push(b"$5\r\nhello\r\n");
    }
    assert!(out.memory() < out.len() + 8 * limits::REPLY_CHUNK_BYTES);
    while out.len() > 50_000 {
        let lent = writable(&out, 0).len();
        out.consume(lent.min(10_000), LogPos(0));
    }
    assert!(out.memory() < 6 * limits::REPLY_CHUNK_BYTES);
}

#[test]
fn a_long_value_is_shared_and_a_short_one_copied() {
    let long = Bytes::from(vec![b'v'; limits::SHARED_REPLY_BYTES]);
    let mut out = OutBuf::default();
    out.push(b"$16384\r\n");
    out.push_shared(&long);
    out.push_shared(&Bytes::from_static(b"\r\n"));
    let mut slices = Slices::new();
    out.writable(LogPos(0), &mut slices);
    let lens: Vec<_> = slices.iter().map(|slice| slice.len()).collect();
    assert_eq!(lens, [8, long.len(), 2]);
    assert_eq!(slices[1].as_ptr(), long.as_ptr());
}
