//! The `cmsgpack` library: values in the MessagePack format.
//!
//! Of the format's types only those are known that Lua has values for: neither binary strings nor
//! extensions. A 64-bit integer is read as a signed one even where it is not, as in Redis.

use super::Failure;
use super::arguments::{Args, check_output, check_slots, define, one};
use mlua::{Lua, MultiValue, Table, Value};

/// The library with its functions not wrapped yet.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    define(lua, &table, "pack", pack)?;
    define(lua, &table, "unpack", |args| {
        let read = Read {
            limit: 0,
            offset: 0,
        };
        unpack(args, read, args.len())
    })?;
    define(lua, &table, "unpack_one", |args| {
        let offset = offset(args, 2)?;
        unpack(args, Read { limit: 1, offset }, 1)
    })?;
    define(lua, &table, "unpack_limit", |args| {
        let limit = args.integer(2)?;
        let offset = offset(args, 3)?;
        unpack(args, Read { limit, offset }, 1)
    })?;
    Ok(table)
}

/// What of the input to unpack: all if both numbers are zero.
struct Read {
    /// How many values.
    limit: i64,
    /// From which byte on.
    offset: i64,
}

fn offset(args: &Args<'_>, number: usize) -> Result<i64, Failure> {
    match args.given(number) {
        Some(_) => args.integer(number),
        None => Ok(0),
    }
}

fn pack(args: &Args<'_>) -> Result<MultiValue, Failure> {
    if args.len() == 0 {
        return Err(args.bad(0, "MessagePack pack needs input."));
    }
    if args.len() > ARGUMENTS_MAX {
        return Err(args.bad(0, "Too many arguments for MessagePack pack."));
    }
    let mut out = Vec::new();
    for number in 1..=args.len() {
        push_value(&mut out, args.value(number).unwrap_or(&Value::Nil), 0)?;
    }
    one(args.lua, args.lua.create_string(out)?)
}

/// Appends a value that lies in `depth` tables. Deeper tables than [`DEPTH_MAX`] become nil.
fn push_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), Failure> {
    match value {
        Value::String(string) => {
            let bytes = string.as_bytes();
            push_len(out, bytes.len(), &STRING);
            out.extend_from_slice(&bytes);
        }
        Value::Boolean(false) => out.push(0xc2),
        Value::Boolean(true) => out.push(0xc3),
        Value::Integer(integer) => push_number(out, *integer as f64),
        Value::Number(number) => push_number(out, *number),
        Value::Table(table) if depth < DEPTH_MAX => push_table(out, table, depth)?,
        Value::Nil
        | Value::Table(_)
        | Value::Function(_)
        | Value::Thread(_)
        | Value::LightUserData(_)
        | Value::UserData(_)
        | Value::Error(_)
        | Value::Other(_) => out.push(0xc0),
    }
    check_output(out.len())
}

