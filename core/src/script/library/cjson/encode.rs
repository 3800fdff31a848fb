//! JSON text from values.

use super::number::push_number;
use super::{Invalid, Settings};
use crate::script::library::Failure;
use crate::script::library::arguments::{Args, SLOTS_MAX, check_output, one, type_name};
use mlua::{Function, MultiValue, Table, Value};

/// `next` is Lua's own.
pub(super) fn encode(
    args: &Args<'_>,
    settings: &Settings,
    next: &Function,
) -> Result<MultiValue, Failure> {
    if args.len() != 1 {
        return Err(args.bad(1, "expected 1 argument"));
    }
    let value = args.value(1).cloned().unwrap_or_default();
    let mut writer = Writer {
        settings,
        next,
        out: Vec::new(),
        open: Vec::new(),
        used: 1,
    };
    writer.document(value)?;
    one(args.lua, args.lua.create_string(writer.out)?)
}

/// A table that is not written to its end yet.
enum Open {
    Array {
        table: Table,
        written: usize,
        len: usize,
    },
    Object {
        table: Table,
        /// The last key that is written; nil before the first.
        key: Value,
    },
}

/// The text so far.
///
/// The tables that are open lie on the heap; their nesting is bounded by the settings, and as in
/// Redis by the size of Lua's stack.
struct Writer<'a> {
    settings: &'a Settings,
    next: &'a Function,
    out: Vec<u8>,
    open: Vec<Open>,
    /// How many slots of the stack Redis's library would use.
    used: usize,
}

impl Writer<'_> {
    fn document(&mut self, value: Value) -> Result<(), Failure> {
        self.value(value)?;
        while let Some(open) = self.open.pop() {
            check_output(self.out.len())?;
            match open {
                Open::Array {
                    table,
                    written,
                    len,
                } => self.element(table, written, len)?,
                Open::Object { table, key } => self.member(table, key)?,
            }
        }
        check_output(self.out.len())
    }

    /// Goes on with an array.
    fn element(&mut self, table: Table, written: usize, len: usize) -> Result<(), Failure> {
        if written == len {
            self.out.push(b']');
            self.used -= 1;
            return Ok(());
        }
        if written > 0 {
            self.out.push(b',');
        }
        let written = written + 1;
        let value = table.raw_get(written)?;
        self.open.push(Open::Array {
            table,
            written,
            len,
        });
        self.value(value)
    }

    /// Goes on with an object.
    fn member(&mut self, table: Table, last: Value) -> Result<(), Failure> {
        let is_first = last.is_nil();
        let (key, value): (Value, Value) = self.next.call((&table, last))?;
        if key.is_nil() {
            self.out.push(b'}');
            self.used -= 2;
            return Ok(());
        }
        if !is_first {
            self.out.push(b',');
        }
        match &key {
            Value::String(key) => push_string(&mut self.out, &key.as_bytes()),
            Value::Integer(key) => self.number_key(*key as f64)?,
            Value::Number(key) => self.number_key(*key)?,
            Value::Nil
            | Value::Boolean(_)
            | Value::Table(_)
            | Value::Function(_)
            | Value::Thread(_)
            | Value::LightUserData(_)
            | Value::UserData(_)
            | Value::Error(_)
            | Value::Other(_) => {
                return Err(refused(&key, "table key must be a number or string"));
            }
        }
        self.out.push(b':');
        self.open.push(Open::Object { table, key });
        self.value(value)
    }

    /// Writes a value, or the start of it if it is a table.
    fn value(&mut self, value: Value) -> Result<(), Failure> {
        match &value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Integer(integer) => self.number(*integer as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::String(string) => push_string(&mut self.out, &string.as_bytes()),
            Value::Table(table) => self.table(table.clone())?,
            Value::LightUserData(data) if data.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            Value::Function(_)
            | Value::Thread(_)
            | Value::LightUserData(_)
            | Value::UserData(_)
            | Value::Error(_)
            | Value::Other(_) => return Err(refused(&value, "type not supported")),
        }
        Ok(())
    }

    fn number_key(&mut self, key: f64) -> Result<(), Failure> {
        self.out.push(b'"');
        self.number(key)?;
        self.out.push(b'"');
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), Failure> {
        if !number.is_finite() {
            match self.settings.encode_invalid {
                Invalid::Refused => {
                    return Err(refused(&Value::Number(number), "must not be NaN or Inf"));
                }
                Invalid::Written => {}
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
            }
        }
        push_number(&mut self.out, number, self.settings.precision as usize);
        Ok(())
    }

    /// Opens a table.
    fn table(&mut self, table: Table) -> Result<(), Failure> {
        let depth = self.open.len() + 1;
        if depth > self.settings.encode_depth_max as usize || self.used + 3 > SLOTS_MAX {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(text.into());
        }
        match self.array_len(&table)? {
            Some(len) => {
                self.out.push(b'[');
                self.used += 1;
                self.open.push(Open::Array {
                    table,
                    written: 0,
                    len,
                });
            }
            None => {
                self.out.push(b'{');
                self.used += 2;
                self.open.push(Open::Object {
                    table,
                    key: Value::Nil,
                });
            }
        }
        Ok(())
    }

    /// The greatest index of a table that has only indexes, if it is not too sparse.
    fn array_len(&self, table: &Table) -> Result<Option<usize>, Failure> {
        let (mut count, mut last, mut is_array) = (0_i32, 0_i32, true);
        table.for_each(|key: Value, _: Value| {
            if let Value::Integer(index @ 1..=INDEX_MAX) = key {
                count = count.saturating_add(1);
                last = last.max(index as i32);
            } else {
                is_array = false;
            }
            Ok(())
        })?;
        if !is_array || count == 0 {
            return Ok(None);
        }
        let sparse = &self.settings.sparse;
        // The product overflows in Redis too.
        let dense = count.wrapping_mul(sparse.ratio);
        if sparse.ratio > 0 && last > dense && last > sparse.safe {
            if !sparse.convert {
                return Err("Cannot serialise table: excessively sparse array".into());
            }
            return Ok(None);
        }
        Ok(Some(last as usize))
    }
}

/// Appends a string in quotes.
fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' | b'/' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..0x20 | 0x7f => b'u',
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        out.extend([b'\\', short]);
        if short == b'u' {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
            out.extend([b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

/// A value that cannot be written.
fn refused(value: &Value, why: &str) -> Failure {
    format!("Cannot serialise {}: {why}", type_name(value)).into()
}

/// The greatest key that counts as an index: a C `int`.
const INDEX_MAX: i64 = i32::MAX as i64;
