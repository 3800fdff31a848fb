//! What can be wrong with a directive, in the words Redis uses.

use core::fmt;

use super::REDIS_VERSION;

/// Where a directive stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The file, or what stands for one: `command line`, `stdin`.
    pub file: Box<str>,
    /// Counted from 1.
    pub line: usize,
    /// The line itself, trimmed.
    pub text: Box<str>,
}

impl Origin {
    /// The directive here is wrong.
    pub fn error(&self, fault: Fault) -> ConfigError {
        ConfigError {
            origin: self.clone(),
            fault,
        }
    }
}

/// A directive that stops the start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// Where.
    pub origin: Origin,
    /// Why.
    pub fault: Fault,
}

impl fmt::Display for ConfigError {
    /// The lines Redis prints, and the file's name after them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { file, line, text } = &self.origin;
        writeln!(
            f,
            "\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***"
        )?;
        writeln!(f, "Reading the configuration file, at line {line}")?;
        writeln!(f, ">>> '{text}'")?;
        writeln!(f, "{}", self.fault)?;
        write!(f, "(line {line} of {file})")
    }
}

impl core::error::Error for ConfigError {}

/// Why a value is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No directive of this name, or a special one with too few or too many arguments.
    UnknownDirective,
    /// A directive with too few or too many arguments.
    Arity,
    /// A quote is not closed.
    Quotes,
    /// Not a whole number.
    NotInt,
    /// Not an octal number.
    NotOctal,
    /// Not `yes` or `no`.
    NotBool,
    /// Not an amount of memory.
    NotMemory,
    /// Neither an amount of memory nor a percentage.
    NotMemoryOrPercent,
    /// A percentage above this.
    PercentAbove(u64),
    /// A number out of range.
    Range {
        /// The smallest number allowed.
        min: i128,
        /// The largest number allowed.
        max: i128,
    },
    /// A permission mask out of range; printed in octal.
    OctalRange {
        /// The largest mask allowed.
        max: u32,
    },
    /// None of these words.
    NotOneOf(&'static [&'static str]),
    /// A reason of this directive alone.
    Because(&'static str),
    /// A reason that names something.
    Other(Box<str>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownDirective => f.write_str("Bad directive or wrong number of arguments"),
            Self::Arity => f.write_str("wrong number of arguments"),
            Self::Quotes => f.write_str("Unbalanced quotes in configuration line"),
            Self::NotInt => f.write_str("argument couldn't be parsed into an integer"),
            Self::NotOctal => f.write_str("argument couldn't be parsed as an octal number"),
            Self::NotBool => f.write_str("argument must be 'yes' or 'no'"),
            Self::NotMemory => f.write_str("argument must be a memory value"),
            Self::NotMemoryOrPercent => f.write_str("argument must be a memory or percent value"),
            Self::PercentAbove(max) => {
                write!(f, "percentage argument must be less or equal to {max}")
            }
            Self::Range { min, max } => {
                write!(f, "argument must be between {min} and {max} inclusive")
            }
            Self::OctalRange { max } => {
                write!(f, "argument must be between 0 and {max:o} inclusive")
            }
            Self::NotOneOf(words) => {
                f.write_str("argument(s) must be one of the following: ")?;
                f.write_str(&words.join(", "))
            }
            Self::Because(reason) => f.write_str(reason),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// Why CONFIG SET changed nothing; `Display` is the error reply without its leading `-`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetError {
    /// No parameter of this name.
    Unknown(Box<[u8]>),
    /// This parameter, as the client spelled it, for this reason.
    Failed(Box<str>, Fault),
    /// A parameter that can't change while the data set is loaded.
    Loading,
}

impl SetError {
    /// The server could not put a parameter's new value into effect.
    pub fn failed(name: &str, reason: impl Into<Box<str>>) -> Self {
        Self::Failed(name.into(), Fault::Other(reason.into()))
    }

    /// What the client is told. The name it sent stands in it byte for byte, up to the first zero.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Self::Unknown(name) => {
                let end = memchr::memchr(0, name).unwrap_or(name.len());
                let text = b"ERR Unknown option or number of arguments for CONFIG SET - '";
                [text, &name[..end], b"'"].concat()
            }
            Self::Failed(..) | Self::Loading => self.to_string().into_bytes(),
        }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str(&String::from_utf8_lossy(&self.text())),
            Self::Failed(name, fault) => write!(
                f,
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {fault}"
            ),
            Self::Loading => f.write_str("LOADING Redis is loading the dataset in memory"),
        }
    }
}
