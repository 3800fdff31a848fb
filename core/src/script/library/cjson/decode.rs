//! Values from JSON text.
//!
//! The text ends, as a C string, where a zero byte stands.

use super::Settings;
use super::number::{has_prefix, read_number};
use crate::script::library::Failure;
use crate::script::library::arguments::{Args, SLOTS_MAX, one};
use mlua::{Lua, LuaString, MultiValue, Table, Value};

pub(super) fn decode(args: &Args<'_>, settings: &Settings) -> Result<MultiValue, Failure> {
    if args.len() != 1 {
        return Err(args.bad(1, "expected 1 argument"));
    }
    let text = args.string(1)?;
    let text = text.as_bytes();
    if matches!(*text, [0, _, ..] | [_, 0, ..]) {
        return Err("JSON parser does not support UTF-16 or UTF-32".into());
    }
    let mut reader = Reader {
        lua: args.lua,
        settings,
        text: &text,
        at: 0,
        open: Vec::new(),
        used: 1,
    };
    one(args.lua, reader.document()?)
}

/// A piece of the text.
enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    String(LuaString),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// What is wrong with the text.
    Invalid(&'static str),
}

impl Token {
    /// What an error calls it.
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectStart => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayStart => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Invalid(why) => why,
        }
    }
}

/// A container whose end is not read yet.
enum Open {
    Array { table: Table, filled: usize },
    Object { table: Table, key: LuaString },
}

