//! BITFIELD: integers of any width within a string.

use super::{bytes_up_to, offset};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::config::NotifyFlags as Class;
use crate::value::IntText;
use crate::value::bits::{Field, Overflow};

/// One operation on one field.
#[derive(Clone, Copy)]
struct Step {
    field: Field,
    at: u64,
    act: Act,
}

#[derive(Clone, Copy)]
enum Act {
    Get,
    Set(i64, Overflow),
    IncrBy(i64, Overflow),
}

/// What a step answers, null if it was refused, and whether it wrote another number.
type Outcome = (Option<i64>, bool);

impl Step {
    /// The index of the field's last bit.
    fn last_bit(self) -> u64 {
        self.at + u64::from(self.field.bits()) - 1
    }

    fn writes(self) -> bool {
        match self.act {
            Act::Get => false,
            Act::Set(..) | Act::IncrBy(..) => true,
        }
    }

    /// Carries it out on a text that has the whole field.
    fn run(self, text: &mut [u8]) -> Outcome {
        let before = self.field.read(text, self.at);
        let (after, answer) = match self.act {
            Act::Get => return (Some(before), false),
            Act::Set(value, overflow) => (self.field.fit(value, overflow), before),
            Act::IncrBy(by, overflow) => {
                let sum = self.field.sum(before, by, overflow);
                (sum, sum.unwrap_or(before))
            }
        };
        let Some(after) = after else {
            return (None, false);
        };
        self.field.write(text, self.at, after);
        (Some(answer), after != before)
    }
}

pub(super) fn bitfield(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let steps = parse(cx, args)?;
    let writing = steps.iter().filter(|step| step.writes());
    match writing.map(|step| step.last_bit()).max() {
        None => read(cx, key, &steps),
        Some(last) => write(cx, key, &steps, last),
    }
}

pub(super) fn bitfield_ro(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let steps = parse(cx, args)?;
    if steps.iter().any(|step| step.writes()) {
        return Err(Fail::Plain("BITFIELD_RO only supports the GET subcommand"));
    }
    read(cx, key, &steps)
}

fn parse(cx: &Cx<'_>, mut args: Args<'_>) -> Result<Vec<Step>, Fail> {
    let mut overflow = Overflow::default();
    let mut steps = Vec::new();
    while !args.is_done() {
        let behind = args.left() - 1;
        if behind >= 2 && args.keyword("get") {
            let (field, at) = place(cx, &mut args)?;
            let act = Act::Get;
            steps.push(Step { field, at, act });
        } else if behind >= 3 && args.keyword("set") {
            let (field, at) = place(cx, &mut args)?;
            let act = Act::Set(args.int()?, overflow);
            steps.push(Step { field, at, act });
        } else if behind >= 3 && args.keyword("incrby") {
            let (field, at) = place(cx, &mut args)?;
            let act = Act::IncrBy(args.int()?, overflow);
            steps.push(Step { field, at, act });
        } else if behind >= 1 && args.keyword("overflow") {
            overflow = parse_overflow(&mut args)?;
        } else {
            return Err(Fail::Syntax);
        }
    }
    Ok(steps)
}

fn parse_overflow(args: &mut Args<'_>) -> Result<Overflow, Fail> {
    if args.keyword("wrap") {
        Ok(Overflow::Wrap)
    } else if args.keyword("sat") {
        Ok(Overflow::Sat)
    } else if args.keyword("fail") {
        Ok(Overflow::Fail)
    } else {
        Err(Fail::Plain("Invalid OVERFLOW type specified"))
    }
}

fn place(cx: &Cx<'_>, args: &mut Args<'_>) -> Result<(Field, u64), Fail> {
    let field = Field::parse(args.bulk()?).ok_or(Fail::Plain(
        "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 \
         is.",
    ))?;
    let at = offset(cx, args.bulk()?, Some(field))?;
    Ok((field, at))
}

fn read(cx: &mut Cx<'_>, key: &[u8], steps: &[Step]) -> Result<(), Fail> {
    let mut digits = IntText::default();
    let found = cx.data.read_str(key)?;
    let text = found.map_or(&b""[..], |text| text.text(&mut digits));
    cx.out.array(steps.len());
    for step in steps {
        cx.out.int(step.field.read(text, step.at));
    }
    Ok(())
}

/// Carries out steps of which the furthest writes up to the bit `last`.
fn write(cx: &mut Cx<'_>, key: &[u8], steps: &[Step], last: u64) -> Result<(), Fail> {
    let least = bytes_up_to(last);
    let (grows, outcomes) = cx.data.edit_str(key, |text| {
        let grows = text.get().len() < least;
        let outcomes: Vec<Outcome> = text.edit(least, |bytes| {
            let run = steps.iter().map(|step| step.run(bytes));
            run.collect()
        });
        (grows, outcomes)
    })?;
    let mut changes = 0;
    cx.out.array(outcomes.len());
    for (step, (answer, wrote)) in steps.iter().zip(outcomes) {
        match answer {
            Some(number) => cx.out.int(number),
            None => cx.out.null(),
        }
        let counts = wrote || grows;
        changes += u64::from(step.writes() && answer.is_some() && counts);
    }
    // A string that only grew is a change too, or replicas would have a shorter one.
    if changes > 0 || grows {
        let count = changes.max(1);
        cx.data.changed_by(count, key, Class::STRING, "setbit");
    }
    Ok(())
}
