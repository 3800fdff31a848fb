//! A command's arguments, taken one after the other.

use super::fail::Fail;
use crate::resp::{self, ArgvRef};
use bytes::Bytes;

/// A cursor over the arguments behind the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    argv: ArgvRef<'a>,
    at: usize,
}

impl<'a> Args<'a> {
    /// Starts behind the first `names` arguments: the command's name, and its subcommand's.
    pub fn behind(argv: ArgvRef<'a>, names: usize) -> Self {
        assert!(names <= argv.len(), "a command has at least its name");
        Self { argv, at: names }
    }

    /// The whole command, its name included.
    pub fn argv(&self) -> ArgvRef<'a> {
        self.argv
    }

    /// How many arguments are left.
    pub fn left(&self) -> usize {
        self.argv.len() - self.at
    }

    /// Whether none is left.
    pub fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// The index of the next argument within [`argv`](Self::argv).
    pub fn position(&self) -> usize {
        self.at
    }

    /// Takes the next argument.
    #[inline]
    pub fn bulk(&mut self) -> Result<&'a [u8], Fail> {
        let bulk = self.peek().ok_or(Fail::Syntax)?;
        self.at += 1;
        Ok(bulk)
    }

    /// Takes the next argument as a buffer of its own, shared if it came in as one.
    pub fn shared(&mut self) -> Result<Option<&'a Bytes>, Fail> {
        if self.is_done() {
            return Err(Fail::Syntax);
        }
        let shared = self.argv.shared(self.at);
        self.at += 1;
        Ok(shared)
    }

    /// Takes the next argument as a signed 64-bit integer.
    pub fn int(&mut self) -> Result<i64, Fail> {
        resp::parse_int(self.bulk()?).ok_or(Fail::NotInteger)
    }

    /// Takes the next argument as an integer within bounds.
    pub fn int_within(&mut self, low: i64, high: i64, otherwise: Fail) -> Result<i64, Fail> {
        let n = self.int()?;
        if low <= n && n <= high {
            Ok(n)
        } else {
            Err(otherwise)
        }
    }

    /// Takes the next argument as a signed 32-bit integer.
    pub fn int32(&mut self) -> Result<i64, Fail> {
        const OUTSIDE: Fail =
            Fail::Plain("value is out of range, value must between -2147483648 and 2147483647");
        self.int_within(i64::from(i32::MIN), i64::from(i32::MAX), OUTSIDE)
    }

    /// Takes the next argument as an integer whose negative is one as well.
    pub fn int_with_negative(&mut self) -> Result<i64, Fail> {
        const OUTSIDE: Fail = Fail::Plain(
            "value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        );
        self.int_within(-i64::MAX, i64::MAX, OUTSIDE)
    }

    /// Takes the next argument as a number of things, which `what` names in the error.
    pub fn at_least_one(&mut self, what: &'static str) -> Result<usize, Fail> {
        let number = self.int().ok();
        let number = number.and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|&number| number > 0);
        number.ok_or(Fail::ZeroCount(what))
    }

    /// Looks at the next argument.
    pub fn peek(&self) -> Option<&'a [u8]> {
        (self.at < self.argv.len()).then(|| self.argv.get(self.at))
    }

    /// Takes the next argument if it is this word, in any case.
    pub fn keyword(&mut self, word: &str) -> bool {
        let found = self
            .peek()
            .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes all that is left.
    pub fn rest(&mut self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let (argv, from) = (self.argv, self.at);
        self.at = argv.len();
        (from..argv.len()).map(move |i| argv.get(i))
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Fail> {
        if self.is_done() {
            Ok(())
        } else {
            Err(Fail::Syntax)
        }
    }
}
