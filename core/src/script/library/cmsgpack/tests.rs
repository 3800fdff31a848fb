use crate::script::library::testing::{Random, compare, run, state};

#[test]
fn results_and_errors_are_those_of_redis() {
    compare(CASES);
}

#[test]
fn what_is_packed_is_unpacked_again() {
    let lua = state();
    let mut random = Random::new(3);
    for _ in 0..500 {
        let value = random.value(3);
        let script = format!(
            "local v = {value} return show_all(cmsgpack.unpack(cmsgpack.pack(v))) == show_all(v)"
        );
        assert_eq!(run(&lua, &script), "true true", "{value}");
    }
}

#[test]
fn random_input_fails_without_panic() {
    let lua = state();
    let mut random = Random::new(5);
    for _ in 0..5000 {
        let bytes = (0..1 + random.below(12)).map(|_| format!("\\{:03}", random.below(256)));
        let bytes: String = bytes.collect();
        run(&lua, &format!("return cmsgpack.unpack('{bytes}')"));
    }
}

#[test]
fn nesting_is_bounded() {
    const DEEP: &str =
        "false \"user_script:2: stack overflow (in function mp_decode_to_lua_array)\"";
    let lua = state();
    let unpack = |script: &str| run(&lua, script);
    assert_eq!(
        unpack("return #cmsgpack.unpack(('\\145'):rep(3949) .. '\\1')"),
        "true 1"
    );
    assert_eq!(
        unpack("return cmsgpack.unpack(('\\145'):rep(3950) .. '\\1')"),
        DEEP
    );
    assert_eq!(
        unpack("return cmsgpack.unpack(('\\145'):rep(1000000))"),
        DEEP
    );
}

