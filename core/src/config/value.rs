//! The value of a directive, typed.

use super::row::Kind;
use super::special::{ClientLimit, NotifyFlags, SavePoint, ShutdownOn};
use core::fmt::Write as _;

/// The largest percentage of `maxmemory`.
pub(super) const PERCENT_MAX: u8 = 100;

/// The value of a directive.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of [`Kind::Octal`].
    Octal(u32),
    /// Of [`Kind::Memory`] and [`Kind::MemoryOrPercent`]: bytes.
    Memory(u64),
    /// Of [`Kind::MemoryOrPercent`].
    Percent(u8),
    /// Of [`Kind::Word`]: an index.
    Word(u8),
    /// Of [`Kind::Text`] and [`Kind::Dir`].
    Text(Box<str>),
    /// Of [`Kind::Secret`].
    Secret(Box<[u8]>),
    /// Of [`Kind::Bind`].
    Bind(Vec<Box<str>>),
    /// Of [`Kind::Save`].
    Save(Vec<SavePoint>),
    /// Of [`Kind::ClientLimits`]: normal, replica, pubsub.
    ClientLimits([ClientLimit; 3]),
    /// Of [`Kind::NotifyFlags`].
    Notify(NotifyFlags),
    /// Of [`Kind::OomValues`]: master, replica, children.
    Oom([i32; 3]),
    /// Of [`Kind::ReplicaOf`]: host and port.
    ReplicaOf(Option<(Box<str>, u16)>),
    /// Of [`Kind::Percentiles`].
    Percentiles(Vec<f64>),
    /// Of [`Kind::ShutdownOn`].
    ShutdownOn(ShutdownOn),
}

impl Value {
    pub(super) fn default_of(kind: &Kind) -> Self {
        match *kind {
            Kind::Bool(default) => Self::Bool(default),
            Kind::Int { default, .. } => Self::Int(default),
            Kind::Octal { default, .. } => Self::Octal(default),
            Kind::Memory { default, .. } => Self::Memory(default),
            Kind::MemoryOrPercent => Self::Memory(0),
            Kind::Word { default, .. } => Self::Word(default),
            Kind::Text { default, .. } => Self::Text(default.into()),
            Kind::Secret => Self::Secret(Box::default()),
            Kind::Dir => Self::Text("./".into()),
            Kind::Bind => Self::Bind(vec!["*".into(), "-::*".into()]),
            Kind::Save => Self::Save(SavePoint::DEFAULT.to_vec()),
            Kind::ClientLimits => Self::ClientLimits(ClientLimit::DEFAULT),
            Kind::NotifyFlags => Self::Notify(NotifyFlags::default()),
            Kind::OomValues => Self::Oom([0, 200, 800]),
            Kind::ReplicaOf => Self::ReplicaOf(None),
            Kind::Percentiles => Self::Percentiles(vec![50.0, 99.0, 99.9]),
            Kind::ShutdownOn => Self::ShutdownOn(ShutdownOn::default()),
        }
    }

    /// The text CONFIG GET shows, and CONFIG SET takes back.
    pub fn show(&self, kind: &Kind) -> Vec<u8> {
        match self {
            Self::Bool(value) => if *value { "yes" } else { "no" }.into(),
            Self::Int(value) => value.to_string().into(),
            Self::Octal(value) => format!("{value:o}").into(),
            Self::Memory(value) => value.to_string().into(),
            Self::Percent(value) => format!("{value}%").into(),
            Self::Word(index) => word_text(kind, *index).into(),
            Self::Text(value) => value.as_bytes().to_vec(),
            Self::Secret(value) => value.to_vec(),
            Self::Bind(addresses) => addresses.join(" ").into(),
            Self::Save(points) => joined(points.iter()).into(),
            Self::ClientLimits(limits) => {
                let named = |(class, limit): (&str, &ClientLimit)| format!("{class} {limit}");
                let classes = ["normal", "slave", "pubsub"].into_iter();
                joined(classes.zip(limits).map(named)).into()
            }
            Self::Notify(flags) => flags.to_string().into(),
            Self::Oom(values) => joined(values.iter()).into(),
            Self::ReplicaOf(None) => Vec::new(),
            Self::ReplicaOf(Some((host, port))) => format!("{host} {port}").into(),
            Self::Percentiles(values) => joined(values.iter().map(|&p| percentile(p))).into(),
            Self::ShutdownOn(how) => how.to_string().into(),
        }
    }
}

/// The word at `index`.
pub(super) fn word_text(kind: &Kind, index: u8) -> &'static str {
    let Kind::Word { words, .. } = kind else {
        unreachable!("only a word row holds a word");
    };
    words[usize::from(index)]
}

/// Six decimals, without the zeros at their end.
fn percentile(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn joined<T: core::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        let space = if text.is_empty() { "" } else { " " };
        write!(text, "{space}{item}").expect("a string takes any text");
    }
    text
}