/// The text, and where in it the next token is looked for.
///
/// The containers that are open lie on the heap; their nesting is bounded by the settings, and as
/// in Redis by the size of Lua's stack.
struct Reader<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    text: &'a [u8],
    at: usize,
    open: Vec<Open>,
    /// How many slots of the stack Redis's library would use.
    used: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Value, Failure> {
        loop {
            let (token, place) = self.token()?;
            let value = match token {
                Token::String(string) => Value::String(string),
                Token::Number(number) => Value::Number(number),
                Token::Boolean(boolean) => Value::Boolean(boolean),
                Token::Null => Value::NULL,
                Token::ArrayStart => match self.array(place)? {
                    Some(empty) => Value::Table(empty),
                    None => continue,
                },
                Token::ObjectStart => match self.object(place)? {
                    Some(empty) => Value::Table(empty),
                    None => continue,
                },
                Token::ObjectEnd
                | Token::ArrayEnd
                | Token::Colon
                | Token::Comma
                | Token::End
                | Token::Invalid(_) => return Err(unexpected("value", &token, place)),
            };
            if let Some(value) = self.place(value)? {
                return Ok(value);
            }
        }
    }

    /// Opens an array; answers it if that is all of it.
    fn array(&mut self, place: usize) -> Result<Option<Table>, Failure> {
        self.check_depth(place)?;
        let table = self.lua.create_table()?;
        if self.skip_to() == b']' {
            self.at += 1;
            return Ok(Some(table));
        }
        self.used += 1;
        self.open.push(Open::Array { table, filled: 0 });
        Ok(None)
    }

    /// Opens an object with its first key; answers it if that is all of it.
    fn object(&mut self, place: usize) -> Result<Option<Table>, Failure> {
        self.check_depth(place)?;
        let table = self.lua.create_table()?;
        if self.skip_to() == b'}' {
            self.at += 1;
            return Ok(Some(table));
        }
        let key = self.key()?;
        self.used += 2;
        self.open.push(Open::Object { table, key });
        Ok(None)
    }

    /// Puts a value where it belongs, and closes what ends behind it. Answers the outermost
    /// value once nothing is open.
    fn place(&mut self, mut value: Value) -> Result<Option<Value>, Failure> {
        while let Some(open) = self.open.pop() {
            match open {
                Open::Array { table, filled } => {
                    let filled = filled + 1;
                    table.raw_set(filled, value)?;
                    let (token, place) = self.token()?;
                    if matches!(token, Token::Comma) {
                        self.open.push(Open::Array { table, filled });
                        return Ok(None);
                    }
                    if !matches!(token, Token::ArrayEnd) {
                        return Err(unexpected("comma or array end", &token, place));
                    }
                    self.used -= 1;
                    value = Value::Table(table);
                }
                Open::Object { table, key } => {
                    table.raw_set(key, value)?;
                    let (token, place) = self.token()?;
                    if matches!(token, Token::Comma) {
                        let key = self.key()?;
                        self.open.push(Open::Object { table, key });
                        return Ok(None);
                    }
                    if !matches!(token, Token::ObjectEnd) {
                        return Err(unexpected("comma or object end", &token, place));
                    }
                    self.used -= 2;
                    value = Value::Table(table);
                }
            }
        }
        match self.token()? {
            (Token::End, _) => Ok(Some(value)),
            (token, place) => Err(unexpected("the end", &token, place)),
        }
    }

    /// A key and the colon behind it.
    fn key(&mut self) -> Result<LuaString, Failure> {
        let key = match self.token()? {
            (Token::String(key), _) => key,
            (token, place) => return Err(unexpected("object key string", &token, place)),
        };
        match self.token()? {
            (Token::Colon, _) => Ok(key),
            (token, place) => Err(unexpected("colon", &token, place)),
        }
    }

    fn check_depth(&self, place: usize) -> Result<(), Failure> {
        let depth = self.open.len() + 1;
        if depth > self.settings.decode_depth_max as usize || self.used + 2 > SLOTS_MAX {
            let place = place + 1;
            let text =
                format!("Found too many nested data structures ({depth}) at character {place}");
            return Err(text.into());
        }
        Ok(())
    }

    /// Skips white space; answers the byte behind it, or zero at the end.
    fn skip_to(&mut self) -> u8 {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.byte(self.at) {
            self.at += 1;
        }
        self.byte(self.at)
    }

    /// The byte at a place, zero behind the end.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    /// The next token, and the place where it starts or is wrong.
    fn token(&mut self) -> Result<(Token, usize), Failure> {
        let first = self.skip_to();
        let start = self.at;
        let invalid = self.settings.decode_invalid;
        let token = match first {
            0 => return Ok((Token::End, start)),
            b'"' => return self.string(),
            b'0'..=b'9' | b'-' => return Ok((self.number()?, start)),
            b'+' if invalid => return Ok((self.number()?, start)),
            b'{' => Token::ObjectStart,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayStart,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            _ => return Ok((self.word()?, start)),
        };
        self.at += 1;
        Ok((token, start))
    }

    /// A literal, or a number that is written as a word.
    fn word(&mut self) -> Result<Token, Failure> {
        let rest = self.rest();
        for (text, token) in [
            ("true", Token::Boolean(true)),
            ("false", Token::Boolean(false)),
            ("null", Token::Null),
        ] {
            if rest.starts_with(text.as_bytes()) {
                self.at += text.len();
                return Ok(token);
            }
        }
        if self.settings.decode_invalid && (has_prefix(rest, b"inf") || has_prefix(rest, b"nan")) {
            return self.number();
        }
        Ok(Token::Invalid("invalid token"))
    }

    fn number(&mut self) -> Result<Token, Failure> {
        let rest = self.rest();
        let invalid = Ok(Token::Invalid("invalid number"));
        if !self.settings.decode_invalid && is_foreign(rest) {
            return invalid;
        }
        let Some((number, len)) = read_number(self.lua, rest)? else {
            return invalid;
        };
        self.at += len;
        Ok(Token::Number(number))
    }

    /// A string, from its opening quote on.
    fn string(&mut self) -> Result<(Token, usize), Failure> {
        let start = self.at;
        self.at += 1;
        let mut unescaped = Vec::new();
        loop {
            let rest = self.rest();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0));
            let plain = plain.unwrap_or(rest.len());
            let piece = &rest[..plain];
            self.at += plain;
            match self.byte(self.at) {
                b'"' => {
                    self.at += 1;
                    let string = if unescaped.is_empty() {
                        self.lua.create_string(piece)?
                    } else {
                        unescaped.extend_from_slice(piece);
                        self.lua.create_string(unescaped)?
                    };
                    return Ok((Token::String(string), start));
                }
                b'\\' => unescaped.extend_from_slice(piece),
                _ => return Ok((Token::Invalid("unexpected end of string"), self.at)),
            }
            if let Err(why) = self.escape(&mut unescaped) {
                return Ok((Token::Invalid(why), self.at));
            }
        }
    }

    /// Appends what an escape stands for, and goes behind it if it is valid.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.byte(self.at + 1) {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (letter, len) = self.letter().ok_or("invalid unicode escape code")?;
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                self.at += len;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        out.push(byte);
        self.at += 2;
        Ok(())
    }

    /// The letter that the escape here stands for, or this and the next one as surrogates; and
    /// how long that is.
    fn letter(&self) -> Option<(char, usize)> {
        const LEN: usize = 6;
        let high = self.unit(self.at)?;
        if !(0xd800..0xdc00).contains(&high) {
            return Some((char::from_u32(high)?, LEN));
        }
        let low = self.unit(self.at + LEN)?;
        if !(0xdc00..0xe000).contains(&low) {
            return None;
        }
        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        Some((char::from_u32(code)?, 2 * LEN))
    }

    /// The number in an escape of the form `\u20ac`.
    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, &digit| {
            Some(unit << 4 | char::from(digit).to_digit(16)?)
        })
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }
}

/// Whether a number is of a form that only C knows.
fn is_foreign(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    match *text {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        [b'0'..=b'9', ..] => false,
        _ => has_prefix(text, b"inf") || has_prefix(text, b"nan"),
    }
}

/// Another token than the one that is due.
fn unexpected(due: &str, token: &Token, place: usize) -> Failure {
    let (found, place) = (token.name(), place + 1);
    format!("Expected {due} but found {found} at character {place}").into()
}
