//! Counters for INFO.

use crate::acl::Reason;
use crate::command::table::CommandId;
use crate::machine::Mono;
use core::time::Duration;
use std::collections::BTreeMap;

/// How many error codes are counted apart; further ones are counted in the total alone.
pub const ERROR_CODES_MAX: usize = 128;
/// Samples in a rate.
const SAMPLES: usize = 16;
/// Time between the samples of a rate.
const SAMPLE_PERIOD: Duration = Duration::from_millis(100);

/// What has happened since the start or CONFIG RESETSTAT.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections turned away at `maxclients`.
    pub rejected_connections: u64,
    /// Commands executed.
    pub commands: u64,
    /// Bytes read from connections.
    pub net_input: u64,
    /// Bytes written to connections.
    pub net_output: u64,
    /// Bytes read from the master.
    pub repl_input: u64,
    /// Bytes written to replicas.
    pub repl_output: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
    /// Keys removed to make room.
    pub evicted: u64,
    /// Clients closed to make room.
    pub evicted_clients: u64,
    /// How long memory was above its bound, up to the last time it no longer was.
    pub eviction_exceeded: Duration,
    /// Look-ups that found a key.
    pub hits: u64,
    /// Look-ups that found none.
    pub misses: u64,
    /// Passes of active expiry that ran out of their share of time.
    pub expire_capped: u64,
    /// What was denied to users.
    pub denied: Denials,
    /// Clients cut off because they did not read their replies.
    pub output_disconnections: u64,
    /// Error replies.
    pub errors: u64,
    /// Read events handled.
    pub reads: u64,
    /// Write events handled.
    pub writes: u64,
    /// Error replies by code.
    pub by_code: BTreeMap<Box<str>, u64>,
    /// Per command, by its id.
    pub by_command: Vec<CommandStats>,
    /// Commands per second.
    pub ops_rate: Rate,
    /// Bytes read per second.
    pub input_rate: Rate,
    /// Bytes written per second.
    pub output_rate: Rate,
    /// Bytes read from the master per second.
    pub repl_input_rate: Rate,
    /// Bytes written to replicas per second.
    pub repl_output_rate: Rate,
    sampled: Option<Mono>,
}

/// Counters of one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Times it ran.
    pub calls: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and failed.
    pub failed: u64,
}

impl Stats {
    /// For so many commands.
    pub fn new(commands: usize) -> Self {
        Self {
            by_command: vec![CommandStats::default(); commands],
            ..Self::default()
        }
    }

    /// Forgets everything, as CONFIG RESETSTAT does.
    pub fn reset(&mut self) {
        *self = Self::new(self.by_command.len());
    }

    /// Counts an error reply under its code.
    pub fn count_error(&mut self, code: &str) {
        self.errors += 1;
        if let Some(count) = self.by_code.get_mut(code) {
            *count += 1;
        } else if self.by_code.len() < ERROR_CODES_MAX {
            self.by_code.insert(code.into(), 1);
        }
    }

    /// Counts what was denied to a user.
    pub fn count_denial(&mut self, reason: Reason) {
        *match reason {
            Reason::Auth => &mut self.denied.auth,
            Reason::Command => &mut self.denied.command,
            Reason::Key => &mut self.denied.key,
            Reason::Channel => &mut self.denied.channel,
        } += 1;
    }

    /// The counters of a command.
    pub fn command_mut(&mut self, id: CommandId) -> &mut CommandStats {
        &mut self.by_command[id.index()]
    }

    /// Takes the next sample of every rate if it is due.
    pub fn sample(&mut self, now: Mono) {
        let last = *self.sampled.get_or_insert(now);
        let elapsed = now.since(last);
        if elapsed < SAMPLE_PERIOD {
            return;
        }
        self.sampled = Some(now);
        self.ops_rate.sample(self.commands, elapsed);
        self.input_rate.sample(self.net_input, elapsed);
        self.output_rate.sample(self.net_output, elapsed);
        self.repl_input_rate.sample(self.repl_input, elapsed);
        self.repl_output_rate.sample(self.repl_output, elapsed);
    }
}

/// What was denied to users, by reason.
#[derive(Clone, Copy, Debug, Default)]
pub struct Denials {
    /// To log in.
    pub auth: u64,
    /// Commands.
    pub command: u64,
    /// Keys.
    pub key: u64,
    /// Channels.
    pub channel: u64,
}

/// A moving average of a counter's growth per second.
#[derive(Debug, Default)]
pub struct Rate {
    samples: [u64; SAMPLES],
    next: usize,
    last: u64,
}

impl Rate {
    fn sample(&mut self, count: u64, elapsed: Duration) {
        let grown = u128::from(count.saturating_sub(self.last));
        let per_second = grown * 1_000_000_000 / elapsed.as_nanos().max(1);
        self.samples[self.next] = u64::try_from(per_second).unwrap_or(u64::MAX);
        self.next = (self.next + 1) % SAMPLES;
        self.last = count;
    }

    /// The average over the last samples.
    pub fn per_second(&self) -> u64 {
        self.samples
            .iter()
            .fold(0, |sum: u64, &s| sum.saturating_add(s))
            / SAMPLES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_shown_as_it_is() {
        let mut stats = Stats::new(0);
        let mut now = Mono::default();
        for _ in 0..=SAMPLES {
            stats.sample(now);
            stats.commands += 50;
            now = now + SAMPLE_PERIOD;
        }
        assert_eq!(stats.ops_rate.per_second(), 500);
    }

    #[test]
    fn error_codes_beyond_the_bound_count_in_the_total_alone() {
        let mut stats = Stats::new(0);
        for i in 0..ERROR_CODES_MAX + 5 {
            stats.count_error(&format!("E{i}"));
        }
        assert_eq!(stats.by_code.len(), ERROR_CODES_MAX);
        assert_eq!(stats.errors, (ERROR_CODES_MAX + 5) as u64);
    }
}
