use super::number::{push_number, read_number};
use crate::script::library::testing::{Random, compare, run, state};
use mlua::Function;

#[test]
fn texts_are_those_of_redis() {
    compare(ENCODED);
}

#[test]
fn values_are_those_of_redis() {
    compare(DECODED);
}

#[test]
fn settings_are_those_of_redis() {
    compare(SETTINGS);
}

#[test]
fn what_is_encoded_is_decoded_again() {
    let lua = state();
    let mut random = Random::new(11);
    for _ in 0..500 {
        let value = random.value(3);
        let script = format!(
            "local v = {value} return show_all(cjson.decode(cjson.encode(v))) == show_all(v)"
        );
        assert_eq!(run(&lua, &script), "true true", "{value}");
    }
}

#[test]
fn random_text_fails_without_panic() {
    const PIECES: [&str; 24] = [
        "{", "}", "[", "]", ",", ":", "\"", "\\\\", "\\\\u", "d83d", "dc00", "\\000", "\"a\"", "1",
        "-", "0x", ".", "e5", "nan", "inf", "(", "null", "\\255", " ",
    ];
    let lua = state();
    let mut random = Random::new(13);
    for _ in 0..5000 {
        let pieces = (0..1 + random.below(10)).map(|_| PIECES[random.below(24) as usize]);
        let text = pieces.collect::<String>().replace('"', "\\\"");
        run(&lua, &format!("return cjson.decode(\"{text}\")"));
    }
}

#[test]
fn numbers_are_printed_as_in_c() {
    let lua = state();
    let format: Function = lua
        .load("return string.format")
        .eval()
        .expect("Lua has the function");
    let mut random = Random::new(17);
    let check = |number: f64, precision: usize| {
        let mut out = Vec::new();
        push_number(&mut out, number, precision);
        let pattern = format!("%.{precision}g");
        let expected: String = format
            .call((pattern, number))
            .expect("a number is formatted");
        assert_eq!(String::from_utf8_lossy(&out), expected, "{number:e}");
    };
    for precision in 1..=14 {
        for _ in 0..3000 {
            let number = f64::from_bits(random.bits());
            if number.is_finite() {
                check(number, precision);
            }
            // Numbers that lie between two of the precision, or close to where the form changes.
            check(random.below(100_000) as f64 / 8.0, precision);
            let power = 10_f64.powi(random.below(40) as i32 - 20);
            check(power, precision);
            check(power.next_down(), precision);
            check(-power * 0.5, precision);
        }
    }
}

#[test]
fn numbers_are_read_as_in_c() {
    let lua = state();
    let mut random = Random::new(19);
    for _ in 0..20_000 {
        let number = f64::from_bits(random.bits());
        let text = format!("{number:e}x");
        let read = read_number(&lua, text.as_bytes()).expect("Lua has memory");
        let (read, len) = read.expect("there is a number");
        assert_eq!(len, text.len() - 1, "{text}");
        assert!(
            read.to_bits() == number.to_bits() || number.is_nan(),
            "{text}"
        );
    }
}

#[test]
fn the_deepest_nesting_fits_the_stack_of_a_script() {
    let scripts =
        || {
            let lua = state();
            for (script, expected) in [
            (
                "local t = {} for i = 1, 999 do t = {a = {t}} if i == 499 then break end end
                return #cjson.encode(cjson.decode(cjson.encode(t)))",
                "true 3994",
            ),
            ("return #cjson.decode(('['):rep(1000) .. (']'):rep(1000))", "true 1"),
            (
                "return cjson.decode(('['):rep(1001))",
                "false \"user_script:2: Found too many nested data structures (1001) \
                at character 1001\"",
            ),
            (
                "local t = {} for i = 1, 1000 do t = {t} end return cjson.encode(t)",
                "false \"user_script:2: Cannot serialise, excessive nesting (1001)\"",
            ),
            (
                "local c = cjson.new() c.encode_max_depth(2^31 - 1) c.decode_max_depth(2^31 - 1)
                local t = {} for i = 1, 5000 do t = {t} end
                return #cjson.encode(c.decode(c.encode(t)):gsub('', ''))",
                "false \"user_script:4: attempt to call method 'gsub' (a nil value)\"",
            ),
        ] {
            assert_eq!(run(&lua, script), expected, "{script}");
        }
        };
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let thread = thread.spawn(scripts).expect("a thread starts");
    assert!(thread.join().is_ok());
}

