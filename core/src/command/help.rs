//! HELP of container commands, made from their rows.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::spec::Spec;
use crate::resp::Reply;

/// The handler of a container that was called without a subcommand. The arity check comes first
/// for all of them, so it only runs for containers that may stand alone.
pub fn container(_: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    Err(Fail::Syntax)
}

/// Replies with a line per subcommand and its summary below it, in Redis's form.
pub fn reply<H>(out: &mut Reply<'_>, container: &str, subcommands: &[Spec<H>]) {
    let shown = || subcommands.iter().filter(|sub| sub.name != "help");
    out.array(3 + 2 * shown().count());
    out.simple(&format!(
        "{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for sub in shown() {
        let name = sub.name.to_ascii_uppercase();
        out.simple(format!("{name} {}", sub.docs.syntax).trim_end());
        out.simple(&format!("    {}", sub.docs.summary));
    }
    out.simple("HELP");
    out.simple("    Print this help.");
}
