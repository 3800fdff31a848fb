//! Values as texts, by redis-server 7.0.15.

pub(super) const CASES: &[(&str, &str)] = &[
    (
        r#"return cjson.encode()"#,
        r#"false "user_script:2: bad argument #1 to 'encode' (expected 1 argument)""#,
    ),
    (
        r#"return cjson.encode(1,2)"#,
        r#"false "user_script:2: bad argument #1 to 'encode' (expected 1 argument)""#,
    ),
    (r#"return cjson.encode(nil)"#, r#"true "null""#),
    (
        r#"return cjson.encode("a/b\"\\\b\f\n\r\t\1\31\127\128\255\0x")"#,
        r#"true ""a\/b\"\\\b\f\n\r\t\u0001\u001f\u007f\x80\xff\u0000x"""#,
    ),
    (r#"return cjson.encode({})"#, r#"true "{}""#),
    (r#"return cjson.encode({1,2,3})"#, r#"true "[1,2,3]""#),
    (r#"return cjson.encode({a=1})"#, r#"true "{"a":1}""#),
    (
        r#"return cjson.encode({[1]=1,[3]=3})"#,
        r#"true "[1,null,3]""#,
    ),
    (
        r#"return cjson.encode({[11]=1})"#,
        r#"false "user_script:2: Cannot serialise table: excessively sparse array""#,
    ),
    (
        r#"return cjson.encode({[10]=1})"#,
        r#"true "[null,null,null,null,null,null,null,null,null,1]""#,
    ),
    (r#"return cjson.encode({[1.5]=1})"#, r#"true "{"1.5":1}""#),
    (r#"return cjson.encode({[0]=1})"#, r#"true "{"0":1}""#),
    (r#"return cjson.encode({[-1]=1})"#, r#"true "{"-1":1}""#),
    (
        r#"return cjson.encode({[1e300]=1})"#,
        r#"true "{"1e+300":1}""#,
    ),
    (
        r#"return cjson.encode({[true]=1})"#,
        r#"false "user_script:2: Cannot serialise boolean: table key must be a number or string""#,
    ),
    (
        r#"return cjson.encode({[cjson.null]=1})"#,
        r#"false "user_script:2: Cannot serialise userdata: table key must be a number or string""#,
    ),
    (
        r#"return cjson.encode({[{}]=1})"#,
        r#"false "user_script:2: Cannot serialise table: table key must be a number or string""#,
    ),
    (
        r#"return cjson.encode({a=function() end})"#,
        r#"false "user_script:2: Cannot serialise function: type not supported""#,
    ),
    (
        r#"return cjson.encode(cjson.encode)"#,
        r#"false "user_script:2: Cannot serialise function: type not supported""#,
    ),
    (
        r#"return cjson.encode(coroutine.create(function() end))"#,
        r#"false "user_script:2: Cannot serialise thread: type not supported""#,
    ),
    (
        r#"return cjson.encode({a=cjson.null})"#,
        r#"true "{"a":null}""#,
    ),
    (
        r#"return cjson.encode(1/0)"#,
        r#"false "user_script:2: Cannot serialise number: must not be NaN or Inf""#,
    ),
    (
        r#"return cjson.encode(-1/0)"#,
        r#"false "user_script:2: Cannot serialise number: must not be NaN or Inf""#,
    ),
    (
        r#"return cjson.encode(0/0)"#,
        r#"false "user_script:2: Cannot serialise number: must not be NaN or Inf""#,
    ),
    (
        r#"return cjson.encode({[1/0]=1})"#,
        r#"false "user_script:2: Cannot serialise number: must not be NaN or Inf""#,
    ),
    (
        r#"return cjson.encode({[-1/0]=1})"#,
        r#"false "user_script:2: Cannot serialise number: must not be NaN or Inf""#,
    ),
    (r#"return cjson.encode(-0)"#, r#"true "-0""#),
    (r#"return cjson.encode(-0.0*1)"#, r#"true "-0""#),
    (r#"return cjson.encode(0.1)"#, r#"true "0.1""#),
    (r#"return cjson.encode(1e14)"#, r#"true "1e+14""#),
    (r#"return cjson.encode(1e15)"#, r#"true "1e+15""#),
    (
        r#"return cjson.encode(123456789012345678)"#,
        r#"true "1.2345678901235e+17""#,
    ),
    (r#"return cjson.encode(1e-5)"#, r#"true "1e-05""#),
    (r#"return cjson.encode(1e-4)"#, r#"true "0.0001""#),
    (r#"return cjson.encode(true)"#, r#"true "true""#),
    (r#"return cjson.encode(cjson.null)"#, r#"true "null""#),
    (
        r#"local c=cjson.new() c.encode_max_depth(1) return c.encode({})"#,
        r#"true "{}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_max_depth(1) return c.encode({{}})"#,
        r#"false "user_script:2: Cannot serialise, excessive nesting (2)""#,
    ),
    (
        r#"local c=cjson.new() c.encode_max_depth(0) return c.encode({{}})"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() c.encode_invalid_numbers(true) return c.encode({1/0,-1/0,0/0,-(0/0)})"#,
        r#"true "[inf,-inf,nan,nan]""#,
    ),
    (
        r#"local c=cjson.new() c.encode_invalid_numbers("null") return c.encode({1/0,-1/0,0/0,-(0/0),[5]=1})"#,
        r#"true "[null,null,null,null,1]""#,
    ),
    (
        r#"local c=cjson.new() c.encode_invalid_numbers("null") return c.encode({[1/0]=2})"#,
        r#"true "{"null":2}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_invalid_numbers(true) return c.encode({[1/0]=2})"#,
        r#"true "{"inf":2}""#,
    ),
    (
        r#"return cjson.encode({[2^31]=1})"#,
        r#"true "{"2147483648":1}""#,
    ),
    (
        r#"return cjson.encode({[2^31-1]=1})"#,
        r#"false "user_script:2: Cannot serialise table: excessively sparse array""#,
    ),
    (
        r#"return cjson.encode({[2^32]=1})"#,
        r#"true "{"4294967296":1}""#,
    ),
    (
        r#"return cjson.encode({[2^32+1]=1})"#,
        r#"true "{"4294967297":1}""#,
    ),
    (
        r#"return cjson.encode({[2^33+5]=1})"#,
        r#"true "{"8589934597":1}""#,
    ),
    (
        r#"return cjson.encode({[2^53]=1})"#,
        r#"true "{"9.007199254741e+15":1}""#,
    ),
    (
        r#"return cjson.encode({[2^63]=1})"#,
        r#"true "{"9.2233720368548e+18":1}""#,
    ),
    (
        r#"return cjson.encode({[2^62]=1})"#,
        r#"true "{"4.6116860184274e+18":1}""#,
    ),
    (
        r#"return cjson.encode({1,2,[2^32+1]=1})"#,
        r#"true "{"1":1,"2":2,"4294967297":1}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,2147483647,0) return c.encode({[2^31-1]=1,[2^31-2]=1,[2^31-3]=1})"#,
        r#"true "{"2147483645":1,"2147483646":1,"2147483647":1}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,1073741824,0) return c.encode({[100]=1,[101]=1})"#,
        r#"true "{"100":1,"101":1}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,1073741825,0) return c.encode({[100]=1,[101]=1})"#,
        r#"true "{"100":1,"101":1}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,2147483647,0) return c.encode({[100]=1,[101]=1})"#,
        r#"true "{"100":1,"101":1}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,2,10) return c.encode({[100]=1,[101]=1})"#,
        r#"true "{"100":1,"101":1}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,1,0) return c.encode({[1]=1,[2]=1})"#,
        r#"true "[1,1]""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,1,0) return c.encode({[1]=1,[3]=1})"#,
        r#"true "{"1":1,"3":1}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,1,3) return c.encode({[1]=1,[3]=1})"#,
        r#"true "[1,null,1]""#,
    ),
    (
        r#"local c=cjson.new() c.encode_sparse_array(true,1,2) return c.encode({[1]=1,[3]=1})"#,
        r#"true "{"1":1,"3":1}""#,
    ),
    (
        r#"return cjson.encode({a=1,[1]=2})"#,
        r#"true "{"a":1,"1":2}""#,
    ),
    (
        r#"return cjson.encode({[1]=2,[2]={},[3]={{}}})"#,
        r#"true "[2,{},[{}]]""#,
    ),
    (r#"return cjson.encode({["1"]=2})"#, r#"true "{"1":2}""#),
    (
        r#"return cjson.encode({["a/\n"]=2})"#,
        r#"true "{"a\/\n":2}""#,
    ),
    (r#"return cjson.encode({[1.1]=2})"#, r#"true "{"1.1":2}""#),
    (r#"return cjson.encode({[-0.5]=2})"#, r#"true "{"-0.5":2}""#),
    (
        r#"return cjson.encode({[123456789012345.5]=2})"#,
        r#"true "{"1.2345678901235e+14":2}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_number_precision(3) return c.encode({[1.23456]=1.23456})"#,
        r#"true "{"1.23":1.23}""#,
    ),
    (
        r#"local c=cjson.new() c.encode_number_precision(3) return c.encode({12345,0.000012345,1e100,-1.5,999.9,1000,0.1,1e21})"#,
        r#"true "[1.23e+04,1.23e-05,1e+100,-1.5,1e+03,1e+03,0.1,1e+21]""#,
    ),
    (
        r#"local c=cjson.new() c.encode_number_precision(1) return c.encode({0.95,9.5,0.5,0.25,15,1e22})"#,
        r#"true "[0.9,1e+01,0.5,0.2,2e+01,1e+22]""#,
    ),
    (
        r#"local c=cjson.new() c.encode_keep_buffer(false) return c.encode({1,2,"x"})"#,
        r#"true "[1,2,"x"]""#,
    ),
    (
        r#"return cjson.encode("\226\130\172\237\160\189")"#,
        r#"true ""\xe2\x82\xac\xed\xa0\xbd"""#,
    ),
];
