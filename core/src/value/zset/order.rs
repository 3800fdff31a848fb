//! The order of a large sorted set: a B-tree of its elements that counts them.

mod walk;

use core::cmp::Ordering;
use std::rc::Rc;

use super::records::{RecordId, Records};
use crate::value::alloc_size;
pub(super) use walk::Walk;

/// Elements by score and member.
///
/// Leaves hold scores and record ids; inner nodes hold, of each child, its first element and how
/// many it has in all, so that an element's rank and the element of a rank are found on the way
/// down. Nodes are shared with clones until one of them changes a node.
#[derive(Clone, Debug)]
pub(super) struct Order {
    root: Node,
    len: usize,
    /// Bytes of the nodes.
    heap: usize,
    /// How many nodes there are.
    nodes: usize,
}

/// An element: the bits of its score and its record. No wider than that, as there are many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item([u32; 3]);

/// What an element is looked for by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) score: f64,
    pub(super) member: &'a [u8],
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Rc<Leaf>),
    Inner(Rc<Inner>),
}

#[derive(Debug, Default)]
struct Leaf(Vec<Item>);

#[derive(Debug)]
struct Inner(Vec<Child>);

#[derive(Clone, Debug)]
struct Child {
    first: Item,
    /// Elements below.
    count: u32,
    node: Node,
}

/// What a change needs besides the nodes.
struct Change<'a> {
    records: &'a Records,
    key: Key<'a>,
    heap: &'a mut usize,
    nodes: &'a mut usize,
}

/// What became of an element that was to be removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Removal {
    Removed,
    /// It got its new score and stayed in its leaf.
    Kept,
}

impl Item {
    pub(super) fn new(score: f64, RecordId(id): RecordId) -> Self {
        let bits = score.to_bits();
        Self([bits as u32, (bits >> 32) as u32, id])
    }

    #[inline]
    pub(super) fn score(self) -> f64 {
        let [low, high, _] = self.0;
        f64::from_bits(u64::from(high) << 32 | u64::from(low))
    }

    #[inline]
    pub(super) fn id(self) -> RecordId {
        RecordId(self.0[2])
    }

    /// How it compares with a key. Its record is looked at only if the scores are equal.
    #[inline]
    fn compare(self, key: Key<'_>, records: &Records) -> Ordering {
        let score = self.score();
        if score < key.score {
            Ordering::Less
        } else if score > key.score {
            Ordering::Greater
        } else {
            records.member(self.id()).cmp(key.member)
        }
    }
}

