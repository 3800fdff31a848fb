//! The message by which Sentinels find each other and agree on who the master is.

use crate::sentinel::names::{Epoch, RunId, parse_port};

/// Where hellos are published.
pub const HELLO_CHANNEL: &str = "__sentinel__:hello";

/// One hello: who speaks, and what it holds to be the newest configuration of one master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hello {
    /// Address of the Sentinel.
    pub ip: String,
    /// Port of the Sentinel.
    pub port: u16,
    /// Its id.
    pub runid: RunId,
    /// The newest epoch it knows.
    pub current_epoch: Epoch,
    /// Which master this is about.
    pub master_name: String,
    /// The master's address as of `master_config_epoch`.
    pub master_ip: String,
    /// The master's port as of `master_config_epoch`.
    pub master_port: u16,
    /// The epoch that made this configuration.
    pub master_config_epoch: Epoch,
}

impl Hello {
    /// Reads a payload; anything but eight well-formed tokens is no hello.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let text = str::from_utf8(payload).ok()?;
        let mut tokens = text.split(',');
        let hello = Self {
            ip: host(tokens.next()?)?,
            port: parse_port(tokens.next()?.as_bytes())?,
            runid: RunId::parse(tokens.next()?.as_bytes())?,
            current_epoch: epoch(tokens.next()?)?,
            master_name: tokens.next()?.to_owned(),
            master_ip: host(tokens.next()?)?,
            master_port: parse_port(tokens.next()?.as_bytes()).filter(|&port| port != 0)?,
            master_config_epoch: epoch(tokens.next()?)?,
        };
        tokens.next().is_none().then_some(hello)
    }

    /// The payload.
    pub fn encode(&self) -> String {
        let Self {
            ip,
            port,
            runid,
            current_epoch,
            master_name,
            master_ip,
            master_port,
            master_config_epoch,
        } = self;
        format!(
            "{ip},{port},{runid},{current_epoch},\
             {master_name},{master_ip},{master_port},{master_config_epoch}"
        )
    }
}

fn host(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= 253;
    (fits
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'')))
    .then(|| text.to_owned())
}

fn epoch(text: &str) -> Option<Epoch> {
    text.parse()
        .ok()
        .map(Epoch)
        .filter(|epoch| epoch.is_credible())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello() -> Hello {
        Hello {
            ip: "127.0.0.1".to_owned(),
            port: 26379,
            runid: RunId::parse(&[b'a'; 40]).unwrap(),
            current_epoch: Epoch(3),
            master_name: "mymaster".to_owned(),
            master_ip: "10.0.0.1".to_owned(),
            master_port: 6379,
            master_config_epoch: Epoch(2),
        }
    }

    #[test]
    fn a_hello_is_eight_tokens_without_spaces() {
        let text = format!(
            "127.0.0.1,26379,{},3,mymaster,10.0.0.1,6379,2",
            "a".repeat(40)
        );
        assert_eq!(hello().encode(), text);
        assert_eq!(Hello::parse(text.as_bytes()), Some(hello()));
        assert_eq!(Hello::parse(format!("{text},").as_bytes()), None);
        assert_eq!(Hello::parse(text.replace(",2", "").as_bytes()), None);
    }

    #[test]
    fn an_epoch_no_one_can_have_counted_to_is_refused() {
        let mut far = hello();
        far.current_epoch = Epoch(u64::MAX);
        assert_eq!(Hello::parse(far.encode().as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(payload: Vec<u8>) {
            Hello::parse(&payload);
        }
    }
}
