//! The `struct` library: values in the layout of C structures.
//!
//! A format is read option by option. `<`, `>` and `!` set the byte order and the alignment for
//! the options behind them; a format ends, as a C string, at its first zero byte.

use super::Failure;
use super::arguments::{Args, as_number, check_output, check_slots, define, one, to_integer};
use mlua::{Lua, LuaString, MultiValue, Table, Value};

/// The library with its functions not wrapped yet.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    define(lua, &table, "pack", pack)?;
    define(lua, &table, "unpack", unpack)?;
    define(lua, &table, "size", size)?;
    Ok(table)
}

/// One option of a format, with the layout that is in force for it.
struct Field {
    option: u8,
    size: usize,
    /// How many bytes come before it, so that it lies on a multiple of its size.
    padding: usize,
    big_endian: bool,
}

/// The options of a format, and where they lie.
struct Layout<'a> {
    rest: &'a [u8],
    big_endian: bool,
    align: usize,
}

impl<'a> Layout<'a> {
    fn new(format: &'a [u8]) -> Self {
        let end = memchr::memchr(0, format).unwrap_or(format.len());
        Self {
            rest: &format[..end],
            big_endian: false,
            align: 1,
        }
    }

    /// The next option, which would start at `at` but for its alignment.
    fn next(&mut self, at: usize) -> Result<Option<Field>, Failure> {
        let Some((&option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.digits()?.unwrap_or(1),
            b'i' | b'I' => self.digits()?.unwrap_or(4),
            _ => 0,
        };
        if matches!(option, b'i' | b'I') && size > INTEGER_BYTES_MAX {
            let text = format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
            return Err(text.into());
        }
        let padding = match size.min(self.align) {
            0 => 0,
            _ if option == b'c' => 0,
            // For sizes that are no power of two this is not a multiple, but what Redis does.
            unit => unit.wrapping_sub(at & (unit - 1)) & (unit - 1),
        };
        Ok(Some(Field {
            option,
            size,
            padding,
            big_endian: self.big_endian,
        }))
    }

    /// Obeys an option that stands for no value; `None` if there is no such option.
    fn control(&mut self, option: u8) -> Result<Option<()>, Failure> {
        match option {
            b' ' => {}
            b'<' => self.big_endian = false,
            b'>' => self.big_endian = true,
            b'!' => {
                self.align = self.digits()?.unwrap_or(ALIGN_NATIVE);
                if !self.align.is_power_of_two() {
                    let text = format!("alignment {} is not a power of 2", self.align);
                    return Err(text.into());
                }
            }
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// The number behind an option.
    fn digits(&mut self) -> Result<Option<usize>, Failure> {
        let mut number = None;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            self.rest = rest;
            let next = number.unwrap_or(0) * 10 + usize::from(digit - b'0');
            if next > NUMBER_MAX {
                return Err("integral size overflow".into());
            }
            number = Some(next);
        }
        Ok(number)
    }
}

fn pack(args: &Args<'_>) -> Result<MultiValue, Failure> {
    let format = args.string(1)?;
    let format = format.as_bytes();
    let mut layout = Layout::new(&format);
    let mut out = Vec::new();
    let mut number = 1;
    while let Some(field) = layout.next(out.len())? {
        out.resize(out.len() + field.padding, 0);
        match field.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                number += 1;
                push_integer(&mut out, &field, to_bits(pack_number(args, number)?));
            }
            b'x' => out.push(0),
            b'f' => {
                number += 1;
                let bytes = (pack_number(args, number)? as f32).to_le_bytes();
                push_ordered(&mut out, &field, &bytes);
            }
            b'd' => {
                number += 1;
                let bytes = pack_number(args, number)?.to_le_bytes();
                push_ordered(&mut out, &field, &bytes);
            }
            b'c' | b's' => {
                number += 1;
                let string = pack_string(args, number)?;
                let string = string.as_bytes();
                let len = match field.size {
                    0 => string.len(),
                    size => size,
                };
                let taken = string
                    .get(..len)
                    // The wrong number is Redis's.
                    .ok_or_else(|| args.bad(number + 1, "string too short"))?;
                out.extend_from_slice(taken);
                if field.option == b's' {
                    out.push(0);
                }
            }
            option => obey(args, &mut layout, option)?,
        }
        check_output(out.len())?;
    }
    one(args.lua, args.lua.create_string(out)?)
}

fn unpack(args: &Args<'_>) -> Result<MultiValue, Failure> {
    let format = args.string(1)?;
    let data = args.string(2)?;
    let start = match args.given(3) {
        Some(_) => args.integer(3)?,
        None => 1,
    };
    if start == 0 {
        return Err(args.bad(3, "offset must be 1 or greater"));
    }
    let (format, data) = (format.as_bytes(), data.as_bytes());
    let mut layout = Layout::new(&format);
    // A negative start is one far behind the data.
    let mut at = start.wrapping_sub(1).cast_unsigned() as usize;
    let mut results = MultiValue::new();
    while let Some(field) = layout.next(at)? {
        at = at.wrapping_add(field.padding);
        let bytes = take(args, &data, at, field.size)?;
        check_slots(args.len() + results.len() + 2, "too many results")?;
        let mut len = field.size;
        let value = match field.option {
            b'b' | b'h' | b'l' | b'i' => Value::Number(read_integer(&field, bytes) as f64),
            b'B' | b'H' | b'L' | b'T' | b'I' => {
                Value::Number(read_integer(&field, bytes).cast_unsigned() as f64)
            }
            b'f' => Value::Number(f64::from(f32::from_le_bytes(ordered(&field, bytes)))),
            b'd' => Value::Number(f64::from_le_bytes(ordered(&field, bytes))),
            b'c' if field.size == 0 => {
                let last = as_number(args.lua, results.back());
                let last = last.ok_or("format 'c0' needs a previous size")?;
                results.pop_back();
                len = to_bits(last) as usize;
                let bytes = take(args, &data, at, len)?;
                Value::String(args.lua.create_string(bytes)?)
            }
            b'c' => Value::String(args.lua.create_string(bytes)?),
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let end = memchr::memchr(0, rest).ok_or("unfinished string in data")?;
                len = end + 1;
                Value::String(args.lua.create_string(&rest[..end])?)
            }
            option => {
                if option != b'x' {
                    obey(args, &mut layout, option)?;
                }
                at = at.wrapping_add(len);
                continue;
            }
        };
        results.push_back(value);
        at = at.wrapping_add(len);
    }
    let next = (at as u64).wrapping_add(1).cast_signed();
    results.push_back(Value::Number(next as f64));
    Ok(results)
}