#[test]
fn lengths_take_their_forms() {
    for (script, expected) in [
        ("('x'):rep(65535)", r#"true "\xda\xff\xffxxx""#),
        ("('x'):rep(65536)", r#"true "\xdb\x00\x01\x00\x00x""#),
        ("t(65535)", r#"true "\xdc\xff\xff\x01\x01\x01""#),
        ("t(65536)", r#"true "\xdd\x00\x01\x00\x00\x01""#),
    ] {
        let script = format!(
            "local function t(n) local t = {{}} for i = 1, n do t[i] = 1 end return t end
            return cmsgpack.pack({script}):sub(1, 6)"
        );
        assert_eq!(run(&state(), &script), expected);
    }
}

#[test]
fn output_is_bounded() {
    let script = "local t = ('x'):rep(1000) for i = 1, 15 do t = {t, t, t, t, t, t, t, t} end
        return cmsgpack.pack(t)";
    assert_eq!(run(&state(), script), "false \"not enough memory\"");
}

const CASES: &[(&str, &str)] = &[
    (
        r#"return cmsgpack.pack()"#,
        r#"false "user_script:2: bad argument #0 to 'pack' (MessagePack pack needs input.)""#,
    ),
    (r#"return cmsgpack.pack(nil)"#, r#"true "\xc0""#),
    (
        r#"return cmsgpack.pack(nil,true,false)"#,
        r#"true "\xc0\xc3\xc2""#,
    ),
    (
        r#"return cmsgpack.pack("",("x"):rep(31))"#,
        r#"true "\xa0\xbfxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx""#,
    ),
    (
        r#"return cmsgpack.pack(("x"):rep(32)):sub(1,6)"#,
        r#"true "\xd9 xxxx""#,
    ),
    (
        r#"return cmsgpack.pack(("x"):rep(255)):sub(1,6)"#,
        r#"true "\xd9\xffxxxx""#,
    ),
    (
        r#"return cmsgpack.pack(("x"):rep(256)):sub(1,6)"#,
        r#"true "\xda\x01\x00xxx""#,
    ),
    (r#"return cmsgpack.pack({})"#, r#"true "\x90""#),
    (
        r#"return cmsgpack.pack({1,2,3})"#,
        r#"true "\x93\x01\x02\x03""#,
    ),
    (r#"return cmsgpack.pack({a=1})"#, r#"true "\x81\xa1a\x01""#),
    (
        r#"return cmsgpack.pack({1,2,nil,4})"#,
        r#"true "\x83\x01\x01\x02\x02\x04\x04""#,
    ),
    (
        r#"return cmsgpack.pack({[1]=1,[3]=3})"#,
        r#"true "\x82\x01\x01\x03\x03""#,
    ),
    (
        r#"return cmsgpack.pack({[1.5]=1})"#,
        r#"true "\x81\xca?\xc0\x00\x00\x01""#,
    ),
    (r#"return cmsgpack.pack({[0]=1})"#, r#"true "\x81\x00\x01""#),
    (r#"return cmsgpack.pack({[2]=1})"#, r#"true "\x81\x02\x01""#),
    (
        r#"return cmsgpack.pack({1,2,a=3})"#,
        r#"true "\x83\x01\x01\x02\x02\xa1a\x03""#,
    ),
    (
        r#"return cmsgpack.pack({[2^32+1]=1})"#,
        r#"true "\x81\xcf\x00\x00\x00\x01\x00\x00\x00\x01\x01""#,
    ),
    (
        r#"local t={} for i=1,15 do t[i]=i end return cmsgpack.pack(t)"#,
        r#"true "\x9f\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f""#,
    ),
    (
        r#"local t={} for i=1,16 do t[i]=i end return cmsgpack.pack(t)"#,
        r#"true "\xdc\x00\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10""#,
    ),
    (
        r#"local t={} for i=1,15 do t['a'..i]=1 end return cmsgpack.pack(t):sub(1,1)"#,
        r#"true "\x8f""#,
    ),
    (
        r#"local t={} for i=1,16 do t['a'..i]=1 end return cmsgpack.pack(t):sub(1,3)"#,
        r#"true "\xde\x00\x10""#,
    ),
    (r#"return cmsgpack.pack(cmsgpack.pack)"#, r#"true "\xc0""#),
    (r#"return cmsgpack.pack(cjson.null)"#, r#"true "\xc0""#),
    (
        r#"return cmsgpack.pack({[cmsgpack.pack]=1})"#,
        r#"true "\x81\xc0\x01""#,
    ),
    (
        r#"return cmsgpack.pack({[true]=1})"#,
        r#"true "\x81\xc3\x01""#,
    ),
    (
        r#"return cmsgpack.pack({[{}]=1})"#,
        r#"true "\x81\x90\x01""#,
    ),
    (
        r#"return cmsgpack.pack(coroutine.create(function() end))"#,
        r#"true "\xc0""#,
    ),
    (
        r#"local t={} for i=1,15 do t={t} end return cmsgpack.pack(t)"#,
        r#"true "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x90""#,
    ),
    (
        r#"local t={} for i=1,16 do t={t} end return cmsgpack.pack(t)"#,
        r#"true "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0""#,
    ),
    (
        r#"local t={} for i=1,17 do t={t} end return cmsgpack.pack(t)"#,
        r#"true "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0""#,
    ),
    (
        r#"local t={1} for i=1,15 do t={t} end return cmsgpack.pack(t)"#,
        r#"true "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01""#,
    ),
    (
        r#"local t={1} for i=1,16 do t={t} end return cmsgpack.pack(t)"#,
        r#"true "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0""#,
    ),
    (
        r#"local t={a=1} for i=1,16 do t={a=t} end return cmsgpack.pack(t)"#,
        r#"true "\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\xc0""#,
    ),
    (
        r#"local t={a=1} for i=1,17 do t={a=t} end return cmsgpack.pack(t)"#,
        r#"true "\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\x81\xa1a\xc0""#,
    ),
    (
        r#"local t={} t[1]=t return cmsgpack.pack(t)"#,
        r#"true "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0""#,
    ),
    (
        r#"local t={[{}]=1} for i=1,15 do t={[t]=1} end return cmsgpack.pack(t)"#,
        r#"true "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\xc0\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01""#,
    ),
    (
        r#"local t={[{}]=1} for i=1,16 do t={[t]=1} end return cmsgpack.pack(t)"#,
        r#"true "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\xc0\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01""#,
    ),
    (
        r#"local t={[{}]=1} for i=1,17 do t={[t]=1} end return cmsgpack.pack(t)"#,
        r#"true "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\xc0\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01""#,
    ),
    (
        r#"return cmsgpack.unpack()"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (string expected, got no value)""#,
    ),
    (
        r#"return cmsgpack.unpack(nil)"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (string expected, got nil)""#,
    ),
    (
        r#"return cmsgpack.unpack({})"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (string expected, got table)""#,
    ),
    (r#"return cmsgpack.unpack(1)"#, r#"true 49"#),
    (r#"return cmsgpack.unpack(15)"#, r#"true 49 53"#),
    (r#"return cmsgpack.unpack("")"#, r#"true"#),
    (r#"return cmsgpack.unpack("\1")"#, r#"true 1"#),
    (r#"return cmsgpack.unpack("\1\2\3")"#, r#"true 1 2 3"#),
    (r#"return cmsgpack.unpack("\1", 5)"#, r#"true 1"#),
    (r#"return cmsgpack.unpack("\1\2\3", 1)"#, r#"true 1 2 3"#),
    (
        r#"return cmsgpack.unpack("\192\194\195")"#,
        r#"true nil false true"#,
    ),
    (
        r#"return cmsgpack.unpack("\193")"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\1\193")"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\127\128\224\255")"#,
        r#"true 127 {} -32 -1"#,
    ),
    (
        r#"return cmsgpack.unpack("\204\255\205\255\255\206\255\255\255\255\207\255\255\255\255\255\255\255\255")"#,
        r#"true 255 65535 4294967295 -1"#,
    ),
    (
        r#"return cmsgpack.unpack("\208\255\209\255\254\210\255\255\255\253\211\255\255\255\255\255\255\255\252")"#,
        r#"true -1 -2 -3 -4"#,
    ),
    (
        r#"return cmsgpack.unpack("\202\63\128\0\0\203\63\240\0\0\0\0\0\0")"#,
        r#"true 1 1"#,
    ),
    (
        r#"return cmsgpack.unpack("\202\63\128\0")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\161a\217\1b\218\0\1c\219\0\0\0\1d")"#,
        r#"true "a" "b" "c" "d""#,
    ),
    (
        r#"return cmsgpack.unpack("\196\1b\197\0\1c\198\0\0\0\1d")"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\161")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\217\5abc")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\219\255\255\255\255abc")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\221\255\255\255\255abc")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\223\255\255\255\255abc")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\222\255\255\1")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\147\1\2")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (r#"return cmsgpack.unpack("\147\1\2\3")"#, r#"true {1,2,3}"#),
    (
        r#"return cmsgpack.unpack("\129\161a\1")"#,
        r#"true {"a"=1}"#,
    ),
    (
        r#"return cmsgpack.unpack("\129\192\1")"#,
        r#"false "table index is nil""#,
    ),
    (
        r#"return cmsgpack.unpack("\129\203\127\248\0\0\0\0\0\0\1")"#,
        r#"false "table index is NaN""#,
    ),
    (r#"return cmsgpack.unpack("\129\161a\192")"#, r#"true {}"#),
    (
        r#"return cmsgpack.unpack("\147\192\1\192")"#,
        r#"true {2=1}"#,
    ),
    (
        r#"return cmsgpack.unpack("\212\1\1")"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\199\1\1\1")"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\220\0")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\205\0")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (r#"return cmsgpack.unpack("\129\144\1")"#, r#"true {{}=1}"#),
    (
        r#"return cmsgpack.unpack_one()"#,
        r#"false "user_script:2: bad argument #1 to 'unpack_one' (string expected, got no value)""#,
    ),
    (r#"return cmsgpack.unpack_one("\1\2\3")"#, r#"true 1 1"#),
    (r#"return cmsgpack.unpack_one("\1\2\3",0)"#, r#"true 1 1"#),
    (r#"return cmsgpack.unpack_one("\1\2\3",1)"#, r#"true 2 2"#),
    (r#"return cmsgpack.unpack_one("\1\2\3",2)"#, r#"true -1 3"#),
    (r#"return cmsgpack.unpack_one("\1\2\3",3)"#, r#"true -1"#),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",4)"#,
        r#"false "user_script:2: Start offset 4 greater than input length 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",-1)"#,
        r#"false "user_script:2: Invalid request to unpack with offset of -1 and limit of 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\1\2\3","x")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_one' (number expected, got string)""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",{})"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_one' (number expected, got table)""#,
    ),
    (r#"return cmsgpack.unpack_one("\1\2\3",nil)"#, r#"true 1 1"#),
    (r#"return cmsgpack.unpack_one("\1\2\3",1.7)"#, r#"true 2 2"#),
    (r#"return cmsgpack.unpack_one("\1\2\3",1,5)"#, r#"true 2 2"#),
    (r#"return cmsgpack.unpack_one("")"#, r#"true -1"#),
    (r#"return cmsgpack.unpack_one("",0)"#, r#"true -1"#),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",2^32)"#,
        r#"false "user_script:2: Start offset 0 greater than input length 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",2^31)"#,
        r#"false "user_script:2: Start offset -2147483648 greater than input length 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",2^32+1)"#,
        r#"false "user_script:2: Start offset 1 greater than input length 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",1/0)"#,
        r#"false "user_script:2: Invalid request to unpack with offset of 0 and limit of 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\1\2\3",0/0)"#,
        r#"false "user_script:2: Invalid request to unpack with offset of 0 and limit of 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_limit()"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_limit' (number expected, got no value)""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_limit' (number expected, got no value)""#,
    ),
    (r#"return cmsgpack.unpack_limit("\1\2\3",1)"#, r#"true 1 1"#),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2)"#,
        r#"true 2 1 2"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",3)"#,
        r#"true -1 1 2 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",4)"#,
        r#"true -1 1 2 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",0)"#,
        r#"true 1 2 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",-1)"#,
        r#"false "user_script:2: Invalid request to unpack with offset of 0 and limit of 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",1,1)"#,
        r#"true 2 2"#,
    ),
    (r#"return cmsgpack.unpack_limit("\1\2\3",0,1)"#, r#"true 1"#),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2,1)"#,
        r#"true -1 2 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2,2)"#,
        r#"true -1 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2,3)"#,
        r#"true -1"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2,4)"#,
        r#"false "user_script:2: Start offset 4 greater than input length 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2,-1)"#,
        r#"false "user_script:2: Invalid request to unpack with offset of -1 and limit of 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",nil,1)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_limit' (number expected, got nil)""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3","1","1")"#,
        r#"true 2 2"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3","a")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_limit' (number expected, got string)""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",-2147483648)"#,
        r#"false "user_script:2: Invalid request to unpack with offset of 0 and limit of 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2^31)"#,
        r#"true -1 1 2 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2^32)"#,
        r#"true -1 1 2 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",2^32+1)"#,
        r#"true -1 1 2 3"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",1,2^32+1)"#,
        r#"false "user_script:2: Start offset 1 greater than input length 3.""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",1,"x")"#,
        r#"false "user_script:2: bad argument #3 to 'unpack_limit' (number expected, got string)""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",1,nil)"#,
        r#"true 1 1"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",1,{})"#,
        r#"false "user_script:2: bad argument #3 to 'unpack_limit' (number expected, got table)""#,
    ),
    (
        r#"return cmsgpack.unpack_one(nil)"#,
        r#"false "user_script:2: bad argument #1 to 'unpack_one' (string expected, got nil)""#,
    ),
    (
        r#"return cmsgpack.unpack_limit({},{})"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_limit' (number expected, got table)""#,
    ),
    (
        r#"return cmsgpack.unpack_limit(nil,{})"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_limit' (number expected, got table)""#,
    ),
    (r#"return cmsgpack.unpack_limit("",1)"#, r#"true -1"#),
    (r#"return cmsgpack.unpack_limit("",0)"#, r#"true"#),
    (
        r#"return cmsgpack.unpack_one("\147\1")"#,
        r#"false "user_script:2: Missing bytes in input.""#,
    ),
    (
        r#"return cmsgpack.unpack_one("\193")"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.pack(2^63-1024, -2^63, 2^63, 1.8446744073709552e19, 1.8446744073709550e19)"#,
        r#"true "\xcf\x7f\xff\xff\xff\xff\xff\xfc\x00\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xca_\x00\x00\x00\xca_\x80\x00\x00\xcbC\xef\xff\xff\xff\xff\xff\xff""#,
    ),
    (
        r#"return cmsgpack.pack(3.0000001, 1e10, 1e15+0.5, 123456.789)"#,
        r#"true "\xcb@\x08\x00\x00\x0dk\xf9M\xcf\x00\x00\x00\x02T\x0b\xe4\x00\xcbC\x0ck\xf5&4\x00\x04\xcb@\xfe$\x0c\x9f\xbev\xc9""#,
    ),
    (
        r#"return cmsgpack.pack(0.5, 3.4028234663852886e38, 3.5e38,1.401298464324817e-45)"#,
        r#"true "\xca?\x00\x00\x00\xca\x7f\x7f\xff\xff\xcbG\xf0t\xf8\xc4\xd3\xcd{\xca\x00\x00\x00\x01""#,
    ),
    (
        r#"return cmsgpack.pack({[1/0]=1})"#,
        r#"true "\x81\xca\x7f\x80\x00\x00\x01""#,
    ),
    (
        r#"return cmsgpack.pack({[1]=1,[2]=2,[4]=4})"#,
        r#"true "\x83\x01\x01\x02\x02\x04\x04""#,
    ),
    (
        r#"return cmsgpack.pack({[-1]=1})"#,
        r#"true "\x81\xff\x01""#,
    ),
    (
        r#"return cmsgpack.pack({["1"]=1})"#,
        r#"true "\x81\xa11\x01""#,
    ),
    (
        r#"return cmsgpack.pack({[2]=1,[3]=1})"#,
        r#"true "\x82\x02\x01\x03\x01""#,
    ),
    (
        r#"return cmsgpack.unpack_one({},{})"#,
        r#"false "user_script:2: bad argument #2 to 'unpack_one' (number expected, got table)""#,
    ),
    (
        r#"return cmsgpack.unpack_one({},1)"#,
        r#"false "user_script:2: bad argument #1 to 'unpack_one' (string expected, got table)""#,
    ),
    (r#"return cmsgpack.unpack_one("\1",1)"#, r#"true -1"#),
    (
        r#"return cmsgpack.unpack_limit("\1\2\3",1,3)"#,
        r#"true -1"#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\193",3)"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.unpack_limit("\1\2\193",2)"#,
        r#"true 2 1 2"#,
    ),
    (
        r#"return cmsgpack.unpack("\129\203\255\248\0\0\0\0\0\0\1")"#,
        r#"false "table index is NaN""#,
    ),
    (r#"return cmsgpack.unpack("\130\1\192\1\2")"#, r#"true {2}"#),
    (r#"return cmsgpack.unpack("\130\1\2\1\192")"#, r#"true {}"#),
    (
        r#"return cmsgpack.unpack("\207\128\0\0\0\0\0\0\0")"#,
        r#"true -9.2233720368547758e+18"#,
    ),
    (
        r#"return cmsgpack.unpack("\129\202\128\0\0\0\1")"#,
        r#"true {-0=1}"#,
    ),
    (r#"return cmsgpack.unpack("\222\0\1\1\2")"#, r#"true {2}"#),
    (
        r#"return cmsgpack.unpack("\223\0\0\0\1\1\2")"#,
        r#"true {2}"#,
    ),
    (
        r#"return cmsgpack.unpack("\202\255\192\0\0")"#,
        r#"true -nan"#,
    ),
    (
        r#"return cmsgpack.unpack("\202\127\129\0\0")"#,
        r#"true nan"#,
    ),
    (
        r#"return cmsgpack.unpack("\193\193")"#,
        r#"false "user_script:2: Bad data format in input.""#,
    ),
    (
        r#"return cmsgpack.unpack("\192\129\192\1")"#,
        r#"false "table index is nil""#,
    ),
    (
        r#"return cmsgpack.unpack(true)"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (string expected, got boolean)""#,
    ),
];
