use super::*;
use crate::resp::{self, ReplyParser};

/// A server that knows few commands: `echo` replies with its argument, `fail` with it as an error,
/// `raw` with it as it is.
struct Host {
    engine: Engine,
    asked: Vec<(Vec<Vec<u8>>, Purpose)>,
    slices: usize,
    slices_max: usize,
}

impl Host {
    fn new() -> Self {
        Self {
            engine: Engine::new("7.2.4"),
            asked: Vec::new(),
            slices: 0,
            slices_max: usize::MAX,
        }
    }

    fn define(&mut self, script: &str) -> Sha {
        let sha = Sha::of(script.as_bytes());
        let defined = self.engine.define(sha, script.as_bytes());
        defined.map_err(lossy).expect("it compiles");
        sha
    }

    fn call(&mut self, script: &str, keys: &[&str], args: &[&str], proto: Proto) -> Step {
        let sha = self.define(script);
        let call = Call {
            sha,
            keys: keys.iter().map(|key| key.as_bytes()).collect(),
            args: args.iter().map(|arg| arg.as_bytes()).collect(),
            proto,
        };
        let mut step = self.engine.start(&call);
        self.slices = 0;
        loop {
            step = match step {
                Step::Command(request) => {
                    let argv: Vec<Vec<u8>> =
                        request.argv.as_ref().iter().map(<[u8]>::to_vec).collect();
                    let reply = match (&argv[0][..], argv.get(1)) {
                        (b"echo", Some(text)) => {
                            [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
                        }
                        (b"fail", Some(text)) => [b"-", &text[..], b"\r\n"].concat(),
                        (b"raw", Some(text)) => text.clone(),
                        _ => b"-ERR Unknown Redis command called from script\r\n".to_vec(),
                    };
                    self.asked.push((argv, request.purpose));
                    self.engine.reply(reply)
                }
                Step::Slice if self.slices == self.slices_max => return Step::Slice,
                Step::Slice => {
                    self.slices += 1;
                    self.engine.go_on()
                }
                over @ Step::Over(_) => return over,
            };
        }
    }

    fn reply(&mut self, script: &str) -> String {
        match self.call(script, &["k1", "k2"], &["a1"], Proto::Resp2) {
            Step::Over(end) => shown(&end.reply),
            Step::Command(_) | Step::Slice => unreachable!("it was run to its end"),
        }
    }
}

fn lossy(text: Vec<u8>) -> String {
    String::from_utf8_lossy(&text).into_owned()
}

/// A reply in one line.
fn shown(mut reply: &[u8]) -> String {
    let value = ReplyParser::default().next(&mut reply);
    assert!(reply.is_empty(), "one reply");
    describe(&value.expect("well-formed").expect("whole"))
}

fn describe(value: &resp::Value) -> String {
    use resp::Value as V;
    let list = |items: &[V]| items.iter().map(describe).collect::<Vec<_>>().join(" ");
    match value {
        V::Int(n) => format!("{n}"),
        V::Bulk(text) => format!("\"{}\"", String::from_utf8_lossy(text)),
        V::Simple(text) => format!("+{}", String::from_utf8_lossy(text)),
        V::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        V::Null => "nil".into(),
        V::Array(items) => format!("[{}]", list(items)),
        V::Map(_)
        | V::Set(_)
        | V::Push(_)
        | V::Double(_)
        | V::Bool(_)
        | V::BigNumber(_)
        | V::Verbatim(..) => format!("{value:?}"),
    }
}

/// Runs scripts and compares what they reply with. An error that names its script is compared up
/// to there.
fn all(cases: &[(&str, &str)]) {
    let mut host = Host::new();
    for (script, expected) in cases {
        let reply = host.reply(script);
        let sha = Sha::of(script.as_bytes());
        let place = format!(" script: {sha}, on @user_script:");
        let reply = reply.replace(&place, " @");
        assert_eq!(&reply, expected, "{script}");
    }
}

#[test]
fn what_a_script_returns_is_its_reply() {
    all(&[
        ("return 1", "1"),
        ("return 3.99", "3"),
        ("return -3.99", "-3"),
        ("return 1e300", "-9223372036854775808"),
        ("return 0/0", "-9223372036854775808"),
        ("return 'x'", "\"x\""),
        ("return true", "1"),
        ("return false", "nil"),
        ("return nil", "nil"),
        ("return", "nil"),
        ("return function() end", "nil"),
        ("return {}", "[]"),
        ("return {1,2,nil,3}", "[1 2]"),
        (
            "return {1,{2,'x',{ok='a'}},{err='E y'}}",
            "[1 [2 \"x\" +a] -E y]",
        ),
        ("return {ok='fine'}", "+fine"),
        ("return {ok=5}", "[]"),
        ("return {err='X y'}", "-X y"),
        ("return {double=3.5}", "\"3.5\""),
        ("return {double=3}", "\"3\""),
        ("return {double='3'}", "[]"),
        ("return {map={a=1}}", "[\"a\" 1]"),
        ("return {set={a=true}}", "[\"a\"]"),
        ("return {big_number='12\\n3'}", "\"12 3\""),
        (
            "return {verbatim_string={string='x',format='txt'}}",
            "\"x\"",
        ),
        ("redis.setresp(3) return true", "1"),
        ("redis.setresp(3) return false", "0"),
        ("return KEYS", "[\"k1\" \"k2\"]"),
        ("return ARGV", "[\"a1\"]"),
    ]);
}

#[test]
fn many_arguments_and_members_are_no_more_trouble_than_few() {
    let args: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut host = Host::new();
    let mut reply = |script: &str| match host.call(script, &args, &args, Proto::Resp3) {
        Step::Over(end) => lossy(end.reply),
        Step::Command(_) | Step::Slice => unreachable!("it was run to its end"),
    };
    assert_eq!(reply("return #KEYS + #ARGV + ARGV[20000]"), ":59999\r\n");
    let all = reply("local m = {} for _, k in ipairs(KEYS) do m[k] = k end return {map=m}");
    assert!(all.starts_with("%20000\r\n"), "{}", &all[..20]);
    assert_eq!(all.matches('$').count(), 40_000);
    let all = reply("local s = {} for _, k in ipairs(KEYS) do s[k] = true end return {set=s}");
    assert!(all.starts_with("~20000\r\n"), "{}", &all[..20]);
    assert_eq!(all.matches('$').count(), 20_000);
    assert!(reply("return ARGV").starts_with("*20000\r\n$1\r\n0\r\n"));
}

#[test]
fn a_script_leaves_nothing_to_the_next_one() {
    all(&[
        ("collectgarbage('stop') return 1", "1"),
        (
            "local n for _ = 1, 10 do n = nil for i = 1, 1000 do n = {n} end end return collectgarbage('count') < 20000",
            "1",
        ),
    ]);
}

#[test]
fn resp3_is_spoken_to_who_speaks_it() {
    let mut host = Host::new();
    let mut reply = |script: &str| match host.call(script, &[], &[], Proto::Resp3) {
        Step::Over(end) => lossy(end.reply),
        Step::Command(_) | Step::Slice => unreachable!("it was run to its end"),
    };
    assert_eq!(reply("return {map={a=1}}"), "%1\r\n$1\r\na\r\n:1\r\n");
    assert_eq!(reply("return {set={a=true}}"), "~1\r\n$1\r\na\r\n");
    assert_eq!(reply("return {double=1.5}"), ",1.5\r\n");
    assert_eq!(reply("return {big_number='12'}"), "(12\r\n");
    assert_eq!(
        reply("return {verbatim_string={string='x',format='txt'}}"),
        "=5\r\ntxt:x\r\n"
    );
    assert_eq!(reply("return false"), "_\r\n");
    assert_eq!(reply("redis.setresp(3) return false"), "#f\r\n");
}

#[test]
fn replies_to_commands_are_values() {
    all(&[
        ("return redis.call('echo','x')", "\"x\""),
        ("return redis.call('echo',1.5)", "\"1.5\""),
        ("return redis.call('echo',1e15)", "\"1000000000000000\""),
        ("return redis.call('echo',1e100)", "\"1e+100\""),
        ("return redis.call('raw','+OK\\r\\n').ok", "\"OK\""),
        ("return type(redis.call('raw','$-1\\r\\n'))", "\"boolean\""),
        (
            "redis.setresp(3) return type(redis.call('raw','_\\r\\n'))",
            "\"nil\"",
        ),
        (
            "return redis.call('raw','*2\\r\\n:1\\r\\n*1\\r\\n:2\\r\\n')[2][1]",
            "2",
        ),
        (
            "return redis.call('raw','%1\\r\\n+a\\r\\n:1\\r\\n').map",
            "[]",
        ),
        (
            "return redis.call('raw','~1\\r\\n$1\\r\\na\\r\\n').set.a",
            "1",
        ),
        ("return redis.call('raw',',1.5\\r\\n')", "\"1.5\""),
        ("return redis.call('raw','#t\\r\\n')", "1"),
        ("return redis.call('raw','(12\\r\\n').big_number", "\"12\""),
        (
            "return redis.call('raw','=5\\r\\ntxt:x\\r\\n').verbatim_string.format",
            "\"txt\"",
        ),
    ]);
}

#[test]
fn errors_say_where_they_come_from() {
    all(&[
        ("return foo", "-ERR user_script:1: Script attempted to access nonexistent global variable 'foo' @1."),
        ("return redis.call('fail','ERR no')", "-ERR no @1."),
        ("return redis.pcall('fail','ERR no')", "-ERR no"),
        ("return redis.pcall('fail','ERR no').err", "\"ERR no\""),
        ("\n\nreturn redis.call('fail','E no')", "-E no @3."),
        ("return redis.call()", "-ERR Please specify at least one argument for this redis lib call @1."),
        ("return redis.call({})", "-ERR Lua redis lib command arguments must be strings or integers @1."),
        ("error('x')", "-ERR user_script:1: x @1."),
        ("error(1)", "-ERR user_script:1: 1 @1."),
        ("error()", "-ERR nil @1."),
        ("error({err='My err'})", "-My err @1."),
        ("error({err='a\\r\\nb'})", "-a  b @1."),
        ("error({})", "-ERR unknown error @1."),
        ("local x = 1 .. {}", "-ERR user_script:1: attempt to concatenate a table value @1."),
        ("local function f() return f()+1 end return f()", "-ERR user_script:1: stack overflow @1."),
        ("local t={3,1,2} table.sort(t,function(a,b) redis.call('fail','E x') end)", "-E x @1."),
        ("return loadstring('return 1+nil')()", "-ERR [string \"return 1+nil\"]:1: attempt to perform arithmetic on a nil value script: SHA, on return 1+nil:1."),
    ].map(|(script, expected)| {
        (script, if expected.contains("SHA") {
            Box::leak(expected.replace("SHA", &Sha::of(script.as_bytes()).to_string()).into_boxed_str())
        } else { expected })
    }));
}

#[test]
fn scripts_catch_errors_as_in_redis() {
    all(&[
        (
            "return tostring(pcall(redis.call,'fail','E x'))",
            "\"false\"",
        ),
        (
            "local ok,e=pcall(redis.call,'fail','E x') return type(e)..e",
            "\"stringE x\"",
        ),
        (
            "local ok,e=pcall(function() error({x=1}) end) return type(e)",
            "\"table\"",
        ),
        (
            "local ok,e=pcall(function() error('y',0) end) return e",
            "\"y\"",
        ),
        (
            "local ok,a,b=pcall(function() return 1,2 end) return {a,b}",
            "[1 2]",
        ),
        (
            "local ok,e=xpcall(function() redis.call('fail','E x') end, function(e) return type(e) end) return e",
            "\"table\"",
        ),
        (
            "return coroutine.wrap(function() coroutine.yield(redis.call('echo','z')) end)()",
            "\"z\"",
        ),
        (
            "local c=coroutine.create(function() error('q',0) end) local ok,e=coroutine.resume(c) return e",
            "\"q\"",
        ),
        (
            "return setmetatable({},{__index=function(t,k) return redis.call('echo',k) end}).kk",
            "\"kk\"",
        ),
        (
            "return (string.gsub('ab','.',function(c) return redis.call('echo',c..c) end))",
            "\"aabb\"",
        ),
    ]);
}

#[test]
fn nothing_of_the_world_can_be_changed() {
    const READONLY: &str = "-ERR user_script:1: Attempt to modify a readonly table @1.";
    const BARE: &str = "-ERR Attempt to modify a readonly table @1.";
    all(&[
        ("a=10", READONLY),
        ("function f() end", READONLY),
        ("redis.call=1", READONLY),
        ("table.x=1", READONLY),
        ("_G.x=1", READONLY),
        ("getmetatable('').__index.foo=1", READONLY),
        ("getmetatable('').x=1", READONLY),
        ("getmetatable(_G).__index={}", READONLY),
        ("getmetatable(redis).__newindex=nil", READONLY),
        (
            "getmetatable(getmetatable(_G)).x=1",
            "-ERR user_script:1: attempt to index a boolean value @1.",
        ),
        ("setmetatable(_G,{})", BARE),
        ("rawset(_G,'a',1)", BARE),
        ("rawset(redis,'a',1)", BARE),
        ("table.insert(redis,1)", BARE),
        ("return ('x'):rep(3)", "\"xxx\""),
        ("return rawget(_G,'redis')==redis", "1"),
        ("for k in pairs(redis) do return 1 end", "1"),
        ("return next(redis) ~= nil", "1"),
        ("return _G==_G._G", "1"),
        ("return loadstring('return 1+1')()", "2"),
        (
            "local a,b=loadstring('local a=') return b",
            "\"[string \"local a=\"]:1: unexpected symbol near '<eof>'\"",
        ),
        (
            "return loadstring(string.dump(function() return 1 end))",
            "nil",
        ),
        (
            "return load(coroutine.wrap(function() coroutine.yield('return ') coroutine.yield('7') end))()",
            "7",
        ),
        (
            "local n={} for _,k in ipairs({'print','dofile','loadfile','require','module','newproxy','getfenv','setfenv','debug','os','io','package'}) do n[#n+1]=tostring(rawget(_G,k)) end return table.concat(n,',')",
            "\"nil,nil,nil,nil,nil,nil,nil,nil,nil,nil,nil,nil\"",
        ),
        (
            "local x = pairs(nil)",
            "-ERR user_script:1: bad argument #1 to 'pairs' (table expected, got nil) @1.",
        ),
        (
            "table.insert(nil,1)",
            "-ERR user_script:1: bad argument #1 to 'insert' (table expected, got nil) @1.",
        ),
    ]);
}

#[test]
fn the_table_redis_is_that_of_redis() {
    all(&[
        ("return redis.error_reply('ABC')", "-ERR ABC"),
        ("return redis.error_reply('My Err')", "-My Err"),
        ("return redis.error_reply('-x y')", "-x y"),
        ("return redis.error_reply('-abc')", "-ERR abc"),
        ("return redis.error_reply('')", "-ERR "),
        (
            "return redis.error_reply(1)",
            "-ERR wrong number or type of arguments",
        ),
        ("return redis.status_reply('A\\nB')", "+A B"),
        (
            "return redis.status_reply()",
            "-ERR wrong number or type of arguments",
        ),
        (
            "return redis.sha1hex(5)",
            "\"ac3478d69a3c81fa62e60f5c3696165a4e5e6ac4\"",
        ),
        (
            "return redis.sha1hex()",
            "-ERR wrong number of arguments @1.",
        ),
        (
            "return redis.setresp()",
            "-ERR redis.setresp() requires one argument. @1.",
        ),
        (
            "return redis.setresp(4)",
            "-ERR RESP version must be 2 or 3. @1.",
        ),
        (
            "return redis.set_repl()",
            "-ERR redis.set_repl() requires two arguments. @1.",
        ),
        (
            "return redis.set_repl(9)",
            "-ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE. @1.",
        ),
        (
            "return redis.log(1)",
            "-ERR redis.log() requires two arguments or more. @1.",
        ),
        (
            "return redis.log('a','b')",
            "-ERR First argument must be a number (log level). @1.",
        ),
        ("return redis.log(9,'x')", "-ERR Invalid debug level. @1."),
        ("redis.log(redis.LOG_WARNING,'a',1) return 1", "1"),
        ("return redis.REDIS_VERSION", "\"7.2.4\""),
        ("return redis.REDIS_VERSION_NUM", "459268"),
        ("return redis.replicate_commands()", "1"),
        ("return redis.breakpoint()", "nil"),
        ("return tostring(math.random())", "\"0.39646477363839\""),
        (
            "math.randomseed(5) return tostring(math.random())",
            "\"0.52483957937213\"",
        ),
        (
            "return math.random(0)",
            "-ERR user_script:1: bad argument #1 to 'random' (interval is empty) @1.",
        ),
        (
            "return math.random(5,1)",
            "-ERR user_script:1: bad argument #2 to 'random' (interval is empty) @1.",
        ),
    ]);
}

#[test]
fn a_script_says_what_goes_to_replicas() {
    let mut host = Host::new();
    host.reply(
        "redis.call('echo','a') redis.set_repl(redis.REPL_NONE) redis.call('echo','b') \
                redis.set_repl(redis.REPL_AOF) redis.call('echo','c') redis.acl_check_cmd('x')",
    );
    host.reply("redis.call('echo','d')");
    let run = |propagates| Purpose::Run { propagates };
    let purposes: Vec<_> = host.asked.iter().map(|(_, purpose)| *purpose).collect();
    assert_eq!(
        purposes,
        [run(true), run(false), run(true), Purpose::Check, run(true)]
    );
}

#[test]
fn a_long_script_stops_in_between_and_goes_on() {
    let mut host = Host::new();
    let reply = host.reply("local s=0 for i=1,1000000 do s=s+i end return s");
    assert_eq!(reply, "500000500000");
    assert!(host.slices > 5, "{} slices", host.slices);
    let reply = host.reply(
        "return coroutine.wrap(function() local s=0 for i=1,1000000 do s=s+i end return s end)()",
    );
    assert_eq!(reply, "500000500000");
    assert!(host.slices > 5, "{} slices in a coroutine", host.slices);
}

#[test]
fn what_is_killed_catches_nothing() {
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end",
        "while true do local c = coroutine.create(function() while true do end end) coroutine.resume(c) end",
        "local function f() pcall(f) while true do end end f()",
    ] {
        let mut host = Host::new();
        host.slices_max = 3;
        let mut step = host.call(script, &[], &[], Proto::Resp2);
        for _ in 0..limits_steps() {
            if let Step::Over(_) = step {
                break;
            }
            step = host.engine.kill();
        }
        let Step::Over(end) = step else {
            unreachable!("{script} ends: {step:?}")
        };
        assert!(
            lossy(end.reply).starts_with("-ERR Script killed by user with SCRIPT KILL. script: "),
            "{script}"
        );
        assert_eq!(host.reply("return 5"), "5", "the next one runs");
    }
}

