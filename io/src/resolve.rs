//! Host names: a few threads that wait for the system's resolver.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use holdfast_core::machine::{Completion, Done, Ticket};

use crate::inbox::Inbox;
use crate::limits::{RESOLVER_QUEUE_MAX, RESOLVER_THREADS_MAX, THREAD_STACK_BYTES};

/// Looks names up. Threads are started when names wait and none is idle; they last as long as
/// the process.
pub(crate) struct Resolver {
    shared: Arc<Shared>,
    threads: usize,
}

struct Shared {
    inbox: Arc<Inbox>,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    names: VecDeque<(Ticket, Box<str>)>,
    idle: usize,
    closed: bool,
}

impl Resolver {
    /// Completions go to `inbox`.
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self {
            shared: Arc::new(Shared {
                inbox,
                queue: Mutex::default(),
                arrived: Condvar::new(),
            }),
            threads: 0,
        }
    }

    /// Looks `host` up. What can be answered at once is returned: an address in text, or
    /// nothing when too many names wait.
    pub(crate) fn resolve(&mut self, ticket: Ticket, host: Box<str>) -> Option<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Some(vec![address]);
        }
        let mut queue = self.shared.lock();
        if queue.names.len() >= RESOLVER_QUEUE_MAX {
            tracing::warn!("Can't look '{host}' up: {RESOLVER_QUEUE_MAX} names are waiting");
            return Some(Vec::new());
        }
        queue.names.push_back((ticket, host));
        let short = queue.idle < queue.names.len() && self.threads < RESOLVER_THREADS_MAX;
        drop(queue);
        self.shared.arrived.notify_one();
        if short {
            match self.shared.start_thread() {
                Ok(()) => self.threads += 1,
                Err(error) => {
                    tracing::warn!("Can't start a thread to look names up: {error}");
                    if self.threads == 0 {
                        self.shared.lock().names.pop_back();
                        return Some(Vec::new());
                    }
                }
            }
        }
        None
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let builder = std::thread::Builder::new().name("resolver".to_owned());
        // The C library's resolver and its plugins want more than our own threads do.
        let builder = builder.stack_size(4 * THREAD_STACK_BYTES);
        builder.spawn(move || shared.work()).map(drop)
    }

    fn work(&self) {
        while let Some((ticket, host)) = self.take() {
            let addresses = look_up(&host);
            self.inbox.put(Completion {
                ticket,
                done: Done::Resolved(addresses),
            });
        }
    }

    fn take(&self) -> Option<(Ticket, Box<str>)> {
        let mut queue = self.lock();
        queue.idle += 1;
        while queue.names.is_empty() && !queue.closed {
            queue = self
                .arrived
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        queue.idle -= 1;
        if queue.closed {
            return None;
        }
        queue.names.pop_front()
    }
}

/// In the resolver's order of preference, each address once.
fn look_up(host: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    match (host, 0).to_socket_addrs() {
        Ok(found) => {
            for address in found.map(|socket| socket.ip()) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Err(error) => tracing::debug!("Can't look '{host}' up: {error}"),
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};

    #[test]
    fn an_address_in_text_needs_no_look_up() {
        let poll = Poll::new().unwrap();
        let inbox = Arc::new(Inbox::new(poll.registry(), Token(0)).unwrap());
        let mut resolver = Resolver::new(inbox);
        let mut numeric = |host: &str| resolver.resolve(Ticket(1), host.into());
        assert_eq!(
            numeric("127.0.0.1"),
            Some(vec![IpAddr::from([127, 0, 0, 1])])
        );
        assert_eq!(numeric("::1"), Some(vec!["::1".parse().unwrap()]));
        assert_eq!(resolver.threads, 0);
    }

    #[test]
    fn localhost_has_loopback_addresses_each_once() {
        let addresses = look_up("localhost");
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(IpAddr::is_loopback));
        let mut unique = addresses.clone();
        unique.dedup();
        assert_eq!(unique, addresses);
    }

    #[test]
    fn a_name_that_cannot_exist_has_no_address() {
        assert_eq!(look_up("no such name"), Vec::<IpAddr>::new());
    }
}
