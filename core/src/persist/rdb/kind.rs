//! The bytes of the RDB format: opcodes, value types, length prefixes.

/// The version written: that of Redis 7.0, which 7.0 and everything later load.
pub const VERSION_WRITTEN: u16 = 10;
/// The newest version read: that of Redis 7.2.
pub const VERSION_READ_MAX: u16 = 11;
/// The first version that ends in a checksum.
pub(super) const VERSION_WITH_CHECKSUM: u16 = 5;
/// Bytes of the signature and version at the start of a file.
pub(super) const HEADER_LEN: usize = 9;
/// The signature.
pub(super) const MAGIC: &[u8; 5] = b"REDIS";

pub(super) const OP_SLOT_INFO: u8 = 244;
pub(super) const OP_FUNCTION2: u8 = 245;
pub(super) const OP_FUNCTION_BEFORE_GA: u8 = 246;
pub(super) const OP_MODULE_AUX: u8 = 247;
pub(super) const OP_IDLE: u8 = 248;
pub(super) const OP_FREQ: u8 = 249;
pub(super) const OP_AUX: u8 = 250;
pub(super) const OP_RESIZE_DB: u8 = 251;
pub(super) const OP_EXPIRE_MS: u8 = 252;
pub(super) const OP_EXPIRE_SECS: u8 = 253;
pub(super) const OP_SELECT_DB: u8 = 254;
pub(super) const OP_EOF: u8 = 255;

pub(super) const TYPE_STRING: u8 = 0;
pub(super) const TYPE_LIST: u8 = 1;
pub(super) const TYPE_SET: u8 = 2;
pub(super) const TYPE_ZSET: u8 = 3;
pub(super) const TYPE_HASH: u8 = 4;
pub(super) const TYPE_HASH_ZIPMAP: u8 = 9;
pub(super) const TYPE_ZSET_2: u8 = 5;
pub(super) const TYPE_LIST_ZIPLIST: u8 = 10;
pub(super) const TYPE_SET_INTSET: u8 = 11;
pub(super) const TYPE_ZSET_ZIPLIST: u8 = 12;
pub(super) const TYPE_ZSET_LISTPACK: u8 = 17;
pub(super) const TYPE_HASH_ZIPLIST: u8 = 13;
pub(super) const TYPE_LIST_QUICKLIST: u8 = 14;
pub(super) const TYPE_HASH_LISTPACK: u8 = 16;
pub(super) const TYPE_LIST_QUICKLIST_2: u8 = 18;
pub(super) const TYPE_STREAM: u8 = 15;
pub(super) const TYPE_STREAM_2: u8 = 19;
pub(super) const TYPE_SET_LISTPACK: u8 = 20;
pub(super) const TYPE_STREAM_3: u8 = 21;

/// The name of a value type that the format knows, for messages.
pub(super) fn type_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        TYPE_STRING => "string",
        TYPE_LIST => "list",
        TYPE_SET => "set",
        TYPE_ZSET => "sorted set with scores as text",
        TYPE_HASH => "hash",
        TYPE_ZSET_2 => "sorted set",
        6 => "module value before GA",
        7 => "module value",
        TYPE_HASH_ZIPMAP => "hash as zipmap",
        TYPE_LIST_ZIPLIST => "list as ziplist",
        TYPE_SET_INTSET => "set as intset",
        TYPE_ZSET_ZIPLIST => "sorted set as ziplist",
        TYPE_HASH_ZIPLIST => "hash as ziplist",
        TYPE_LIST_QUICKLIST => "list as quicklist of ziplists",
        TYPE_STREAM => "stream",
        TYPE_HASH_LISTPACK => "hash as listpack",
        TYPE_ZSET_LISTPACK => "sorted set as listpack",
        TYPE_LIST_QUICKLIST_2 => "list as quicklist",
        TYPE_STREAM_2 => "stream with consumer group counters",
        TYPE_SET_LISTPACK => "set as listpack",
        TYPE_STREAM_3 => "stream with consumer activity",
        _ => return None,
    })
}

/// How one node of a quicklist is stored: a single element as it is.
pub(super) const NODE_PLAIN: u64 = 1;
/// How one node of a quicklist is stored: a listpack.
pub(super) const NODE_PACKED: u64 = 2;

pub(super) const LEN_32_BITS: u8 = 0x80;
pub(super) const LEN_64_BITS: u8 = 0x81;
pub(super) const STR_INT8: u8 = 0xc0;
pub(super) const STR_INT16: u8 = 0xc1;
pub(super) const STR_INT32: u8 = 0xc2;
pub(super) const STR_LZF: u8 = 0xc3;
