//! Lua scripts: what Redis replies to them, in groups of both kinds, and scripts that take long.

use std::time::{Duration, Instant};

use holdfast_tests::{Flavour, Node, PATIENCE, peers_are_here, text_of, wait_until};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;

/// Of what no other test compares with a real server: values, errors and their places, and the
/// libraries.
const SCRIPTS: &[&str] = &[
    "return {1,2,nil,3}",
    "return {1,{2,'x',{ok='a'}},{err='E y'}}",
    "return {err='X y'}",
    "return {double=3.5}",
    "return 3.99",
    "return -3.99",
    "return 1e300",
    "return false",
    "return KEYS",
    "return {map={a=1}}",
    "return foo",
    "a=10",
    "redis.call=1",
    "rawset(_G,'a',1)",
    "setmetatable(_G,{})",
    "return redis.call('set','k','v')",
    "return redis.call('incr','k')",
    "return redis.pcall('incr','k')",
    "local ok, e = pcall(redis.call,'incr','k') return e",
    "local ok, e = pcall(redis.call,'incr','k') return type(e)",
    "local ok, e = xpcall(function() redis.call('incr','k') end, function(e) return type(e) end) return e",
    "\n\nreturn redis.call('incr','k')",
    "local function f()\n redis.call('incr','k')\nend\nf()",
    "return redis.call('nosuch')",
    "return redis.call('get')",
    "return redis.call()",
    "return redis.call({})",
    "return redis.call('multi')",
    "return redis.call('config','nosuch')",
    "return redis.call('set','n',1.5)",
    "return redis.call('get','n')",
    "return redis.call('set','n',1e15)",
    "return redis.call('get','n')",
    "return redis.call('zadd','z',1,'a',2.5,'b')",
    "return redis.call('zrange','z',0,-1,'withscores')",
    "redis.setresp(3) return redis.call('zscore','z','b').double",
    "redis.setresp(3) return redis.call('config','get','nosuch')",
    "return redis.call('hset','h','f','v')",
    "redis.setresp(3) return redis.call('hgetall','h').map.f",
    "return redis.call('hgetall','h')",
    "return redis.error_reply('My Err')",
    "return redis.error_reply('abc')",
    "return redis.status_reply('A\\nB')",
    "return redis.sha1hex('x')",
    "return redis.sha1hex()",
    "return redis.log(1)",
    "return redis.setresp(4)",
    "error('x')",
    "error({err='My err'})",
    "error(nil)",
    "local t={3,1,2} table.sort(t,function(a,b) redis.call('nosuch') end)",
    "return loadstring('return 1+nil')()",
    "return string.format('%s %d %.3f', 'a', 3, 1/3)",
    "return tostring(1e15)..tostring(0.1)..tostring(1/0)",
    "return tostring(math.random())..tostring(math.random(100))",
    "math.randomseed(7) return tostring(math.random())",
    "local function f() return f()+1 end return f()",
    "return cjson.encode({1,2,{a='b/\\n'},0.1,1e20})",
    "return cjson.encode(cjson.decode('{\"a\":[1,2.5,null,true,\"\\\\u00e9\"]}'))",
    "return cjson.decode('xx')",
    "return cjson.encode({[1]=1,[100]=2})",
    "return cmsgpack.pack(1,-1,300,1.5,'x',{1,2},{a=1},true,nil)",
    "return {cmsgpack.unpack(cmsgpack.pack(1,'a',{1,2}))}",
    "return cmsgpack.unpack('\\217')",
    "return struct.pack('>I2hbs','300',-2,1,'abc')",
    "return {struct.unpack('<I4','\\1\\2\\3\\4')}",
    "return struct.pack('Z',1)",
    "return {bit.band(0xff,0x0f),bit.bnot(0),bit.lshift(1,31),bit.tohex(255,4)}",
    "return redis.call('xadd','s','*','a')",
    "return #redis.call('xadd','s','1-1','a','b')",
    "return coroutine.wrap(function() coroutine.yield(redis.call('ping')) end)()",
    "#!lua flags=no-writes\nreturn redis.call('set','a',1)",
    "#!lua flags=nosuch\nreturn 1",
    "#!lua\nreturn foo",
    "local a=",
];