fn limits_steps() -> usize {
    crate::limits::SCRIPT_KILL_STEPS_MAX
}

#[test]
fn an_engine_can_be_dropped_while_its_script_runs() {
    let mut host = Host::new();
    host.slices_max = 1;
    let step = host.call(
        "while true do pcall(redis.call, 'echo', 'x') end",
        &[],
        &[],
        Proto::Resp2,
    );
    assert!(matches!(step, Step::Slice));
    drop(host);
    let mut engine = Engine::new("7.2.4");
    let text = b"while true do pcall(redis.call, 'echo', 'x') end";
    engine.define(Sha::of(text), text).expect("it compiles");
    let call = Call {
        sha: Sha::of(text),
        keys: vec![],
        args: vec![],
        proto: Proto::Resp2,
    };
    assert!(matches!(engine.start(&call), Step::Command(_)));
    drop(engine);
}

#[test]
fn recursion_is_bounded_by_lua_and_has_the_room_for_it() {
    all(&[
        (
            "local function f(n) return (string.gsub('x','x',function() return f(n+1) end)) end return f(1)",
            "-ERR C stack overflow @1.",
        ),
        (
            "local function f() local ok, e = pcall(f) return e or 'x' end return type(f())",
            "\"string\"",
        ),
        ("local t={} for i=1,100000 do t={t} end return 1", "1"),
    ]);
    let mut host = Host::new();
    let Step::Over(end) = host.call("local t={} t[1]=t return t", &[], &[], Proto::Resp2) else {
        unreachable!("it was run to its end")
    };
    let reply = lossy(end.reply);
    assert!(
        reply.ends_with("*1\r\n-ERR reached lua stack limit\r\n"),
        "{reply}"
    );
}

