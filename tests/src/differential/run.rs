//! A sequence on both servers, and what is left of it when it is cut down to what differs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::dataset;
use super::family::{Family, Known};
use super::reply::Reply;
use super::rules::{Also, Peer, accepted, is_message, rule, same_farewell, same_farewells};
use super::sequence::{Sequence, Step, Words, quoted};
use super::server::{Answer, BATCH, Server};
use crate::program::Flavour;

/// Holdfast and the server it is compared with.
#[derive(Debug)]
pub struct Pair {
    ours: Server,
    theirs: Server,
    peer: PathBuf,
}

/// Where two servers part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The command, or what was looked at behind the last one.
    pub command: String,
    /// What Holdfast says.
    pub ours: String,
    /// What the other one says.
    pub theirs: String,
}

/// A difference with what leads to it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The family it was found with.
    pub family: &'static str,
    /// The seed it was found with.
    pub seed: u64,
    /// What is left of the sequence.
    pub sequence: Sequence,
    /// What differs in the end.
    pub difference: Difference,
}

impl Difference {
    /// Equal for differences that are likely to have one cause.
    pub fn signature(&self) -> String {
        let class = |text: &str| {
            let errs = text.starts_with('-');
            text.chars()
                .take(if errs { 24 } else { 1 })
                .collect::<String>()
        };
        let name = self.command.split(' ').next().unwrap_or_default();
        let (ours, theirs) = (class(&self.ours), class(&self.theirs));
        format!("{} {ours} {theirs}", name.to_ascii_uppercase())
    }

    fn of(words: &Words, ours: &str, theirs: &str) -> Self {
        Self {
            command: quoted(words),
            ours: ours.to_owned(),
            theirs: theirs.to_owned(),
        }
    }
}

impl Finding {
    /// For people: lines for redis-cli, and what both servers say to the last one.
    pub fn show(&self) -> String {
        let Difference {
            command,
            ours,
            theirs,
        } = &self.difference;
        format!(
            "family {} seed {}\n{}differs: {}\n  holdfast: {}\n  peer:     {}\n",
            self.family,
            self.seed,
            self.sequence.show(),
            cut(command, 0),
            cut(ours, first_difference(ours, theirs)),
            cut(theirs, first_difference(ours, theirs)),
        )
    }
}

fn first_difference(one: &str, two: &str) -> usize {
    let same = one
        .chars()
        .zip(two.chars())
        .take_while(|(one, two)| one == two);
    same.count()
}

/// A text around a place.
fn cut(text: &str, around: usize) -> String {
    const BEFORE: usize = 100;
    const SHOWN: usize = 600;
    let from = around.saturating_sub(BEFORE);
    let mut part: String = text.chars().skip(from).take(SHOWN).collect();
    if from > 0 {
        part.insert_str(0, "...");
    }
    if text.chars().count() > from + SHOWN {
        part.push_str("...");
    }
    part
}

impl Pair {
    /// Starts both.
    pub fn start(peer: &Path) -> Self {
        let mut ours = Server::start(Flavour::Holdfast.server());
        let mut theirs = Server::start(Command::new(peer));
        let settings = Server::settings(&mut ours, &mut theirs);
        settings.expect("both tell of their settings");
        Self {
            ours,
            theirs,
            peer: peer.to_path_buf(),
        }
    }

    /// The version of Redis the other one says it is like.
    pub fn version(&self) -> &str {
        self.theirs.version()
    }

    /// What both know of a family.
    ///
    /// # Panics
    ///
    /// If a server does not answer.
    pub fn known(&mut self, family: &Family) -> Known {
        // What an earlier family has set would change the payloads.
        let reset = self.ours.reset().and_then(|()| self.theirs.reset());
        reset.expect("both can be emptied");
        let known = Known::of(family, &mut self.ours, &mut self.theirs);
        known.expect("both servers tell what they know")
    }

    /// Runs the sequence of a seed; a difference comes with as few commands as lead to it.
    pub fn check(
        &mut self,
        family: &Family,
        known: &Known,
        seed: u64,
        commands: usize,
    ) -> Option<Finding> {
        let sequence = Sequence::generate(family, known, seed, commands);
        let difference = self.run(&sequence)?;
        let (sequence, difference) = self.shrink(sequence, difference);
        Some(Finding {
            family: family.name,
            seed,
            sequence,
            difference,
        })
    }

