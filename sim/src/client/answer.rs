//! What servers' answers mean to a client.

use std::net::SocketAddr;

use super::MASTER_NAME;
use super::record::{Element, Op, Outcome};
use crate::resp::{Reply, int};

/// What the replies to an operation mean.
pub(super) fn judge(op: &Op, replies: &[Reply]) -> Outcome {
    let odd = |reply: &Reply| Outcome::Refused(format!("odd reply {reply:?} to {op:?}"));
    if let Op::Mixed { .. } = op {
        return judge_mixed(replies);
    }
    if let Reply::Error(text) = &replies[0] {
        return Outcome::Refused(String::from_utf8_lossy(text).into_owned());
    }
    match (op, replies) {
        (Op::Push { .. }, [Reply::Int(_)]) => Outcome::Done,
        (Op::PushWait { .. }, [Reply::Int(_), Reply::Int(reached)]) => {
            Outcome::Waited(u32::try_from(*reached).unwrap_or(0))
        }
        // The demotion that refuses WAIT came after the push.
        (Op::PushWait { .. }, [Reply::Int(_), Reply::Error(_)]) => Outcome::Done,
        // The demotion that refuses WAITAOF came after the push; and there may be no file.
        (Op::PushKept { .. }, [Reply::Int(_), Reply::Error(_)]) => Outcome::Done,
        (Op::PushKept { .. }, [Reply::Int(_), Reply::Array(Some(items))]) => match items[..] {
            [Reply::Int(0), Reply::Int(_)] => Outcome::Done,
            [Reply::Int(1), Reply::Int(_)] => Outcome::Kept,
            _ => odd(&replies[1]),
        },
        (Op::PushTwo { .. }, [Reply::Int(_)]) if op.is_scripted() => Outcome::Done,
        (Op::PushTwo { between, .. }, [.., Reply::Array(Some(results))]) => {
            match (between, &results[..]) {
                (None, [Reply::Int(_), Reply::Int(_)])
                // Whether it can be done now is not what counts.
                | (Some(_), [Reply::Int(_), Reply::Simple(_) | Reply::Error(_), Reply::Int(_)]) => {
                    Outcome::Done
                }
                _ => odd(replies.last().expect("an operation has replies")),
            }
        }
        (Op::PushTwo { .. }, [.., Reply::Error(text)]) => {
            Outcome::Refused(String::from_utf8_lossy(text).into_owned())
        }
        (Op::Read { .. }, [Reply::Array(Some(items))]) => {
            let elements = items.iter().map(element).collect::<Option<Vec<_>>>();
            elements.map_or_else(|| odd(&replies[0]), Outcome::List)
        }
        (Op::Set { .. } | Op::SetExpiring { .. } | Op::Flush { .. }, [Reply::Simple(ok)])
            if ok == b"OK" =>
        {
            Outcome::Done
        }
        (Op::Get { .. }, [Reply::Bulk(None)]) => Outcome::Value(None),
        (Op::Get { .. }, [Reply::Bulk(Some(text))]) => {
            int(text).map_or_else(|| odd(&replies[0]), |value| Outcome::Value(Some(value)))
        }
        (Op::Incr { .. }, [Reply::Int(value)]) => Outcome::Value(Some(*value)),
        (
            Op::Push { .. }
            | Op::PushWait { .. }
            | Op::PushTwo { .. }
            | Op::PushKept { .. }
            | Op::Read { .. }
            | Op::Set { .. }
            | Op::SetExpiring { .. }
            | Op::Get { .. }
            | Op::Incr { .. }
            | Op::Mixed { .. }
            | Op::Flush { .. },
            _,
        ) => odd(replies.last().expect("an operation has replies")),
    }
}

/// Errors are part of it, but for those that a server gives to whom it does not serve.
fn judge_mixed(replies: &[Reply]) -> Outcome {
    for reply in replies {
        if let Reply::Error(text) = reply {
            let text = String::from_utf8_lossy(text);
            let not_now = ["EXECABORT", "NOREPLICAS", "MISCONF"];
            if leaves(&text) || not_now.iter().any(|code| text.starts_with(code)) {
                return Outcome::Refused(text.into_owned());
            }
        }
    }
    Outcome::Done
}

/// Errors after which a client looks for another server.
pub(super) fn leaves(text: &str) -> bool {
    ["READONLY", "LOADING", "MASTERDOWN", "UNBLOCKED"]
        .iter()
        .any(|code| text.starts_with(code))
}

fn element(reply: &Reply) -> Option<Element> {
    let Reply::Bulk(Some(text)) = reply else {
        return None;
    };
    int(text).and_then(|value| Element::try_from(value).ok())
}

/// Where a `+switch-master` message sends its listeners.
pub(super) fn switched_to(reply: &Reply) -> Option<SocketAddr> {
    let Reply::Array(Some(items)) = reply else {
        return None;
    };
    let [Reply::Bulk(Some(kind)), _, Reply::Bulk(Some(text))] = &items[..] else {
        return None;
    };
    if kind != b"message" {
        return None;
    }
    let words: Vec<&[u8]> = text.split(|&byte| byte == b' ').collect();
    let [name, _, _, host, port] = &words[..] else {
        return None;
    };
    (*name == MASTER_NAME.as_bytes()).then(|| socket_addr(host, port))?
}

/// The address of a replica in a Sentinel's list, if it is worth a try.
pub(super) fn replica_addr(reply: &Reply) -> Option<SocketAddr> {
    let Reply::Array(Some(fields)) = reply else {
        return None;
    };
    let field = |name: &[u8]| {
        fields.chunks(2).find_map(|pair| match pair {
            [Reply::Bulk(Some(key)), Reply::Bulk(Some(value))] if key == name => Some(value),
            _ => None,
        })
    };
    let flags = String::from_utf8_lossy(field(b"flags")?).into_owned();
    if flags.contains("down") || flags.contains("disconnected") {
        return None;
    }
    socket_addr(field(b"ip")?, field(b"port")?)
}

/// An address in two words.
pub(super) fn socket_addr(host: &[u8], port: &[u8]) -> Option<SocketAddr> {
    let ip = str::from_utf8(host).ok()?.parse().ok()?;
    Some(SocketAddr::new(ip, u16::try_from(int(port)?).ok()?))
}
