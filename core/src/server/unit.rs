//! What the running command has changed, and how it goes to replicas and the log.

/// Bookkeeping of changes, command by command.
///
/// The operations themselves lie in replication's stream until the unit ends: everything between
/// the start and the end of a client's outermost command becomes visible together.
#[derive(Debug, Default)]
pub struct Unit {
    /// Changes to the dataset since the start of the process.
    changes: u64,
    /// How the running command is propagated.
    form: Form,
}

/// How a command that changed something is propagated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Form {
    /// As the client sent it.
    #[default]
    Verbatim,
    /// By the operations its handler gave instead; maybe none.
    Replaced,
}

/// The state of the unit before a command runs.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    changes: u64,
    form: Form,
}

impl Unit {
    /// Notes that a command starts.
    pub fn command_starts(&mut self) -> Before {
        let before = Before {
            changes: self.changes,
            form: self.form,
        };
        self.form = Form::Verbatim;
        before
    }

    /// Notes that it has ended; whether it is to be propagated as the client sent it.
    pub fn command_ended(&mut self, before: Before) -> bool {
        let verbatim = self.form == Form::Verbatim && self.changes != before.changes;
        self.form = before.form;
        verbatim
    }

    /// Counts changes to the dataset.
    pub fn changed(&mut self, count: u64) {
        self.changes += count;
    }

    /// Changes to the dataset since the start.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The running command goes out by the operations given for it alone.
    pub fn replace(&mut self) {
        self.form = Form::Replaced;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_changed_something_and_was_not_replaced_goes_out_as_it_came() {
        let mut unit = Unit::default();
        let before = unit.command_starts();
        assert!(!unit.command_ended(before));
        let before = unit.command_starts();
        unit.changed(1);
        assert!(unit.command_ended(before));
        let before = unit.command_starts();
        unit.changed(1);
        unit.replace();
        assert!(!unit.command_ended(before));
    }

    #[test]
    fn a_queued_command_decides_for_itself_alone() {
        let mut unit = Unit::default();
        let exec = unit.command_starts();
        unit.replace();
        let queued = unit.command_starts();
        unit.changed(1);
        assert!(unit.command_ended(queued));
        assert!(!unit.command_ended(exec));
    }
}
