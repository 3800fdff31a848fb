//! Reads RDB data that arrives in pieces of any size.

use crate::persist::rdb::encode::KeyMeta;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::{Input, Text};
use crate::persist::rdb::kind::{
    HEADER_LEN, MAGIC, OP_AUX, OP_EOF, OP_EXPIRE_MS, OP_EXPIRE_SECS, OP_FREQ,
    OP_FUNCTION_BEFORE_GA, OP_FUNCTION2, OP_IDLE, OP_MODULE_AUX, OP_RESIZE_DB, OP_SELECT_DB,
    OP_SLOT_INFO, VERSION_READ_MAX, VERSION_WITH_CHECKSUM, type_name,
};
use crate::persist::rdb::read::{Progress, ValueReader};
use crate::value::{Shape, Value};

/// What a reader wants done with the data.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether the checksum at the end is compared.
    pub checksum: bool,
    /// Which lists are listpacks.
    pub shape: Shape,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checksum: true,
            shape: Shape::default(),
        }
    }
}

/// One thing that RDB data says.
#[derive(Debug, Eq, PartialEq)]
pub enum Item<'a> {
    /// A field about the file as a whole.
    Aux {
        /// Its name.
        name: &'a [u8],
        /// Its text.
        value: &'a [u8],
    },
    /// The keys from here on belong to this database.
    SelectDb(u32),
    /// How many keys the database will have at most; a hint that nothing may rely on.
    ResizeDb {
        /// Keys in all.
        keys: u64,
        /// Of them, keys with an expiry time.
        expires: u64,
    },
    /// A key with its value.
    Key {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: Value,
        /// Expiry and use.
        meta: KeyMeta,
    },
    /// A key whose value has no elements. It must not be kept.
    EmptyKey {
        /// The key.
        key: &'a [u8],
    },
    /// The source of a function library.
    Function {
        /// Its text.
        library: &'a [u8],
    },
    /// Data of a module, which was skipped.
    ModuleAux {
        /// The module's name.
        module: [u8; 9],
    },
    /// The end; what follows is not RDB data.
    Eof,
}

/// Where a decoder stands, for whoever looks for what is wrong with its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place<'a> {
    /// What is read there, in the words of redis-check-rdb.
    pub doing: &'static str,
    /// The key whose value is read there.
    pub key: Option<&'a [u8]>,
    /// The type of that value: its byte, and its name.
    pub kind: Option<(u8, &'static str)>,
}

/// A push decoder of RDB data.
///
/// Feed it bytes as they come, and after each feeding ask [`next`](Self::next) until it has
/// nothing more. It holds the bytes fed last and the value being read, which grows with the
/// bytes that have arrived for it, never with what the data announces.
#[derive(Debug)]
pub struct Decoder {
    input: Input,
    stage: Stage,
    options: Options,
    version: u16,
    key: Vec<u8>,
    /// An aux field's or function's text.
    text: Vec<u8>,
    meta: KeyMeta,
    fault: Option<RdbFault>,
}

#[derive(Debug)]
enum Stage {
    Header,
    Opcode,
    AuxName,
    AuxValue,
    SelectDb,
    ResizeDb,
    SlotInfo,
    ExpireMs,
    ExpireSecs,
    Idle,
    Freq,
    Function,
    ModuleAux,
    ModuleFields { module: [u8; 9], skip: ModuleField },
    Key { kind: u8 },
    Value { kind: u8, reader: ValueReader },
    Checksum,
    Done,
}

/// Which part of a module's data is read next.
#[derive(Clone, Copy, Debug)]
enum ModuleField {
    Opcode,
    Number,
    Float,
    Double,
    Text,
}

/// What a step came to, before texts are lent.
enum Step {
    Wait,
    On,
    Aux,
    SelectDb(u32),
    ResizeDb { keys: u64, expires: u64 },
    Key(Value),
    EmptyKey,
    Function,
    ModuleAux([u8; 9]),
    Eof,
}

