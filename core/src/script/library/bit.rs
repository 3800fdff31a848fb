//! The `bit` library: operations on 32-bit integers.

use super::Failure;
use super::arguments::{Args, define, one};
use mlua::{Lua, MultiValue, Table};

/// The library with its functions not wrapped yet.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    define(lua, &table, "tobit", |args| {
        reply(args.lua, integer(args, 1)?)
    })?;
    define(lua, &table, "bnot", |args| {
        reply(args.lua, !integer(args, 1)?)
    })?;
    define(lua, &table, "bswap", |args| {
        reply(args.lua, integer(args, 1)?.swap_bytes())
    })?;
    define(lua, &table, "tohex", tohex)?;
    fold(lua, &table, "band", |a, b| a & b)?;
    fold(lua, &table, "bor", |a, b| a | b)?;
    fold(lua, &table, "bxor", |a, b| a ^ b)?;
    shift(lua, &table, "lshift", u32::wrapping_shl)?;
    shift(lua, &table, "rshift", u32::wrapping_shr)?;
    shift(lua, &table, "arshift", |bits, count| {
        bits.cast_signed().wrapping_shr(count).cast_unsigned()
    })?;
    shift(lua, &table, "rol", |bits, count| {
        bits.rotate_left(count % 32)
    })?;
    shift(lua, &table, "ror", |bits, count| {
        bits.rotate_right(count % 32)
    })?;
    Ok(table)
}

/// Adds a function that joins all its arguments.
fn fold(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    join: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    define(lua, table, name, move |args| {
        let mut bits = integer(args, 1)?;
        // The first is read first, then the others from the last: it shows in which of several
        // bad arguments is reported.
        for number in (2..=args.len()).rev() {
            bits = join(bits, integer(args, number)?);
        }
        reply(args.lua, bits)
    })
}

/// Adds a function that moves bits by a count, of which it takes the low five bits.
fn shift(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    by: fn(u32, u32) -> u32,
) -> mlua::Result<()> {
    define(lua, table, name, move |args| {
        let bits = integer(args, 1)?;
        reply(args.lua, by(bits, integer(args, 2)?))
    })
}

/// The last digits of a number, eight unless told; in capitals when that count is negative.
fn tohex(args: &Args<'_>) -> Result<MultiValue, Failure> {
    let bits = integer(args, 1)?;
    let count = match args.value(2) {
        Some(_) => integer(args, 2)?.cast_signed(),
        None => 8,
    };
    let digits = if count < 0 {
        format!("{bits:08X}")
    } else {
        format!("{bits:08x}")
    };
    let skipped = 8 - count.unsigned_abs().min(8) as usize;
    one(args.lua, &digits[skipped..])
}

/// The argument modulo 2^32, rounded to even.
///
/// Adding 2^52 + 2^51 moves the integer part to the low end of the mantissa. Beyond the range in
/// which that is exact the result has no meaning, but scripts see the same one as in Redis.
fn integer(args: &Args<'_>, number: usize) -> Result<u32, Failure> {
    const SHIFTER: f64 = 6_755_399_441_055_744.0;
    Ok((args.number(number)? + SHIFTER).to_bits() as u32)
}

/// The bits as a signed number.
fn reply(lua: &Lua, bits: u32) -> Result<MultiValue, Failure> {
    one(lua, f64::from(bits.cast_signed()))
}

#[cfg(test)]
mod tests;
