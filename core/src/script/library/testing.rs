//! What the tests of the libraries share.

use super::tables;
use crate::script::api::shown;
use mlua::{Lua, Table};

/// Functions of the scripts in the tests: one that catches, and one that shows values as text.
const PRELUDE: &str = r#"
local shown, native = ..., pcall
local function caught(ok, ...)
    if ok then return ok, ... end
    return ok, shown(...)
end
function pcall(...) return caught(native(...)) end
local function escape(c) return string.format('\\x%02x', c:byte()) end
local function show(value)
    local kind = type(value)
    if kind == 'string' then return '"' .. value:gsub('[^%w %p]', escape) .. '"' end
    if kind == 'number' then
        if value == 0 and 1 / value < 0 then return '-0' end
        return string.format('%.17g', value)
    end
    if value == cjson.null then return 'null' end
    if kind ~= 'table' then return kind == 'function' and kind or tostring(value) end
    local items, others, len = {}, {}, #value
    for i = 1, len do items[i] = show(value[i]) end
    for k, v in pairs(value) do
        if not (type(k) == 'number' and k >= 1 and k <= len and k % 1 == 0) then
            others[#others + 1] = show(k) .. '=' .. show(v)
        end
    end
    table.sort(others)
    for _, other in ipairs(others) do items[#items + 1] = other end
    return '{' .. table.concat(items, ',') .. '}'
end
function show_all(...)
    local shown = {}
    for i = 1, select('#', ...) do shown[i] = show((select(i, ...))) end
    return table.concat(shown, ' ')
end
function id(...) return ... end
"#;

/// A state with the libraries.
pub(crate) fn state() -> Lua {
    let lua = Lua::new();
    let install = || -> mlua::Result<()> {
        for entry in tables(&lua)?.pairs::<String, Table>() {
            let (name, table) = entry?;
            lua.globals().set(name, table)?;
        }
        let shown = lua.create_function(shown)?;
        lua.load(PRELUDE).into_function()?.call(shown)
    };
    install().expect("the libraries load");
    lua
}

/// What `pcall` answers for a script that ends with `return` and an expression, as text.
pub(crate) fn run(lua: &Lua, script: &str) -> String {
    let (start, result) = script.rsplit_once("return ").expect("the script returns");
    // The call is not in tail position, where Lua would forget the line.
    let script = format!("return show_all(pcall(function()\n{start}return id({result})\nend))");
    lua.load(script)
        .set_name("@user_script")
        .eval()
        .expect("the script compiles")
}

/// Runs scripts one after the other in one state. What they should answer is from Redis 7.0.15.
pub(crate) fn compare(cases: &[(&str, &str)]) {
    let lua = state();
    for (script, expected) in cases {
        assert_eq!(run(&lua, script), *expected, "{script}");
    }
}

/// Random numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// A Lua expression for a value of strings, booleans, whole numbers and tables.
    pub(crate) fn value(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => format!("{}", self.bits() as i32),
            1 => format!("{}", self.below(2) == 0),
            2 | 3 => {
                let len = self.below(40);
                let bytes = (0..len).map(|_| format!("\\{:03}", self.below(256)));
                format!("\"{}\"", bytes.collect::<String>())
            }
            4 => {
                let items = (0..self.below(20)).map(|_| self.value(depth - 1));
                format!("{{{}}}", items.collect::<Vec<_>>().join(","))
            }
            _ => {
                let items =
                    (0..self.below(20)).map(|at| format!("k{at}={}", self.value(depth - 1)));
                format!("{{{}}}", items.collect::<Vec<_>>().join(","))
            }
        }
    }
}
