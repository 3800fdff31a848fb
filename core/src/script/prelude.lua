-- The world of a script: what it finds of Lua and of the server, none of which it can change.
--
-- Runs once, before any script. `host` has what this file needs of the server, `libraries` what
-- scripts get. Errors of the server's functions are objects of their own kind until a script
-- catches them: everything that catches is in here.
local host, libraries = ...

local error, getmetatable, loadstring, next, pairs, pcall, rawget, rawset, setmetatable =
  error, getmetatable, loadstring, next, pairs, pcall, rawget, rawset, setmetatable
local setfenv, tostring, type, xpcall = setfenv, tostring, type, xpcall
local resume, concat, insert = coroutine.resume, table.concat, table.insert
local byte = string.byte

local READONLY = "Attempt to modify a readonly table"
local BINARY = 27 -- the first byte of compiled code, which Lua trusts blindly

-- What stands behind a table that can't be changed.
local behind = {}

local function refuse() error(READONLY, 2) end

-- What scripts are shown as the metatable of a table that can't be changed.
local sealed = setmetatable({}, { __newindex = refuse, __metatable = false })

local function readonly(real)
  local shown = {}
  behind[shown] = real
  return setmetatable(shown, { __index = real, __newindex = refuse, __metatable = sealed })
end

local function expect(wanted, value, number, name)
  if type(value) ~= wanted then
    local text = "bad argument #%d to '%s' (%s expected, got %s)"
    error(text:format(number, name, wanted, type(value)), 3)
  end
end

-- What was caught, as a script sees it. One that is killed catches nothing any more.
local function caught(ok, ...)
  if ok then return ok, ... end
  if host.killed() then error("killed", 0) end
  return ok, host.shown(...)
end

local function as_string(ok, ...)
  if not ok then
    local raised = ...
    local text = type(raised) == "table" and rawget(raised, "err")
    if type(text) == "string" then return false, text end
  end
  return ok, ...
end

local globals = setmetatable({}, {
  __index = function(_, name)
    local text = "Script attempted to access nonexistent global variable '%s'"
    error(text:format(tostring(name)), 2)
  end,
})

for _, name in pairs {
  "_VERSION", "assert", "collectgarbage", "error", "gcinfo", "getmetatable", "ipairs", "rawequal",
  "select", "tonumber", "tostring", "type", "unpack",
} do
  globals[name] = _G[name]
end

function globals.pcall(...) return as_string(caught(pcall(...))) end

-- A handler runs where no instructions are counted if the script is killed in `f`: it could not be
-- ended any more.
function globals.xpcall(f, handler)
  local function handle(raised)
    if host.killed() then return raised end
    return handler(host.shown(raised))
  end
  return caught(xpcall(f, handle))
end

function globals.next(t, key)
  expect("table", t, 1, "next")
  return next(behind[t] or t, key)
end

function globals.pairs(t)
  expect("table", t, 1, "pairs")
  if behind[t] then return globals.next, t, nil end
  return pairs(t)
end

function globals.rawget(t, key)
  expect("table", t, 1, "rawget")
  return rawget(behind[t] or t, key)
end

function globals.rawset(t, key, value)
  expect("table", t, 1, "rawset")
  if behind[t] then error(READONLY, 0) end
  return rawset(t, key, value)
end

function globals.setmetatable(t, metatable)
  expect("table", t, 1, "setmetatable")
  if behind[t] then error(READONLY, 0) end
  return setmetatable(t, metatable)
end

function globals.loadstring(text, name)
  if type(text) == "number" then text = tostring(text) end
  expect("string", text, 1, "loadstring")
  if byte(text) == BINARY then return nil, "binary chunks are not loaded" end
  return loadstring(text, name)
end

function globals.load(reader, name)
  expect("function", reader, 1, "load")
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == "" then break end
    if type(piece) ~= "string" then return nil, "reader function must return a string" end
    pieces[#pieces + 1] = piece
  end
  return globals.loadstring(concat(pieces), name or "=(load)")
end

local function copy(t)
  local twin = {}
  for name, member in pairs(t) do twin[name] = member end
  return twin
end

local coroutines, maths, tables = copy(coroutine), copy(math), copy(table)

function coroutines.resume(...) return caught(resume(...)) end

function tables.insert(t, ...)
  expect("table", t, 1, "insert")
  if behind[t] then error(READONLY, 0) end
  return insert(t, ...)
end

-- Every server draws the same numbers.
maths.random, maths.randomseed = host.random, host.randomseed

globals.coroutine = readonly(coroutines)
globals.math = readonly(maths)
globals.string = readonly(copy(string))
globals.table = readonly(tables)

for name, members in pairs(libraries) do
  globals[name] = readonly(members)
end

-- Strings have their methods from a table of which scripts see only what can't be changed.
local of_strings = getmetatable("")
of_strings.__metatable = readonly({ __index = globals.string })

local world = readonly(globals)
globals._G = world
setfenv(0, world)

-- Notes where an error comes from that ends the script.
local function describe(raised)
  raised = host.shown(raised)
  if type(raised) ~= "table" then raised = { err = "ERR " .. tostring(raised) } end
  local source, line = host.place()
  if source then
    rawset(raised, "source", source)
    rawset(raised, "line", line)
  end
  return raised
end

-- What a script was given is not kept until the next one.
local function ended(...)
  globals.KEYS, globals.ARGV = nil, nil
  return ...
end

local function run(script, keys, args)
  globals.KEYS, globals.ARGV = keys, args
  return ended(xpcall(script, describe))
end

return run, world
