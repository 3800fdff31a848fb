//! redis.conf, sentinel.conf, the command line, and CONFIG GET, SET and REWRITE.
//!
//! Every directive is one row of [`table`], which all of these read. Nothing here opens a file:
//! texts come in and go out.

mod access_data;
mod access_process;
mod choice;
pub mod cmdline;
mod fault;
mod load;
mod query;
mod rewrite;
mod row;
pub mod sentinel;
mod special;
mod store;
pub mod table;
pub mod text;
mod title;
mod value;

/// The version of Redis whose behaviour this is.
pub const REDIS_VERSION: &str = "7.2.4";

pub use choice::{
    Access, AclPubsubDefault, AppendFsync, ClientsMemory, DisklessLoad, LogLevel, MaxmemoryPolicy,
    PropagationError, SanitizeDump, Supervised,
};
pub use fault::{ConfigError, Fault, Origin, SetError};
pub use load::{Include, Source};
pub use query::{Change, Changes, SetRules};
pub use rewrite::rewrite;
pub use row::{Check, Empty, Kind, Row, Rules};
pub use sentinel::{
    MasterConfig, SentinelConfig, VirtualIp, check_virtual_ip, rewrite_sentinel, rewrite_settings,
    state_text,
};
pub use special::{ClientLimit, NotifyFlags, SavePoint, ShutdownOn};
pub use store::{Config, Directive, StartRefusal};
pub use text::{parse_memory, split_args};
pub use value::Value;