    /// Whether the sequence of a seed shows a difference, without cutting it down.
    pub fn differs(
        &mut self,
        family: &Family,
        known: &Known,
        seed: u64,
        commands: usize,
    ) -> Option<Difference> {
        self.run(&Sequence::generate(family, known, seed, commands))
    }

    /// Runs a sequence on two empty servers.
    pub fn run(&mut self, sequence: &Sequence) -> Option<Difference> {
        let result = self.try_run(sequence);
        let ended = [self.ours.ended(), self.theirs.ended()];
        let difference = match result {
            Ok(found) if ended == [None, None] => return found,
            Ok(_) | Err(_) if ended != [None, None] => {
                let state =
                    |ended: &Option<String>| ended.clone().unwrap_or_else(|| "runs".to_owned());
                Difference {
                    command: "the process".to_owned(),
                    ours: state(&ended[0]),
                    theirs: state(&ended[1]),
                }
            }
            Ok(_) => return None,
            Err(error) => Difference {
                command: "the connection".to_owned(),
                ours: error.to_string(),
                theirs: String::new(),
            },
        };
        *self = Self::start(&self.peer.clone());
        Some(difference)
    }

    fn try_run(&mut self, sequence: &Sequence) -> io::Result<Option<Difference>> {
        self.ours.reset()?;
        self.theirs.reset()?;
        let mut comparison = Comparison::new(self.theirs.peer());
        let links = sequence
            .steps
            .iter()
            .map(|step| step.link)
            .max()
            .unwrap_or(0);
        for (link, commands) in batches(sequence) {
            let pipelined = sequence.pipelined;
            self.ours.send(link, &commands, pipelined)?;
            self.theirs.send(link, &commands, pipelined)?;
            let theirs = self.theirs.receive(link, &commands, pipelined)?;
            let ours = self.ours.receive(link, &commands, pipelined)?;
            let found = comparison.compare(link, &commands, &ours, &theirs);
            if found.is_some() || comparison.also == Also::Everything {
                return Ok(found);
            }
        }
        if !sequence.pipelined {
            for link in 0..=links {
                // Whatever state a connection is in, this ends it.
                let end = [vec![b"RESET".to_vec()]];
                self.ours.send(link, &end, false)?;
                self.theirs.send(link, &end, false)?;
                let theirs = self.theirs.receive(link, &end, false)?;
                let ours = self.ours.receive(link, &end, false)?;
                let found = comparison.compare(link, &end, &ours, &theirs);
                if found.is_some() {
                    return Ok(found);
                }
            }
            let found = comparison.messages();
            if found.is_some() {
                return Ok(found);
            }
        }
        dataset::compare(&mut self.ours, &mut self.theirs)
    }

    fn shrink(&mut self, sequence: Sequence, first: Difference) -> (Sequence, Difference) {
        let mut last = first;
        let pipelined = sequence.pipelined;
        let mut left = RUNS_MAX;
        let mut differs = |pair: &mut Self, steps: &[Step]| {
            if left == 0 {
                return false;
            }
            left -= 1;
            let sequence = Sequence {
                steps: steps.to_vec(),
                pipelined,
            };
            let found = pair.run(&sequence);
            let found = found.filter(|found| found.signature() == last.signature());
            let Some(found) = found else { return false };
            last = found;
            true
        };
        let mut steps = minimize(sequence.steps, &mut |steps: &[Step]| differs(self, steps));
        for at in 0..steps.len() {
            if steps[at].commands.len() != 1 || may_block(&steps[at].commands[0]) {
                continue;
            }
            let words = steps[at].commands[0].clone();
            let mut with = |words: &[Vec<u8>]| {
                let mut changed = steps.clone();
                changed[at].commands[0] = words.to_vec();
                !words.is_empty() && differs(self, &changed)
            };
            let mut words = minimize(words, &mut with);
            for word in 0..words.len() {
                let mut len = words[word].len() / 2;
                while len > 3 {
                    let mut shorter = words.clone();
                    shorter[word].truncate(len);
                    if with(&shorter) {
                        words = shorter;
                    }
                    len /= 2;
                }
            }
            steps[at].commands[0] = words;
        }
        (Sequence { steps, pipelined }, last)
    }
}

