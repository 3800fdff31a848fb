//! The arguments of a library's function, read as Lua's auxiliary library reads them.

use super::{Failure, bad_argument, function};
use mlua::{IntoLua, Lua, LuaString, MultiValue, Table, Value};

/// How many slots of Lua's stack a function may use.
///
/// Open tables do not lie on that stack here, but each value that Rust holds takes a slot of
/// another one as large. Redis stops at 8000 (luaconf.h, `LUAI_MAXCSTACK`); the difference is
/// what mlua and the program around it need.
pub(crate) const SLOTS_MAX: usize = 7900;

/// The longest string that a function builds. Redis has no such limit, but it takes no longer
/// string from a client either, and without one a few tables that hold each other twice would
/// fill all memory.
const OUTPUT_BYTES_MAX: usize = 512 << 20;

/// Lua's words for an allocation that failed.
const NO_MEMORY: &str = "not enough memory";

/// What a function was called with. Arguments count from 1.
pub(crate) struct Args<'lua> {
    pub(crate) lua: &'lua Lua,
    values: MultiValue,
    function: &'static str,
}

impl<'lua> Args<'lua> {
    /// What `function` was called with.
    pub(crate) fn new(lua: &'lua Lua, values: MultiValue, function: &'static str) -> Self {
        Self {
            lua,
            values,
            function,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The argument, if the call has so many.
    pub(crate) fn value(&self, number: usize) -> Option<&Value> {
        self.values.get(number.checked_sub(1)?)
    }

    /// The argument, unless it is absent or nil.
    pub(crate) fn given(&self, number: usize) -> Option<&Value> {
        self.value(number).filter(|value| !value.is_nil())
    }

    /// A number, or a string that reads as one.
    pub(crate) fn number(&self, number: usize) -> Result<f64, Failure> {
        let value = self.value(number);
        match as_number(self.lua, value) {
            Some(found) => Ok(found),
            None => Err(self.wrong_type(number, "number", value)),
        }
    }

    /// As [`Self::number()`], with the fraction cut off.
    pub(crate) fn integer(&self, number: usize) -> Result<i64, Failure> {
        self.number(number).map(to_integer)
    }

    /// A string, or a number as Lua prints it.
    pub(crate) fn string(&self, number: usize) -> Result<LuaString, Failure> {
        let value = self.value(number);
        match value {
            Some(Value::String(string)) => Ok(string.clone()),
            Some(Value::Integer(_) | Value::Number(_)) => {
                let string = self.lua.coerce_string(value.cloned().unwrap_or_default())?;
                string.ok_or_else(|| self.wrong_type(number, "string", value))
            }
            Some(_) | None => Err(self.wrong_type(number, "string", value)),
        }
    }

    /// The argument is wrong for the reason `what`.
    pub(crate) fn bad(&self, number: usize, what: &str) -> Failure {
        bad_argument(number, self.function, what)
    }

    /// The argument should be of another type than `found`.
    pub(crate) fn wrong_type(&self, number: usize, want: &str, found: Option<&Value>) -> Failure {
        let found = found.map_or("no value", type_name);
        self.bad(number, &format!("{want} expected, got {found}"))
    }
}

/// Adds a function to the table of a library.
pub(crate) fn define(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    run: impl Fn(&Args<'_>) -> Result<MultiValue, Failure> + 'static,
) -> mlua::Result<()> {
    let run = function(lua, move |lua, values| run(&Args::new(lua, values, name)))?;
    table.raw_set(name, run)
}

/// A function's only result.
pub(crate) fn one(lua: &Lua, value: impl IntoLua) -> Result<MultiValue, Failure> {
    Ok(MultiValue::from_iter([value.into_lua(lua)?]))
}

/// The number that `value` is, or reads as when it is a string.
pub(crate) fn as_number(lua: &Lua, value: Option<&Value>) -> Option<f64> {
    lua.coerce_number(value?.clone()).ok().flatten()
}

/// A number cut to an integer; what does not fit is the least one, as x86-64 converts.
pub(crate) fn to_integer(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// Lua's name for the type of a value.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) | Value::Other(_) => {
            "userdata"
        }
    }
}

/// Refuses an output of `len` bytes that is too long.
pub(crate) fn check_output(len: usize) -> Result<(), Failure> {
    if len > OUTPUT_BYTES_MAX {
        return Err(Failure::Bare(NO_MEMORY.into()));
    }
    Ok(())
}

/// Fails for want of stack when `used` slots are too many, in Lua's words (`luaL_checkstack`).
pub(crate) fn check_slots(used: usize, what: &str) -> Result<(), Failure> {
    if used > SLOTS_MAX {
        return Err(format!("stack overflow ({what})").into());
    }
    Ok(())
}
