//! What the sentinels tell: their events, as they publish them.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use holdfast_core::resp::{ReplyParser, Value};

use super::Note;

/// How long to wait before a sentinel that is not there is looked for again.
const RETRY: Duration = Duration::from_millis(20);

/// Follows one sentinel for as long as the process lives.
pub(super) fn follow(port: u16, notes: Sender<Note>) {
    thread::spawn(move || {
        loop {
            // A sentinel that is down publishes nothing; it is asked again when it is back.
            drop(subscribe(port, &notes));
            thread::sleep(RETRY);
        }
    });
}

fn subscribe(port: u16, notes: &Sender<Note>) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(b"PSUBSCRIBE *\r\n")?;
    let mut parser = ReplyParser::default();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        let mut bytes = &chunk[..read];
        while let Some(value) = parser.next(&mut bytes).map_err(io::Error::other)? {
            if let Some(line) = event_line(port, &value) {
                // The receiver is gone only when the process is ending anyway.
                drop(notes.send(Note::Event(line)));
            }
        }
    }
}

/// A published event as a line for people; nothing for other messages.
fn event_line(port: u16, value: &Value) -> Option<String> {
    let [kind, _, channel, message] = value.as_array()? else {
        return None;
    };
    let text = |value: &Value| Some(String::from_utf8_lossy(value.as_text()?).into_owned());
    let (kind, channel) = (text(kind)?, text(channel)?);
    let is_event = kind == "pmessage" && channel.starts_with(['+', '-']);
    is_event.then_some(format!("sentinel:{port} {channel} {}", text(message)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(mut bytes: &[u8]) -> Value {
        ReplyParser::default().next(&mut bytes).unwrap().unwrap()
    }

    #[test]
    fn an_event_is_a_line() {
        let message = b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$6\r\n+odown\r\n$8\r\nmaster m\r\n";
        let line = event_line(26379, &parse(message));
        assert_eq!(line.as_deref(), Some("sentinel:26379 +odown master m"));
    }

    #[test]
    fn other_messages_are_not_shown() {
        let hello = b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$18\r\n__sentinel__:hello\r\n$1\r\nx\r\n";
        assert_eq!(event_line(1, &parse(hello)), None);
        let subscribed = b"*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n";
        assert_eq!(event_line(1, &parse(subscribed)), None);
    }
}
