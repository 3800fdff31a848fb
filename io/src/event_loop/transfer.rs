//! Bytes between sockets and the machine's buffers.

use std::io::{self, IoSlice};

use holdfast_core::Machine;
use holdfast_core::machine::{ConnId, Hangup, Now, Slices};

use super::{Driver, Input, errno_of};
use crate::limits::{READS_PER_TURN, WRITE_BYTES_PER_TURN};
use crate::sockets::{ReadSide, WriteSide};

/// How one connection's share of reading ended.
enum ReadEnd {
    Drained,
    /// There may be more; it waits for the next turn.
    More,
    Unwanted,
    Gone(Hangup),
}

impl<M: Machine> Driver<M> {
    pub(super) fn read_queued(&mut self, now: Now) {
        let due = self.queues.readable.len();
        for place in 0..due {
            let conn = self.queues.readable[place];
            self.read_from(now, conn);
        }
        self.queues.readable.drain(..due);
    }

    /// Has paused connections read again that the machine wants to hear again.
    pub(super) fn resume_paused(&mut self) {
        let Self {
            machine,
            sockets,
            queues,
            ..
        } = self;
        queues.paused.retain(|&conn| {
            let Some(socket) = sockets.get_mut(conn) else {
                return false;
            };
            if !machine.wants_read(conn) {
                return true;
            }
            socket.read = ReadSide::Queued;
            queues.readable.push(conn);
            false
        });
    }

    /// A connection that is not read from still tells when it breaks.
    pub(super) fn hang_up_if_broken(&mut self, now: Now, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(conn) else {
            return;
        };
        if let Some(error) = socket.stream.take_error() {
            let errno = errno_of(&error);
            self.sockets.remove(conn);
            let cause = Hangup::Error { errno };
            self.machine.handle_hangup(now, conn, cause);
        }
    }

    fn read_from(&mut self, now: Now, conn: ConnId) {
        let end = self.read_share(now, conn);
        let Some(socket) = self.sockets.get_mut(conn) else {
            return;
        };
        match end {
            ReadEnd::Drained => socket.read = ReadSide::Drained,
            ReadEnd::More => self.queues.readable.push(conn),
            ReadEnd::Unwanted => {
                socket.read = ReadSide::Paused;
                self.queues.paused.push(conn);
                if socket.ending {
                    self.hang_up_if_broken(now, conn);
                }
            }
            ReadEnd::Gone(cause) => {
                self.sockets.remove(conn);
                self.machine.handle_hangup(now, conn, cause);
            }
        }
    }

    fn read_share(&mut self, now: Now, conn: ConnId) -> ReadEnd {
        let Some(socket) = self.sockets.get_mut(conn) else {
            return ReadEnd::Drained;
        };
        for round in 0..READS_PER_TURN {
            if !self.machine.wants_read(conn) {
                return ReadEnd::Unwanted;
            }
            let space = self.machine.read_space(conn);
            let room = space.len();
            assert!(room > 0, "a machine that wants to read lends room for it");
            match socket.stream.read(space) {
                // The end comes in a turn of its own, after the replies to what came before it.
                Ok(0) if round > 0 => return ReadEnd::More,
                Ok(0) => return ReadEnd::Gone(Hangup::Eof),
                Ok(filled) => {
                    self.machine.handle_read(now, conn, filled);
                    if filled < room {
                        return match socket.ending {
                            true => ReadEnd::More,
                            false => ReadEnd::Drained,
                        };
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return ReadEnd::Drained;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let errno = errno_of(&error);
                    return ReadEnd::Gone(Hangup::Error { errno });
                }
            }
        }
        ReadEnd::More
    }

    pub(super) fn write_queued(&mut self, now: Now) {
        let due = self.queues.unsent.len();
        for place in 0..due {
            let conn = self.queues.unsent[place];
            if let Some(socket) = self.sockets.get_mut(conn) {
                socket.write = WriteSide::Free;
                self.write_to(now, conn);
            }
        }
        self.queues.unsent.drain(..due);
    }

    pub(super) fn write_to(&mut self, now: Now, conn: ConnId) {
        self.write_share(now, conn, WRITE_BYTES_PER_TURN);
    }

    /// Writes what every peer takes at once, whatever it said before.
    pub(super) fn write_last(&mut self, now: Now) {
        let conns: Vec<ConnId> = self.sockets.ids().collect();
        for conn in conns {
            if let Some(socket) = self.sockets.get_mut(conn)
                && socket.write != WriteSide::Connecting
            {
                socket.write = WriteSide::Free;
                self.write_share(now, conn, usize::MAX);
            }
        }
    }

    fn write_share(&mut self, now: Now, conn: ConnId, share: usize) {
        let Some(socket) = self.sockets.get_mut(conn) else {
            return;
        };
        if socket.write != WriteSide::Free {
            return;
        }
        let mut left = share;
        loop {
            let mut slices = Slices::new();
            self.machine.writable(conn, &mut slices);
            let offered = &slices[..slices.len().min(SLICES_PER_WRITE)];
            let total: usize = offered.iter().map(|slice: &IoSlice<'_>| slice.len()).sum();
            if total == 0 {
                return;
            }
            if left == 0 {
                socket.write = WriteSide::Queued;
                self.queues.unsent.push(conn);
                return;
            }
            match socket.stream.write(offered) {
                Ok(written) => {
                    drop(slices);
                    self.machine.consume(now, conn, written);
                    left = left.saturating_sub(written);
                    if written < total.min(BYTES_PER_WRITE) {
                        // The socket is full, and the system notes that we want room.
                        socket.write = WriteSide::Full;
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.write = WriteSide::Full;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let errno = errno_of(&error);
                    self.sockets.remove(conn);
                    let cause = Hangup::Error { errno };
                    self.queues.inputs.push(Input::Hangup(conn, cause));
                    return;
                }
            }
        }
    }
}

/// The most pieces Linux takes in one write.
const SLICES_PER_WRITE: usize = 1024;
/// The most bytes Linux takes in one write.
const BYTES_PER_WRITE: usize = 0x7fff_f000;