impl Order {
    pub(super) fn new() -> Self {
        Self {
            root: Node::Leaf(Rc::default()),
            len: 0,
            heap: LEAF_SELF_BYTES,
            nodes: 1,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn memory(&self) -> usize {
        self.heap
    }

    pub(super) fn allocations(&self) -> usize {
        self.nodes
    }

    /// Adds an element that is not there yet.
    pub(super) fn insert(&mut self, records: &Records, key: Key<'_>, id: RecordId) {
        let item = Item::new(key.score, id);
        let mut change = Change {
            records,
            key,
            heap: &mut self.heap,
            nodes: &mut self.nodes,
        };
        if let Some(right) = change.insert(&mut self.root, item) {
            let left = core::mem::replace(&mut self.root, Node::Leaf(Rc::default()));
            let mut children = Vec::with_capacity(CHILDREN_MAX);
            children.extend([Child::of(left), right]);
            self.root = Node::Inner(Rc::new(Inner(children)));
            self.heap += INNER_BYTES;
            self.nodes += 1;
        }
        self.len += 1;
    }

    /// Removes an element.
    pub(super) fn remove(&mut self, records: &Records, key: Key<'_>) {
        self.remove_or_keep(records, key, None);
        self.len -= 1;
    }

    /// Gives an element another score.
    pub(super) fn update(&mut self, records: &Records, key: Key<'_>, score: f64, id: RecordId) {
        if self.remove_or_keep(records, key, Some(score)) == Removal::Removed {
            self.len -= 1;
            self.insert(records, Key { score, ..key }, id);
        }
    }

    fn remove_or_keep(&mut self, records: &Records, key: Key<'_>, score: Option<f64>) -> Removal {
        let mut change = Change {
            records,
            key,
            heap: &mut self.heap,
            nodes: &mut self.nodes,
        };
        let removal = change.remove(&mut self.root, score);
        while let Node::Inner(inner) = &mut self.root
            && inner.0.len() == 1
        {
            self.root = Rc::make_mut(inner).0.remove(0).node;
            self.heap -= INNER_BYTES;
            self.nodes -= 1;
        }
        removal
    }

    /// Names the record of an element anew.
    pub(super) fn set_id(&mut self, records: &Records, key: Key<'_>, id: RecordId) {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let items = &mut Rc::make_mut(leaf).0;
                    let at = last_not_behind(items, |item| *item, key, records);
                    items[at] = Item::new(items[at].score(), id);
                    return;
                }
                Node::Inner(inner) => {
                    let children = &mut Rc::make_mut(inner).0;
                    let at = last_not_behind(children, |child| child.first, key, records);
                    let child = &mut children[at];
                    if child.first.compare(key, records) == Ordering::Equal {
                        child.first = Item::new(child.first.score(), id);
                    }
                    node = &mut child.node;
                }
            }
        }
    }

    /// How many elements come before a key.
    pub(super) fn rank(&self, records: &Records, key: Key<'_>) -> usize {
        self.count_while(|item| item.compare(key, records) == Ordering::Less)
    }

    /// How many elements are before the first of which `before` does not hold. It must hold of
    /// none behind that.
    pub(super) fn count_while(&self, before: impl Fn(Item) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.0.partition_point(|&item| before(item)),
                Node::Inner(inner) => {
                    let children = &inner.0;
                    let at = children.partition_point(|child| before(child.first));
                    let at = at.saturating_sub(1);
                    let passed = children[..at].iter().map(|child| child.count as usize);
                    rank += passed.sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// A walk that starts between the elements of rank `rank - 1` and `rank`.
    pub(super) fn walk(&self, rank: usize) -> Walk<'_> {
        Walk::new(&self.root, rank)
    }

    /// Frees nodes while `left` may be freed; true when none is left. Nothing may be read any
    /// more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            let empty = drop_last(&mut self.root, &mut self.heap, left);
            if empty {
                *self = Self::new();
                return true;
            }
        }
        false
    }

    /// Panics if the tree contradicts itself.
    pub(super) fn check_invariants(&self, records: &Records) {
        let (mut heap, mut nodes) = (0, 0);
        assert_eq!(self.root.check(&mut heap, &mut nodes), self.len);
        assert_eq!((heap, nodes), (self.heap, self.nodes));
        let mut walk = self.walk(0);
        let mut before: Option<Item> = None;
        while let Some(item) = walk.next() {
            let member = records.member(item.id());
            let score = item.score();
            assert_eq!(score.to_bits(), records.score(item.id()).to_bits());
            if let Some(before) = before {
                let order = before.compare(Key { score, member }, records);
                assert_eq!(order, Ordering::Less);
            }
            before = Some(item);
        }
    }
}

impl Node {
    fn first(&self) -> Option<Item> {
        match self {
            Self::Leaf(leaf) => leaf.0.first().copied(),
            Self::Inner(inner) => inner.0.first().map(|child| child.first),
        }
    }

    fn count(&self) -> u32 {
        match self {
            Self::Leaf(leaf) => leaf.0.len() as u32,
            Self::Inner(inner) => inner.0.iter().map(|child| child.count).sum(),
        }
    }

    /// How many items or children it has itself.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.0.len(),
            Self::Inner(inner) => inner.0.len(),
        }
    }

    fn is_leaf(&self) -> bool {
        match self {
            Self::Leaf(_) => true,
            Self::Inner(_) => false,
        }
    }

    fn check(&self, heap: &mut usize, nodes: &mut usize) -> usize {
        *nodes += 1;
        match self {
            Self::Leaf(leaf) => {
                *heap += leaf.memory();
                assert!(leaf.0.len() <= LEAF_MAX);
                leaf.0.len()
            }
            Self::Inner(inner) => {
                *heap += INNER_BYTES;
                assert!((1..=CHILDREN_MAX).contains(&inner.0.len()));
                let mut count = 0;
                for child in &inner.0 {
                    let below = child.node.check(heap, nodes);
                    assert_eq!(child.count as usize, below);
                    assert!(below > 0, "no node but the root is empty");
                    let first = child.node.first().expect("it is not empty");
                    assert_eq!(child.first.0, first.0);
                    assert_eq!(child.node.is_leaf(), inner.0[0].node.is_leaf());
                    count += below;
                }
                count
            }
        }
    }
}

impl Child {
    fn of(node: Node) -> Self {
        Self {
            first: node.first().expect("no child is empty"),
            count: node.count(),
            node,
        }
    }
}

impl Leaf {
    fn memory(&self) -> usize {
        LEAF_SELF_BYTES + alloc_size(self.0.capacity() * size_of::<Item>())
    }

    /// Makes room for one item more, in steps that fill the allocator's classes.
    fn make_room(&mut self) {
        let len = self.0.len();
        if len == self.0.capacity() {
            self.0.reserve_exact(leaf_room(len + 1) - len);
        }
    }

