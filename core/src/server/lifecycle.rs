//! From the start to the first client: listening, loading, ready.

use super::Server;
use super::state::{Purpose, State};
use crate::machine::{Addr, Done, Effect, Peer, Refusal, UnixAccess};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where the server stands between its start and its end.
#[derive(Debug, Default)]
pub struct Lifecycle {
    phase: Phase,
    plan: Vec<Listener>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    /// So many listening sockets are not answered for yet.
    #[default]
    New,
    Listening {
        waiting: usize,
    },
    Loading,
    Serving,
}

/// An address to listen on.
#[derive(Debug)]
struct Listener {
    /// As the configuration names it, for messages.
    name: Box<str>,
    addr: Addr,
    access: UnixAccess,
    /// Written with a dash in front: it may be missing on this machine.
    optional: bool,
    bound: Option<Addr>,
}

impl Lifecycle {
    /// Every address that is listened on.
    pub fn listening(&self) -> impl Iterator<Item = &Addr> {
        self.plan
            .iter()
            .filter_map(|listener| listener.bound.as_ref())
    }

    /// Whether the dataset is not complete yet.
    pub fn is_loading(&self) -> bool {
        self.phase != Phase::Serving
    }
}

impl State {
    /// Whether the dataset is being loaded, at the start or from a master.
    pub fn is_loading(&self) -> bool {
        self.lifecycle.is_loading() || self.persist.is_loading()
    }

    /// Whether a new connection may stay.
    pub(super) fn admit(&mut self, peer: &Peer) -> Result<(), Refusal> {
        let most = usize::try_from(self.config.maxclients()).unwrap_or(usize::MAX);
        if self.by_client_id.len() >= most {
            self.stats.rejected_connections += 1;
            return Err(Refusal {
                reply: "-ERR max number of clients reached\r\n",
            });
        }
        let protected = self.config.protected_mode() && self.users.default_needs_no_password();
        if protected && !is_loopback(&peer.remote) {
            self.stats.rejected_connections += 1;
            return Err(Refusal { reply: PROTECTED });
        }
        Ok(())
    }

    /// Has the process called what the configuration wants it to be called.
    pub(super) fn show_title(&mut self) {
        if let Some(text) = self.config.process_title(&self.launch.program, "") {
            self.effects.push(Effect::Title { text });
        }
    }

    /// Tells the service manager how we are.
    pub(super) fn notify_service(&mut self, state: &str) {
        self.effects.push(Effect::Notify {
            state: state.into(),
        });
    }
}

/// What a stranger is told while the server is not meant for strangers.
const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is \
    enabled and no password is set for the default user. In this mode connections are only \
    accepted from the loopback interface. If you want to connect from external computers to \
    Redis you may adopt one of the following solutions: 1) Just disable protected mode sending \
    the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to \
    Redis from the same host the server is running, however MAKE SURE Redis is not publicly \
    accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) \
    Alternatively you can just disable the protected mode by editing the Redis configuration \
    file, and setting the protected mode option to 'no', and then restarting the server. 3) If \
    you started the server manually just for testing, restart it with the '--protected-mode no' \
    option. 4) Set up an authentication password for the default user. NOTE: You only need to do \
    one of the above things in order for the server to start accepting connections from the \
    outside.\r\n";

fn is_loopback(addr: &Addr) -> bool {
    match addr {
        Addr::Tcp(addr) => addr.ip().to_canonical().is_loopback(),
        Addr::Unix(_) => true,
    }
}

impl Server {
    /// Asks for every listening socket of the configuration, once, at the start.
    pub(super) fn listen(&mut self) {
        if self.st.lifecycle.phase != Phase::New {
            return;
        }
        self.st.show_title();
        let plan = plan(&self.st);
        self.st.lifecycle.phase = Phase::Listening {
            waiting: plan.len(),
        };
        let backlog = self.st.config.tcp_backlog();
        for (place, listener) in plan.iter().enumerate() {
            let (addr, access) = (listener.addr.clone(), listener.access.clone());
            self.st
                .effects
                .ask(Purpose::Listen(place), |ticket| Effect::Listen {
                    ticket,
                    addr,
                    backlog,
                    access,
                });
        }
        self.st.lifecycle.plan = plan;
        self.load_when_listening();
    }

