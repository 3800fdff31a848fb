//! Arguments by their kind: mostly sensible, sometimes at a limit, sometimes nonsense.
//!
//! Nothing here depends on the time it takes to run: times to live are long or over, and no two
//! of a sequence are the same, so that comparing them never depends on a millisecond.

use holdfast_core::rng::Rng;

/// The randomness of one sequence.
#[derive(Debug)]
pub struct Draw<'a> {
    rng: Rng,
    /// What RESTORE may be given.
    payloads: &'a [Vec<u8>],
    /// Times drawn so far.
    times: i64,
}

/// Few, so that commands of many families meet at the same ones.
const KEYS: &[&[u8]] = &[b"k1", b"k2", b"k3", b"k4", b"k5", b"k6"];
const ODD_KEYS: &[&[u8]] = &[b"", b"\x00\xff\r\n", b"{k1}", b"k 7", b"K1", &[b'k'; 300]];
const MEMBERS: &[&[u8]] = &[
    b"a", b"b", b"c", b"d", b"e", b"f1", b"f2", b"f3", b"1", b"2", b"10",
];
const LIMITS: &[&str] = &[
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775806",
    "-9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967296",
    "9007199254740993",
    "127",
    "128",
    "-128",
    "4095",
    "32767",
    "-32769",
    "8388608",
];
/// Numbers that are none, or only to some.
const ODD_NUMBERS: &[&str] = &[
    "-0",
    "+1",
    "01",
    "-01",
    "00",
    " 1",
    "1 ",
    "1\n",
    "",
    " ",
    "-",
    "+",
    "0x10",
    "1e400",
    "-1e400",
    "nan",
    "NaN",
    "-nan",
    "inf",
    "-inf",
    "+inf",
    "infinity",
    "Inf",
    "1.",
    ".5",
    "1.0",
    "1e3",
    "1.5e2",
    "1,5",
    "--1",
    "1_000",
    "0.1.2",
    "1e",
    "0x",
    "(1",
    "[1",
    "abc",
    "99999999999999999999999999999999999999999",
];
const FLOATS: &[&str] = &[
    "0.1",
    "0.2",
    "-0.1",
    "1.5",
    "3",
    "-2",
    "0",
    "3.0e3",
    "1e-5",
    "1e5",
    "1e15",
    "1e16",
    "1e17",
    "1e20",
    "1e21",
    "1e22",
    "1e100",
    "1e308",
    "-1e308",
    "1e-320",
    "123456789.123456789",
    "0.30000000000000004",
    "5e-324",
    "17179869184.125",
    "100.001",
    "2.5",
    "-0.0",
    "3.3333333333333335",
];
/// Around what the encodings take: embedded strings, listpack entries and values, list nodes.
const LENGTHS: &[usize] = &[
    11, 12, 19, 20, 21, 43, 44, 45, 62, 63, 64, 65, 127, 128, 129, 253, 254, 255, 256, 257, 1000,
];
const LONG_LENGTHS: &[usize] = &[4085, 4095, 4096, 8180, 8185, 8192, 16_383, 16_384, 40_000];
/// Without a NUL, at which Redis ends the texts of errors.
const GARBAGE: &[&[u8]] = &[
    b"",
    b" ",
    b"foo",
    b"\xff\xfe",
    b"NX",
    b"XX",
    b"GET",
    b"COUNT",
    b"LIMIT",
    b"*",
    b"-1.5",
    b"\"",
    b"a\r\nb",
    b"%s%n",
    b"WITHSCORES",
    b"@all",
    b"$-1",
    b"\xf0\x9f\x8e\x89",
];