impl Decoder {
    /// Starts before the first byte.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            input: Input::new(options.checksum),
            stage: Stage::Header,
            options,
            version: 0,
            key: Vec::new(),
            text: Vec::new(),
            meta: KeyMeta::default(),
            fault: None,
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.feed(bytes);
    }

    /// The next item, or none if it needs more bytes. A fault stays.
    ///
    /// After [`Item::Eof`] there is nothing more; what was fed beyond is [`rest`](Self::rest).
    #[expect(
        clippy::should_implement_trait,
        reason = "an item lends from the decoder"
    )]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, RdbFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let step = loop {
            match self.step() {
                Ok(Step::On) => {}
                Ok(Step::Wait) => return Ok(None),
                Ok(step) => break step,
                Err(fault) => {
                    self.fault = Some(fault);
                    return Err(fault);
                }
            }
        };
        Ok(self.lend(step))
    }

    /// Says that no more bytes will come.
    pub fn finish(&self) -> Result<(), RdbFault> {
        match self.fault {
            Some(fault) => Err(fault),
            None if self.is_done() => Ok(()),
            None => Err(RdbFault::Truncated {
                offset: self.offset(),
            }),
        }
    }

    /// Whether the end was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// What it is reading.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        let (doing, kind) = match &self.stage {
            Stage::Header => ("start", None),
            Stage::Opcode | Stage::Idle | Stage::Freq => ("read-type", None),
            Stage::AuxName | Stage::AuxValue => ("read-aux", None),
            Stage::SelectDb | Stage::ResizeDb | Stage::SlotInfo => ("read-len", None),
            Stage::ExpireMs | Stage::ExpireSecs => ("read-expire", None),
            Stage::Function => ("read-function", None),
            Stage::ModuleAux | Stage::ModuleFields { .. } => ("read-module-aux", None),
            Stage::Key { kind } => ("read-key", Some(*kind)),
            Stage::Value { kind, .. } => ("read-object-value", Some(*kind)),
            Stage::Checksum | Stage::Done => ("check-sum", None),
        };
        let in_value = matches!(self.stage, Stage::Value { .. });
        Place {
            doing,
            key: in_value.then_some(&self.key),
            kind: kind.map(|kind| (kind, type_name(kind).unwrap_or("unknown"))),
        }
    }

    /// How many bytes were read.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The format's version; 0 before the header was read.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// The bytes fed but not read, which after the end are not RDB data.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.input.rest()
    }

    fn lend(&mut self, step: Step) -> Option<Item<'_>> {
        Some(match step {
            Step::Wait | Step::On => return None,
            Step::Aux => Item::Aux {
                name: &self.key,
                value: &self.text,
            },
            Step::SelectDb(db) => Item::SelectDb(db),
            Step::ResizeDb { keys, expires } => Item::ResizeDb { keys, expires },
            Step::Key(value) => {
                let meta = core::mem::take(&mut self.meta);
                Item::Key {
                    key: &self.key,
                    value,
                    meta,
                }
            }
            Step::EmptyKey => {
                self.meta = KeyMeta::default();
                Item::EmptyKey { key: &self.key }
            }
            Step::Function => Item::Function {
                library: &self.text,
            },
            Step::ModuleAux(module) => Item::ModuleAux { module },
            Step::Eof => Item::Eof,
        })
    }

    fn step(&mut self) -> Result<Step, RdbFault> {
        match &mut self.stage {
            Stage::Header => self.header(),
            Stage::Opcode => self.opcode(),
            Stage::AuxName => self.read_text(Target::Key, Stage::AuxValue, Step::On),
            Stage::AuxValue => self.read_text(Target::Text, Stage::Opcode, Step::Aux),
            Stage::Function => self.read_text(Target::Text, Stage::Opcode, Step::Function),
            Stage::SelectDb => self.select_db(),
            Stage::ResizeDb => {
                let Some([keys, expires]) = self.input.lens()? else {
                    return Ok(Step::Wait);
                };
                self.stage = Stage::Opcode;
                Ok(Step::ResizeDb { keys, expires })
            }
            Stage::SlotInfo => {
                let read = self.input.lens::<3>()?;
                Ok(self.then(read.map(|_| Stage::Opcode)))
            }
            Stage::ExpireMs => {
                let read = self.input.array().map(i64::from_le_bytes);
                Ok(self.meta(read.is_some(), |meta| meta.expire_ms = read))
            }
            Stage::ExpireSecs => {
                let read = self
                    .input
                    .array()
                    .map(|secs| i64::from(i32::from_le_bytes(secs)) * 1000);
                Ok(self.meta(read.is_some(), |meta| meta.expire_ms = read))
            }
            Stage::Idle => {
                let read = self.input.len()?;
                Ok(self.meta(read.is_some(), |meta| meta.idle_secs = read))
            }
            Stage::Freq => {
                let read = self.input.array().map(|[freq]| freq);
                Ok(self.meta(read.is_some(), |meta| meta.freq = read))
            }
            Stage::ModuleAux => {
                let read = self.input.len()?;
                let skip = ModuleField::Opcode;
                let stage = read.map(|id| Stage::ModuleFields {
                    module: module_name(id),
                    skip,
                });
                Ok(self.then(stage))
            }
            Stage::ModuleFields { .. } => self.module_field(),
            Stage::Key { kind } => {
                let kind = *kind;
                let reader = ValueReader::new(kind).expect("the type was checked as it was read");
                self.read_text(Target::Key, Stage::Value { kind, reader }, Step::On)
            }
            Stage::Value { reader, .. } => {
                let step = match reader.read(&mut self.input, &self.options.shape)? {
                    Progress::Wait => return Ok(Step::Wait),
                    Progress::Ready(value) => Step::Key(value),
                    Progress::Empty => Step::EmptyKey,
                };
                self.stage = Stage::Opcode;
                Ok(step)
            }
            Stage::Checksum => self.checksum(),
            Stage::Done => Ok(Step::Wait),
        }
    }

    fn header(&mut self) -> Result<Step, RdbFault> {
        let Some(header) = self.input.array::<HEADER_LEN>() else {
            return Ok(Step::Wait);
        };
        let (magic, digits) = header.split_at(MAGIC.len());
        if magic != MAGIC || !digits.iter().all(u8::is_ascii_digit) {
            return Err(RdbFault::BadSignature);
        }
        let version = digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        if !(1..=VERSION_READ_MAX).contains(&version) {
            return Err(RdbFault::UnsupportedVersion { version });
        }
        self.version = version;
        self.stage = Stage::Opcode;
        Ok(Step::On)
    }

    fn opcode(&mut self) -> Result<Step, RdbFault> {
        let offset = self.offset();
        let Some([opcode]) = self.input.array() else {
            return Ok(Step::Wait);
        };
        self.stage = match opcode {
            OP_AUX => Stage::AuxName,
            OP_SELECT_DB => Stage::SelectDb,
            OP_RESIZE_DB => Stage::ResizeDb,
            OP_SLOT_INFO => Stage::SlotInfo,
            OP_EXPIRE_MS => Stage::ExpireMs,
            OP_EXPIRE_SECS => Stage::ExpireSecs,
            OP_IDLE => Stage::Idle,
            OP_FREQ => Stage::Freq,
            OP_FUNCTION2 => Stage::Function,
            OP_FUNCTION_BEFORE_GA => {
                let what = "Function of a pre-release of Redis 7.0, which nothing else can read,";
                return Err(RdbFault::Corrupt { what, offset });
            }
            OP_MODULE_AUX => Stage::ModuleAux,
            OP_EOF if self.version >= VERSION_WITH_CHECKSUM => Stage::Checksum,
            OP_EOF => {
                self.stage = Stage::Done;
                return Ok(Step::Eof);
            }
            kind if ValueReader::new(kind).is_some() => Stage::Key { kind },
            kind => return Err(RdbFault::UnsupportedType { kind, offset }),
        };
        Ok(Step::On)
    }

    /// Copies a string out of the input, which the next feeding would take away.
    fn read_text(&mut self, target: Target, next: Stage, step: Step) -> Result<Step, RdbFault> {
        let Some(text) = self.input.text()? else {
            return Ok(Step::Wait);
        };
        let into = match target {
            Target::Key => &mut self.key,
            Target::Text => &mut self.text,
        };
        match text {
            Text::Span(span) => {
                into.clear();
                into.extend_from_slice(self.input.bytes(&span));
            }
            Text::Owned(bytes) => *into = bytes,
            Text::Int(number) => {
                into.clear();
                into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
        }
        self.stage = next;
        Ok(step)
    }

    fn select_db(&mut self) -> Result<Step, RdbFault> {
        let offset = self.offset();
        let Some(db) = self.input.len()? else {
            return Ok(Step::Wait);
        };
        let what = "Database number out of range";
        let db = u32::try_from(db).map_err(|_| RdbFault::Corrupt { what, offset })?;
        self.stage = Stage::Opcode;
        Ok(Step::SelectDb(db))
    }

    fn meta(&mut self, read: bool, set: impl FnOnce(&mut KeyMeta)) -> Step {
        if read {
            set(&mut self.meta);
        }
        self.then(read.then_some(Stage::Opcode))
    }

    fn then(&mut self, stage: Option<Stage>) -> Step {
        match stage {
            Some(stage) => {
                self.stage = stage;
                Step::On
            }
            None => Step::Wait,
        }
    }

    /// A module's data is a row of numbers and strings, each preceded by what it is.
    fn module_field(&mut self) -> Result<Step, RdbFault> {
        let Stage::ModuleFields { module, skip } = &mut self.stage else {
            unreachable!("a module's data is being read");
        };
        let offset = self.input.offset();
        let read = match skip {
            ModuleField::Opcode => {
                let Some(opcode) = self.input.len()? else {
                    return Ok(Step::Wait);
                };
                *skip = match opcode {
                    0 => {
                        let module = *module;
                        self.stage = Stage::Opcode;
                        return Ok(Step::ModuleAux(module));
                    }
                    1 | 2 => ModuleField::Number,
                    3 => ModuleField::Float,
                    4 => ModuleField::Double,
                    5 => ModuleField::Text,
                    _ => {
                        let what = "Unknown field in a module's data";
                        return Err(RdbFault::Corrupt { what, offset });
                    }
                };
                return Ok(Step::On);
            }
            ModuleField::Number => self.input.len()?.is_some(),
            ModuleField::Float => self.input.array::<4>().is_some(),
            ModuleField::Double => self.input.array::<8>().is_some(),
            ModuleField::Text => self.input.text()?.is_some(),
        };
        if !read {
            return Ok(Step::Wait);
        }
        *skip = ModuleField::Opcode;
        Ok(Step::On)
    }

    fn checksum(&mut self) -> Result<Step, RdbFault> {
        let offset = self.offset();
        let computed = self.input.checksum();
        let Some(stored) = self.input.array().map(u64::from_le_bytes) else {
            return Ok(Step::Wait);
        };
        // A writer that was told not to compute one leaves 0.
        if let Some(computed) = computed
            && stored != 0
            && stored != computed
        {
            return Err(RdbFault::Checksum {
                stored,
                computed,
                offset,
            });
        }
        self.stage = Stage::Done;
        Ok(Step::Eof)
    }
}

/// Where a text is kept.
#[derive(Clone, Copy)]
enum Target {
    Key,
    Text,
}

/// A module's name out of its 64-bit id: nine characters of six bits, above ten bits of version.
fn module_name(id: u64) -> [u8; 9] {
    const CHARACTERS: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut name = [0; 9];
    for (index, character) in name.iter_mut().rev().enumerate() {
        let bits = usize::try_from(id >> (10 + 6 * index) & 63).expect("six bits");
        *character = CHARACTERS[bits];
    }
    name
}