fn size(args: &Args<'_>) -> Result<MultiValue, Failure> {
    let format = args.string(1)?;
    let format = format.as_bytes();
    let mut layout = Layout::new(&format);
    let mut total = 0_usize;
    while let Some(field) = layout.next(total)? {
        total = total.wrapping_add(field.padding);
        match field.option {
            b's' => return Err(args.bad(1, "option 's' has no fixed size")),
            b'c' if field.size == 0 => {
                return Err(args.bad(1, "option 'c0' has no fixed size"));
            }
            // Letters and digits that are no option count for nothing here.
            option if option.is_ascii_alphanumeric() => {}
            option => obey(args, &mut layout, option)?,
        }
        total = total.wrapping_add(field.size);
    }
    one(args.lua, total as f64)
}

/// Obeys an option that stands for no value, or reports that there is none such.
fn obey(args: &Args<'_>, layout: &mut Layout<'_>, option: u8) -> Result<(), Failure> {
    layout.control(option)?.ok_or_else(|| {
        let option = String::from_utf8_lossy(std::slice::from_ref(&option)).into_owned();
        args.bad(1, &format!("invalid format option '{option}'"))
    })
}

/// A number to pack. One that is missing is nil, not "no value".
fn pack_number(args: &Args<'_>, number: usize) -> Result<f64, Failure> {
    match args.value(number) {
        Some(_) => args.number(number),
        None => Err(args.wrong_type(number, "number", Some(&Value::Nil))),
    }
}

/// As [`pack_number()`] for a string.
fn pack_string(args: &Args<'_>, number: usize) -> Result<LuaString, Failure> {
    match args.value(number) {
        Some(_) => args.string(number),
        None => Err(args.wrong_type(number, "string", Some(&Value::Nil))),
    }
}

/// A number as a 64-bit integer in two's complement, as x86-64 converts.
fn to_bits(number: f64) -> u64 {
    const END: f64 = 18_446_744_073_709_551_616.0;
    if number < END / 2.0 || number.is_nan() {
        to_integer(number).cast_unsigned()
    } else if number < END {
        number as u64
    } else {
        0
    }
}

/// Appends the low bytes of `bits`, and zeros for the bytes it does not have.
fn push_integer(out: &mut Vec<u8>, field: &Field, bits: u64) {
    let mut bytes = [0; INTEGER_BYTES_MAX];
    bytes[..8].copy_from_slice(&bits.to_le_bytes());
    push_ordered(out, field, &bytes[..field.size]);
}

/// Appends bytes, given with the least one first, in the order of the field.
fn push_ordered(out: &mut Vec<u8>, field: &Field, bytes: &[u8]) {
    let start = out.len();
    out.extend_from_slice(bytes);
    if field.big_endian {
        out[start..].reverse();
    }
}

/// The integer in the eight lowest of `bytes`, with its sign carried on if its type has one.
fn read_integer(field: &Field, bytes: &[u8]) -> i64 {
    let mut low = [0; 8];
    for (place, &byte) in low.iter_mut().zip(little_endian(field, bytes)) {
        *place = byte;
    }
    let mut bits = u64::from_le_bytes(low);
    // Of a field wider than eight bytes Redis takes the sign from another bit than the last.
    let sign = u64::MAX << ((8 * bytes.len()).wrapping_sub(1) % 64);
    if field.option.is_ascii_lowercase() && bits & sign != 0 {
        bits |= sign;
    }
    bits.cast_signed()
}

/// Exactly `N` bytes of a field of that size, the least one first.
fn ordered<const N: usize>(field: &Field, bytes: &[u8]) -> [u8; N] {
    let mut found = [0; N];
    for (place, &byte) in found.iter_mut().zip(little_endian(field, bytes)) {
        *place = byte;
    }
    found
}

/// The bytes of a field, the least one first.
fn little_endian<'a>(field: &Field, bytes: &'a [u8]) -> impl Iterator<Item = &'a u8> {
    let len = bytes.len();
    let big_endian = field.big_endian;
    (0..len).map(move |at| &bytes[if big_endian { len - 1 - at } else { at }])
}

/// The `len` bytes of `data` from `at` on.
fn take<'a>(args: &Args<'_>, data: &'a [u8], at: usize, len: usize) -> Result<&'a [u8], Failure> {
    let end = at.checked_add(len);
    end.and_then(|end| data.get(at..end))
        .ok_or_else(|| args.bad(2, "data string too short"))
}

/// The alignment of `!` alone: that of a double.
const ALIGN_NATIVE: usize = 8;

/// The widest integer.
const INTEGER_BYTES_MAX: usize = 32;

/// The largest number behind an option: that of a C `int`.
const NUMBER_MAX: usize = i32::MAX as usize;

#[cfg(test)]
mod tests;