/// How often a sequence is run to cut it down.
const RUNS_MAX: usize = 600;

/// Whether leaving out an argument could make a command wait for long.
fn may_block(words: &Words) -> bool {
    let name = words[0].to_ascii_uppercase();
    name.starts_with(b"BL") || name.starts_with(b"BZ") || name.starts_with(b"BR") || name == b"WAIT"
}

/// As few of the items as the test still holds for: pieces are left out, ever smaller ones.
fn minimize<T: Clone>(mut items: Vec<T>, test: &mut impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut piece = items.len().div_ceil(2);
    while piece > 0 && items.len() > 1 {
        let mut at = 0;
        let mut shrunk = false;
        while at < items.len() {
            let end = (at + piece).min(items.len());
            let rest = [&items[..at], &items[end..]].concat();
            if test(&rest) {
                items = rest;
                shrunk = true;
            } else {
                at = end;
            }
        }
        if piece == 1 && !shrunk {
            break;
        }
        piece = if shrunk && piece == 1 { 1 } else { piece / 2 };
    }
    items
}

/// What may be under way at once: steps of one connection.
fn batches(sequence: &Sequence) -> Vec<(usize, Vec<Words>)> {
    const BYTES_MAX: usize = 128 * 1024;
    let mut batches: Vec<(usize, Vec<Words>)> = Vec::new();
    let mut bytes = 0;
    for step in &sequence.steps {
        let size: usize = step.commands.iter().flatten().map(Vec::len).sum();
        match batches.last_mut() {
            Some((link, commands))
                if sequence.pipelined
                    && *link == step.link
                    && commands.len() < BATCH
                    && bytes + size < BYTES_MAX =>
            {
                bytes += size;
                commands.extend(step.commands.iter().cloned());
            }
            Some(_) | None => {
                bytes = size;
                batches.push((step.link, step.commands.clone()));
            }
        }
    }
    batches
}

/// Messages, apart from replies.
#[derive(Debug, Default)]
struct Heard {
    ours: Vec<Reply>,
    theirs: Vec<Reply>,
}

/// Compares replies, and knows what EXEC will answer for.
#[derive(Debug)]
struct Comparison {
    peer: Peer,
    /// What an accepted difference leaves to be compared.
    also: Also,
    /// What each connection has queued.
    queued: Vec<Vec<Words>>,
    /// What the last EXEC executed.
    executed: Vec<Words>,
    /// What each connection was sent besides replies, by ours and by the other one.
    messages: Vec<Heard>,
}

impl Comparison {
    const fn new(peer: Peer) -> Self {
        Self {
            peer,
            also: Also::Nothing,
            queued: Vec::new(),
            executed: Vec::new(),
            messages: Vec::new(),
        }
    }

    fn compare(
        &mut self,
        link: usize,
        commands: &[Words],
        ours: &Answer,
        theirs: &Answer,
    ) -> Option<Difference> {
        let (ours_closed, theirs_closed) = (ours.closed, theirs.closed);
        let ours = self.replies(link, ours, |heard| &mut heard.ours);
        let theirs = self.replies(link, theirs, |heard| &mut heard.theirs);
        let last = commands.last()?;
        let ends = last.len() == 1 && last[0].to_ascii_uppercase().ends_with(b"UNSUBSCRIBE");
        if ends && commands.len() == 1 && same_farewells(&ours, &theirs) {
            return None;
        }
        let mut waiting = commands.iter();
        self.also = Also::Nothing;
        self.executed.clear();
        for at in 0..ours.len().max(theirs.len()) {
            let (one, two) = (ours.get(at), theirs.get(at));
            let message = two.or(one).is_some_and(|reply| reply.kind() == b'>');
            let words = if message { None } else { waiting.next() };
            let shown = words.unwrap_or(last);
            let (Some(one), Some(two)) = (one, two) else {
                let show =
                    |reply: Option<&Reply>| reply.map_or_else(|| "nothing".to_owned(), Reply::show);
                return Some(Difference::of(shown, &show(one), &show(two)));
            };
            let same = match words {
                Some(words) => self.same(link, words, one, two),
                None => one == two || self.same_executed(one, two),
            };
            if !same {
                return Some(Difference::of(shown, &one.show(), &two.show()));
            }
            if self.also != Also::Nothing {
                return None;
            }
        }
        if ours_closed == theirs_closed {
            return None;
        }
        let state = |closed: bool| if closed { "closed" } else { "open" };
        Some(Difference::of(
            last,
            state(ours_closed),
            state(theirs_closed),
        ))
    }

