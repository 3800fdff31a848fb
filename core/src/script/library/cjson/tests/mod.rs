mod decoding;
mod encoding;

use super::number::{push_number, read_number};
use crate::script::library::testing::{Random, compare, run, state};
use mlua::Function;

#[test]
fn texts_are_those_of_redis() {
    compare(encoding::CASES);
}

#[test]
fn values_are_those_of_redis() {
    compare(decoding::CASES);
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
fn output_is_bounded() {
    let script = "local t = ('\\1'):rep(1000) for i = 1, 60 do t = {t, t} end
        return cjson.encode(t)";
    assert_eq!(run(&state(), script), "false \"not enough memory\"");
}

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
