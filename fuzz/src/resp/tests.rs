use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::corpus::replay;

#[test]
fn the_command_parser_holds_on_its_corpus() {
    replay("resp_parser", resp_parser);
}

#[test]
fn the_reply_parser_holds_on_its_corpus() {
    replay("reply_parser", reply_parser);
}

/// Parts of a stream that are likely to mean something together.
fn token() -> impl Strategy<Value = Vec<u8>> {
    let arg = || {
        prop_oneof![
            4 => vec(any::<u8>(), 0..12),
            1 => (60..140_u8).prop_map(|count| vec![255, count]),
        ]
    };
    let bulk = |arg: Vec<u8>| {
        let len = stretch(&arg).len();
        [format!("${len}\r\n").as_bytes(), &arg, b"\r\n"].concat()
    };
    prop_oneof![
        6 => vec(arg().prop_map(bulk), 0..4).prop_map(|args| {
            [format!("*{}\r\n", args.len()).into_bytes(), args.concat()].concat()
        }),
        2 => "[ a\"'\\\\xnrtb4\t]{0,12}\r?\n".prop_map(String::into_bytes),
        1 => "[*$][-+0-9]{0,5}\r\n".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #[test]
    fn likely_streams_parse_the_same_in_any_portions(
        options in prop_oneof![3 => Just(0_u8), 1 => any::<u8>()],
        seed: u8,
        tokens in vec(token(), 0..8),
    ) {
        resp_parser(&[vec![options, seed], tokens.concat()].concat());
    }

    #[test]
    fn any_bytes_parse_the_same_in_any_portions(data in vec(any::<u8>(), 0..80)) {
        resp_parser(&data);
        reply_parser(&data);
    }
}
