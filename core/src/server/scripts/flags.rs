//! What scripts declare of themselves.

use crate::command::fail::Fail;
use crate::command::spec::Flags;

/// What a script declares in its first line, `#!lua flags=...`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    /// It changes nothing.
    pub const NO_WRITES: Self = Self(1);
    /// It may run above `maxmemory`.
    pub const ALLOW_OOM: Self = Self(1 << 1);
    /// It may run on a replica that serves no stale data and has lost its master.
    pub const ALLOW_STALE: Self = Self(1 << 2);

    /// Whether all of `other` are in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads the first line of a script, if that declares anything (eval.c,
    /// `evalExtractShebangFlags`).
    pub fn of(text: &[u8]) -> Result<Option<Self>, Fail> {
        /// Those that mean something in a cluster only do nothing here.
        const NAMES: [(&[u8], u8); 5] = [
            (b"no-writes", ScriptFlags::NO_WRITES.0),
            (b"allow-oom", ScriptFlags::ALLOW_OOM.0),
            (b"allow-stale", ScriptFlags::ALLOW_STALE.0),
            (b"no-cluster", 0),
            (b"allow-cross-slot-keys", 0),
        ];
        if !text.starts_with(b"#!") {
            return Ok(None);
        }
        let complaint = |text: &[u8], word: &[u8]| Fail::Detail([text, word].concat().into());
        let end = memchr::memchr(b'\n', text).ok_or(Fail::Plain("Invalid script shebang"))?;
        let mut words = text[..end]
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let engine = words.next().unwrap_or_default();
        if engine != b"#!lua" {
            return Err(complaint(b"Unexpected engine in script shebang: ", engine));
        }
        let mut flags = Self::default();
        for word in words {
            let Some(list) = word.strip_prefix(b"flags=") else {
                return Err(complaint(b"Unknown lua shebang option: ", word));
            };
            for name in list
                .split(|&byte| byte == b',')
                .filter(|name| !name.is_empty())
            {
                let known = NAMES.iter().find(|(known, _)| *known == name);
                let (_, bit) =
                    known.ok_or_else(|| complaint(b"Unexpected flag in script shebang: ", name))?;
                flags.0 |= bit;
            }
        }
        Ok(Some(flags))
    }

    /// The flags of a command that runs a script which declares these (script.c,
    /// `scriptFlagsToCmdFlags`).
    pub(super) const fn judge(self, command: Flags) -> Flags {
        let said = Flags::STALE.and(Flags::DENYOOM).and(Flags::WRITE);
        let mut flags = command.without(said.and(Flags::MAY_REPLICATE));
        if !self.has(Self::NO_WRITES) {
            flags = flags.and(Flags::WRITE);
            if !self.has(Self::ALLOW_OOM) {
                flags = flags.and(Flags::DENYOOM);
            }
        }
        if self.has(Self::ALLOW_STALE) {
            flags = flags.and(Flags::STALE);
        }
        flags
    }
}
