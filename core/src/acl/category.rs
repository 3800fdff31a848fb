//! The categories of commands, as rules and COMMAND INFO name them.

/// A set of categories.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Acl(u32);

impl Acl {
    /// None.
    pub const NONE: Self = Self(0);
    /// `@keyspace`
    pub const KEYSPACE: Self = Self(1);
    /// `@read`
    pub const READ: Self = Self(1 << 1);
    /// `@write`
    pub const WRITE: Self = Self(1 << 2);
    /// `@set`
    pub const SET: Self = Self(1 << 3);
    /// `@sortedset`
    pub const SORTEDSET: Self = Self(1 << 4);
    /// `@list`
    pub const LIST: Self = Self(1 << 5);
    /// `@hash`
    pub const HASH: Self = Self(1 << 6);
    /// `@string`
    pub const STRING: Self = Self(1 << 7);
    /// `@bitmap`
    pub const BITMAP: Self = Self(1 << 8);
    /// `@hyperloglog`
    pub const HYPERLOGLOG: Self = Self(1 << 9);
    /// `@geo`
    pub const GEO: Self = Self(1 << 10);
    /// `@stream`
    pub const STREAM: Self = Self(1 << 11);
    /// `@pubsub`
    pub const PUBSUB: Self = Self(1 << 12);
    /// `@admin`
    pub const ADMIN: Self = Self(1 << 13);
    /// `@fast`
    pub const FAST: Self = Self(1 << 14);
    /// `@slow`
    pub const SLOW: Self = Self(1 << 15);
    /// `@blocking`
    pub const BLOCKING: Self = Self(1 << 16);
    /// `@dangerous`
    pub const DANGEROUS: Self = Self(1 << 17);
    /// `@connection`
    pub const CONNECTION: Self = Self(1 << 18);
    /// `@transaction`
    pub const TRANSACTION: Self = Self(1 << 19);
    /// `@scripting`
    pub const SCRIPTING: Self = Self(1 << 20);

    /// Every category with its name, in Redis's order.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::KEYSPACE, "keyspace"),
        (Self::READ, "read"),
        (Self::WRITE, "write"),
        (Self::SET, "set"),
        (Self::SORTEDSET, "sortedset"),
        (Self::LIST, "list"),
        (Self::HASH, "hash"),
        (Self::STRING, "string"),
        (Self::BITMAP, "bitmap"),
        (Self::HYPERLOGLOG, "hyperloglog"),
        (Self::GEO, "geo"),
        (Self::STREAM, "stream"),
        (Self::PUBSUB, "pubsub"),
        (Self::ADMIN, "admin"),
        (Self::FAST, "fast"),
        (Self::SLOW, "slow"),
        (Self::BLOCKING, "blocking"),
        (Self::DANGEROUS, "dangerous"),
        (Self::CONNECTION, "connection"),
        (Self::TRANSACTION, "transaction"),
        (Self::SCRIPTING, "scripting"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in this set.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// A category by its name, in any case.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()))
            .map(|&(category, _)| category)
    }
}
