//! The events of a Sentinel: logged, published under their own name, and handed to scripts.

/// How loud an event is, in Redis's words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Logged only.
    Debug,
    /// Logged and published.
    Verbose,
    /// Logged and published.
    Notice,
    /// Logged, published, and handed to the notification script.
    Warning,
}

/// One kind of event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EventKind {
    /// The name, which is also the channel it is published on.
    pub name: &'static str,
    /// How loud it is.
    pub level: Level,
}

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// What kind of thing.
    pub kind: EventKind,
    /// The words after the name.
    pub text: String,
    /// The notification script of the master it concerns, if this event goes there.
    pub script: Option<Box<str>>,
}

impl Event {
    /// Writes the event to the log, at the level Redis gives it.
    pub fn log(&self) {
        let Self { kind, text, .. } = self;
        let name = kind.name;
        match kind.level {
            Level::Debug => tracing::trace!(target: TARGET, "{name} {text}"),
            Level::Verbose => tracing::debug!(target: TARGET, "{name} {text}"),
            Level::Notice => tracing::info!(target: TARGET, "{name} {text}"),
            Level::Warning => tracing::warn!(target: TARGET, "{name} {text}"),
        }
    }
}

/// The target of the log lines that are events.
pub const TARGET: &str = "sentinel::event";

macro_rules! kinds {
    ($($constant:ident = $name:literal, $level:ident;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: EventKind = EventKind { name: $name, level: Level::$level };
        )*
        /// Every kind of event there is.
        pub const ALL: &[EventKind] = &[$($constant),*];
    };
}

kinds! {
    MONITOR = "+monitor", Warning;
    UNMONITOR = "-monitor", Warning;
    RESET_MASTER = "+reset-master", Warning;
    SDOWN = "+sdown", Warning;
    SDOWN_OVER = "-sdown", Warning;
    ODOWN = "+odown", Warning;
    ODOWN_OVER = "-odown", Warning;
    NEW_EPOCH = "+new-epoch", Warning;
    TRY_FAILOVER = "+try-failover", Warning;
    VOTE_FOR_LEADER = "+vote-for-leader", Warning;
    ELECTED_LEADER = "+elected-leader", Warning;
    SELECT_SLAVE = "+failover-state-select-slave", Warning;
    SELECTED_SLAVE = "+selected-slave", Warning;
    SEND_SLAVEOF_NOONE = "+failover-state-send-slaveof-noone", Notice;
    WAIT_PROMOTION = "+failover-state-wait-promotion", Notice;
    PROMOTED_SLAVE = "+promoted-slave", Warning;
    RECONF_SLAVES = "+failover-state-reconf-slaves", Warning;
    FAILOVER_END_FOR_TIMEOUT = "+failover-end-for-timeout", Warning;
    FAILOVER_END = "+failover-end", Warning;
    SWITCH_MASTER = "+switch-master", Warning;
    CONFIG_UPDATE_FROM = "+config-update-from", Warning;
    ABORT_NOT_ELECTED = "-failover-abort-not-elected", Warning;
    ABORT_NO_GOOD_SLAVE = "-failover-abort-no-good-slave", Warning;
    ABORT_SLAVE_TIMEOUT = "-failover-abort-slave-timeout", Warning;
    TILT = "+tilt", Warning;
    TILT_OVER = "-tilt", Warning;
    SET = "+set", Warning;
    SCRIPT_ERROR = "-script-error", Warning;
    SCRIPT_TIMEOUT = "-script-timeout", Warning;
    SLAVE = "+slave", Notice;
    SLAVE_FORGOTTEN = "-slave", Notice;
    SENTINEL = "+sentinel", Notice;
    SENTINEL_FORGOTTEN = "-sentinel", Notice;
    SENTINEL_ADDRESS_SWITCH = "+sentinel-address-switch", Notice;
    SENTINEL_ADDRESS_UPDATE = "+sentinel-address-update", Notice;
    SENTINEL_INVALID_ADDR = "+sentinel-invalid-addr", Notice;
    REBOOT = "+reboot", Notice;
    CONVERT_TO_SLAVE = "+convert-to-slave", Notice;
    FIX_SLAVE_CONFIG = "+fix-slave-config", Notice;
    SLAVE_RECONF_SENT = "+slave-reconf-sent", Notice;
    SLAVE_RECONF_INPROG = "+slave-reconf-inprog", Notice;
    SLAVE_RECONF_DONE = "+slave-reconf-done", Notice;
    SLAVE_RECONF_SENT_BE = "+slave-reconf-sent-be", Notice;
    SLAVE_RECONF_SENT_TIMEOUT = "-slave-reconf-sent-timeout", Notice;
    ROLE_CHANGE = "+role-change", Verbose;
    ROLE_CHANGE_BACK = "-role-change", Verbose;
    CMD_LINK_RECONNECTION = "-cmd-link-reconnection", Debug;
    PUBSUB_LINK_RECONNECTION = "-pubsub-link-reconnection", Debug;
    VIRTUAL_IP = "+virtual-ip", Warning;
    VIRTUAL_IP_OVER = "-virtual-ip", Warning;
    VIRTUAL_IP_ERROR = "-virtual-ip-error", Warning;
    SCRIPT_CHILD = "+script-child", Debug;
    SCRIPT_CHILD_OVER = "-script-child", Debug;
}