/// Appends a number in the shortest form that keeps its value.
fn push_number(out: &mut Vec<u8>, number: f64) {
    let integer = number as i64;
    // The conversion is not exact the other way round for 2^63, to which i64::MAX rounds.
    if integer as f64 == number && integer != i64::MAX {
        push_integer(out, integer);
    } else if f64::from(number as f32) == number {
        out.push(0xca);
        out.extend_from_slice(&(number as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn push_integer(out: &mut Vec<u8>, integer: i64) {
    // How many of the low bytes are kept, and the code that says so; none for the number itself.
    let (code, kept) = match integer {
        -0x20..=0x7f => (None, 1),
        0x80..=0xff => (Some(0xcc), 1),
        0x100..=0xffff => (Some(0xcd), 2),
        0x1_0000..=0xffff_ffff => (Some(0xce), 4),
        0x1_0000_0000.. => (Some(0xcf), 8),
        -0x80..-0x20 => (Some(0xd0), 1),
        -0x8000..-0x80 => (Some(0xd1), 2),
        -0x8000_0000..-0x8000 => (Some(0xd2), 4),
        ..-0x8000_0000 => (Some(0xd3), 8),
    };
    out.extend(code);
    out.extend_from_slice(&integer.to_be_bytes()[8 - kept..]);
}

/// Appends a table: as an array if its keys are 1 to n, else as a map.
fn push_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> Result<(), Failure> {
    let (mut count, mut last, mut is_array) = (0_usize, 0_i64, true);
    table.for_each(|key: Value, _: Value| {
        count += 1;
        // An integer that is too large for an `i64` is no index either.
        if let Value::Integer(index @ 1..) = key {
            last = last.max(index);
        } else {
            is_array = false;
        }
        Ok(())
    })?;
    if is_array && last == count as i64 {
        push_len(out, count, &ARRAY);
        for index in 1..=count {
            push_value(out, &table.raw_get(index)?, depth + 1)?;
        }
        return Ok(());
    }
    push_len(out, count, &MAP);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        push_value(out, &key, depth + 1)?;
        push_value(out, &value, depth + 1)?;
    }
    Ok(())
}

/// How the lengths of one type are written.
struct Lengths {
    /// The code of length zero; those up to `short_max` are added to it.
    short: u8,
    short_max: u8,
    /// The code before a length of one byte, for types that have it.
    one: Option<u8>,
    two: u8,
    four: u8,
}

const STRING: Lengths = Lengths {
    short: 0xa0,
    short_max: 31,
    one: Some(0xd9),
    two: 0xda,
    four: 0xdb,
};

const ARRAY: Lengths = Lengths {
    short: 0x90,
    short_max: 15,
    one: None,
    two: 0xdc,
    four: 0xdd,
};

const MAP: Lengths = Lengths {
    short: 0x80,
    short_max: 15,
    one: None,
    two: 0xde,
    four: 0xdf,
};

fn push_len(out: &mut Vec<u8>, len: usize, lengths: &Lengths) {
    match (len, lengths.one) {
        (0..=31, _) if len <= usize::from(lengths.short_max) => out.push(lengths.short + len as u8),
        (0..=0xff, Some(code)) => out.extend([code, len as u8]),
        (0..=0xffff, _) => {
            out.push(lengths.two);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            // Longer ones than the format has end at the limit for all output.
            out.push(lengths.four);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

/// Unpacks what was asked for, with `used` slots of the stack taken.
///
/// Unless all was asked for, the place to go on at comes first, or -1 behind the end.
fn unpack(args: &Args<'_>, read: Read, used: usize) -> Result<MultiValue, Failure> {
    let input = args.string(1)?;
    let input = input.as_bytes();
    let Read { limit, offset } = read;
    // These are printed as C's `int`, and the limit is not what was asked for: both as in Redis.
    let (printed, len) = (offset as i32, input.len() as i32);
    if limit < 0 || offset < 0 {
        let text =
            format!("Invalid request to unpack with offset of {printed} and limit of {len}.");
        return Err(text.into());
    }
    let Some(rest) = usize::try_from(offset)
        .ok()
        .and_then(|offset| input.get(offset..))
    else {
        let text = format!("Start offset {printed} greater than input length {len}.");
        return Err(text.into());
    };
    let all = limit == 0 && offset == 0;
    let mut reader = Reader {
        lua: args.lua,
        rest,
        used,
    };
    let mut results = MultiValue::new();
    while !reader.rest.is_empty() && (all || (results.len() as i64) < limit) {
        results.push_back(reader.value()?);
        reader.used += 1;
    }
    if !all {
        check_slots(reader.used + 1, "in function mp_unpack_full")?;
        let next = match reader.rest.len() {
            0 => -1.0,
            left => (input.len() - left) as f64,
        };
        results.push_front(Value::Number(next));
    }
    Ok(results)
}

/// A container whose elements are not all read yet.
enum Open {
    Array {
        table: Table,
        filled: usize,
        len: usize,
    },
    Map {
        table: Table,
        left: usize,
        key: Option<Value>,
    },
}

impl Open {
    /// How many slots of the stack Redis's library uses for it.
    fn slots(&self) -> usize {
        match self {
            Self::Array { .. } => 2,
            Self::Map { key, .. } => 1 + usize::from(key.is_some()),
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Array { filled, len, .. } => filled == len,
            Self::Map { left, .. } => *left == 0,
        }
    }

    fn into_table(self) -> Table {
        match self {
            Self::Array { table, .. } | Self::Map { table, .. } => table,
        }
    }

    /// Takes the next element.
    fn take(&mut self, value: Value) -> Result<(), Failure> {
        match self {
            Self::Array { table, filled, .. } => {
                *filled += 1;
                table.raw_set(*filled, value)?;
            }
            Self::Map { table, left, key } => match key.take() {
                None => *key = Some(value),
                Some(Value::Nil) => return Err(Failure::Bare("table index is nil".into())),
                Some(Value::Number(number)) if number.is_nan() => {
                    return Err(Failure::Bare("table index is NaN".into()));
                }
                Some(key) => {
                    *left -= 1;
                    table.raw_set(key, value)?;
                }
            },
        }
        Ok(())
    }
}

/// The input, and how much of the stack Redis's library would use.
///
/// The containers that are open lie on the heap. Their nesting is bounded as in Redis, by
/// [`check_slots()`], and a container takes memory only for the elements that are there, however
/// many its length announces.
struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    used: usize,
}

impl<'a> Reader<'a> {
    /// The next value, with all that lies in it.
    fn value(&mut self) -> Result<Value, Failure> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            check_slots(self.used + 1, TOO_MANY)?;
            let mut value = match self.head()? {
                Head::Value(value) => Some(value),
                Head::Container(container) => {
                    check_slots(self.used + container.slots(), IN_ARRAY)?;
                    self.used += container.slots();
                    open.push(container);
                    None
                }
            };
            // The value goes into the innermost container, and that into the next if it is full.
            while let Some(mut inner) = open.pop() {
                self.used -= inner.slots();
                if let Some(value) = value.take() {
                    inner.take(value)?;
                }
                if inner.is_full() {
                    value = Some(Value::Table(inner.into_table()));
                } else {
                    self.used += inner.slots();
                    open.push(inner);
                    break;
                }
            }
            if let (Some(value), true) = (value, open.is_empty()) {
                return Ok(value);
            }
        }
    }

    /// Reads up to where the elements of a container start.
    fn head(&mut self) -> Result<Head, Failure> {
        let code = self.byte()?;
        let value = match code {
            0x00..=0x7f => Value::Number(f64::from(code)),
            0xe0..=0xff => Value::Number(f64::from(code.cast_signed())),
            0x80..=0x8f => return self.map(usize::from(code & 0x0f)),
            0x90..=0x9f => return self.array(usize::from(code & 0x0f)),
            0xa0..=0xbf => self.string(usize::from(code & 0x1f))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f64::from(f32::from_be_bytes(self.array_of()?))),
            0xcb => Value::Number(f64::from_be_bytes(self.array_of()?)),
            0xcc => Value::Number(f64::from(self.byte()?)),
            0xcd => Value::Number(f64::from(self.two()?)),
            0xce => Value::Number(f64::from(self.four()?)),
            0xcf | 0xd3 => Value::Number(i64::from_be_bytes(self.array_of()?) as f64),
            0xd0 => Value::Number(f64::from(self.byte()?.cast_signed())),
            0xd1 => Value::Number(f64::from(self.two()?.cast_signed())),
            0xd2 => Value::Number(f64::from(self.four()?.cast_signed())),
            0xd9 => {
                let len = usize::from(self.byte()?);
                self.string(len)?
            }
            0xda => {
                let len = usize::from(self.two()?);
                self.string(len)?
            }
            0xdb => {
                let len = self.four()? as usize;
                self.string(len)?
            }
            0xdc => {
                let len = usize::from(self.two()?);
                return self.array(len);
            }
            0xdd => {
                let len = self.four()? as usize;
                return self.array(len);
            }
            0xde => {
                let len = usize::from(self.two()?);
                return self.map(len);
            }
            0xdf => {
                let len = self.four()? as usize;
                return self.map(len);
            }
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err("Bad data format in input.".into()),
        };
        Ok(Head::Value(value))
    }

    fn array(&self, len: usize) -> Result<Head, Failure> {
        Ok(Head::Container(Open::Array {
            table: self.lua.create_table()?,
            filled: 0,
            len,
        }))
    }

    fn map(&self, len: usize) -> Result<Head, Failure> {
        Ok(Head::Container(Open::Map {
            table: self.lua.create_table()?,
            left: len,
            key: None,
        }))
    }

    fn string(&mut self, len: usize) -> Result<Value, Failure> {
        let bytes = self.take(len)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn byte(&mut self) -> Result<u8, Failure> {
        Ok(u8::from_be_bytes(self.array_of()?))
    }

    fn two(&mut self) -> Result<u16, Failure> {
        Ok(u16::from_be_bytes(self.array_of()?))
    }

    fn four(&mut self) -> Result<u32, Failure> {
        Ok(u32::from_be_bytes(self.array_of()?))
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(MISSING)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Failure> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(MISSING)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// The start of a value.
enum Head {
    Value(Value),
    Container(Open),
}

/// How many values are packed at once.
const ARGUMENTS_MAX: usize = 4000;

/// How many tables pack into each other.
const DEPTH_MAX: usize = 16;

const MISSING: &str = "Missing bytes in input.";
const IN_ARRAY: &str = "in function mp_decode_to_lua_array";
const TOO_MANY: &str = "too many return values at once; use unpack_one or unpack_limit instead.";

#[cfg(test)]
mod tests;
