//! DEBUG PROTOCOL: a reply of each type.

use super::bad;
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::resp::Proto;

/// Replies with a value of the type that is named.
pub(super) fn reply(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if args.left() != 1 {
        return Err(bad(args));
    }
    let name = args.bulk()?.to_ascii_lowercase();
    let out = &mut cx.out;
    match &name[..] {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.int(12_345),
        b"double" => out.double(3_141.0 / 1_000.0),
        b"null" => out.null(),
        b"bignum" => out.bignum(b"1234567999999999999999999999999999999"),
        b"true" => out.bool(true),
        b"false" => out.bool(false),
        b"verbatim" => out.verbatim(*b"txt", b"This is a verbatim\nstring"),
        b"array" | b"set" => {
            if name == b"array" {
                out.array(3);
            } else {
                out.set(3);
            }
            (0..3).for_each(|number| out.int(number));
        }
        b"map" => {
            out.map(3);
            for number in 0..3 {
                out.int(number);
                out.bool(number == 1);
            }
        }
        b"attrib" => {
            if out.attribute(1) {
                out.bulk(b"key-popularity");
                out.array(2);
                out.bulk(b"key:123");
                out.int(90);
            }
            out.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if out.proto() == Proto::Resp2 {
                return Err(Fail::Plain("RESP2 is not supported by this command"));
            }
            out.bulk(b"Some real reply following the push reply");
            // A push never comes between a command and its reply.
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.int(42);
        }
        _ => {
            return Err(Fail::Plain(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}