    fn split_off(&mut self, at: usize) -> Self {
        let mut right = Self::with_room(leaf_room(self.0.len() - at));
        right.0.extend_from_slice(&self.0[at..]);
        self.0.truncate(at);
        self.0.shrink_to(leaf_room(at));
        right
    }

    fn with_room(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }
}

impl Clone for Leaf {
    /// As large an allocation, so that what is counted for a leaf stays true of its copy.
    fn clone(&self) -> Self {
        let mut copy = Self::with_room(self.0.capacity());
        copy.0.extend_from_slice(&self.0);
        copy
    }
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        let mut children = Vec::with_capacity(CHILDREN_MAX);
        children.extend_from_slice(&self.0);
        Self(children)
    }
}

impl Change<'_> {
    /// Adds an item below a node; the right half of the node if it had to be split.
    fn insert(&mut self, node: &mut Node, item: Item) -> Option<Child> {
        match node {
            Node::Leaf(leaf) => self.insert_in_leaf(Rc::make_mut(leaf), item),
            Node::Inner(inner) => {
                let children = &mut Rc::make_mut(inner).0;
                let before =
                    |child: &Child| child.first.compare(self.key, self.records) == Ordering::Less;
                let at = children.partition_point(before).saturating_sub(1);
                let child = &mut children[at];
                let right = self.insert(&mut child.node, item);
                match &right {
                    None => child.count += 1,
                    Some(right) => child.count = child.count + 1 - right.count,
                }
                child.first = child.node.first().expect("no child is empty");
                self.add_child(children, at + 1, right?)
            }
        }
    }

    fn insert_in_leaf(&mut self, leaf: &mut Leaf, item: Item) -> Option<Child> {
        let before = |item: &Item| item.compare(self.key, self.records) == Ordering::Less;
        let at = leaf.0.partition_point(before);
        let len = leaf.0.len();
        let memory = leaf.memory();
        let mut right = None;
        if len < LEAF_MAX {
            leaf.make_room();
            leaf.0.insert(at, item);
        } else {
            // Elements that come in order fill leaves to the brim.
            let middle = if at == len || at == 0 { at } else { len / 2 };
            let mut upper = leaf.split_off(middle);
            let (half, at) = if at > middle || at == len {
                (&mut upper, at - middle)
            } else {
                (&mut *leaf, at)
            };
            half.make_room();
            half.0.insert(at, item);
            *self.heap += upper.memory();
            *self.nodes += 1;
            right = Some(Child::of(Node::Leaf(Rc::new(upper))));
        }
        *self.heap = *self.heap - memory + leaf.memory();
        right
    }

    /// Adds a child; the right half of the children if there are too many.
    fn add_child(&mut self, children: &mut Vec<Child>, at: usize, child: Child) -> Option<Child> {
        let len = children.len();
        if len < CHILDREN_MAX {
            children.insert(at, child);
            return None;
        }
        let middle = if at == len { len } else { len / 2 };
        let mut right = Vec::with_capacity(CHILDREN_MAX);
        right.extend(children.drain(middle..));
        if at > middle || at == len {
            right.insert(at - middle, child);
        } else {
            children.insert(at, child);
        }
        *self.heap += INNER_BYTES;
        *self.nodes += 1;
        Some(Child::of(Node::Inner(Rc::new(Inner(right)))))
    }

    /// Removes the item of the key from below a node, or gives it another score if it stays
    /// between its neighbours.
    fn remove(&mut self, node: &mut Node, score: Option<f64>) -> Removal {
        match node {
            Node::Leaf(leaf) => {
                let items = &mut Rc::make_mut(leaf).0;
                let at = last_not_behind(items, |item| *item, self.key, self.records);
                debug_assert!(items[at].compare(self.key, self.records) == Ordering::Equal);
                if let Some(score) = score
                    && self.stays(items, at, score)
                {
                    items[at] = Item::new(score, items[at].id());
                    return Removal::Kept;
                }
                items.remove(at);
                Removal::Removed
            }
            Node::Inner(inner) => {
                let children = &mut Rc::make_mut(inner).0;
                let at = last_not_behind(children, |child| child.first, self.key, self.records);
                let child = &mut children[at];
                let removal = self.remove(&mut child.node, score);
                if removal == Removal::Removed {
                    child.count -= 1;
                    match child.node.first() {
                        Some(first) => {
                            child.first = first;
                            self.join_if_small(children, at);
                        }
                        None => {
                            let gone = children.remove(at);
                            self.count_gone(&gone.node);
                        }
                    }
                }
                removal
            }
        }
    }

    /// Whether an item that is neither the first nor the last of its leaf is still behind the one
    /// before it and before the one behind it with another score.
    fn stays(&self, items: &[Item], at: usize, score: f64) -> bool {
        let key = Key { score, ..self.key };
        let above = at > 0 && items[at - 1].compare(key, self.records) == Ordering::Less;
        let behind = items.get(at + 1);
        above && behind.is_some_and(|it| it.compare(key, self.records) == Ordering::Greater)
    }

    /// Joins a child that has become small with one beside it if they are not too much together.
    fn join_if_small(&mut self, children: &mut Vec<Child>, at: usize) {
        let width = children[at].node.width();
        let (small, most) = match children[at].node {
            Node::Leaf(_) => (LEAF_SMALL, LEAF_JOINED),
            Node::Inner(_) => (CHILDREN_SMALL, CHILDREN_JOINED),
        };
        if width >= small {
            return;
        }
        let fits = |other: &Child| width + other.node.width() <= most;
        if children.get(at + 1).is_some_and(fits) {
            self.join(children, at);
        } else if at > 0 && fits(&children[at - 1]) {
            self.join(children, at - 1);
        }
    }

    fn join(&mut self, children: &mut Vec<Child>, at: usize) {
        let gone = children.remove(at + 1);
        self.count_gone(&gone.node);
        children[at].count += gone.count;
        match (&mut children[at].node, gone.node) {
            (Node::Leaf(left), Node::Leaf(right)) => {
                let left = Rc::make_mut(left);
                let memory = left.memory();
                let joined = left.0.len() + right.0.len();
                let room = leaf_room(joined).max(left.0.capacity());
                left.0.reserve_exact(room - left.0.len());
                left.0.extend_from_slice(&right.0);
                *self.heap = *self.heap - memory + left.memory();
            }
            (Node::Inner(left), Node::Inner(right)) => {
                Rc::make_mut(left).0.extend_from_slice(&right.0);
            }
            (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {
                unreachable!("children of one node are of one kind")
            }
        }
    }

    fn count_gone(&mut self, node: &Node) {
        *self.heap -= match node {
            Node::Leaf(leaf) => leaf.memory(),
            Node::Inner(_) => INNER_BYTES,
        };
        *self.nodes -= 1;
    }
}

