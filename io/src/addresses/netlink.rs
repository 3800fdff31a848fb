//! Requests to the system about addresses and interfaces.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, CacheInfo};
use netlink_packet_route::link::{LinkAttribute, LinkLayerType, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// The address that a card answers to.
pub(super) type Mac = [u8; 6];

/// A conversation with the system, for one request.
pub(super) struct Netlink {
    socket: Socket,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket })
    }

    /// All addresses of all interfaces.
    pub(super) fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let mut found = Vec::new();
        self.ask(request, NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewAddress(one) = answer {
                found.extend(address_of(&one));
            }
        })?;
        Ok(found)
    }

    /// Puts an address on an interface for so many seconds from here on, also if it is there.
    pub(super) fn add(&self, ip: IpAddr, prefix: u8, index: u32, seconds: u32) -> io::Result<()> {
        let mut message = message_of(ip, prefix, index);
        let mut lasts = CacheInfo::default();
        lasts.ifa_valid = seconds;
        lasts.ifa_preferred = match ip {
            IpAddr::V4(_) => seconds,
            // Connections of this host's own shall not come from it.
            IpAddr::V6(_) => 0,
        };
        message.attributes.push(AddressAttribute::CacheInfo(lasts));
        if ip.is_ipv6() {
            // The host that had it may be gone without a word, or about to let go of it.
            message
                .attributes
                .push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        let flags = NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK;
        self.ask(RouteNetlinkMessage::NewAddress(message), flags, |_| {})
    }

    /// Takes an address away from an interface.
    pub(super) fn remove(&self, ip: IpAddr, prefix: u8, index: u32) -> io::Result<()> {
        let request = RouteNetlinkMessage::DelAddress(message_of(ip, prefix, index));
        self.ask(request, NLM_F_ACK, |_| {})
    }

    /// What the neighbours know an interface by; none if it is not on an Ethernet.
    pub(super) fn hardware_address(&self, index: u32) -> io::Result<Option<Mac>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let mut found = None;
        self.ask(RouteNetlinkMessage::GetLink(message), NLM_F_ACK, |answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer
                && link.header.link_layer_type == LinkLayerType::Ether
            {
                found = link.attributes.iter().find_map(|attribute| {
                    let LinkAttribute::Address(bytes) = attribute else {
                        return None;
                    };
                    Mac::try_from(bytes.as_slice()).ok()
                });
            }
        })?;
        Ok(found)
    }

    /// Sends a request and takes the answers up to the last.
    fn ask(
        &self,
        request: RouteNetlinkMessage,
        flags: u16,
        mut take: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest);
                let message = message.map_err(|error| invalid(&error.to_string()))?;
                if let NetlinkPayload::Done(_) = message.payload {
                    return Ok(());
                }
                if let NetlinkPayload::Error(error) = &message.payload {
                    return match error.code {
                        None => Ok(()),
                        Some(code) => {
                            Err(io::Error::from_raw_os_error(code.get().saturating_abs()))
                        }
                    };
                }
                if let NetlinkPayload::InnerMessage(answer) = message.payload {
                    take(answer);
                }
                let len = usize::try_from(message.header.length).unwrap_or(usize::MAX);
                // Messages begin at multiples of four bytes.
                let next = len.max(1).next_multiple_of(4);
                rest = rest.get(next..).unwrap_or_default();
            }
        }
    }
}

/// The number of an interface; `ENODEV` if there is none of that name.
pub(super) fn index_of(interface: &str) -> io::Result<u32> {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    Ok(rustix::net::netdevice::name_to_index(socket, interface)?)
}

fn message_of(ip: IpAddr, prefix: u8, index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    message
}

/// The address itself, which is another than that of the other end where there is one.
fn address_of(message: &AddressMessage) -> Option<IpAddr> {
    let mut found = None;
    for attribute in &message.attributes {
        if let AddressAttribute::Local(ip) = attribute {
            return Some(*ip);
        }
        if let AddressAttribute::Address(ip) = attribute {
            found = Some(*ip);
        }
    }
    found
}

fn invalid(reason: &str) -> io::Error {
    tracing::warn!("The system's answer about addresses can't be read: {reason}");
    io::Error::from_raw_os_error(libc::EBADMSG)
}