impl<'a> Draw<'a> {
    /// The same seed draws the same.
    pub fn new(seed: u64, payloads: &'a [Vec<u8>]) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            rng: Rng::new(bytes),
            payloads,
            times: 0,
        }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let below = self
            .rng
            .below(u64::try_from(bound).expect("64 bits hold it"));
        usize::try_from(below).expect("it is below another")
    }

    /// True that often in a hundred times.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub fn pick<'b, T: ?Sized>(&mut self, from: &[&'b T]) -> &'b T {
        from[self.below(from.len())]
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low + 1).expect("the bounds are in order");
        low + i64::try_from(self.rng.below(width)).expect("the width is small")
    }

    fn number(&mut self, low: i64, high: i64) -> Vec<u8> {
        self.between(low, high).to_string().into_bytes()
    }

    /// An argument of a kind.
    ///
    /// # Panics
    ///
    /// If there is no such kind.
    pub fn word(&mut self, kind: &str) -> Vec<u8> {
        match kind {
            "key" if self.chance(94) => self.pick(KEYS).to_vec(),
            "key" => self.pick(ODD_KEYS).to_vec(),
            "member" if self.chance(85) => self.pick(MEMBERS).to_vec(),
            "str" | "member" => self.string(),
            "element" => self.number(0, 99_999),
            "garbage" => self.pick(GARBAGE).to_vec(),
            "zero" => b"0".to_vec(),
            "db" if self.chance(85) => self.pick(&["0", "1", "2", "15"]).into(),
            "db" => self
                .pick(&["16", "-1", "99999999999", "x", "", "01"])
                .into(),
            "ttl" | "ms" | "life" | "at" | "atms" | "wait" => self.time(kind),
            "payload" => self.payload(),
            "int" | "small" | "count" | "index" | "offset" | "draws" | "bit" | "cursor" | "big" => {
                self.integer(kind)
            }
            "float" | "score" | "range" | "lexrange" | "lon" | "lat" | "radius" => self.float(kind),
            "pattern" => self
                .pick(&[
                    "*", "k*", "?1", "k[1-3]", "k[^1]", "\\k1", "", "[", "k[1", "**", "a*", "f?",
                    "*1*",
                ])
                .into(),
            "type" => self
                .pick(&[
                    "string", "list", "set", "zset", "hash", "stream", "STRING", "none", "x",
                ])
                .into(),
            "channel" => self.pick(&["c1", "c2", "c3", "", "news.a", "\r\n"]).into(),
            "chanpattern" => self.pick(&["c*", "*", "c[12]", "news.?", "", "c1"]).into(),
            "bits" => self
                .pick(&[
                    "u1", "u8", "i8", "u16", "i64", "u63", "u64", "i65", "i0", "i5", "x8", "u", "",
                ])
                .into(),
            "bitoffset" => self
                .pick(&[
                    "0",
                    "1",
                    "7",
                    "100",
                    "#0",
                    "#1",
                    "#10",
                    "-1",
                    "#-1",
                    "#",
                    "4294967296",
                    "x",
                ])
                .into(),
            "streamid" => self.stream_id(),
            "group" => self.pick(&["g1", "g2", "g3", ""]).into(),
            "consumer" => self.pick(&["c1", "c2", ""]).into(),
            "name" => self
                .pick(&["me", "", "a b", "a\n", "lib-1", "x\u{e9}", "1.2.3"])
                .into(),
            "command" => self
                .pick(&[
                    "get",
                    "SET",
                    "mset",
                    "client|list",
                    "config|get",
                    "CLIENT",
                    "nosuch",
                    "",
                    "exec",
                    "rename",
                    "object|encoding",
                    "client|nosuch",
                    "lpush",
                    "copy",
                    "restore",
                ])
                .into(),
            "setting" => self.setting(),
            "settingvalue" => self
                .pick(&[
                    "0", "1", "-1", "-5", "-6", "8", "128", "", "x", "1k", "64mb", "yes", "no",
                    "1.5",
                ])
                .into(),
            other => panic!("there are no arguments of kind {other}"),
        }
    }

    /// Something an argument is replaced with.
    pub fn garbage(&mut self) -> Vec<u8> {
        if self.chance(50) {
            self.odd_number()
        } else {
            self.word("garbage")
        }
    }

    fn odd_number(&mut self) -> Vec<u8> {
        match self.below(3) {
            0 => self.pick(LIMITS).into(),
            _ => self.pick(ODD_NUMBERS).into(),
        }
    }

    fn string(&mut self) -> Vec<u8> {
        match self.below(100) {
            0..40 => self.pick(MEMBERS).to_vec(),
            40..55 => self.number(-20, 20_000),
            55..67 => self.odd_number(),
            67..72 => self.pick(FLOATS).into(),
            72..80 => self.pick(GARBAGE).to_vec(),
            80..97 => self.long(LENGTHS),
            _ => self.long(LONG_LENGTHS),
        }
    }

    /// One letter many times, or bytes that can't be compressed.
    fn long(&mut self, lengths: &[usize]) -> Vec<u8> {
        let len = lengths[self.below(lengths.len())];
        if self.chance(70) {
            return vec![b"xyz"[self.below(3)]; len];
        }
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.rng.next_u64().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    fn integer(&mut self, kind: &str) -> Vec<u8> {
        if kind == "big" {
            return self
                .pick(&["100000", "4294967296", "9223372036854775807"])
                .into();
        }
        if kind == "bit" && self.chance(95) {
            return self.number(0, 1);
        }
        if kind == "cursor" && self.chance(90) {
            return b"0".to_vec();
        }
        // What these say is allocated or answered: no limits but those that are refused.
        let costly = matches!(kind, "offset" | "draws");
        match self.below(100) {
            0..12 if costly => self.pick(ODD_NUMBERS).into(),
            0..12 => self.odd_number(),
            12..20 if !costly => self.pick(LIMITS).into(),
            12..20 if kind == "offset" => self
                .pick(&["536870912", "4294967296", "9223372036854775807", "-1", "-9"])
                .into(),
            _ => match kind {
                "draws" => self.number(-5, 12),
                "int" => self.number(-20, 1000),
                "small" => self.number(0, 5),
                "count" => self.number(-3, 12),
                "index" => self.number(-8, 8),
                _ => self.number(0, 90),
            },
        }
    }

    fn float(&mut self, kind: &str) -> Vec<u8> {
        match (kind, self.below(100)) {
            (_, 0..12) => self.odd_number(),
            ("score" | "range", 12..60) => self.number(-5, 12),
            ("range", 60..75) => self
                .pick(&["-inf", "+inf", "inf", "(1", "(3", "(-inf", "(", "((1"])
                .into(),
            ("lexrange", 12..100) => self
                .pick(&["-", "+", "[a", "(a", "[c", "(c", "[z", "[", "(", "a", "[f1"])
                .into(),
            ("lon", 12..80) => self
                .pick(&[
                    "13.361389",
                    "15.087269",
                    "2.349014",
                    "-73.935242",
                    "0",
                    "179.9",
                ])
                .into(),
            ("lon", _) => self.pick(&["180", "-180", "181", "-180.0001"]).into(),
            ("lat", 12..80) => self
                .pick(&[
                    "38.115556",
                    "37.502669",
                    "48.864716",
                    "40.730610",
                    "0",
                    "-60.5",
                ])
                .into(),
            ("lat", _) => self
                .pick(&["85.05112878", "-85.05112878", "86", "-90"])
                .into(),
            ("radius", _) => self
                .pick(&["0", "1", "200", "500.5", "20000", "-1", "1000000"])
                .into(),
            _ => self.pick(FLOATS).into(),
        }
    }

    /// Every one is another: more than the tolerance of any comparison apart.
    fn time(&mut self, kind: &str) -> Vec<u8> {
        /// In the year 2100.
        const FAR: i64 = 4_102_444_800;
        /// The first one is too large for any sum.
        const ODD_TIMES: &[&str] = &[
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775",
            "9223372036854776",
            "9223370399119966",
            "x",
            "",
            "1.5",
            "99999999999999999999",
            " 100000",
            "0100000",
        ];
        if kind == "wait" {
            return self.pick(&["0.01", "0.001", "0.02"]).into();
        }
        self.times += 1;
        let step = 5_000 + self.times * 100;
        let good = match kind {
            "ttl" => step,
            "ms" | "life" => step * 1000,
            "at" => FAR + step,
            "atms" => (FAR + step) * 1000 + 7,
            _ => 0,
        };
        match self.below(100) {
            0..6 => self.pick(&["0", "-1", "-1000"]).into(),
            // RESTORE of Redis adds a life to the time, whatever the sum is.
            6..14 if kind == "life" => self.pick(&ODD_TIMES[1..]).into(),
            6..14 => self.pick(ODD_TIMES).into(),
            _ => good.to_string().into_bytes(),
        }
    }

    fn payload(&mut self) -> Vec<u8> {
        if self.payloads.is_empty() {
            return self.word("garbage");
        }
        let mut bytes = self.payloads[self.below(self.payloads.len())].clone();
        if self.chance(10) {
            let at = self.below(bytes.len());
            bytes[at] ^= 1 << self.below(8);
        } else if self.chance(5) {
            bytes.truncate(self.below(bytes.len()));
        }
        bytes
    }

    fn stream_id(&mut self) -> Vec<u8> {
        match self.below(100) {
            0..70 => {
                let (ms, seq) = (self.between(0, 9), self.between(0, 3));
                format!("{ms}-{seq}").into_bytes()
            }
            70..80 => self.number(0, 9),
            80..90 => self
                .pick(&["-", "+", "$", ">", "0-0", "(3-1", "5-*", "(", "0-*"])
                .into(),
            90..95 => self
                .pick(&[
                    "18446744073709551615-18446744073709551615",
                    "18446744073709551616-0",
                    "1-",
                    "-1",
                ])
                .into(),
            _ => self.odd_number(),
        }
    }

    fn setting(&mut self) -> Vec<u8> {
        self.pick(&[
            "list-max-listpack-size",
            "list-max-ziplist-size",
            "list-compress-depth",
            "hash-max-listpack-entries",
            "hash-max-listpack-value",
            "hash-max-ziplist-value",
            "set-max-intset-entries",
            "zset-max-listpack-entries",
            "zset-max-listpack-value",
            "stream-node-max-entries",
            "stream-node-max-bytes",
            "hll-sparse-max-bytes",
            "lazyfree-lazy-user-del",
            "notify-keyspace-events",
            "no-such-setting",
            "",
        ])
        .into()
    }
}
