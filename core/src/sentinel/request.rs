//! The commands a Sentinel sends.

use crate::sentinel::group::Options;
use crate::sentinel::hello::HELLO_CHANNEL;
use crate::sentinel::names::{Epoch, RunId};

/// A command, or a block of them that belong together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Request {
    /// AUTH
    Auth {
        /// Without one, the default user.
        user: Option<Box<[u8]>>,
        /// Its password.
        pass: Box<[u8]>,
    },
    /// CLIENT SETNAME
    SetName(String),
    /// SUBSCRIBE to the hellos
    Subscribe,
    /// PING
    Ping,
    /// INFO
    Info,
    /// INFO SERVER
    InfoServer,
    /// PUBLISH a hello
    Hello(String),
    /// SENTINEL IS-MASTER-DOWN-BY-ADDR
    IsMasterDown {
        /// The master's host.
        host: String,
        /// The master's port.
        port: u16,
        /// The election to vote in.
        epoch: Epoch,
        /// Whom to vote for, if a vote is asked for.
        candidate: Option<RunId>,
    },
    /// SENTINEL GET-MASTER-ADDR-BY-NAME
    MasterAddr(Box<str>),
    /// Makes a server a master, or a replica of one.
    ///
    /// In one transaction the server changes its role, makes that survive a restart, and parts
    /// with its clients, who have to look for the master anew.
    SlaveOf(Option<(String, u16)>),
    /// SCRIPT KILL
    ScriptKill,
}

impl Request {
    /// The argument lists to send, under the names the operator gave the commands.
    pub(super) fn commands(&self, options: Option<&Options>) -> Vec<Vec<Vec<u8>>> {
        let mut commands = self.plain();
        if let Some(options) = options {
            for words in &mut commands {
                let name = str::from_utf8(&words[0]).expect("names are ours");
                words[0] = options.command_name(name).as_bytes().to_vec();
            }
        }
        commands
    }

    fn plain(&self) -> Vec<Vec<Vec<u8>>> {
        match self {
            Self::Auth { user, pass } => {
                let words = core::iter::once(&b"AUTH"[..])
                    .chain(user.as_deref())
                    .chain([&**pass]);
                vec![words.map(<[u8]>::to_vec).collect()]
            }
            Self::SetName(name) => vec![words(["CLIENT", "SETNAME", name])],
            Self::Subscribe => vec![words(["SUBSCRIBE", HELLO_CHANNEL])],
            Self::Ping => vec![words(["PING"])],
            Self::Info => vec![words(["INFO"])],
            Self::Hello(payload) => vec![words(["PUBLISH", HELLO_CHANNEL, payload])],
            Self::IsMasterDown {
                host,
                port,
                epoch,
                candidate,
            } => {
                let candidate = candidate.map_or_else(|| "*".to_owned(), |id| id.to_string());
                let (port, epoch) = (port.to_string(), epoch.to_string());
                let question = ["SENTINEL", "is-master-down-by-addr", host, &port, &epoch];
                vec![[words(question), words([&*candidate])].concat()]
            }
            Self::MasterAddr(name) => {
                vec![words(["SENTINEL", "get-master-addr-by-name", name])]
            }
            Self::SlaveOf(master) => {
                let (host, port) = match master {
                    Some((host, port)) => (host.as_str(), port.to_string()),
                    None => ("NO", "ONE".to_owned()),
                };
                vec![
                    words(["MULTI"]),
                    words(["SLAVEOF", host, &port]),
                    words(["CONFIG", "REWRITE"]),
                    words(["CLIENT", "KILL", "TYPE", "normal"]),
                    words(["CLIENT", "KILL", "TYPE", "pubsub"]),
                    words(["EXEC"]),
                ]
            }
            Self::InfoServer => vec![words(["INFO", "SERVER"])],
            Self::ScriptKill => vec![words(["SCRIPT", "KILL"])],
        }
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<Vec<u8>> {
    words.map(|word| word.as_bytes().to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(request: &Request, options: Option<&Options>) -> Vec<String> {
        let text = |words: Vec<Vec<u8>>| String::from_utf8(words.join(&b' ')).unwrap();
        request.commands(options).into_iter().map(text).collect()
    }

    #[test]
    fn a_change_of_role_is_one_transaction() {
        let lines = lines(&Request::SlaveOf(Some(("10.0.0.1".to_owned(), 6379))), None);
        let expected = [
            "MULTI",
            "SLAVEOF 10.0.0.1 6379",
            "CONFIG REWRITE",
            "CLIENT KILL TYPE normal",
            "CLIENT KILL TYPE pubsub",
            "EXEC",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn renamed_commands_are_sent_under_their_new_names() {
        let mut options = Options::default();
        options
            .renamed
            .insert("config".to_owned(), "GUESSME".to_owned());
        let lines = lines(&Request::SlaveOf(None), Some(&options));
        assert_eq!(&lines[1..3], ["SLAVEOF NO ONE", "GUESSME REWRITE"]);
    }

    #[test]
    fn a_question_without_a_candidate_carries_a_star() {
        let request = Request::IsMasterDown {
            host: "10.0.0.1".to_owned(),
            port: 6379,
            epoch: Epoch(4),
            candidate: None,
        };
        let expected = ["SENTINEL is-master-down-by-addr 10.0.0.1 6379 4 *"];
        assert_eq!(lines(&request, None), expected);
    }
}