#[test]
fn errors_of_commands_are_counted_where_they_happen() {
    let mut host = Host::new();
    let mut counts = |script: &str| match host.call(script, &[], &[], Proto::Resp2) {
        Step::Over(end) => (end.failed, end.counts),
        Step::Command(_) | Step::Slice => unreachable!("it was run to its end"),
    };
    assert_eq!(counts("return 1"), (false, false));
    assert_eq!(counts("return redis.call('fail','E x')"), (true, false));
    assert_eq!(counts("return redis.pcall('fail','E x')"), (true, false));
    assert_eq!(counts("return {err='E x'}"), (true, true));
    assert_eq!(counts("return redis.call()"), (true, true));
    assert_eq!(counts("error('x')"), (true, true));
}

#[test]
fn the_deepest_json_fits_the_stack_of_a_script() {
    all(&[
        (
            "return #cjson.decode(('['):rep(1000) .. (']'):rep(1000))",
            "1",
        ),
        (
            "return cjson.decode(('['):rep(1001))",
            "-ERR user_script:1: Found too many nested data structures (1001) at character 1001 @1.",
        ),
        (
            "local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(cjson.decode(cjson.encode(t)))",
            "2000",
        ),
        (
            "local t = {} for i = 1, 1000 do t = {t} end return cjson.encode(t)",
            "-ERR user_script:1: Cannot serialise, excessive nesting (1001) @1.",
        ),
        (
            "local c = cjson.new() c.encode_max_depth(2^31 - 1) c.decode_max_depth(2^31 - 1) \
             local t = {} for i = 1, 5000 do t = {t} end return #c.encode(c.decode(c.encode(t)))",
            "10002",
        ),
    ]);
}

#[test]
fn what_does_not_compile_is_not_defined() {
    let mut engine = Engine::new("7.2.4");
    let mut error = |text: &[u8]| {
        let defined = engine.define(Sha::of(text), text);
        lossy(defined.expect_err("it does not compile"))
    };
    assert_eq!(
        error(b"local a="),
        "user_script:1: unexpected symbol near '<eof>'"
    );
    assert!(
        error(b"\x1bLua").contains("binary") || error(b"\x1bLua").contains("mode"),
        "{}",
        error(b"\x1bLua")
    );
}
