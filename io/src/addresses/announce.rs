//! Telling the neighbours on a network which card answers to an address.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};

use super::netlink::Mac;
use crate::sys;

/// Sends a gratuitous ARP, as a request and as an answer: some systems heed only one of them.
pub(super) fn arp(ip: Ipv4Addr, mac: Mac, interface: u32) -> io::Result<()> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    let everybody = sys::link_address(interface)?;
    for operation in [REQUEST, ANSWER] {
        socket.send_to(&arp_frame(ip, mac, operation), &everybody)?;
    }
    Ok(())
}

/// Sends an unsolicited neighbour advertisement.
pub(super) fn advertisement(ip: Ipv6Addr, mac: Mac, interface: u32) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.set_multicast_if_v6(interface)?;
    // Anything less has come from another network, and is ignored.
    socket.set_multicast_hops_v6(255)?;
    let from = SocketAddrV6::new(ip, 0, 0, interface);
    socket.bind(&from.into())?;
    let everybody = SocketAddrV6::new(ALL_NODES, 0, 0, interface);
    socket.send_to(&advertisement_packet(ip, mac), &everybody.into())?;
    Ok(())
}

/// An Ethernet frame to all, in which the address asks for itself.
fn arp_frame(ip: Ipv4Addr, mac: Mac, operation: u8) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_BYTES_MIN);
    frame.extend([0xff; 6]);
    frame.extend(mac);
    // ARP; between Ethernet and IPv4; addresses of six and of four bytes.
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, operation]);
    frame.extend(mac);
    frame.extend(ip.octets());
    frame.extend(if operation == REQUEST { [0; 6] } else { mac });
    frame.extend(ip.octets());
    frame.resize(FRAME_BYTES_MIN, 0);
    frame
}

/// As RFC 4861, 4.4 has it; the system puts the checksum in.
fn advertisement_packet(ip: Ipv6Addr, mac: Mac) -> Vec<u8> {
    let mut packet = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
    packet.extend(ip.octets());
    // The option that tells the card: its kind, and its length in units of eight bytes.
    packet.extend([2, 1]);
    packet.extend(mac);
    packet
}

const REQUEST: u8 = 1;
const ANSWER: u8 = 2;
/// Without the checksum at the end.
const FRAME_BYTES_MIN: usize = 60;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// What was known before is wrong.
const OVERRIDE: u8 = 0x20;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 7];

    #[test]
    fn a_gratuitous_arp_asks_for_its_own_address() {
        let frame = arp_frame(Ipv4Addr::new(10, 0, 0, 100), MAC, REQUEST);
        assert_eq!(frame.len(), 60);
        assert_eq!(frame[..6], [0xff; 6]);
        assert_eq!(frame[6..12], MAC);
        assert_eq!(frame[12..22], [8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(frame[22..28], MAC);
        assert_eq!(frame[28..32], [10, 0, 0, 100]);
        assert_eq!(frame[32..38], [0; 6]);
        assert_eq!(frame[38..42], [10, 0, 0, 100]);
        let answer = arp_frame(Ipv4Addr::new(10, 0, 0, 100), MAC, ANSWER);
        assert_eq!((answer[21], &answer[32..38]), (2, &MAC[..]));
    }

    #[test]
    fn an_advertisement_overrides_and_names_the_card() {
        let ip: Ipv6Addr = "fd00::100".parse().unwrap();
        let packet = advertisement_packet(ip, MAC);
        assert_eq!(packet.len(), 32);
        assert_eq!(packet[..8], [136, 0, 0, 0, 0x20, 0, 0, 0]);
        assert_eq!(packet[8..24], ip.octets());
        assert_eq!(packet[24..26], [2, 1]);
        assert_eq!(packet[26..], MAC);
    }
}
