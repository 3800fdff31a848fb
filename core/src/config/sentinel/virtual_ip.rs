//! `sentinel virtual-ip`: an address that moves with the master.

use core::fmt;
use core::net::IpAddr;

use super::super::fault::Fault;

/// The address that clients find the master at, wherever it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VirtualIp {
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix.
    pub prefix: u8,
    /// The interface it is put on.
    pub interface: String,
    /// Whether it stays for a moment when the Sentinel is shut down.
    pub keep: bool,
}

impl VirtualIp {
    /// Reads `<address>/<prefix>`, an interface, and what becomes of it at a shutdown.
    pub fn parse(address: &str, interface: &str, at_exit: Option<&str>) -> Result<Self, Fault> {
        let (address, prefix) = address.split_once('/').ok_or(MALFORMED)?;
        let address: IpAddr = address.parse().map_err(|_| MALFORMED)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|_| digits);
        let prefix = prefix.filter(|prefix| (1..=longest).contains(prefix));
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            return Err(Fault::Because(
                "the virtual IP must be an address of one host.",
            ));
        }
        let named = (1..=INTERFACE_BYTES_MAX).contains(&interface.len())
            && !matches!(interface, "." | "..")
            && (interface.bytes()).all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if !named {
            return Err(Fault::Because("Malformed interface name in virtual-ip."));
        }
        Ok(Self {
            address,
            prefix: prefix.ok_or(MALFORMED)?,
            interface: interface.to_owned(),
            keep: match at_exit {
                None | Some("remove") => false,
                Some("keep") => true,
                Some(_) => {
                    return Err(Fault::Because(
                        "Please specify keep or remove for what becomes of the virtual IP at a \
                         shutdown.",
                    ));
                }
            },
        })
    }

    /// Reads the same from one text with spaces.
    pub fn parse_words(text: &str) -> Result<Self, Fault> {
        let words: Vec<_> = text.split_ascii_whitespace().collect();
        match words.as_slice() {
            [address, interface] => Self::parse(address, interface, None),
            [address, interface, at_exit] => Self::parse(address, interface, Some(at_exit)),
            _ => Err(MALFORMED),
        }
    }
}

impl fmt::Display for VirtualIp {
    /// As it is written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            prefix,
            interface,
            keep,
        } = self;
        write!(f, "{address}/{prefix} {interface}")?;
        if *keep { f.write_str(" keep") } else { Ok(()) }
    }
}

const MALFORMED: Fault =
    Fault::Because("virtual-ip takes <master-name> <address>/<prefix> <interface> [keep|remove].");
/// The longest name that Linux gives an interface.
const INTERFACE_BYTES_MAX: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for text in [
            "10.0.0.100/24 eth0",
            "10.0.0.100/32 eth0 keep",
            "fd00::100/64 bond0.7",
        ] {
            assert_eq!(VirtualIp::parse_words(text).unwrap().to_string(), text);
        }
        let removed = VirtualIp::parse_words("10.0.0.100/24 eth0 remove").unwrap();
        assert_eq!(removed.to_string(), "10.0.0.100/24 eth0");
        for text in [
            "",
            "10.0.0.100/24",
            "10.0.0.100 eth0",
            "10.0.0.100/ eth0",
            "10.0.0.100/0 eth0",
            "10.0.0.100/33 eth0",
            "10.0.0.100/+24 eth0",
            "fd00::100/129 eth0",
            "vip/24 eth0",
            "127.0.0.1/8 eth0",
            "0.0.0.0/8 eth0",
            "224.0.0.1/8 eth0",
            "10.0.0.100/24 eth0/x",
            "10.0.0.100/24 ..",
            "10.0.0.100/24 a-very-long-name",
            "10.0.0.100/24 eth0 never",
            "10.0.0.100/24 eth0 keep keep",
        ] {
            assert!(VirtualIp::parse_words(text).is_err(), "{text}");
        }
    }
}