/// The last of what lies in order whose item is not behind a key, or the first of all.
fn last_not_behind<T>(
    all: &[T],
    item: impl Fn(&T) -> Item,
    key: Key<'_>,
    records: &Records,
) -> usize {
    let behind = all.partition_point(|one| item(one).compare(key, records) != Ordering::Greater);
    behind.saturating_sub(1)
}

/// Frees the last leaf below a node, and what nodes that leaves empty; whether the node is empty.
/// What is shared is only let go.
fn drop_last(node: &mut Node, heap: &mut usize, left: &mut usize) -> bool {
    *left = left.saturating_sub(1);
    let Node::Inner(inner) = node else {
        return true;
    };
    let Some(Inner(children)) = Rc::get_mut(inner) else {
        return true;
    };
    if let Some(last) = children.last_mut()
        && drop_last(&mut last.node, heap, left)
        && let Some(gone) = children.pop()
    {
        *heap -= match &gone.node {
            Node::Leaf(leaf) => leaf.memory(),
            Node::Inner(_) => INNER_BYTES,
        };
    }
    children.is_empty()
}

/// How many items a leaf has room for that needs room for `len`: the largest number in the same
/// size class.
fn leaf_room(len: usize) -> usize {
    let fits = LEAF_ROOMS.iter().find(|&&room| room >= len);
    fits.copied().unwrap_or(LEAF_MAX)
}

/// Items of a leaf.
const LEAF_MAX: usize = 128;
/// Fills allocations of 64, 128, 256, 512, 768, 896, 1024, 1280 and 1536 bytes.
const LEAF_ROOMS: &[usize] = &[5, 10, 21, 42, 64, 74, 85, 106, LEAF_MAX];
/// A leaf of fewer items is joined with another one, if they are at most so many together.
const LEAF_SMALL: usize = 32;
const LEAF_JOINED: usize = 106;
const CHILDREN_MAX: usize = 64;
const CHILDREN_SMALL: usize = 16;
const CHILDREN_JOINED: usize = 48;
/// A shared allocation: two counts and a vector.
const LEAF_SELF_BYTES: usize = alloc_size(16 + size_of::<Leaf>());
const INNER_BYTES: usize =
    alloc_size(16 + size_of::<Inner>()) + alloc_size(CHILDREN_MAX * size_of::<Child>());
