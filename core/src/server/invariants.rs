//! What holds of a server whenever a turn is over.

use super::Server;
use crate::command::gates::Conditions;

impl Server {
    /// Panics if something is wrong that must never be, as far as that is cheap to see. To be asked
    /// at the end of a turn, before the next input.
    pub fn check_invariants(&self) {
        if self.is_asleep() {
            return;
        }
        let st = &self.st;
        let refuses = |condition| st.conditions.has(condition);
        assert_eq!(
            refuses(Conditions::LOADING),
            st.is_loading() || st.persist.is_receiving_blindly(),
            "a dataset that is not whole is not served"
        );
        assert_eq!(
            refuses(Conditions::READ_ONLY),
            st.is_replica() && st.config.replica_read_only(),
            "a replica takes writes from its master only"
        );
        assert!(
            st.persist.is_snapshotting() || !self.keys.has_snapshot(),
            "changes are kept aside only for a snapshot that is taken"
        );
        assert_eq!(
            refuses(Conditions::BUSY),
            st.scripts.is_slow(),
            "others are refused for a script that runs and has for long"
        );
        st.repl.check_invariants(self.is_within_script());
        st.aof.check_invariants(st.repl.offset());
    }
}
