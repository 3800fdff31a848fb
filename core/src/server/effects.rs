//! What the server has asked of its driver and not yet heard of.

use crate::machine::{Completion, DiskOp, Done, Effect, Ticket};
use std::collections::VecDeque;

/// The queue of effects, and what each ticket in flight is for.
#[derive(Debug)]
pub struct Effects<P> {
    queue: VecDeque<Effect>,
    next: u64,
    /// In the order of the tickets, which is that in which they were asked for. Few, and mostly
    /// answered in that order.
    waiting: VecDeque<(Ticket, P)>,
}

impl<P> Default for Effects<P> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            next: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl<P> Effects<P> {
    /// Asks for something that is not answered.
    pub fn push(&mut self, effect: Effect) {
        self.queue.push_back(effect);
    }

    /// Asks for something that is answered under a ticket.
    pub fn ask(&mut self, purpose: P, effect: impl FnOnce(Ticket) -> Effect) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.push_back((ticket, purpose));
        self.queue.push_back(effect(ticket));
        ticket
    }

    /// Asks for a step on a file.
    pub fn disk(&mut self, purpose: P, op: DiskOp) -> Ticket {
        self.ask(purpose, |ticket| Effect::Disk { ticket, op })
    }

    /// What a completion that is still to be answered is for.
    pub fn purpose(&self, done: &Completion) -> Option<P>
    where
        P: Copy,
    {
        let at = self.waiting.binary_search_by_key(&done.ticket, |e| e.0);
        at.ok().map(|at| self.waiting[at].1)
    }

    /// What a completion answers. Each ticket is answered once.
    pub fn answered(&mut self, done: Completion) -> (P, Done) {
        let at = self.waiting.binary_search_by_key(&done.ticket, |e| e.0);
        let (_, purpose) = at
            .ok()
            .and_then(|at| self.waiting.remove(at))
            .expect("a completion answers one effect");
        (purpose, done.done)
    }

    /// The next effect to carry out.
    pub fn poll(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }

    /// Whether anything is asked for and not answered.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}
