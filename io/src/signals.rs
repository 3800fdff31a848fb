//! Signals, as events of the loop.

use std::io::{self, Read};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_core::machine::Signal;
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};

use crate::sys;

/// Notes the signals that concern us and wakes the loop through a pipe.
pub(crate) struct Signals {
    wake: UnixStream,
    terminate: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
    child: Arc<AtomicBool>,
    registrations: Vec<SigId>,
}

/// The signals that arrived since they were last asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Arrived {
    terminate: bool,
    interrupt: bool,
    /// A child process ended.
    pub(crate) child: bool,
}

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGCHLD; ignores SIGHUP and SIGPIPE.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        sys::ignore_hangup_and_pipe();
        let (wake, write) = StdUnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let mut signals = Self {
            wake: UnixStream::from_std(wake),
            terminate: Arc::default(),
            interrupt: Arc::default(),
            child: Arc::default(),
            registrations: Vec::new(),
        };
        for (signal, flag) in [
            (SIGTERM, Arc::clone(&signals.terminate)),
            (SIGINT, Arc::clone(&signals.interrupt)),
            (SIGCHLD, Arc::clone(&signals.child)),
        ] {
            // The flag first: actions run in this order, and the loop must find it set.
            let ids = &mut signals.registrations;
            ids.push(signal_hook::flag::register(signal, flag)?);
            ids.push(signal_hook::low_level::pipe::register(
                signal,
                write.try_clone()?,
            )?);
        }
        registry.register(&mut signals.wake, token, Interest::READABLE)?;
        Ok(signals)
    }

    /// Takes what arrived. Call after an event with the token.
    pub(crate) fn take(&mut self) -> Arrived {
        let mut scratch = [0; 64];
        // A short read has emptied the pipe; the next byte is a new event.
        while matches!(self.wake.read(&mut scratch), Ok(n) if n == scratch.len()) {}
        Arrived {
            terminate: self.terminate.swap(false, Ordering::AcqRel),
            interrupt: self.interrupt.swap(false, Ordering::AcqRel),
            child: self.child.swap(false, Ordering::AcqRel),
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registrations.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

impl Arrived {
    /// Those a machine is told of.
    pub(crate) fn for_machine(self) -> impl Iterator<Item = Signal> {
        let terminate = self.terminate.then_some(Signal::Terminate);
        let interrupt = self.interrupt.then_some(Signal::Interrupt);
        terminate.into_iter().chain(interrupt)
    }
}
