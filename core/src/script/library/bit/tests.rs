use crate::script::library::testing::compare;

#[test]
fn results_and_errors_are_those_of_redis() {
    compare(CASES);
}

const CASES: &[(&str, &str)] = &[
    (
        r#"return bit.tobit()"#,
        r#"false "user_script:2: bad argument #1 to 'tobit' (number expected, got no value)""#,
    ),
    (
        r#"return bit.tobit("x")"#,
        r#"false "user_script:2: bad argument #1 to 'tobit' (number expected, got string)""#,
    ),
    (r#"return bit.tobit("5")"#, r#"true 5"#),
    (r#"return bit.tobit("0xff")"#, r#"true 255"#),
    (
        r#"return bit.tobit({})"#,
        r#"false "user_script:2: bad argument #1 to 'tobit' (number expected, got table)""#,
    ),
    (
        r#"return bit.tobit(nil)"#,
        r#"false "user_script:2: bad argument #1 to 'tobit' (number expected, got nil)""#,
    ),
    (
        r#"return bit.tobit(true)"#,
        r#"false "user_script:2: bad argument #1 to 'tobit' (number expected, got boolean)""#,
    ),
    (
        r#"return bit.tobit(2^31), bit.tobit(2^32), bit.tobit(2^32+1), bit.tobit(-1), bit.tobit(-2^31-1), bit.tobit(2^40+7)"#,
        r#"true -2147483648 0 1 -1 2147483647 7"#,
    ),
    (
        r#"return bit.tobit(2^51+0.5), bit.tobit(2^51+1.5), bit.tobit(2^52-0.5), bit.tobit(-2^51-1), bit.tobit(-2^52-1), bit.tobit(-2^53-2)"#,
        r#"true 0 1 0 -2 -4 4"#,
    ),
    (
        r#"return bit.tobit(2^54+4), bit.tobit(2^55+8), bit.tobit(2^52+2^31+3), bit.tobit(1e15), bit.tobit(1e16), bit.tobit(1e17),bit.tobit(-1e16)"#,
        r#"true 1 1 1073741826 -1530494976 937459712 -2049400832 -545128448"#,
    ),
    (r#"return bit.tobit(1,2)"#, r#"true 1"#),
    (
        r#"return bit.band()"#,
        r#"false "user_script:2: bad argument #1 to 'band' (number expected, got no value)""#,
    ),
    (r#"return bit.band(1)"#, r#"true 1"#),
    (r#"return bit.band(7,3,2)"#, r#"true 2"#),
    (
        r#"return bit.band(7,nil)"#,
        r#"false "user_script:2: bad argument #2 to 'band' (number expected, got nil)""#,
    ),
    (
        r#"return bit.band(7,"a")"#,
        r#"false "user_script:2: bad argument #2 to 'band' (number expected, got string)""#,
    ),
    (
        r#"return bit.band({},1)"#,
        r#"false "user_script:2: bad argument #1 to 'band' (number expected, got table)""#,
    ),
    (r#"return bit.bor(1,2,4,2^31)"#, r#"true -2147483641"#),
    (r#"return bit.bxor(1,3,2^32-1)"#, r#"true -3"#),
    (
        r#"return bit.bnot(0), bit.bnot(-1), bit.bnot(0.5)"#,
        r#"true -1 0 -1"#,
    ),
    (
        r#"return bit.bnot()"#,
        r#"false "user_script:2: bad argument #1 to 'bnot' (number expected, got no value)""#,
    ),
    (
        r#"return bit.lshift()"#,
        r#"false "user_script:2: bad argument #1 to 'lshift' (number expected, got no value)""#,
    ),
    (
        r#"return bit.lshift(1)"#,
        r#"false "user_script:2: bad argument #2 to 'lshift' (number expected, got no value)""#,
    ),
    (
        r#"return bit.lshift(1,31), bit.lshift(1,32), bit.lshift(1,33), bit.lshift(1,-1), bit.lshift(1,0.5), bit.lshift(1,1.5)"#,
        r#"true -2147483648 1 2 -2147483648 1 4"#,
    ),
    (
        r#"return bit.rshift(-1,31), bit.rshift(-1,32), bit.rshift(-1,0), bit.rshift(-1,-1), bit.rshift(-8,1)"#,
        r#"true 1 -1 -1 1 2147483644"#,
    ),
    (
        r#"return bit.arshift(-8,1), bit.arshift(-8,31), bit.arshift(-8,32), bit.arshift(8,1)"#,
        r#"true -4 -1 -8 4"#,
    ),
    (
        r#"return bit.rol(0x12345678,12), bit.rol(1,32), bit.rol(1,-1), bit.ror(1,1), bit.ror(0x12345678,4), bit.ror(1,0)"#,
        r#"true 1164411171 1 -2147483648 -2147483648 -2128394905 1"#,
    ),
    (
        r#"return bit.bswap(0x12345678), bit.bswap(0x78563412), bit.bswap(-1)"#,
        r#"true 2018915346 305419896 -1"#,
    ),
    (
        r#"return bit.tohex()"#,
        r#"false "user_script:2: bad argument #1 to 'tohex' (number expected, got no value)""#,
    ),
    (
        r#"return bit.tohex("z")"#,
        r#"false "user_script:2: bad argument #1 to 'tohex' (number expected, got string)""#,
    ),
    (
        r#"return bit.tohex(1,"z")"#,
        r#"false "user_script:2: bad argument #2 to 'tohex' (number expected, got string)""#,
    ),
    (
        r#"return bit.tohex(1,{})"#,
        r#"false "user_script:2: bad argument #2 to 'tohex' (number expected, got table)""#,
    ),
    (
        r#"return bit.lshift(1,"z")"#,
        r#"false "user_script:2: bad argument #2 to 'lshift' (number expected, got string)""#,
    ),
    (
        r#"return bit.lshift("z",1)"#,
        r#"false "user_script:2: bad argument #1 to 'lshift' (number expected, got string)""#,
    ),
    (
        r#"return bit.band(cjson.null)"#,
        r#"false "user_script:2: bad argument #1 to 'band' (number expected, got userdata)""#,
    ),
    (
        r#"return bit.bswap()"#,
        r#"false "user_script:2: bad argument #1 to 'bswap' (number expected, got no value)""#,
    ),
    (
        r#"return bit.rol(1)"#,
        r#"false "user_script:2: bad argument #2 to 'rol' (number expected, got no value)""#,
    ),
    (r#"return bit.band("0x10", " 5 ")"#, r#"true 0"#),
    (r#"return bit.tohex(1,"4")"#, r#"true "0001""#),
    (
        r#"return bit.tohex(1, nil, 5)"#,
        r#"false "user_script:2: bad argument #2 to 'tohex' (number expected, got nil)""#,
    ),
    (
        r#"return bit.band("")"#,
        r#"false "user_script:2: bad argument #1 to 'band' (number expected, got string)""#,
    ),
    (
        r#"return bit.tobit(4503599627370497.5), bit.tobit(6755399441055744), bit.tobit(6755399441055745), bit.tobit(2251799813685248.5), bit.tobit(2251799813685249.5)"#,
        r#"true 1 0 0 0 1"#,
    ),
    (
        r#"return bit.tohex(0xabcdef01,-2147483648), bit.tohex(1,2^31), bit.tohex(1,2^32), bit.tohex(1,2^32+3), bit.tohex(1,1.5), bit.tohex(1,2.5), bit.tohex(1,0/0)"#,
        r#"true "ABCDEF01" "00000001" "" "001" "01" "01" """#,
    ),
    (
        r#"return bit.band("a","b")"#,
        r#"false "user_script:2: bad argument #1 to 'band' (number expected, got string)""#,
    ),
    (
        r#"return bit.band(1,"b","c")"#,
        r#"false "user_script:2: bad argument #3 to 'band' (number expected, got string)""#,
    ),
    (
        r#"return bit.lshift("a","b")"#,
        r#"false "user_script:2: bad argument #1 to 'lshift' (number expected, got string)""#,
    ),
    (
        r#"return bit.tohex("a","b")"#,
        r#"false "user_script:2: bad argument #1 to 'tohex' (number expected, got string)""#,
    ),
];
