use crate::script::library::testing::{Random, compare, run, state};

#[test]
fn results_and_errors_are_those_of_redis() {
    compare(CASES);
}

#[test]
fn what_is_packed_is_unpacked_again() {
    const INTEGERS: [&str; 6] = ["b", "h", "i", "l", "i3", "i16"];
    const SIZES: [u32; 6] = [8, 16, 32, 53, 24, 53];
    let lua = state();
    let mut random = Random::new(7);
    for _ in 0..500 {
        let (mut format, mut values) = (String::new(), Vec::new());
        for _ in 0..1 + random.below(8) {
            format += ["<", ">", "", "!", "!4", "!2"][random.below(6) as usize];
            match random.below(4) {
                0 => {
                    format += "s";
                    values.push(format!("\"{}\"", random.bits()));
                }
                1 => {
                    format += "d";
                    values.push(format!("{}", random.bits() as i32 as f64 / 8.0));
                }
                2 => {
                    format += "c5";
                    values.push("'a\\0b\\200c'".to_owned());
                }
                _ => {
                    let kind = random.below(6) as usize;
                    format += INTEGERS[kind];
                    values.push(format!("{}", random.bits() as i64 >> (64 - SIZES[kind])));
                }
            }
        }
        let values = values.join(",");
        let script = format!(
            "local packed = struct.pack('{format}', {values})
            local t = {{struct.unpack('{format}', packed)}}
            assert(table.remove(t) == #packed + 1)
            return show_all(unpack(t)) == show_all({values})"
        );
        assert_eq!(run(&lua, &script), "true true", "{script}");
    }
}

#[test]
fn random_formats_fail_without_panic() {
    let lua = state();
    let mut random = Random::new(9);
    for _ in 0..3000 {
        let pick = |random: &mut Random| b"bBhHiIlLTfdsxc019<>! 43"[random.below(23) as usize];
        let format: String = (0..1 + random.below(8))
            .map(|_| char::from(pick(&mut random)))
            .collect();
        let start = random.bits() as i64 >> random.below(64);
        run(
            &lua,
            &format!("return struct.unpack('{format}', ('\\1'):rep(40), {start})"),
        );
        run(
            &lua,
            &format!("return struct.pack('{format}', 1, '2', 3, -4, 1e300)"),
        );
        run(&lua, &format!("return struct.size('{format}')"));
    }
}

const CASES: &[(&str, &str)] = &[
    (
        r#"return struct.pack()"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (string expected, got no value)""#,
    ),
    (r#"return struct.pack("")"#, r#"true """#),
    (
        r#"return struct.pack("b",1), struct.pack("B",255), struct.pack("b",-1), struct.pack("B",256), struct.pack("b",1.7), struct.pack("b",-1.7)"#,
        r#"true "\x01" "\xff" "\xff" "\x00" "\x01" "\xff""#,
    ),
    (
        r#"return struct.pack("i17",1)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("i32",1)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("i33",1)"#,
        r#"false "user_script:2: integral size 33 is larger than limit of 32""#,
    ),
    (r#"return struct.pack("i0",1)"#, r#"true """#),
    (
        r#"return struct.pack("i99999999999",1)"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.pack("i2147483648",1)"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.pack("i2147483647",1)"#,
        r#"false "user_script:2: integral size 2147483647 is larger than limit of 32""#,
    ),
    (
        r#"return struct.pack("i4294967297",1)"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.pack("c4294967297","a")"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.pack("c4294967299","abcd")"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (r#"return struct.pack("!b",1)"#, r#"true "\x01""#),
    (
        r#"return struct.pack("!4bi",1,2)"#,
        r#"true "\x01\x00\x00\x00\x02\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!8bi",1,2)"#,
        r#"true "\x01\x00\x00\x00\x02\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!bd",1,2)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00@""#,
    ),
    (
        r#"return struct.pack("!3bd",1,2)"#,
        r#"false "user_script:2: alignment 3 is not a power of 2""#,
    ),
    (
        r#"return struct.pack("!0bd",1,2)"#,
        r#"false "user_script:2: alignment 0 is not a power of 2""#,
    ),
    (
        r#"return struct.pack("!16bi16",1,2)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!64bi",1,2)"#,
        r#"true "\x01\x00\x00\x00\x02\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!2bi",1,2)"#,
        r#"true "\x01\x00\x02\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!1bi",1,2)"#,
        r#"true "\x01\x02\x00\x00\x00""#,
    ),
    (r#"return struct.pack("!bs",1,"x")"#, r#"true "\x01x\x00""#),
    (
        r#"return struct.pack("!4bi3",1,2)"#,
        r#"true "\x01\x00\x00\x02\x00\x00""#,
    ),
    (
        r#"return struct.pack("!bhi",1,2,3)"#,
        r#"true "\x01\x00\x02\x00\x03\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!4bi3b",1,2,3)"#,
        r#"true "\x01\x00\x00\x02\x00\x00\x03""#,
    ),
    (
        r#"return struct.pack("!8bl",1,2)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("bi",1,2)"#,
        r#"true "\x01\x02\x00\x00\x00""#,
    ),
    (r#"return struct.pack("s","abc")"#, r#"true "abc\x00""#),
    (r#"return struct.pack("s","a\0c")"#, r#"true "a\x00c\x00""#),
    (r#"return struct.pack("s",5)"#, r#"true "5\x00""#),
    (
        r#"return struct.pack("s",nil)"#,
        r#"false "user_script:2: bad argument #2 to 'pack' (string expected, got nil)""#,
    ),
    (
        r#"return struct.pack("s",{})"#,
        r#"false "user_script:2: bad argument #2 to 'pack' (string expected, got table)""#,
    ),
    (r#"return struct.pack("c3","abc")"#, r#"true "abc""#),
    (
        r#"return struct.pack("c3","ab")"#,
        r#"false "user_script:2: bad argument #3 to 'pack' (string too short)""#,
    ),
    (r#"return struct.pack("c3","abcd")"#, r#"true "abc""#),
    (r#"return struct.pack("c0","abcd")"#, r#"true "abcd""#),
    (r#"return struct.pack("c","abcd")"#, r#"true "a""#),
    (
        r#"return struct.pack("i4c0",4,"abcd")"#,
        r#"true "\x04\x00\x00\x00abcd""#,
    ),
    (r#"return struct.pack("x")"#, r#"true "\x00""#),
    (r#"return struct.pack("xxb",1)"#, r#"true "\x00\x00\x01""#),
    (
        r#"return struct.pack("x5")"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '5')""#,
    ),
    (
        r#"return struct.pack("n",1.5)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option 'n')""#,
    ),
    (
        r#"return struct.pack("j",1.5)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option 'j')""#,
    ),
    (
        r#"return struct.pack("z","x")"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option 'z')""#,
    ),
    (r#"return struct.pack(" ")"#, r#"true """#),
    (r#"return struct.pack(" b b ",1,2)"#, r#"true "\x01\x02""#),
    (r#"return struct.pack("\0b",1)"#, r#"true """#),
    (r#"return struct.pack("b\0b",1)"#, r#"true "\x01""#),
    (
        r#"return struct.pack("=b",1)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '=')""#,
    ),
    (
        r#"return struct.pack("@b",1)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '@')""#,
    ),
    (
        r#"return struct.pack("(b)",1)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '(')""#,
    ),
    (
        r#"return struct.pack("5",1)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '5')""#,
    ),
    (
        r#"return struct.pack("b5",1)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '5')""#,
    ),
    (
        r#"return struct.pack("b")"#,
        r#"false "user_script:2: bad argument #2 to 'pack' (number expected, got nil)""#,
    ),
    (
        r#"return struct.pack("b","x")"#,
        r#"false "user_script:2: bad argument #2 to 'pack' (number expected, got string)""#,
    ),
    (
        r#"return struct.pack("b",nil)"#,
        r#"false "user_script:2: bad argument #2 to 'pack' (number expected, got nil)""#,
    ),
    (r#"return struct.pack("b","5")"#, r#"true "\x05""#),
    (r#"return struct.pack("b",1,2,3)"#, r#"true "\x01""#),
    (
        r#"return struct.pack(nil)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (string expected, got nil)""#,
    ),
    (
        r#"return struct.pack({})"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (string expected, got table)""#,
    ),
    (
        r#"return struct.pack(5)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '5')""#,
    ),
    (
        r#"return struct.pack("i",1.5), struct.pack("i",-1.5), struct.pack("L",1.9), struct.pack("I",-1.9),struct.pack("L",-1.9)"#,
        r#"true "\x01\x00\x00\x00" "\xff\xff\xff\xff" "\x01\x00\x00\x00\x00\x00\x00\x00" "\xff\xff\xff\xff" "\xff\xff\xff\xff\xff\xff\xff\xff""#,
    ),
    (
        r#"return struct.size()"#,
        r#"false "user_script:2: bad argument #1 to 'size' (string expected, got no value)""#,
    ),
    (r#"return struct.size("")"#, r#"true 0"#),
    (
        r#"return struct.size("s")"#,
        r#"false "user_script:2: bad argument #1 to 'size' (option 's' has no fixed size)""#,
    ),
    (
        r#"return struct.size("c0")"#,
        r#"false "user_script:2: bad argument #1 to 'size' (option 'c0' has no fixed size)""#,
    ),
    (
        r#"return struct.size("!bi"), struct.size("!4bd"), struct.size("!8bd"), struct.size("!16bi16")"#,
        r#"true 8 12 16 32"#,
    ),
    (r#"return struct.size("c2147483647")"#, r#"true 2147483647"#),
    (
        r#"return struct.size("c2147483647c1")"#,
        r#"true 2147483648"#,
    ),
    (
        r#"return struct.size("c2147483647c2147483647")"#,
        r#"true 4294967294"#,
    ),
    (
        r#"return struct.size("c2147483648")"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.size("c99999999999999999999")"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (r#"return struct.size("b", 1)"#, r#"true 1"#),
    (r#"return struct.size("z")"#, r#"true 0"#),
    (r#"return struct.size("!b!")"#, r#"true 1"#),
    (
        r#"return struct.size("!8c2147483646i")"#,
        r#"true 2147483652"#,
    ),
    (
        r#"return struct.size("!5")"#,
        r#"false "user_script:2: alignment 5 is not a power of 2""#,
    ),
    (
        r#"return struct.size("!33")"#,
        r#"false "user_script:2: alignment 33 is not a power of 2""#,
    ),
    (
        r#"return struct.size("!2147483648")"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.size("i33")"#,
        r#"false "user_script:2: integral size 33 is larger than limit of 32""#,
    ),
    (r#"return struct.size("h5")"#, r#"true 2"#),
    (r#"return struct.size("l5")"#, r#"true 8"#),
    (
        r#"return struct.size("s5")"#,
        r#"false "user_script:2: bad argument #1 to 'size' (option 's' has no fixed size)""#,
    ),
    (
        r#"return struct.unpack()"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (string expected, got no value)""#,
    ),
    (
        r#"return struct.unpack("b")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (string expected, got no value)""#,
    ),
    (
        r#"return struct.unpack("b","")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (r#"return struct.unpack("b","\255")"#, r#"true -1 2"#),
    (r#"return struct.unpack("B","\255")"#, r#"true 255 2"#),
    (r#"return struct.unpack(">h","\1\2")"#, r#"true 258 3"#),
    (r#"return struct.unpack("<h","\1\2")"#, r#"true 513 3"#),
    (
        r#"return struct.unpack(">H","\255\255")"#,
        r#"true 65535 3"#,
    ),
    (r#"return struct.unpack(">h","\255\255")"#, r#"true -1 3"#),
    (r#"return struct.unpack("bb","\1\2")"#, r#"true 1 2 3"#),
    (
        r#"return struct.unpack("bb","\1")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (r#"return struct.unpack("b","\1\2",2)"#, r#"true 2 3"#),
    (
        r#"return struct.unpack("b","\1\2",3)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",4)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",0)"#,
        r#"false "user_script:2: bad argument #3 to 'unpack' (offset must be 1 or greater)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",-1)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("","\1\2",0)"#,
        r#"false "user_script:2: bad argument #3 to 'unpack' (offset must be 1 or greater)""#,
    ),
    (r#"return struct.unpack("","\1\2",3)"#, r#"true 3"#),
    (r#"return struct.unpack("","\1\2",4)"#, r#"true 4"#),
    (r#"return struct.unpack("","\1\2",100)"#, r#"true 100"#),
    (
        r#"return struct.unpack("b","\1\2",2147483647)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",2147483648)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",2^32)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",2^53)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",1/0)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2",0/0)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("b","\1\2","x")"#,
        r#"false "user_script:2: bad argument #3 to 'unpack' (number expected, got string)""#,
    ),
    (r#"return struct.unpack("b","\1\2",nil)"#, r#"true 1 2"#),
    (r#"return struct.unpack("b","\1\2",1.9)"#, r#"true 1 2"#),
    (
        r#"return struct.unpack("b","\1\2",{})"#,
        r#"false "user_script:2: bad argument #3 to 'unpack' (number expected, got table)""#,
    ),
    (
        r#"return struct.unpack("s","abc\0def\0")"#,
        r#"true "abc" 5"#,
    ),
    (
        r#"return struct.unpack("ss","abc\0def\0")"#,
        r#"true "abc" "def" 9"#,
    ),
    (
        r#"return struct.unpack("s","abc")"#,
        r#"false "user_script:2: unfinished string in data""#,
    ),
    (
        r#"return struct.unpack("s","")"#,
        r#"false "user_script:2: unfinished string in data""#,
    ),
    (r#"return struct.unpack("c3","abc")"#, r#"true "abc" 4"#),
    (
        r#"return struct.unpack("c3","ab")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("c0","abc")"#,
        r#"false "user_script:2: format 'c0' needs a previous size""#,
    ),
    (r#"return struct.unpack("bc0","\2abc")"#, r#"true "ab" 4"#),
    (
        r#"return struct.unpack("bc0","\5abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("bc0","\255abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("Bc0c0","\1abc")"#,
        r#"false "user_script:2: format 'c0' needs a previous size""#,
    ),
    (r#"return struct.unpack("c","abc")"#, r#"true "a" 2"#),
    (
        r#"return struct.unpack("sc0","a\0abc")"#,
        r#"false "user_script:2: format 'c0' needs a previous size""#,
    ),
    (
        r#"return struct.unpack("bbc0","\9\2abc")"#,
        r#"true 9 "ab" 5"#,
    ),
    (
        r#"return struct.unpack("dc0",struct.pack("d",1.5).."abc")"#,
        r#"true "a" 10"#,
    ),
    (
        r#"return struct.unpack("dc0",struct.pack("d",1e300).."abc")"#,
        r#"true "" 9"#,
    ),
    (
        r#"return struct.unpack("lc0",struct.pack("l",2^62).."abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("bxc0","\2\0abc")"#,
        r#"true "ab" 5"#,
    ),
    (r#"return struct.unpack("x","a")"#, r#"true 2"#),
    (
        r#"return struct.unpack("x","")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (r#"return struct.unpack("xb","\1\2")"#, r#"true 2 3"#),
    (
        r#"return struct.unpack("f",struct.pack("f",0.1)), struct.unpack("d",struct.pack("d",0.1))"#,
        r#"true 0.10000000149011612 0.10000000000000001 9"#,
    ),
    (
        r#"return struct.unpack("!bi","\1\0\0\0\2\0\0\0")"#,
        r#"true 1 2 9"#,
    ),
    (
        r#"return struct.unpack("!bi","\1\0\0\0\2\0\0\0",2)"#,
        r#"true 0 2 9"#,
    ),
    (
        r#"return struct.unpack("!4bi","\1\0\0\0\2\0\0")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("i16",("\255"):rep(16))"#,
        r#"true -1 17"#,
    ),
    (
        r#"return struct.unpack("I16",("\255"):rep(16))"#,
        r#"true 1.8446744073709552e+19 17"#,
    ),
    (
        r#"return struct.unpack("i3",("\255"):rep(3))"#,
        r#"true -1 4"#,
    ),
    (
        r#"return struct.unpack("I3",("\255"):rep(3))"#,
        r#"true 16777215 4"#,
    ),
    (
        r#"return struct.unpack("l",("\255"):rep(8))"#,
        r#"true -1 9"#,
    ),
    (
        r#"return struct.unpack("L",("\255"):rep(8))"#,
        r#"true 1.8446744073709552e+19 9"#,
    ),
    (
        r#"return struct.unpack("I8",("\255"):rep(8))"#,
        r#"true 1.8446744073709552e+19 9"#,
    ),
    (
        r#"return struct.unpack(">i16",("\0"):rep(8)..("\1"):rep(8))"#,
        r#"true 72340172838076672 17"#,
    ),
    (
        r#"return struct.unpack(">i16",("\1"):rep(16))"#,
        r#"true 72340172838076672 17"#,
    ),
    (
        r#"return struct.unpack("z","a")"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (invalid format option 'z')""#,
    ),
    (
        r#"return struct.unpack("h","\1\2\3",4)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack(5,5)"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (invalid format option '5')""#,
    ),
    (r#"return struct.unpack("b",5)"#, r#"true 53 2"#),
    (
        r#"return struct.unpack(nil,5)"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (string expected, got nil)""#,
    ),
    (
        r#"return struct.unpack("b",nil)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (string expected, got nil)""#,
    ),
    (
        r#"return struct.unpack("c2147483647","abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("c2147483647","abc",2147483647)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("c2147483648","abc")"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.unpack("i2147483647","abc")"#,
        r#"false "user_script:2: integral size 2147483647 is larger than limit of 32""#,
    ),
    (
        r#"return struct.unpack("c18446744073709551615","abc")"#,
        r#"false "user_script:2: integral size overflow""#,
    ),
    (
        r#"return struct.pack("!!bi",1,2)"#,
        r#"true "\x01\x00\x00\x00\x02\x00\x00\x00""#,
    ),
    (r#"return struct.pack("!x")"#, r#"true "\x00""#),
    (
        r#"return struct.pack("b!4i",1,2)"#,
        r#"true "\x01\x00\x00\x00\x02\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("b!i",1,2)"#,
        r#"true "\x01\x00\x00\x00\x02\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!>bi",1,2)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x02""#,
    ),
    (
        r#"return struct.unpack("c0","abc",1)"#,
        r#"false "user_script:2: format 'c0' needs a previous size""#,
    ),
    (
        r#"return struct.unpack("c0","3abc")"#,
        r#"false "user_script:2: format 'c0' needs a previous size""#,
    ),
    (
        r#"return struct.unpack("c0","3")"#,
        r#"false "user_script:2: format 'c0' needs a previous size""#,
    ),
    (r#"return struct.unpack("c1c0","2abc")"#, r#"true "ab" 4"#),
    (
        r#"return struct.unpack("c1c0"," abc")"#,
        r#"false "user_script:2: format 'c0' needs a previous size""#,
    ),
    (r#"return struct.unpack("c1c0c0","11abc")"#, r#"true "a" 4"#),
    (r#"return struct.unpack("i0","a")"#, r#"true 0 1"#),
    (r#"return struct.unpack("I0","a")"#, r#"true 0 1"#),
    (r#"return struct.unpack("i0b","a")"#, r#"true 0 97 2"#),
    (r#"return struct.unpack("","\1\2",-1)"#, r#"true -1"#),
    (
        r#"return struct.unpack("","\1\2",2^63)"#,
        r#"true -9.2233720368547758e+18"#,
    ),
    (r#"return struct.unpack("","\1\2",-5)"#, r#"true -5"#),
    (
        r#"return struct.unpack(" ","\1\2",100)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (r#"return struct.unpack(" ","\1\2",3)"#, r#"true 3"#),
    (
        r#"return struct.unpack(" ","\1\2",4)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("<","\1\2",4)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("!4","\1\2",4)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("x","\1\2",3)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("s","\1\2",4)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("s","\1\2",3)"#,
        r#"false "user_script:2: unfinished string in data""#,
    ),
    (
        r#"return struct.unpack("s","\1\2",-1)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("!i","\1\2",-1)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("!i","\1\2\0\0\0\0\0\0\0",-1)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("!l","\1\2\0\0\0\0\0\0\0",-1)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("z","\1\2",100)"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("bz","\1")"#,
        r#"false "user_script:2: bad argument #1 to 'unpack' (invalid format option 'z')""#,
    ),
    (
        r#"return struct.unpack("!8c2i",("\1"):rep(8))"#,
        r#"true "\x01\x01" 16843009 9"#,
    ),
    (
        r#"return struct.unpack("!8si",("\1"):rep(2).."\0"..("\1"):rep(8))"#,
        r#"true "\x01\x01" 16843009 9"#,
    ),
    (
        r#"return struct.unpack("fc0",struct.pack("f",0/0).."abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("fc0",struct.pack("f",-1.5).."abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("fc0",struct.pack("f",-0.5).."abc")"#,
        r#"true "" 5"#,
    ),
    (
        r#"return struct.unpack("dc0",struct.pack("d",2^64).."abc")"#,
        r#"true "" 9"#,
    ),
    (
        r#"return struct.unpack("dc0",struct.pack("d",2^63).."abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("dc0",struct.pack("d",-2^64).."abc")"#,
        r#"false "user_script:2: bad argument #2 to 'unpack' (data string too short)""#,
    ),
    (
        r#"return struct.unpack("dc0",struct.pack("d",1/0).."abc")"#,
        r#"true "" 9"#,
    ),
    (
        r#"return struct.pack("dc0",1,"abc")"#,
        r#"true "\x00\x00\x00\x00\x00\x00\xf0?abc""#,
    ),
    (
        r#"return struct.pack("!8bc4",1,"abcd")"#,
        r#"true "\x01abcd""#,
    ),
    (
        r#"return struct.pack("!8bxi",1,1)"#,
        r#"true "\x01\x00\x00\x00\x01\x00\x00\x00""#,
    ),
    (r#"return struct.pack("!8bs",1,"x")"#, r#"true "\x01x\x00""#),
    (
        r#"return struct.pack("i5",1)"#,
        r#"true "\x01\x00\x00\x00\x00""#,
    ),
    (r#"return struct.pack(">i0b",1,2)"#, r#"true "\x02""#),
    (
        r#"return struct.pack("l5",1)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option '5')""#,
    ),
    (
        r#"return struct.pack("bb",1)"#,
        r#"false "user_script:2: bad argument #3 to 'pack' (number expected, got nil)""#,
    ),
    (
        r#"return struct.pack("bbs",1,2)"#,
        r#"false "user_script:2: bad argument #4 to 'pack' (string expected, got nil)""#,
    ),
    (
        r#"return struct.pack("bc3",1,"ab")"#,
        r#"false "user_script:2: bad argument #4 to 'pack' (string too short)""#,
    ),
    (
        r#"return struct.pack("sb","a")"#,
        r#"false "user_script:2: bad argument #3 to 'pack' (number expected, got nil)""#,
    ),
    (
        r#"return struct.pack("bz",1)"#,
        r#"false "user_script:2: bad argument #1 to 'pack' (invalid format option 'z')""#,
    ),
    (
        r#"return struct.pack("c3")"#,
        r#"false "user_script:2: bad argument #2 to 'pack' (string expected, got nil)""#,
    ),
    (r#"return struct.size("b\0b")"#, r#"true 1"#),
    (r#"return struct.size("i0")"#, r#"true 0"#),
    (
        r#"return struct.size("c0b")"#,
        r#"false "user_script:2: bad argument #1 to 'size' (option 'c0' has no fixed size)""#,
    ),
    (
        r#"return struct.size("s\0")"#,
        r#"false "user_script:2: bad argument #1 to 'size' (option 's' has no fixed size)""#,
    ),
    (r#"return struct.size(5)"#, r#"true 0"#),
    (r#"return struct.size("!4b i")"#, r#"true 8"#),
    (r#"return struct.size("!4c3i")"#, r#"true 8"#),
    (r#"return struct.size("!4bi3b")"#, r#"true 7"#),
    (
        r#"return struct.size(nil)"#,
        r#"false "user_script:2: bad argument #1 to 'size' (string expected, got nil)""#,
    ),
    (r#"return struct.size("!1073741824bi")"#, r#"true 8"#),
    (r#"return struct.size("!4bi6")"#, r#"true 10"#),
    (
        r#"return struct.pack("!4bi6",1,2)"#,
        r#"true "\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("i007",1)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!16bi32",1,2)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#,
    ),
    (
        r#"return struct.pack("!8bf",1,2)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00@""#,
    ),
    (
        r#"return struct.pack("!8bT",1,2)"#,
        r#"true "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00""#,
    ),
];
