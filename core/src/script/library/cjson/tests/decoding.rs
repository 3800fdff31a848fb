//! Texts as values, by redis-server 7.0.15.

pub(super) const CASES: &[(&str, &str)] = &[
    (
        r#"return cjson.decode()"#,
        r#"false "user_script:2: bad argument #1 to 'decode' (expected 1 argument)""#,
    ),
    (
        r#"return cjson.decode(nil)"#,
        r#"false "user_script:2: bad argument #1 to 'decode' (string expected, got nil)""#,
    ),
    (r#"return cjson.decode(1)"#, r#"true 1"#),
    (
        r#"return cjson.decode("1",2)"#,
        r#"false "user_script:2: bad argument #1 to 'decode' (expected 1 argument)""#,
    ),
    (
        r#"return cjson.decode({})"#,
        r#"false "user_script:2: bad argument #1 to 'decode' (string expected, got table)""#,
    ),
    (
        r#"return cjson.decode("")"#,
        r#"false "user_script:2: Expected value but found T_END at character 1""#,
    ),
    (r#"return cjson.decode("1")"#, r#"true 1"#),
    (r#"return cjson.decode(" \n\t\r 1 \n\t\r ")"#, r#"true 1"#),
    (
        r#"return cjson.decode("1\11")"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 2""#,
    ),
    (
        r#"return cjson.decode("1\0")"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("\0001")"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("1\0\0\0")"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("\0\0\0001")"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("[\0]")"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("[1\0]")"#,
        r#"false "user_script:2: Expected comma or array end but found T_END at character 3""#,
    ),
    (
        r#"return cjson.decode("{\0}")"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("a\0")"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("\254\255")"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode("\255\254")"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode("\239\187\1911")"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (r#"return cjson.decode("[1,2,3]")"#, r#"true {1,2,3}"#),
    (r#"return cjson.decode("[]")"#, r#"true {}"#),
    (r#"return cjson.decode("{}")"#, r#"true {}"#),
    (
        r#"return cjson.decode("[1,]")"#,
        r#"false "user_script:2: Expected value but found T_ARR_END at character 4""#,
    ),
    (
        r#"return cjson.decode("[,]")"#,
        r#"false "user_script:2: Expected value but found T_COMMA at character 2""#,
    ),
    (
        r#"return cjson.decode("[1 2]")"#,
        r#"false "user_script:2: Expected comma or array end but found T_NUMBER at character 4""#,
    ),
    (
        r#"return cjson.decode("[1")"#,
        r#"false "user_script:2: Expected comma or array end but found T_END at character 3""#,
    ),
    (
        r#"return cjson.decode("[1,")"#,
        r#"false "user_script:2: Expected value but found T_END at character 4""#,
    ),
    (
        r#"return cjson.decode("[")"#,
        r#"false "user_script:2: Expected value but found T_END at character 2""#,
    ),
    (
        r#"return cjson.decode("{")"#,
        r#"false "user_script:2: Expected object key string but found T_END at character 2""#,
    ),
    (
        r#"return cjson.decode("{1:2}")"#,
        r#"false "user_script:2: Expected object key string but found T_NUMBER at character 2""#,
    ),
    (
        r#"return cjson.decode('{"a"}')"#,
        r#"false "user_script:2: Expected colon but found T_OBJ_END at character 5""#,
    ),
    (
        r#"return cjson.decode('{"a":}')"#,
        r#"false "user_script:2: Expected value but found T_OBJ_END at character 6""#,
    ),
    (
        r#"return cjson.decode('{"a":1')"#,
        r#"false "user_script:2: Expected comma or object end but found T_END at character 7""#,
    ),
    (
        r#"return cjson.decode('{"a":1,')"#,
        r#"false "user_script:2: Expected object key string but found T_END at character 8""#,
    ),
    (
        r#"return cjson.decode('{"a":1,}')"#,
        r#"false "user_script:2: Expected object key string but found T_OBJ_END at character 8""#,
    ),
    (
        r#"return cjson.decode('{"a":1 "b":2}')"#,
        r#"false "user_script:2: Expected comma or object end but found T_STRING at character 8""#,
    ),
    (
        r#"return cjson.decode('{"a":1}}')"#,
        r#"false "user_script:2: Expected the end but found T_OBJ_END at character 8""#,
    ),
    (
        r#"return cjson.decode('1 2')"#,
        r#"false "user_script:2: Expected the end but found T_NUMBER at character 3""#,
    ),
    (
        r#"return cjson.decode('1 x')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 3""#,
    ),
    (
        r#"return cjson.decode('1 "')"#,
        r#"false "user_script:2: Expected the end but found unexpected end of string at character 4""#,
    ),
    (
        r#"return cjson.decode('1 "abc"')"#,
        r#"false "user_script:2: Expected the end but found T_STRING at character 3""#,
    ),
    (
        r#"return cjson.decode('1 true')"#,
        r#"false "user_script:2: Expected the end but found T_BOOLEAN at character 3""#,
    ),
    (
        r#"return cjson.decode('1 null')"#,
        r#"false "user_script:2: Expected the end but found T_NULL at character 3""#,
    ),
    (
        r#"return cjson.decode('1 [')"#,
        r#"false "user_script:2: Expected the end but found T_ARR_BEGIN at character 3""#,
    ),
    (
        r#"return cjson.decode('1 ,')"#,
        r#"false "user_script:2: Expected the end but found T_COMMA at character 3""#,
    ),
    (
        r#"return cjson.decode('"abc')"#,
        r#"false "user_script:2: Expected value but found unexpected end of string at character 5""#,
    ),
    (r#"return cjson.decode('"abc\n"')"#, r#"true "abc\x0a""#),
    (
        r#"return cjson.decode('"abc\t\1\127\200"')"#,
        r#"true "abc\x09\x01\x7f\xc8""#,
    ),
    (
        r#"return cjson.decode('"\0"')"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode([["\u0041\u00e9\u20ac\ud83d\ude00\u0000"]])"#,
        r#"true "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x00""#,
    ),
    (
        r#"return cjson.decode([["\ud83d"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\ud83dx"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\ud83d\n"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\ud83d\u0041"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\ude00"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\ude00\ud83d"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\ud83d\ud83d"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\u12"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\u12g4"]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\uABCD\uabcd"]])"#,
        r#"true "\xea\xaf\x8d\xea\xaf\x8d""#,
    ),
    (
        r#"return cjson.decode([["\x"]])"#,
        r#"false "user_script:2: Expected value but found invalid escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\]])"#,
        r#"false "user_script:2: Expected value but found invalid escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\u]])"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 2""#,
    ),
    (
        r#"return cjson.decode([["\"\\\/\b\f\n\r\t"]])"#,
        r#"true ""\/\x08\x0c\x0a\x0d\x09""#,
    ),
    (
        r#"return cjson.decode([["\'"]])"#,
        r#"false "user_script:2: Expected value but found invalid escape code at character 2""#,
    ),
    (
        r#"return cjson.decode('tru')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (r#"return cjson.decode('true')"#, r#"true true"#),
    (
        r#"return cjson.decode('truee')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 5""#,
    ),
    (
        r#"return cjson.decode('True')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (r#"return cjson.decode('false')"#, r#"true false"#),
    (r#"return cjson.decode('null')"#, r#"true null"#),
    (
        r#"return cjson.decode('nul')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode('nulll')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 5""#,
    ),
    (r#"return cjson.decode('nan')"#, r#"true nan"#),
    (r#"return cjson.decode('NaN')"#, r#"true nan"#),
    (r#"return cjson.decode('NAN')"#, r#"true nan"#),
    (
        r#"return cjson.decode('nanx')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (r#"return cjson.decode('-nan')"#, r#"true -nan"#),
    (r#"return cjson.decode('+nan')"#, r#"true nan"#),
    (r#"return cjson.decode('inf')"#, r#"true inf"#),
    (r#"return cjson.decode('-inf')"#, r#"true -inf"#),
    (r#"return cjson.decode('+inf')"#, r#"true inf"#),
    (r#"return cjson.decode('Infinity')"#, r#"true inf"#),
    (r#"return cjson.decode('-Infinity')"#, r#"true -inf"#),
    (
        r#"return cjson.decode('infinit')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (
        r#"return cjson.decode('infx')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (r#"return cjson.decode('INF')"#, r#"true inf"#),
    (r#"return cjson.decode('0x10')"#, r#"true 16"#),
    (r#"return cjson.decode('0X1F')"#, r#"true 31"#),
    (r#"return cjson.decode('-0x10')"#, r#"true -16"#),
    (
        r#"return cjson.decode('0x')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 2""#,
    ),
    (r#"return cjson.decode('0x1p4')"#, r#"true 16"#),
    (r#"return cjson.decode('0x1.8')"#, r#"true 1.5"#),
    (r#"return cjson.decode('010')"#, r#"true 10"#),
    (r#"return cjson.decode('00')"#, r#"true 0"#),
    (r#"return cjson.decode('-010')"#, r#"true -10"#),
    (r#"return cjson.decode('-0')"#, r#"true -0"#),
    (r#"return cjson.decode('+1')"#, r#"true 1"#),
    (
        r#"return cjson.decode('-')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"return cjson.decode('--1')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"return cjson.decode('.5')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (r#"return cjson.decode('5.')"#, r#"true 5"#),
    (r#"return cjson.decode('-.5')"#, r#"true -0.5"#),
    (r#"return cjson.decode('1e5')"#, r#"true 100000"#),
    (
        r#"return cjson.decode('1e')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 2""#,
    ),
    (
        r#"return cjson.decode('1e+')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 2""#,
    ),
    (r#"return cjson.decode('1E-2')"#, r#"true 0.01"#),
    (r#"return cjson.decode('1e999')"#, r#"true inf"#),
    (r#"return cjson.decode('1e-999')"#, r#"true 0"#),
    (
        r#"return cjson.decode('1.2.3')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (
        r#"return cjson.decode('1..2')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 3""#,
    ),
    (
        r#"return cjson.decode('123456789012345678901234567890')"#,
        r#"true 1.2345678901234568e+29"#,
    ),
    (
        r#"return cjson.decode('[1e5x]')"#,
        r#"false "user_script:2: Expected comma or array end but found invalid token at character 5""#,
    ),
    (
        r#"return cjson.decode('[nan,inf,-inf,0x5,NaN,Infinity]')"#,
        r#"true {nan,inf,-inf,5,nan,inf}"#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('nan')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('inf')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-inf')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('0x10')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('010')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-010')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-0x10')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-0')"#,
        r#"true -0"#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-0.5')"#,
        r#"true -0.5"#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('0')"#,
        r#"true 0"#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-nan')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('Infinity')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('infx')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('.5')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('1e999')"#,
        r#"true inf"#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_max_depth(1) return c.decode('[[]]')"#,
        r#"false "user_script:2: Found too many nested data structures (2) at character 2""#,
    ),
    (
        r#"local c=cjson.new() c.decode_max_depth(1) return c.decode('[{}]')"#,
        r#"false "user_script:2: Found too many nested data structures (2) at character 2""#,
    ),
    (
        r#"local c=cjson.new() c.decode_max_depth(1) return c.decode(' {"a":  []}')"#,
        r#"false "user_script:2: Found too many nested data structures (2) at character 9""#,
    ),
    (
        r#"local c=cjson.new() c.decode_max_depth(1) return c.decode('[1]')"#,
        r#"true {1}"#,
    ),
    (
        r#"return cjson.decode("'a'")"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (r#"return cjson.decode('{"a":1,"a":2}')"#, r#"true {"a"=2}"#),
    (
        r#"return cjson.decode('{"a" : null , "b" : [ ] }')"#,
        r#"true {"a"=null,"b"={}}"#,
    ),
    (
        r#"return cjson.decode('[null,1,null]')"#,
        r#"true {null,1,null}"#,
    ),
    (r#"return cjson.decode('{"":1}')"#, r#"true {""=1}"#),
    (
        r#"return cjson.decode('/')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode('// x')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode('\127')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode(':')"#,
        r#"false "user_script:2: Expected value but found T_COLON at character 1""#,
    ),
    (
        r#"return cjson.decode(',')"#,
        r#"false "user_script:2: Expected value but found T_COMMA at character 1""#,
    ),
    (
        r#"return cjson.decode(']')"#,
        r#"false "user_script:2: Expected value but found T_ARR_END at character 1""#,
    ),
    (
        r#"return cjson.decode('}')"#,
        r#"false "user_script:2: Expected value but found T_OBJ_END at character 1""#,
    ),
    (
        r#"return cjson.decode('["a":1]')"#,
        r#"false "user_script:2: Expected comma or array end but found T_COLON at character 5""#,
    ),
    (
        r#"return cjson.decode('{"a",1}')"#,
        r#"false "user_script:2: Expected colon but found T_COMMA at character 5""#,
    ),
    (
        r#"return cjson.decode('{true:1}')"#,
        r#"false "user_script:2: Expected object key string but found T_BOOLEAN at character 2""#,
    ),
    (
        r#"return cjson.decode('{null}')"#,
        r#"false "user_script:2: Expected object key string but found T_NULL at character 2""#,
    ),
    (
        r#"return cjson.decode('{[')"#,
        r#"false "user_script:2: Expected object key string but found T_ARR_BEGIN at character 2""#,
    ),
    (
        r#"return cjson.decode('{]')"#,
        r#"false "user_script:2: Expected object key string but found T_ARR_END at character 2""#,
    ),
    (
        r#"return cjson.decode('{,')"#,
        r#"false "user_script:2: Expected object key string but found T_COMMA at character 2""#,
    ),
    (
        r#"return cjson.decode('{:')"#,
        r#"false "user_script:2: Expected object key string but found T_COLON at character 2""#,
    ),
    (
        r#"return cjson.decode('{"a":1:')"#,
        r#"false "user_script:2: Expected comma or object end but found T_COLON at character 7""#,
    ),
    (
        r#"return cjson.decode('{"a":1]')"#,
        r#"false "user_script:2: Expected comma or object end but found T_ARR_END at character 7""#,
    ),
    (
        r#"return cjson.decode('[1}')"#,
        r#"false "user_script:2: Expected comma or array end but found T_OBJ_END at character 3""#,
    ),
    (
        r#"return cjson.decode('[1:')"#,
        r#"false "user_script:2: Expected comma or array end but found T_COLON at character 3""#,
    ),
    (
        r#"return cjson.decode('e')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode('Nope')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode('in')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode('n')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"return cjson.decode('n\0')"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode("\0")"#,
        r#"false "user_script:2: Expected value but found T_END at character 1""#,
    ),
    (
        r#"return cjson.decode('"ab\\x"')"#,
        r#"false "user_script:2: Expected value but found invalid escape code at character 4""#,
    ),
    (
        r#"return cjson.decode('"ab\\u00g0"')"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 4""#,
    ),
    (
        r#"return cjson.decode('"ab')"#,
        r#"false "user_script:2: Expected value but found unexpected end of string at character 4""#,
    ),
    (
        r#"return cjson.decode('["ab')"#,
        r#"false "user_script:2: Expected value but found unexpected end of string at character 5""#,
    ),
    (
        r#"return cjson.decode('["ab\0cd"]')"#,
        r#"false "user_script:2: Expected value but found unexpected end of string at character 5""#,
    ),
    (
        r#"return cjson.decode('["ab\\\0cd"]')"#,
        r#"false "user_script:2: Expected value but found invalid escape code at character 5""#,
    ),
    (
        r#"return cjson.decode('["ab\\u\0cd"]')"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 5""#,
    ),
    (
        r#"return cjson.decode('["ab\\u12\0cd"]')"#,
        r#"false "user_script:2: Expected value but found invalid unicode escape code at character 5""#,
    ),
    (r#"return cjson.decode('nan(1)')"#, r#"true nan"#),
    (
        r#"return cjson.decode('nan(1')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (r#"return cjson.decode('nan()')"#, r#"true nan"#),
    (r#"return cjson.decode('nan(a_b9)')"#, r#"true nan"#),
    (
        r#"return cjson.decode('nan(a-b)')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (
        r#"return cjson.decode('infinityx')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 9""#,
    ),
    (
        r#"return cjson.decode('- 1')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"return cjson.decode('-\t1')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"return cjson.decode('+ 1')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"return cjson.decode('+')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"return cjson.decode('+-1')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (r#"return cjson.decode('+.5')"#, r#"true 0.5"#),
    (
        r#"return cjson.decode('-.')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"return cjson.decode('-e')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (r#"return cjson.decode('0x.8')"#, r#"true 0.5"#),
    (
        r#"return cjson.decode('0x.')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 2""#,
    ),
    (
        r#"return cjson.decode('0x8p')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (
        r#"return cjson.decode('0x8p+')"#,
        r#"false "user_script:2: Expected the end but found invalid token at character 4""#,
    ),
    (r#"return cjson.decode('0x8P-1')"#, r#"true 4"#),
    (r#"return cjson.decode('0x1.fffffffffffff8')"#, r#"true 2"#),
    (
        r#"return cjson.decode('0x1.fffffffffffff7ffffffffffffffff')"#,
        r#"true 1.9999999999999998"#,
    ),
    (
        r#"return cjson.decode('0x1p-1074')"#,
        r#"true 4.9406564584124654e-324"#,
    ),
    (r#"return cjson.decode('0x1p99999999999')"#, r#"true inf"#),
    (r#"return cjson.decode('0x0p99999999999')"#, r#"true 0"#),
    (
        r#"return cjson.decode('1e99999999999999999999')"#,
        r#"true inf"#,
    ),
    (
        r#"return cjson.decode('0e99999999999999999999')"#,
        r#"true 0"#,
    ),
    (
        r#"return cjson.decode('1e-99999999999999999999')"#,
        r#"true 0"#,
    ),
    (r#"return cjson.decode('1.e5')"#, r#"true 100000"#),
    (
        r#"return cjson.decode('1\0')"#,
        r#"false "user_script:2: JSON parser does not support UTF-16 or UTF-32""#,
    ),
    (
        r#"return cjson.decode('[1\0')"#,
        r#"false "user_script:2: Expected comma or array end but found T_END at character 3""#,
    ),
    (
        r#"return cjson.decode('[1.5\0005')"#,
        r#"false "user_script:2: Expected comma or array end but found T_END at character 5""#,
    ),
    (
        r#"return cjson.decode('[-\0005')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 2""#,
    ),
    (
        r#"return cjson.decode('[n\0')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 2""#,
    ),
    (
        r#"return cjson.decode('[nu\0ll')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 2""#,
    ),
    (
        r#"return cjson.decode('[i\0ll')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 2""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('+1')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('+inf')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('+nan')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('+0x1')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('+01')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-x')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-i')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-in')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('00')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('0.5')"#,
        r#"true 0.5"#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-0x')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('0e1')"#,
        r#"true 0"#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('n')"#,
        r#"false "user_script:2: Expected value but found invalid token at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-N')"#,
        r#"false "user_script:2: Expected value but found invalid number at character 1""#,
    ),
    (
        r#"local c=cjson.new() c.decode_invalid_numbers(false) return c.decode('-.5')"#,
        r#"true -0.5"#,
    ),
    (r#"return cjson.decode(12.5)"#, r#"true 12.5"#),
    (r#"return cjson.decode(1e100)"#, r#"true 1e+100"#),
    (r#"return cjson.decode(0/0)"#, r#"true -nan"#),
    (
        r#"return cjson.decode(true)"#,
        r#"false "user_script:2: bad argument #1 to 'decode' (string expected, got boolean)""#,
    ),
    (
        r#"return cjson.decode(cjson.null)"#,
        r#"false "user_script:2: bad argument #1 to 'decode' (string expected, got userdata)""#,
    ),
    (
        r#"return cjson.decode(cjson.decode)"#,
        r#"false "user_script:2: bad argument #1 to 'decode' (string expected, got function)""#,
    ),
    (
        r#"return cjson.decode('"\237\160\189"')"#,
        r#"true "\xed\xa0\xbd""#,
    ),
];