    /// One listening socket is there, or not.
    pub(super) fn listen_answered(&mut self, place: usize, done: Done) {
        let Done::Listen(result) = done else {
            unreachable!("a Listen is answered in kind")
        };
        let listener = &mut self.st.lifecycle.plan[place];
        let mut fatal = None;
        match result {
            Ok(addr) => listener.bound = Some(addr),
            Err(errno) => {
                let what = match &listener.addr {
                    Addr::Tcp(_) => "TCP listening socket",
                    Addr::Unix(_) => "Unix socket",
                };
                tracing::warn!(
                    "Warning: Could not create server {what} {}: error {errno}{}",
                    listener.name,
                    explain(errno)
                );
                // EADDRNOTAVAIL and EAFNOSUPPORT: this machine has no such address.
                let missing = matches!(errno, 97 | 99);
                if !(listener.optional && missing) {
                    fatal = Some(match &listener.addr {
                        Addr::Tcp(addr) => {
                            format!("Failed listening on port {} (tcp), aborting.", addr.port())
                        }
                        Addr::Unix(path) => {
                            format!("Failed opening Unix socket {path}, aborting.")
                        }
                    });
                }
            }
        }
        if let Phase::Listening { waiting } = &mut self.st.lifecycle.phase {
            *waiting -= 1;
        }
        if let Some(text) = fatal {
            tracing::warn!("{text}");
            self.st.die();
            return;
        }
        self.load_when_listening();
    }

    fn load_when_listening(&mut self) {
        let Phase::Listening { waiting: 0 } = self.st.lifecycle.phase else {
            return;
        };
        if self.st.shutdown == super::shutdown::Shutdown::Done {
            return;
        }
        tracing::info!("Server initialized");
        self.st.lifecycle.phase = Phase::Loading;
        self.st.notify_service("STATUS=Redis is loading...\n");
        self.start_load();
    }

    /// The dataset is complete: clients are served from here on.
    pub(super) fn loaded_at_start(&mut self) {
        assert_eq!(
            self.st.lifecycle.phase,
            Phase::Loading,
            "loading follows listening"
        );
        self.st.lifecycle.phase = Phase::Serving;
        let (mut tcp, mut unix) = (false, None);
        for addr in self.st.lifecycle.listening() {
            match addr {
                Addr::Tcp(_) => tcp = true,
                Addr::Unix(path) => unix = Some(path.clone()),
            }
        }
        if tcp {
            tracing::info!("Ready to accept connections tcp");
        }
        if let Some(path) = unix {
            tracing::info!("Ready to accept connections unix {path}");
        }
        let status = if self.st.is_replica() {
            "STATUS=Ready to accept connections in read-only mode. Waiting for MASTER <-> REPLICA \
             sync\nREADY=1\n"
        } else {
            "STATUS=Ready to accept connections\nREADY=1\n"
        };
        self.st.notify_service(status);
    }
}

/// What some error numbers of bind(2) mean to people.
fn explain(errno: i32) -> &'static str {
    match errno {
        13 => " (permission denied)",
        97 => " (address family not supported)",
        98 => " (address already in use)",
        99 => " (no such address on this machine)",
        _ => "",
    }
}

fn plan(st: &State) -> Vec<Listener> {
    let mut plan = Vec::new();
    let port = st.config.port();
    if port != 0 {
        for name in st.config.bind() {
            let (optional, text) = match name.strip_prefix('-') {
                Some(text) => (true, text),
                None => (false, &**name),
            };
            let ip = match text {
                "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
                "::*" => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
                text => text.parse().ok(),
            };
            let Some(ip) = ip else {
                tracing::warn!("bind: '{text}' is no IP address and is left out");
                continue;
            };
            plan.push(Listener {
                name: format!("{text}:{port}").into(),
                addr: Addr::Tcp(SocketAddr::new(ip, port)),
                access: UnixAccess::default(),
                optional,
                bound: None,
            });
        }
    }
    if let Some(path) = st.config.unixsocket() {
        plan.push(Listener {
            name: path.into(),
            addr: Addr::Unix(path.into()),
            access: UnixAccess {
                mode: st.config.unixsocketperm(),
                group: st.config.unixsocketgroup().map(Into::into),
            },
            optional: false,
            bound: None,
        });
    }
    plan
}
