//! The `cjson` library: values as JSON text.

mod decode;
mod encode;
mod number;
#[cfg(test)]
mod tests;

use super::Failure;
use super::arguments::{Args, define, one};
use mlua::{Function, Lua, MultiValue, Table, Value};
use std::cell::Cell;
use std::rc::Rc;

/// The library. `new` answers another such table, with settings of its own.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    instance(lua, &lua.globals().raw_get("next")?)
}

/// A table of the library's functions around settings of their own. `next` is Lua's, which
/// scripts may have hidden by the time they call `new`.
fn instance(lua: &Lua, next: &Function) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    table.raw_set("null", Value::NULL)?;
    let settings = Rc::new(Cell::new(Settings::default()));
    let configure = |name, run: Configure| {
        let settings = settings.clone();
        define(lua, &table, name, move |args| {
            let mut changed = settings.get();
            let result = run(args, &mut changed);
            settings.set(changed);
            result
        })
    };
    configure("encode_max_depth", |args, settings| {
        check_count(args, 1)?;
        integer(args, 1, 1..=i32::MAX, &mut settings.encode_depth_max)
    })?;
    configure("decode_max_depth", |args, settings| {
        check_count(args, 1)?;
        integer(args, 1, 1..=i32::MAX, &mut settings.decode_depth_max)
    })?;
    configure("encode_number_precision", |args, settings| {
        check_count(args, 1)?;
        integer(args, 1, 1..=14, &mut settings.precision)
    })?;
    configure("encode_keep_buffer", |args, settings| {
        check_count(args, 1)?;
        flag(args, &mut settings.keep_buffer)
    })?;
    configure("encode_invalid_numbers", encode_invalid_numbers)?;
    configure("decode_invalid_numbers", |args, settings| {
        check_count(args, 1)?;
        flag(args, &mut settings.decode_invalid)
    })?;
    configure("encode_sparse_array", encode_sparse_array)?;
    let (shared, step) = (settings.clone(), next.clone());
    define(lua, &table, "encode", move |args| {
        encode::encode(args, &shared.get(), &step)
    })?;
    define(lua, &table, "decode", move |args| {
        decode::decode(args, &settings.get())
    })?;
    let next = next.clone();
    define(lua, &table, "new", move |args| {
        one(args.lua, instance(args.lua, &next)?)
    })?;
    Ok(table)
}

/// A function that reads and changes a setting; what it changed before it failed stays.
type Configure = fn(&Args<'_>, &mut Settings) -> Result<MultiValue, Failure>;

/// What scripts can choose.
#[derive(Clone, Copy)]
struct Settings {
    encode_depth_max: i32,
    decode_depth_max: i32,
    /// How many significant digits numbers are written with.
    precision: i32,
    sparse: Sparse,
    encode_invalid: Invalid,
    /// Whether numbers are read that are not JSON's.
    decode_invalid: bool,
    /// Kept only to be asked for: there is no buffer to keep.
    keep_buffer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            encode_depth_max: 1000,
            decode_depth_max: 1000,
            precision: 14,
            sparse: Sparse {
                convert: false,
                ratio: 2,
                safe: 10,
            },
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
            keep_buffer: true,
        }
    }
}

/// Which arrays are too sparse: those longer than `safe` and than `ratio` times their elements.
#[derive(Clone, Copy)]
struct Sparse {
    /// Whether they become objects instead of an error.
    convert: bool,
    /// Zero if none is too sparse.
    ratio: i32,
    safe: i32,
}

/// What becomes of NaN and the infinities.
#[derive(Clone, Copy)]
enum Invalid {
    Refused,
    Written,
    Null,
}

fn encode_invalid_numbers(args: &Args<'_>, settings: &mut Settings) -> Result<MultiValue, Failure> {
    check_count(args, 1)?;
    if args.given(1).is_some() {
        settings.encode_invalid = match option(args, &["off", "on", "null"])? {
            0 => Invalid::Refused,
            1 => Invalid::Written,
            _ => Invalid::Null,
        };
    }
    match settings.encode_invalid {
        Invalid::Refused => one(args.lua, false),
        Invalid::Written => one(args.lua, true),
        Invalid::Null => one(args.lua, "null"),
    }
}

/// Each of the three settings is changed before the next one is looked at.
fn encode_sparse_array(args: &Args<'_>, settings: &mut Settings) -> Result<MultiValue, Failure> {
    check_count(args, 3)?;
    let Sparse {
        convert,
        ratio,
        safe,
    } = &mut settings.sparse;
    let mut results = flag(args, convert)?;
    results.extend(integer(args, 2, 0..=i32::MAX, ratio)?);
    results.extend(integer(args, 3, 0..=i32::MAX, safe)?);
    Ok(results)
}

/// Refuses more than `most` arguments.
fn check_count(args: &Args<'_>, most: usize) -> Result<(), Failure> {
    if args.len() > most {
        return Err(args.bad(most + 1, "found too many arguments"));
    }
    Ok(())
}

/// Sets a number if the argument is given, and answers it.
fn integer(
    args: &Args<'_>,
    number: usize,
    range: std::ops::RangeInclusive<i32>,
    setting: &mut i32,
) -> Result<MultiValue, Failure> {
    if args.given(number).is_some() {
        // Cut to C's `int` before it is looked at.
        let value = args.integer(number)? as i32;
        if !range.contains(&value) {
            let (low, high) = range.into_inner();
            // The first argument is named whichever it is.
            return Err(args.bad(1, &format!("expected integer between {low} and {high}")));
        }
        *setting = value;
    }
    one(args.lua, f64::from(*setting))
}

/// Sets a flag if the first argument is given, and answers it.
fn flag(args: &Args<'_>, setting: &mut bool) -> Result<MultiValue, Failure> {
    if args.given(1).is_some() {
        *setting = option(args, &["off", "on"])? == 1;
    }
    one(args.lua, *setting)
}

/// Which of `names` the first argument is; false stands for the first, true for the second.
fn option(args: &Args<'_>, names: &[&str]) -> Result<usize, Failure> {
    if let Some(Value::Boolean(on)) = args.value(1) {
        return Ok(usize::from(*on));
    }
    let string = args.string(1)?;
    let bytes = string.as_bytes();
    let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
    let found = String::from_utf8_lossy(&bytes[..end]);
    let index = names.iter().position(|name| found == **name);
    index.ok_or_else(|| args.bad(1, &format!("invalid option '{found}'")))
}
