//! The end of the process: replicas catch up, the dataset is saved, then the driver is told.

use super::Server;
use super::blocked::{PauseFor, PauseKind, Wait};
use super::client::ClientFlags;
use super::state::State;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::config::ShutdownOn;
use crate::machine::{Effect, Mono, Signal};
use core::time::Duration;

/// How the end is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// Whether to save.
    pub saving: Saving,
    /// Replicas are not waited for.
    pub now: bool,
    /// Failing to save does not stop it.
    pub force: bool,
}

impl Request {
    /// What `shutdown-on-sigterm` and its kin ask for.
    fn of(words: ShutdownOn) -> Self {
        let saving = match words.save {
            Some(true) => Saving::Always,
            Some(false) => Saving::Never,
            None => Saving::Configured,
        };
        Self {
            saving,
            now: words.now,
            force: words.force,
        }
    }
}

/// Whether the dataset is saved at the end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Saving {
    /// If there are save points.
    #[default]
    Configured,
    /// SAVE.
    Always,
    /// NOSAVE.
    Never,
}

impl Shutdown {
    /// Whether the last save is under way.
    pub(super) fn is_saving(self) -> bool {
        match self {
            Self::Saving { .. } => true,
            Self::No
            | Self::Signalled { .. }
            | Self::Waiting { .. }
            | Self::Syncing { .. }
            | Self::Done => false,
        }
    }

    /// When it goes on without its replicas.
    pub(super) fn deadline(self) -> Option<Mono> {
        match self {
            Self::Waiting { deadline, .. } => Some(deadline),
            Self::No
            | Self::Signalled { .. }
            | Self::Syncing { .. }
            | Self::Saving { .. }
            | Self::Done => None,
        }
    }
}

/// Where the end stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Shutdown {
    /// Not asked for.
    #[default]
    No,
    /// A signal has asked for it, which periodic work would act upon.
    Signalled {
        /// As asked for.
        request: Request,
    },
    /// Replicas have until the deadline to acknowledge everything.
    Waiting {
        /// As asked for.
        request: Request,
        /// When it goes on without them.
        deadline: Mono,
    },
    /// The append-only file is being made durable.
    Syncing {
        /// As asked for.
        request: Request,
    },
    /// The dataset is being saved.
    Saving {
        /// As asked for.
        request: Request,
    },
    /// The driver has been told.
    Done,
}

impl Cx<'_> {
    /// Starts the end; the client hears only if it does not come.
    pub fn wait_for_shutdown(&mut self, request: Request) -> Result<(), Fail> {
        let conn = self.data.conn;
        self.client().flags.set(ClientFlags::BLOCKED, true);
        self.data.st.blocked.add(conn, Wait::Shutdown);
        self.data.st.begin_shutdown(request);
        Ok(())
    }
}

impl State {
    /// Starts the end, or adds to a running one.
    pub fn begin_shutdown(&mut self, request: Request) {
        if self.shutdown != Shutdown::No && !request.now {
            return;
        }
        tracing::warn!("User requested shutdown...");
        let timeout = self.config.shutdown_timeout();
        let lagging = !self.repl.all_in_sync();
        let waits = !request.now && !timeout.is_zero() && lagging;
        let mut deadline = self.now.mono;
        if waits {
            tracing::info!("Waiting for replicas before shutting down.");
            self.repl.request_acks();
            deadline = deadline + timeout;
        }
        // New writes would keep the replicas behind, or not be in the last file.
        self.pause.start(
            PauseFor::Shutdown,
            PauseKind::Write,
            Mono::default() + Duration::MAX,
        );
        self.shutdown = Shutdown::Waiting { request, deadline };
    }

    /// Calls the end off; false if it was not under way. A save that has begun goes on.
    pub fn abort_shutdown(&mut self) -> bool {
        if matches!(self.shutdown, Shutdown::No | Shutdown::Done) {
            return false;
        }
        tracing::warn!("Shutdown manually aborted.");
        self.stay();
        true
    }

    /// The end does not come: those who asked for it are told.
    fn stay(&mut self) {
        self.shutdown = Shutdown::No;
        self.pause.stop(PauseFor::Shutdown);
        let fail = Fail::Plain("Errors trying to SHUTDOWN. Check logs.");
        self.answer_waiting(Wait::Shutdown, Err(&fail));
    }
}

