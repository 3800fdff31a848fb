//! The libraries that Redis gives to scripts beside Lua's own.

pub(crate) mod arguments;
pub(crate) mod bit;
pub(crate) mod cjson;
pub(crate) mod cmsgpack;
pub(crate) mod structs;
#[cfg(test)]
pub(crate) mod testing;

use core::fmt;
use mlua::{Function, Lua, MultiValue};
use std::borrow::Cow;

/// Why a function of a library fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The script's mistake: the message gets the place of the call, as Lua's own do.
    Placed(Cow<'static, str>),
    /// The message stands alone.
    Bare(Cow<'static, str>),
}

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self::Placed(Cow::Borrowed(text))
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Placed(Cow::Owned(text))
    }
}

impl From<mlua::Error> for Failure {
    /// What Lua itself reports: it has no memory left.
    fn from(error: mlua::Error) -> Self {
        Self::Placed(Cow::Owned(error.to_string()))
    }
}

/// A mistake in an argument, counted from 1, in Lua's words (lauxlib.c, `luaL_argerror`).
pub(crate) fn bad_argument(number: usize, function: &str, what: &str) -> Failure {
    format!("bad argument #{number} to '{function}' ({what})").into()
}

/// A function of a library.
pub(crate) fn function(
    lua: &Lua,
    run: impl Fn(&Lua, MultiValue) -> Result<MultiValue, Failure> + 'static,
) -> mlua::Result<Function> {
    lua.create_function(move |lua, args: MultiValue| answer(lua, run(lua, args)))
}

/// Raises what has failed.
pub(crate) fn answer(lua: &Lua, outcome: Result<MultiValue, Failure>) -> mlua::Result<MultiValue> {
    outcome.map_err(|failure| {
        Raised::Text(match failure {
            Failure::Placed(text) => place(lua) + &text,
            Failure::Bare(text) => text.into_owned(),
        })
        .into()
    })
}

/// An error that a function of ours raises. On its way through Lua it is an object of its own kind;
/// who catches it is shown a string or a table.
#[derive(Debug)]
pub(crate) enum Raised {
    /// A string.
    Text(String),
    /// A table with an error as commands have it.
    Reply(ErrorReply),
}

/// An error as commands have it.
#[derive(Clone, Debug)]
pub(crate) struct ErrorReply {
    /// Without its dash.
    pub(crate) text: Vec<u8>,
    /// Statistics have it already: a command has failed.
    pub(crate) counted: bool,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Reply(error) => f.write_str(&String::from_utf8_lossy(&error.text)),
        }
    }
}

impl core::error::Error for Raised {}

impl From<Raised> for mlua::Error {
    fn from(raised: Raised) -> Self {
        Self::external(raised)
    }
}

/// All libraries, by the names scripts have for them.
pub(crate) fn tables(lua: &Lua) -> mlua::Result<mlua::Table> {
    let tables = lua.create_table()?;
    tables.set("bit", bit::table(lua)?)?;
    tables.set("cjson", cjson::table(lua)?)?;
    tables.set("cmsgpack", cmsgpack::table(lua)?)?;
    tables.set("struct", structs::table(lua)?)?;
    Ok(tables)
}

/// Where in the script the running function was called.
fn place(lua: &Lua) -> String {
    const CALLER: usize = 1;
    let place = lua.inspect_stack(CALLER, |frame| {
        let source = frame.source();
        let line = frame.current_line()?;
        Some(format!("{}:{line}: ", source.short_src?))
    });
    place.flatten().unwrap_or_default()
}
