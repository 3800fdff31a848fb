//! Messages to the service manager, as sd_notify(3) describes them.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends state changes to the socket that NOTIFY_SOCKET names.
pub(crate) struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl Notifier {
    /// None if no service manager listens.
    pub(crate) fn from_env() -> Option<Self> {
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        match Self::to(&name) {
            Ok(notifier) => Some(notifier),
            Err(error) => {
                tracing::warn!(
                    "Can't use the notification socket '{}' of the service manager: {error}",
                    name.to_string_lossy()
                );
                None
            }
        }
    }

    /// `@name` is a name in the abstract namespace, anything else a path.
    fn to(name: &OsStr) -> io::Result<Self> {
        let manager = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager })
    }

    /// Sends one state, as far as the manager listens.
    pub(crate) fn send(&self, state: &str) {
        if let Err(error) = self.socket.send_to_addr(state.as_bytes(), &self.manager) {
            tracing::debug!("The service manager did not take a notification: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let filled = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..filled]).into_owned()
    }

    #[test]
    fn a_state_reaches_a_socket_named_by_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        notifier.send("STATUS=Ready\nREADY=1");
        assert_eq!(receive(&listener), "STATUS=Ready\nREADY=1");
    }

    #[test]
    fn a_state_reaches_an_abstract_socket() {
        let name = format!("holdfast-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::to(OsStr::new(&format!("@{name}"))).unwrap();
        notifier.send("STOPPING=1");
        assert_eq!(receive(&listener), "STOPPING=1");
    }

    #[test]
    fn nobody_listening_is_no_failure() {
        let notifier = Notifier::to(OsStr::new("/nonexistent/notify")).unwrap();
        notifier.send("READY=1");
    }
}