#[test]
fn output_is_bounded() {
    let script = "local t = ('\\1'):rep(1000) for i = 1, 60 do t = {t, t} end
        return cjson.encode(t)";
    assert_eq!(run(&state(), script), "false \"not enough memory\"");
}

const DECODED: &[(&str, &str)] = &[
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
const ENCODED: &[(&str, &str)] = &[
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
const SETTINGS: &[(&str, &str)] = &[
    (
        r#"local c=cjson.new() return c.encode_max_depth(2147483647)"#,
        r#"true 2147483647"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth(2147483648)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth(-1)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth("5")"#,
        r#"true 5"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth("x")"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (number expected, got string)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth(1.5)"#,
        r#"true 1"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth(nil)"#,
        r#"true 1000"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth()"#,
        r#"true 1000"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth(1,2)"#,
        r#"false "user_script:2: bad argument #2 to 'encode_max_depth' (found too many arguments)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth({})"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (number expected, got table)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth(0/0)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_max_depth(1/0)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.decode_max_depth()"#,
        r#"true 1000"#,
    ),
    (
        r#"local c=cjson.new() return c.decode_max_depth(0)"#,
        r#"false "user_script:2: bad argument #1 to 'decode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.decode_max_depth(3)"#,
        r#"true 3"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer()"#,
        r#"true true"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer(false)"#,
        r#"true false"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer("on")"#,
        r#"true true"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer("off")"#,
        r#"true false"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer("onx")"#,
        r#"false "user_script:2: bad argument #1 to 'encode_keep_buffer' (invalid option 'onx')""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer(1)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_keep_buffer' (invalid option '1')""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer(nil)"#,
        r#"true true"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer({})"#,
        r#"false "user_script:2: bad argument #1 to 'encode_keep_buffer' (string expected, got table)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_keep_buffer(true,true)"#,
        r#"false "user_script:2: bad argument #2 to 'encode_keep_buffer' (found too many arguments)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_number_precision()"#,
        r#"true 14"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_number_precision(0)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_number_precision(1)"#,
        r#"true 1"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_number_precision(14)"#,
        r#"true 14"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_number_precision(15)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_number_precision(16)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_number_precision(17)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array()"#,
        r#"true false 2 10"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(true)"#,
        r#"true true 2 10"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(true,3,4)"#,
        r#"true true 3 4"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(true,-3,4)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(true,3,-4)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(true,3,4,5)"#,
        r#"false "user_script:2: bad argument #4 to 'encode_sparse_array' (found too many arguments)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array("on")"#,
        r#"true true 2 10"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(nil,nil,5)"#,
        r#"true false 2 5"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(1)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_sparse_array' (invalid option '1')""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_invalid_numbers()"#,
        r#"true false"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_invalid_numbers("null")"#,
        r#"true "null""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_invalid_numbers(true)"#,
        r#"true true"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_invalid_numbers(false)"#,
        r#"true false"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_invalid_numbers("on")"#,
        r#"true true"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_invalid_numbers("off")"#,
        r#"true false"#,
    ),
    (
        r#"local c=cjson.new() return c.encode_invalid_numbers("nul")"#,
        r#"false "user_script:2: bad argument #1 to 'encode_invalid_numbers' (invalid option 'nul')""#,
    ),
    (
        r#"local c=cjson.new() return c.decode_invalid_numbers()"#,
        r#"true true"#,
    ),
    (
        r#"local c=cjson.new() return c.decode_invalid_numbers("null")"#,
        r#"false "user_script:2: bad argument #1 to 'decode_invalid_numbers' (invalid option 'null')""#,
    ),
    (
        r#"local c=cjson.new() return c.decode_invalid_numbers(false)"#,
        r#"true false"#,
    ),
    (
        r#"local c=cjson.new() return c.decode_invalid_numbers(true,1)"#,
        r#"false "user_script:2: bad argument #2 to 'decode_invalid_numbers' (found too many arguments)""#,
    ),
    (
        r#"local c=cjson.new() return c.decode_invalid_numbers(1)"#,
        r#"false "user_script:2: bad argument #1 to 'decode_invalid_numbers' (invalid option '1')""#,
    ),
    (
        r#"return pcall(cjson.encode, 1/0)"#,
        r#"true false "Cannot serialise number: must not be NaN or Inf""#,
    ),
    (r#"return cjson.new().null"#, r#"true null"#),
    (
        r#"return cjson.new().encode_max_depth("0x10")"#,
        r#"true 16"#,
    ),
    (
        r#"return cjson.new().encode_max_depth(" 16 ")"#,
        r#"true 16"#,
    ),
    (
        r#"return cjson.new().encode_max_depth(2^32+5)"#,
        r#"true 5"#,
    ),
    (
        r#"return cjson.new().encode_max_depth(2^53)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"return cjson.new().encode_max_depth(1e300)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)""#,
    ),
    (
        r#"return cjson.new().encode_max_depth(true)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (number expected, got boolean)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array("null")"#,
        r#"false "user_script:2: bad argument #1 to 'encode_sparse_array' (invalid option 'null')""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(false,2^31)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(false,"x")"#,
        r#"false "user_script:2: bad argument #2 to 'encode_sparse_array' (number expected, got string)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array(false,1,{})"#,
        r#"false "user_script:2: bad argument #3 to 'encode_sparse_array' (number expected, got table)""#,
    ),
    (
        r#"local c=cjson.new() return c.encode_sparse_array({},1,{})"#,
        r#"false "user_script:2: bad argument #1 to 'encode_sparse_array' (string expected, got table)""#,
    ),
    (
        r#"local c=cjson.new() pcall(c.encode_sparse_array, true,1,{}) return c.encode_sparse_array()"#,
        r#"true true 1 10"#,
    ),
    (
        r#"local c=cjson.new() pcall(c.encode_sparse_array, true,5,-3) return c.encode_sparse_array()"#,
        r#"true true 5 10"#,
    ),
    (
        r#"local c=cjson.new() pcall(c.encode_max_depth,-7) return c.encode_max_depth()"#,
        r#"true 1000"#,
    ),
    (
        r#"local c=cjson.new() pcall(c.encode_max_depth,5,6) return c.encode_max_depth()"#,
        r#"true 1000"#,
    ),
    (
        r#"return cjson.new().encode_keep_buffer("")"#,
        r#"false "user_script:2: bad argument #1 to 'encode_keep_buffer' (invalid option '')""#,
    ),
    (
        r#"return cjson.new().encode_keep_buffer("on\0")"#,
        r#"true true"#,
    ),
    (
        r#"return cjson.new().encode_keep_buffer("o\0n")"#,
        r#"false "user_script:2: bad argument #1 to 'encode_keep_buffer' (invalid option 'o')""#,
    ),
    (
        r#"return cjson.new().encode_keep_buffer(function() end)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_keep_buffer' (string expected, got function)""#,
    ),
    (
        r#"return cjson.new().encode_keep_buffer(cjson.null)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_keep_buffer' (string expected, got userdata)""#,
    ),
    (
        r#"return cjson.new().encode_max_depth(cjson.null)"#,
        r#"false "user_script:2: bad argument #1 to 'encode_max_depth' (number expected, got userdata)""#,
    ),
    (
        r#"return cjson.new().encode_max_depth(nil,nil)"#,
        r#"false "user_script:2: bad argument #2 to 'encode_max_depth' (found too many arguments)""#,
    ),
    (
        r#"return cjson.new().encode_max_depth(nil,nil,nil)"#,
        r#"false "user_script:2: bad argument #2 to 'encode_max_depth' (found too many arguments)""#,
    ),
    (
        r#"return cjson.new().encode_keep_buffer(nil,nil)"#,
        r#"false "user_script:2: bad argument #2 to 'encode_keep_buffer' (found too many arguments)""#,
    ),
    (
        r#"return cjson.new().encode_sparse_array(nil,nil,nil,nil,nil)"#,
        r#"false "user_script:2: bad argument #4 to 'encode_sparse_array' (found too many arguments)""#,
    ),
    (r#"return cmsgpack.pack(cjson.null)"#, r#"true "\xc0""#),
    (
        r#"return bit.band(cjson.null)"#,
        r#"false "user_script:2: bad argument #1 to 'band' (number expected, got userdata)""#,
    ),
];
