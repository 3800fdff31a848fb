//! DUMP payloads: one value with a footer of its version (2 bytes) and checksum (8 bytes), both
//! little endian.

use crate::persist::crc::crc64;
use crate::persist::rdb::encode::Encoder;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::kind::{VERSION_READ_MAX, VERSION_WRITTEN};
use crate::persist::rdb::read::{Progress, ValueReader};
use crate::value::{Shape, Value, ValueRef};

/// Serialises a value as DUMP does.
#[must_use]
pub fn dump(value: ValueRef<'_>, compress: bool) -> Vec<u8> {
    let mut payload = Encoder::new(compress, false).value_alone(value);
    payload.extend_from_slice(&VERSION_WRITTEN.to_le_bytes());
    let checksum = crc64(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// Reads what DUMP made, here or in a Redis up to 7.2.
///
/// [`RdbFault::BadFooter`] is what RESTORE answers with that fault's own text; it calls any other
/// a bad data format.
pub fn restore(payload: &[u8], shape: &Shape) -> Result<Value, RdbFault> {
    restore_body(checked_body(payload, true), shape)
}

/// As [`restore`], whatever the checksum is.
pub fn restore_unchecked(payload: &[u8], shape: &Shape) -> Result<Value, RdbFault> {
    restore_body(checked_body(payload, false), shape)
}

fn restore_body(body: Option<&[u8]>, shape: &Shape) -> Result<Value, RdbFault> {
    let body = body.ok_or(RdbFault::BadFooter)?;
    let mut input = Input::new(false);
    input.feed(body);
    let truncated = RdbFault::Truncated { offset: 0 };
    let [kind] = input.array().ok_or(truncated)?;
    let unsupported = RdbFault::UnsupportedType { kind, offset: 0 };
    let mut reader = ValueReader::new(kind).ok_or(unsupported)?;
    let value = match reader.read(&mut input, shape)? {
        Progress::Ready(value) => value,
        Progress::Wait => {
            return Err(RdbFault::Truncated {
                offset: input.offset(),
            });
        }
        Progress::Empty => {
            return Err(RdbFault::Corrupt {
                what: "Value without elements",
                offset: 0,
            });
        }
    };
    if !input.rest().is_empty() {
        let what = "Bytes behind the value";
        return Err(RdbFault::Corrupt {
            what,
            offset: input.offset(),
        });
    }
    Ok(value)
}

fn checked_body(payload: &[u8], checksum_matters: bool) -> Option<&[u8]> {
    let (covered, checksum) = payload.split_last_chunk()?;
    let (body, version) = covered.split_last_chunk()?;
    let sound = u16::from_le_bytes(*version) <= VERSION_READ_MAX
        && (!checksum_matters || u64::from_le_bytes(*checksum) == crc64(covered));
    sound.then_some(body)
}