    /// The replies of an answer; its messages are put aside.
    fn replies(
        &mut self,
        link: usize,
        answer: &Answer,
        side: fn(&mut Heard) -> &mut Vec<Reply>,
    ) -> Vec<Reply> {
        if self.messages.len() <= link {
            self.messages.resize_with(link + 1, Default::default);
        }
        let (messages, replies) = answer.replies.iter().cloned().partition(is_message);
        side(&mut self.messages[link]).extend::<Vec<Reply>>(messages);
        replies
    }

    /// The first connection on which other messages arrived.
    fn messages(mut self) -> Option<Difference> {
        for (link, Heard { ours, theirs }) in self.messages.iter_mut().enumerate() {
            ours.sort_unstable();
            theirs.sort_unstable();
            if ours != theirs {
                let show = |all: &[Reply]| Reply::List(b'>', all.to_vec()).show();
                return Some(Difference {
                    command: format!("the messages on connection {}", link + 1),
                    ours: show(ours),
                    theirs: show(theirs),
                });
            }
        }
        None
    }

    fn same(&mut self, link: usize, words: &Words, ours: &Reply, theirs: &Reply) -> bool {
        if self.queued.len() <= link {
            self.queued.resize_with(link + 1, Vec::new);
        }
        let name = words[0].to_ascii_uppercase();
        if theirs.text() == b"QUEUED" {
            self.queued[link].push(words.clone());
        } else if matches!(name.as_slice(), b"MULTI" | b"DISCARD" | b"RESET") && !theirs.is_error()
        {
            self.queued[link].clear();
        } else if name == b"EXEC" && words.len() == 1 {
            self.executed = std::mem::take(&mut self.queued[link]);
            let count = self.executed.len();
            let all = ours.items().len() == count && theirs.items().len() == count;
            if all && count > 0 && self.same_items(ours.items(), theirs.items()) {
                return true;
            }
        }
        self.same_reply(words, ours, theirs)
    }

    /// Whether what EXEC answers is the same.
    fn same_items(&mut self, ours: &[Reply], theirs: &[Reply]) -> bool {
        let executed = self.executed.clone();
        let many = |words: &Words| words[0].to_ascii_uppercase().ends_with(b"SUBSCRIBE");
        let loose = executed.iter().any(many);
        let mut all = executed.iter().zip(ours.iter().zip(theirs));
        all.all(|(words, (ours, theirs))| {
            self.same_reply(words, ours, theirs) || loose && self.same_executed(ours, theirs)
        })
    }

    /// Whether two replies are the same for one of the commands that were executed: SUBSCRIBE and
    /// its like answer once for each channel, so that replies lie elsewhere than commands, and
    /// some behind the array of EXEC. UNSUBSCRIBE does so in the order of a hash table.
    fn same_executed(&mut self, ours: &Reply, theirs: &Reply) -> bool {
        let executed = self.executed.clone();
        let mut all = executed.iter();
        same_farewell(ours, theirs) || all.any(|words| self.same_reply(words, ours, theirs))
    }

    fn same_reply(&mut self, words: &Words, ours: &Reply, theirs: &Reply) -> bool {
        if ours == theirs || rule(words).is_some_and(|rule| rule.accepts(ours, theirs)) {
            return true;
        }
        let accepted = accepted(words, ours, theirs, self.peer);
        if let Some(accepted) = accepted {
            self.also = accepted.also;
        }
        accepted.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let mut runs = 0;
        let left = minimize((0..100).collect(), &mut |items: &[i32]| {
            runs += 1;
            items.contains(&17) && items.contains(&80)
        });
        assert_eq!(left, [17, 80]);
        assert!(runs < 100, "{runs}");
    }

    #[test]
    fn differences_are_shown_where_they_are() {
        let long = "x".repeat(1000);
        let shown = cut(&format!("{long}a"), 1000);
        assert!(shown.starts_with("...x") && shown.ends_with("xa"));
    }
}