impl Server {
    /// A signal asks for the end in the way the configuration gives.
    pub(super) fn signalled(&mut self, signal: Signal) {
        let (name, request) = match signal {
            Signal::Terminate => ("SIGTERM", Request::of(self.st.config.shutdown_on_sigterm())),
            Signal::Interrupt => ("SIGINT", Request::of(self.st.config.shutdown_on_sigint())),
        };
        tracing::warn!("Received {name} scheduling shutdown...");
        // A second one is meant: it ends a save that takes too long.
        let again = self.st.shutdown != Shutdown::No && signal == Signal::Interrupt;
        if again {
            tracing::warn!("You insist... exiting now.");
            self.exit(1);
        } else if self.st.shutdown == Shutdown::No {
            self.st.shutdown = Shutdown::Signalled { request };
        } else {
            self.st.begin_shutdown(request);
        }
    }

    /// Takes the next step to the end once the one before is done.
    pub(super) fn advance_shutdown(&mut self) {
        match self.st.shutdown {
            Shutdown::Signalled { request } if !self.st.debug.cron_paused => {
                self.st.shutdown = Shutdown::No;
                self.st.begin_shutdown(request);
                self.advance_shutdown();
            }
            Shutdown::Waiting { request, deadline } => {
                if self.st.repl.all_in_sync() || self.st.now.mono >= deadline {
                    self.st.repl.log_lagging(self.st.now);
                    self.begin_final_sync(request);
                }
            }
            Shutdown::Syncing { request } => self.go_on_syncing(request),
            Shutdown::No
            | Shutdown::Signalled { .. }
            | Shutdown::Saving { .. }
            | Shutdown::Done => {}
        }
    }

    /// Makes the append-only file durable, if there is one.
    fn begin_final_sync(&mut self, request: Request) {
        if self.aof_is_initial() {
            if !request.force {
                tracing::warn!("Writing initial AOF, can't exit.");
                return self.stay_up();
            }
            tracing::warn!("Writing initial AOF. Exit anyway.");
        }
        if self.st.aof.is_on() {
            self.abort_rewrite();
            tracing::info!("Calling fsync() on the AOF file.");
        }
        self.st.shutdown = Shutdown::Syncing { request };
        self.go_on_syncing(request);
    }

    fn go_on_syncing(&mut self, request: Request) {
        let failed = self.st.aof.is_on() && self.st.aof.fault().is_some();
        if failed && !request.force {
            tracing::warn!("Error trying to sync the AOF, can't exit.");
            self.stay_up();
        } else if failed || self.sync_aof() {
            self.begin_final_save(request);
        }
    }

    fn stay_up(&mut self) {
        tracing::warn!(
            "Errors trying to shut down the server. Check the logs for more information."
        );
        self.st.stay();
    }

    /// Saves the dataset, if that is asked for.
    fn begin_final_save(&mut self, request: Request) {
        let save = match request.saving {
            Saving::Always => true,
            Saving::Never => false,
            Saving::Configured => !self.st.config.save_points().is_empty(),
        };
        if !save || self.st.is_loading() {
            return self.exit(0);
        }
        tracing::info!("Saving the final RDB snapshot before exiting.");
        self.st
            .notify_service("STATUS=Saving the final RDB snapshot\n");
        self.st.shutdown = Shutdown::Saving { request };
        self.save_instead();
    }

    /// Goes on after the last save.
    pub(super) fn final_save_ended(&mut self, saved: bool) {
        let Shutdown::Saving { request } = self.st.shutdown else {
            return;
        };
        if saved || request.force {
            return self.exit(0);
        }
        tracing::warn!("Error trying to save the DB, can't exit.");
        self.st.stay();
    }

    fn exit(&mut self, code: u8) {
        self.remove_unfinished();
        tracing::warn!("Redis is now ready to exit, bye bye...");
        self.st.notify_service("STOPPING=1\n");
        self.st.effects.push(Effect::Exit { code });
        self.st.shutdown = Shutdown::Done;
    }
}