#[test]
fn scripts_get_what_they_get_from_redis() {
    if !peers_are_here("replies to scripts beside Redis's") {
        return;
    }
    let (ours, theirs) = (Node::server(OURS, ""), Node::server(REDIS, ""));
    let (mut one, mut other) = (ours.client(), theirs.client());
    for script in SCRIPTS {
        let words = ["EVAL", script, "2", "k1", "k2", "a1"];
        assert_eq!(one.text(&words), other.text(&words), "{script}");
    }
}

#[test]
fn what_a_script_logs_has_the_marks_of_its_levels() {
    if !peers_are_here("the log of scripts beside Redis's") {
        return;
    }
    for flavour in [OURS, REDIS] {
        let node = Node::server(flavour, "loglevel debug");
        let script =
            "for l, w in pairs({[0]='fine','more','note','grave'}) do redis.log(l, w, 'words') end";
        node.text(&["EVAL", script, "0"]);
        for line in [
            ". fine words",
            "- more words",
            "* note words",
            "# grave words",
        ] {
            node.wait_for_log(line);
        }
    }
}

#[test]
fn what_a_script_did_goes_to_replicas_of_both_kinds() {
    if !peers_are_here("scripts in groups of Holdfast and Redis") {
        return;
    }
    for (above, below) in [(OURS, REDIS), (REDIS, OURS)] {
        let master = Node::server(above, "");
        let port = master.port().to_string();
        let replica = Node::server(below, &format!("replicaof 127.0.0.1 {port}"));
        wait_until(PATIENCE, "the replica follows", || {
            let up = replica.info("replication").get("master_link_status") == "up";
            up.then_some(())
        });
        let script = "for i=1,100 do redis.call('rpush','list',i) redis.call('incr','sum') end \
                      redis.call('select',3) redis.call('set','there',redis.call('incr','n')) \
                      return redis.call('spop','nosuch')";
        master.text(&["EVAL", script, "0"]);
        master.text(&["EVAL", "redis.call('incr','sum') error('late')", "0"]);
        wait_until(PATIENCE, "it has all of it", || {
            (replica.text(&["GET", "sum"]) == "101").then_some(())
        });
        assert_eq!(replica.text(&["LLEN", "list"]), "100");
        assert_eq!(
            replica.text(&[
                "EVAL",
                "redis.call('select',3) return redis.call('get','there')",
                "0"
            ]),
            "1"
        );
    }
}

#[test]
fn a_script_that_does_not_end_is_told_of_and_can_be_ended() {
    let node = Node::server(OURS, "lua-time-limit 100");
    let (mut caller, mut other) = (node.client(), node.client());
    caller
        .send(&[
            "EVAL",
            "while true do pcall(redis.call, 'get', 'x') end",
            "0",
        ])
        .expect("it is sent");
    let asked = Instant::now();
    let busy = other.text(&["GET", "x"]);
    assert!(
        busy.starts_with("-BUSY Redis is busy running a script."),
        "{busy}"
    );
    let waited = asked.elapsed();
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    assert!(
        node.log()
            .contains("Slow script detected: still in execution after")
    );
    assert_eq!(other.text(&["SCRIPT", "KILL"]), "OK");
    let end = text_of(&caller.receive().expect("it is answered"));
    assert!(
        end.starts_with("-ERR Script killed by user with SCRIPT KILL."),
        "{end}"
    );
    assert_eq!(other.text(&["GET", "x"]), "(nil)");
    assert_eq!(caller.text(&["PING"]), "PONG");
}

#[test]
fn a_server_ends_in_the_middle_of_a_script() {
    let mut node = Node::server(OURS, "lua-time-limit 50");
    let mut caller = node.client();
    caller
        .send(&["EVAL", "redis.call('set','x','y') while true do end", "0"])
        .expect("it is sent");
    wait_until(PATIENCE, "the script is slow", || {
        node.text(&["PING"]).starts_with("-BUSY").then_some(())
    });
    assert!(node.text(&["SCRIPT", "KILL"]).starts_with("-UNKILLABLE"));
    let mut last = node.client();
    last.send(&["SHUTDOWN", "NOSAVE"]).expect("it is sent");
    assert!(last.receive().is_err(), "it is gone");
    node.process().wait();
}
