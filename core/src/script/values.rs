//! Replies as Lua's values, and Lua's values as replies.

use super::library::arguments::to_integer;
use crate::limits;
use crate::resp::{self, Proto, Reply};
use mlua::{Lua, Table, Value};

/// A reply as a script sees it, which asked for it in this protocol.
pub(super) fn read(lua: &Lua, reply: &resp::Value, proto: Proto) -> mlua::Result<Value> {
    use resp::Value as R;
    let text = |bytes: &[u8]| Ok(Value::String(lua.create_string(bytes)?));
    match reply {
        R::Int(value) => Ok(number(*value)),
        R::Bulk(bytes) => text(bytes),
        R::Simple(status) => field(lua, "ok", text(status)?),
        R::Error(error) => field(lua, "err", text(error)?),
        R::Null if proto == Proto::Resp2 => Ok(Value::Boolean(false)),
        R::Null => Ok(Value::Nil),
        R::Array(items) | R::Push(items) => {
            let list = lua.create_table_with_capacity(items.len(), 0)?;
            for (item, at) in items.iter().zip(1_i64..) {
                list.raw_set(at, read(lua, item, proto)?)?;
            }
            Ok(Value::Table(list))
        }
        R::Map(pairs) => {
            let map = lua.create_table_with_capacity(0, pairs.len())?;
            for (key, value) in pairs {
                map.raw_set(read(lua, key, proto)?, read(lua, value, proto)?)?;
            }
            field(lua, "map", Value::Table(map))
        }
        R::Set(items) => {
            let set = lua.create_table_with_capacity(0, items.len())?;
            for item in items {
                set.raw_set(read(lua, item, proto)?, true)?;
            }
            field(lua, "set", Value::Table(set))
        }
        R::Double(value) => field(lua, "double", Value::Number(*value)),
        R::Bool(value) => Ok(Value::Boolean(*value)),
        R::BigNumber(digits) => field(lua, "big_number", text(digits)?),
        R::Verbatim(format, string) => {
            let parts = lua.create_table_with_capacity(0, 2)?;
            parts.raw_set("format", lua.create_string(format)?)?;
            parts.raw_set("string", lua.create_string(string)?)?;
            field(lua, "verbatim_string", Value::Table(parts))
        }
    }
}

/// An integer, which Lua rounds to a double.
fn number(value: i64) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "all numbers are doubles in Lua 5.1"
    )]
    Value::Number(value as f64)
}

/// A table with one field.
pub(super) fn field(lua: &Lua, name: &str, value: Value) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

/// Replies with what a script returns that has chosen this protocol (script_lua.c,
/// `luaReplyToRedisReply`).
pub(super) fn write(reply: &mut Reply<'_>, value: &Value, chosen: Proto) {
    write_nested(reply, value, chosen, limits::SCRIPT_REPLY_DEPTH_MAX);
}

fn write_nested(reply: &mut Reply<'_>, value: &Value, chosen: Proto, depth: usize) {
    if depth == 0 {
        return reply.error("ERR reached lua stack limit");
    }
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Boolean(value) => match (chosen, value) {
            (Proto::Resp3, &value) => reply.bool(value),
            (Proto::Resp2, true) => reply.int(1),
            (Proto::Resp2, false) => reply.null(),
        },
        Value::Integer(value) => reply.int(*value),
        Value::Number(value) => reply.int(to_integer(*value)),
        Value::Table(table) => write_table(reply, table, chosen, depth - 1),
        Value::Nil
        | Value::LightUserData(_)
        | Value::Function(_)
        | Value::Thread(_)
        | Value::UserData(_)
        | Value::Error(_)
        | Value::Other(_) => reply.null(),
    }
}

fn write_table(reply: &mut Reply<'_>, table: &Table, chosen: Proto, depth: usize) {
    if let Some(text) = string(table, "err") {
        return reply.error_bytes(&text);
    }
    if let Some(text) = string(table, "ok") {
        return reply.simple(&String::from_utf8_lossy(&one_line(&text)));
    }
    if let Some(value) = number_of(&raw(table, "double")) {
        return reply.double(value);
    }
    if let Value::Table(map) = raw(table, "map") {
        return write_map(reply, &map, chosen, depth);
    }
    if let Value::Table(set) = raw(table, "set") {
        reply.set(pairs(&set).count());
        for (member, _) in pairs(&set) {
            write_nested(reply, &member, chosen, depth);
        }
        return;
    }
    if let Some(digits) = string(table, "big_number") {
        return reply.bignum(&one_line(&digits));
    }
    if let Value::Table(parts) = raw(table, "verbatim_string")
        && let (Some(text), Some(format)) = (string(&parts, "string"), string(&parts, "format"))
    {
        let mut name = *b"   ";
        for (place, &letter) in name.iter_mut().zip(&format) {
            *place = letter;
        }
        return reply.verbatim(name, &text);
    }
    write_list(reply, table, chosen, depth);
}

/// The elements from 1 up to the first that is nil.
fn write_list(reply: &mut Reply<'_>, table: &Table, chosen: Proto, depth: usize) {
    let later = reply.array_later();
    let mut len = 0;
    for at in 1_i64.. {
        let element: Value = table.raw_get(at).unwrap_or_default();
        if element.is_nil() {
            break;
        }
        len += 1;
        write_nested(reply, &element, chosen, depth);
    }
    reply.set_len(later, len);
}

fn write_map(reply: &mut Reply<'_>, map: &Table, chosen: Proto, depth: usize) {
    reply.map(pairs(map).count());
    for (key, value) in pairs(map) {
        write_nested(reply, &key, chosen, depth);
        write_nested(reply, &value, chosen, depth);
    }
}

/// One entry after the other: Rust holds few values of Lua's at a time.
fn pairs(table: &Table) -> impl Iterator<Item = (Value, Value)> {
    table.pairs::<Value, Value>().flatten()
}

fn raw(table: &Table, name: &str) -> Value {
    table.raw_get(name).unwrap_or_default()
}

fn number_of(value: &Value) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "it was a double before it was seen as an integer"
    )]
    let whole = value.as_integer().map(|value| value as f64);
    whole.or_else(|| value.as_number())
}

/// A field that is a string, and no number.
pub(super) fn string(table: &Table, name: &str) -> Option<Vec<u8>> {
    let value = raw(table, name);
    Some(value.as_string()?.as_bytes().to_vec())
}

/// A text whose line ends are spaces.
fn one_line(text: &[u8]) -> Vec<u8> {
    let space = |&byte: &u8| match byte {
        b'\r' | b'\n' => b' ',
        byte => byte,
    };
    text.iter().map(space).collect()
}
