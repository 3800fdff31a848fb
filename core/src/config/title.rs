//! The title of the process, by its template.

use super::fault::Fault;
use super::store::Config;

impl Config {
    /// What the process shall be called in lists of processes, if it is to have a title: `program`
    /// is the name it was started by, `mode` what kind of server it is, if that is to be told.
    pub fn process_title(&self, program: &str, mode: &str) -> Option<Box<str>> {
        if !self.set_proc_title() {
            return None;
        }
        let title = expand(self.proc_title_template().as_bytes(), |name| {
            Some(match name {
                b"title" => program.to_owned(),
                b"server-mode" => mode.to_owned(),
                b"listen-addr" => self.listen_addr(),
                b"port" => self.port().to_string(),
                b"tls-port" => self.tls_port().to_string(),
                b"unixsocket" => self.unixsocket().unwrap_or_default().to_owned(),
                b"config-file" => self.file().unwrap_or("-").to_owned(),
                _ => return None,
            })
        });
        let title = title.expect("a template is checked when it is set");
        Some(String::from_utf8_lossy(&title).into())
    }

    /// The address that stands for all that are listened on.
    fn listen_addr(&self) -> String {
        let port = [self.port(), self.tls_port()]
            .into_iter()
            .find(|&port| port != 0);
        match port {
            Some(port) => {
                let first = self.bind().first();
                format!("{}:{port}", first.map_or("*", |address| address))
            }
            None => format!("unixsocket:{}", self.unixsocket().unwrap_or_default()),
        }
    }
}

/// A title must show something at the time it is set, when `{title}`, `{server-mode}` and
/// `{unixsocket}` may be empty.
pub(super) fn check(template: &[u8]) -> Result<(), Fault> {
    let title = expand(template, |name| match name {
        b"title" | b"server-mode" | b"unixsocket" => Some(String::new()),
        b"listen-addr" | b"port" | b"tls-port" | b"config-file" => Some("-".into()),
        _ => None,
    });
    if title.is_some_and(|title| !title.is_empty()) {
        Ok(())
    } else {
        Err(Fault::Because(
            "template format is invalid or contains unknown variables",
        ))
    }
}

/// The template with what each name in braces stands for, without spaces around it; none if a
/// name means nothing or a brace is not closed. `{{` is a brace.
fn expand(template: &[u8], meaning: impl Fn(&[u8]) -> Option<String>) -> Option<Vec<u8>> {
    let mut title = Vec::new();
    let mut rest = template;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'{', [b'{', after @ ..]) => {
                title.push(b'{');
                after
            }
            (b'{', _) => {
                let end = after.iter().position(|&byte| byte == b'}')?;
                title.extend(meaning(&after[..end])?.bytes());
                &after[end + 1..]
            }
            (byte, _) => {
                title.push(*byte);
                after
            }
        };
    }
    let end = title.iter().rposition(|&byte| byte != b' ');
    title.truncate(end.map_or(0, |last| last + 1));
    let start = title.iter().position(|&byte| byte != b' ');
    title.drain(..start.unwrap_or(0));
    Some(title)
}

#[cfg(test)]
mod tests {
    use super::super::load::Source;
    use super::*;

    #[test]
    fn a_title_must_show_something() {
        for good in [
            "{title} {listen-addr} {server-mode}",
            "x",
            "{{title}",
            "{port}",
            "a}",
        ] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "",
            " ",
            "{title}",
            "{foo}",
            "{title} {",
            "{unixsocket}",
            "{server-mode}",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    /// What redis-server 7.0.15 shows in /proc.
    #[test]
    fn a_title_is_what_redis_makes_of_its_template() {
        let cases = [
            ("", "", "redis-server *:6379"),
            ("bind 127.0.0.1", "", "redis-server 127.0.0.1:6379"),
            ("bind -::1 127.0.0.1\nport 7", "", "redis-server -::1:7"),
            ("port 0\nunixsocket /s", "", "redis-server unixsocket:/s"),
            ("port 7", "[sentinel]", "redis-server *:7 [sentinel]"),
            (
                "port 7\nunixsocket /s\nproc-title-template \
                 \"a{{b}c{port}|{tls-port}|{unixsocket}|{config-file}|{server-mode}|{title}\"",
                "",
                "a{b}c7|0|/s|-||redis-server",
            ),
            ("port 7\nproc-title-template \" {port}{{ \"", "", "7{"),
        ];
        for (text, mode, title) in cases {
            let source = Source::new("redis.conf", text);
            let config = Config::load(&[source], &mut |_| Ok(Vec::new())).unwrap();
            let shown = config.process_title("redis-server", mode);
            assert_eq!(shown.as_deref(), Some(title), "{text}");
        }
        let source = Source::new("redis.conf", "set-proc-title no");
        let config = Config::load(&[source], &mut |_| Ok(Vec::new())).unwrap();
        assert_eq!(config.process_title("redis-server", ""), None);
    }
}
