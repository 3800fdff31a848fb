//! Elements one after the other, in either direction.

use super::{Child, Item, Node};
use smallvec::SmallVec;

/// A place between two elements, from which they are read in either direction.
#[derive(Clone, Debug)]
pub(in crate::value::zset) struct Walk<'a> {
    /// The inner nodes above the leaf, each with the child that was taken.
    path: SmallVec<[(&'a [Child], usize); 4]>,
    leaf: &'a [Item],
    at: usize,
}

impl Walk<'_> {
    /// The element behind the place, which moves behind it.
    #[inline]
    pub(in crate::value::zset) fn next(&mut self) -> Option<Item> {
        if self.at == self.leaf.len() && !self.enter_next() {
            return None;
        }
        let item = self.leaf.get(self.at).copied()?;
        self.at += 1;
        Some(item)
    }

    /// The element before the place, which moves before it.
    #[inline]
    pub(in crate::value::zset) fn prev(&mut self) -> Option<Item> {
        if self.at == 0 && !self.enter_prev() {
            return None;
        }
        self.at = self.at.checked_sub(1)?;
        self.leaf.get(self.at).copied()
    }

    fn enter_next(&mut self) -> bool {
        while let Some((children, at)) = self.path.pop() {
            if at + 1 < children.len() {
                self.path.push((children, at + 1));
                self.descend(&children[at + 1].node, 0);
                return true;
            }
        }
        false
    }

    fn enter_prev(&mut self) -> bool {
        while let Some((children, at)) = self.path.pop() {
            if at > 0 {
                self.path.push((children, at - 1));
                let child = &children[at - 1];
                self.descend(&child.node, child.count as usize);
                return true;
            }
        }
        false
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Node, rank: usize) -> Self {
        let mut walk = Self {
            path: SmallVec::new(),
            leaf: &[],
            at: 0,
        };
        walk.descend(root, rank);
        walk
    }

    /// Goes down to the place of this rank below a node.
    fn descend(&mut self, mut node: &'a Node, mut rank: usize) {
        loop {
            match node {
                Node::Leaf(leaf) => {
                    self.leaf = &leaf.0;
                    self.at = rank.min(leaf.0.len());
                    return;
                }
                Node::Inner(inner) => {
                    let children = &inner.0[..];
                    let mut at = 0;
                    while at + 1 < children.len() && rank >= children[at].count as usize {
                        rank -= children[at].count as usize;
                        at += 1;
                    }
                    self.path.push((children, at));
                    node = &children[at].node;
                }
            }
        }
    }
}
