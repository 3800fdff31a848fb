//! Where helper threads put completions for the loop.

use std::io;
use std::sync::{Mutex, PoisonError};

use holdfast_core::machine::Completion;
use mio::{Registry, Token, Waker};

/// Completions of helper threads, and what wakes the loop to take them.
pub(crate) struct Inbox {
    completions: Mutex<Vec<Completion>>,
    waker: Waker,
}

impl Inbox {
    /// Wakes a sleeping loop by an event with this token.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self {
            completions: Mutex::default(),
            waker: Waker::new(registry, token)?,
        })
    }

    /// Hands a completion to the loop. Only the first one since the loop last looked wakes it.
    pub(crate) fn put(&self, completion: Completion) {
        let mut completions = self.lock();
        let first = completions.is_empty();
        completions.push(completion);
        drop(completions);
        if first {
            self.waker.wake().expect("an eventfd of ours takes a write");
        }
    }

    /// Moves what has arrived into `into`, which must be empty.
    pub(crate) fn take(&self, into: &mut Vec<Completion>) {
        assert!(
            into.is_empty(),
            "completions already taken were not handled"
        );
        std::mem::swap(&mut *self.lock(), into);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Completion>> {
        self.completions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
