//! Connections and clients: what comes in on them, and what the watch wants sent.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use crate::conn::{Closing, Conn};
use crate::limits::{COMMANDS_PER_TURN_MAX, SENTINEL_BULK_MAX, SENTINEL_CLIENT_OUTPUT_MAX};
use crate::machine::{Addr, ConnId, ConnectFault, Effect, Mono, Now, Peer, Refusal};
use crate::resp::{ArgvRef, ParseLimits, Proto, Reply, ReplyParser, Sender, encode_command};
use crate::sentinel::LinkId;
use crate::sentinel::client::Client;
use crate::sentinel::commands::{self, Cx, Found, find};
use crate::sentinel::events::{Event, EventKind, Level};
use crate::sentinel::link::Side;
use crate::sentinel::machine::{Exit, Sentinel, Session};
use crate::sentinel::scripts::Script;
use crate::sentinel::watch::Act;

impl Sentinel {
    pub(super) fn accept(&mut self, now: Now, peer: Peer) -> Result<ConnId, Refusal> {
        let local = match &peer.remote {
            Addr::Tcp(at) => at.ip().to_canonical().is_loopback(),
            Addr::Unix(_) => true,
        };
        let refused = if self.clients >= self.clients_max {
            Some("-ERR max number of clients reached\r\n")
        } else if self.config.protected_mode() && self.users.default_needs_no_password() && !local {
            Some(PROTECTED)
        } else {
            None
        };
        if let Some(reply) = refused {
            self.stats.rejected += 1;
            return Err(Refusal { reply });
        }
        let client = Client::new(self.next_client, self.users.is_open(), now.mono);
        self.next_client += 1;
        self.clients += 1;
        self.stats.connections += 1;
        let is_tcp = matches!(peer.remote, Addr::Tcp(_));
        let conn = self
            .conns
            .insert(Some(peer), Session::Client(Box::new(client)));
        if let Some(idle) = self.config.tcp_keepalive()
            && is_tcp
        {
            self.effects.push_back(Effect::Keepalive { conn, idle });
        }
        Ok(conn)
    }

    pub(super) fn connected(&mut self, now: Mono, conn: ConnId, local: Result<Addr, ConnectFault>) {
        let Some(Session::Link { link, side, .. }) = self.conns.get(conn).map(|one| &one.state)
        else {
            return;
        };
        let (link, side) = (*link, *side);
        if !self.watch.has_channel(link, side) {
            // Given up in this very turn.
            return;
        }
        let made = match &local {
            Ok(Addr::Tcp(at)) => Ok(at.ip()),
            Ok(Addr::Unix(_)) => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Err(_) => Err(()),
        };
        if made.is_err() {
            self.dialed.remove(&(link, side));
            self.conns.remove(conn);
        }
        self.watch.on_connected(now, link, side, made);
    }

    pub(super) fn hung_up(&mut self, now: Mono, conn: ConnId) {
        match self.conns.remove(conn) {
            Some(Session::Client(_)) => self.forget_client(conn),
            Some(Session::Link { link, side, .. }) => {
                self.dialed.remove(&(link, side));
                if self.watch.has_channel(link, side) {
                    self.watch.on_lost(now, link, side);
                }
            }
            None => {}
        }
    }

    fn forget_client(&mut self, conn: ConnId) {
        self.clients -= 1;
        self.pubsub.forget(conn);
        self.backlog.remove(&conn);
    }

    pub(super) fn read(&mut self, now: Now, conn: ConnId, filled: usize) {
        match self.conns.get(conn).map(|one| &one.state) {
            Some(Session::Client(_)) => self.serve(now, conn, filled),
            Some(Session::Link { .. }) => self.read_link(now.mono, conn, filled),
            None => {}
        }
    }

    /// Goes on with connections whose share of the last turn was not enough.
    pub(super) fn serve_backlog(&mut self, now: Now) {
        for conn in core::mem::take(&mut self.backlog) {
            self.serve(now, conn, 0);
        }
    }

    /// Runs the commands a client sent, up to its share of the turn.
    fn serve(&mut self, now: Now, conn: ConnId, filled: usize) {
        let mut input = self.conns.take_input(conn, filled);
        let mut argv = core::mem::take(&mut self.argv);
        let mut served = 0;
        while served < COMMANDS_PER_TURN_MAX && self.exit == Exit::No {
            let Some(authenticated) = self.open_client(conn).map(|client| client.authenticated)
            else {
                break;
            };
            let limits = ParseLimits {
                bulk_max: SENTINEL_BULK_MAX,
                authenticated: authenticated || self.users.is_open(),
                from: Sender::Client,
            };
            match input.next(&mut argv, &limits) {
                Ok(Some(args)) => {
                    self.run(now, conn, args);
                    served += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    let one = self.conns.get_mut(conn).expect("looked at above");
                    let proto = one.state.client().expect("looked at above").proto;
                    one.reply(proto).protocol_error(error);
                    self.conns.close_after_reply(conn);
                    break;
                }
            }
        }
        if served == COMMANDS_PER_TURN_MAX && self.open_client(conn).is_some() {
            self.backlog.insert(conn);
        }
        self.argv = argv;
        self.conns.put_back(conn, input);
        self.bound_output(now.mono, conn);
    }

    /// Closes a client that lets its replies pile up.
    fn bound_output(&mut self, now: Mono, conn: ConnId) {
        let Some(one) = self.conns.get(conn) else {
            return;
        };
        if let Some(client) = one.state.client()
            && one.out.len() > SENTINEL_CLIENT_OUTPUT_MAX
        {
            tracing::warn!(
                "Client id={} age={} scheduled to be closed ASAP for overcoming of output buffer \
                 limits.",
                client.id,
                now.since(client.since).as_secs()
            );
            self.conns.close(conn);
        }
    }

    /// Closes clients that have been idle for longer than the operator allows; those that listen
    /// are not idle.
    pub(super) fn close_idle(&mut self, now: Mono) {
        let Some(limit) = self.config.timeout() else {
            return;
        };
        if now < self.idle_checked + IDLE_CHECK {
            return;
        }
        self.idle_checked = now;
        let idle = |one: &&Conn<Session>| {
            let client = one.state.client();
            client.is_some_and(|client| now.since(client.active) > limit)
                && self.pubsub.total(one.id()) == 0
        };
        let idle: Vec<_> = self.conns.iter().filter(idle).map(Conn::id).collect();
        for conn in idle {
            tracing::debug!("Closing idle client");
            self.conns.close(conn);
        }
    }

    /// A client that is not about to be closed and waits for nothing.
    fn open_client(&self, conn: ConnId) -> Option<&Client> {
        let one = self
            .conns
            .get(conn)
            .filter(|one| one.closing() == Closing::No)?;
        one.state.client().filter(|client| !client.held)
    }

    fn run(&mut self, now: Now, conn: ConnId, args: ArgvRef<'_>) {
        self.stats.commands += 1;
        let one = self.conns.get_mut(conn).expect("a client runs its command");
        let client = one.state.client_mut().expect("clients run commands");
        let silent = !client.begin_command(now.mono);
        let (authenticated, proto) = (client.authenticated, client.proto);
        let found = find(args);
        if let Found::Row(row, _) = &found {
            client.last_command = row.name;
        }
        let subscribed = proto == Proto::Resp2 && self.pubsub.total(conn) > 0;
        let mut cx = Cx {
            sentinel: self,
            conn,
            now,
            silent,
        };
        let outcome = match found {
            Found::Row(row, handler) => {
                let open = row.flags.contains(&"no_auth") || cx.sentinel.users.is_open();
                if !authenticated && !open {
                    Err("NOAUTH Authentication required.".to_owned())
                } else if let Err(denied) = cx.sentinel.permit(now, conn, row, args) {
                    Err(denied)
                } else if subscribed && !IN_SUBSCRIPTION.contains(&row.name) {
                    Err(not_now(args))
                } else {
                    handler(&mut cx, args)
                }
            }
            Found::Unknown => Err(unknown_command(args)),
            Found::UnknownSubcommand(row) => {
                let word = commands::shown(args.get(1));
                let name = row.name.to_uppercase();
                Err(format!("ERR unknown subcommand '{word}'. Try {name} HELP."))
            }
            Found::WrongArity(row) => Err(format!(
                "ERR wrong number of arguments for '{}' command",
                row.name
            )),
        };
        if let Err(error) = outcome {
            cx.reply().error(&error);
            self.stats.errors += 1;
        }
        if let Some(one) = self.conns.get_mut(conn)
            && let Some(client) = one.state.client_mut()
        {
            client.end_command();
        }
    }

    /// Takes replies and messages from an instance.
    fn read_link(&mut self, now: Mono, conn: ConnId, filled: usize) {
        let mut input = self.conns.take_input(conn, filled);
        let one = self.conns.get_mut(conn).expect("looked at above");
        let Session::Link { link, side, parser } = &mut one.state else {
            unreachable!("looked at above");
        };
        let (link, side) = (*link, *side);
        let mut parser = core::mem::take(parser);
        let mut data = input.bytes();
        let broken = loop {
            if !self.watch.is_up(link, side) {
                break false;
            }
            match parser.next(&mut data) {
                Ok(Some(reply)) => self.watch.on_reply(now, link, side, &reply),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let len = input.bytes().len();
        input.skip(len);
        self.conns.put_back(conn, input);
        if let Some(one) = self.conns.get_mut(conn)
            && let Session::Link { parser: kept, .. } = &mut one.state
        {
            *kept = parser;
        }
        if broken && self.watch.is_up(link, side) {
            self.watch.on_broken(now, link, side);
        }
    }

    /// Does what the watch decided.
    pub(super) fn act(&mut self, now: Now) {
        while let Some(act) = self.watch.poll_act() {
            match act {
                Act::Tell(event) => self.tell(now.mono, event),
                Act::Connect { link, side, to } => self.dial(link, side, Addr::Tcp(to)),
                Act::Close { link, side } => {
                    if let Some(conn) = self.dialed.remove(&(link, side)) {
                        self.conns.remove(conn);
                        self.effects.push_back(Effect::Close { conn });
                    }
                }
                Act::Send { link, side, argv } => self.send(link, side, &argv),
                Act::Resolve(host) => self.resolve(host),
                Act::Run(script) => self.scripts.push(script),
                Act::Address(holder, op) => self.change_address(holder, op),
                Act::Exit(code) => return self.exit_now(code),
            }
        }
    }

    fn dial(&mut self, link: LinkId, side: Side, to: Addr) {
        let state = Session::Link {
            link,
            side,
            parser: ReplyParser::default(),
        };
        let conn = self.conns.insert(None, state);
        let before = self.dialed.insert((link, side), conn);
        assert_eq!(before, None, "a link has one connection of each kind");
        let from = self
            .config
            .bind_source_addr()
            .and_then(|from| from.parse().ok());
        self.effects.push_back(Effect::Connect { conn, to, from });
    }

    fn send(&mut self, link: LinkId, side: Side, argv: &[Vec<u8>]) {
        // A connection that was closed after the command was decided on takes it along.
        let Some(&conn) = self.dialed.get(&(link, side)) else {
            return;
        };
        let words: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
        let mut bytes = Vec::new();
        encode_command(&mut bytes, &words);
        let one = self.conns.get_mut(conn).expect("dialed connections exist");
        one.out.push(&bytes);
        self.conns.mark_writable(conn);
    }

    /// Tells the log, the subscribers and the operator's script of an event.
    fn tell(&mut self, now: Mono, event: Event) {
        event.log();
        let Event { kind, text, script } = event;
        if let Some(path) = script {
            self.scripts.push(Script {
                path,
                args: vec![kind.name.to_owned(), text.clone()],
            });
        }
        if kind.level != Level::Debug {
            self.publish(now, kind, &text);
        }
    }

    fn publish(&mut self, now: Mono, kind: EventKind, text: &str) {
        let channel = kind.name.as_bytes();
        let receivers: Vec<_> = self
            .pubsub
            .receivers(channel)
            .map(|(conn, pattern)| (conn, pattern.map(<[u8]>::to_vec)))
            .collect();
        for (conn, pattern) in receivers {
            let one = self.conns.get_mut(conn).expect("subscribers are connected");
            let client = one.state.client().expect("subscribers are clients");
            let proto = client.proto;
            let silent =
                client.replies != crate::sentinel::client::Replies::On && proto == Proto::Resp2;
            let mut reply = Reply::new(&mut one.out, proto).silenced(silent);
            match &pattern {
                None => {
                    reply.push(3);
                    reply.bulk(b"message");
                }
                Some(pattern) => {
                    reply.push(4);
                    reply.bulk(b"pmessage");
                    reply.bulk(pattern);
                }
            }
            reply.bulk(channel);
            reply.bulk(text.as_bytes());
            self.bound_output(now, conn);
            self.conns.mark_writable(conn);
        }
    }

    /// Closes the connections whose end is decided.
    pub(super) fn close_due(&mut self) {
        while let Some(conn) = self.conns.poll_close() {
            if let Some(Session::Client(_)) = self.conns.remove(conn) {
                self.forget_client(conn);
            }
            self.effects.push_back(Effect::Close { conn });
        }
    }
}

/// Redis's text, with the words of the client as far as there is room.
fn unknown_command(args: ArgvRef<'_>) -> String {
    let mut words = String::new();
    for word in args.skip(1).iter() {
        if words.len() >= ARGS_SHOWN {
            break;
        }
        let room = word.len().min(ARGS_SHOWN - words.len());
        words.push('\'');
        words.push_str(&String::from_utf8_lossy(&word[..room]));
        words.push_str("' ");
    }
    let name = commands::shown(args.get(0));
    format!("ERR unknown command '{name}', with args beginning with: {words}")
}

fn not_now(args: ArgvRef<'_>) -> String {
    let name = commands::shown(args.get(0)).to_lowercase();
    format!(
        "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    )
}

/// How often idle clients are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(1);
/// How much of a client's words an error repeats.
const ARGS_SHOWN: usize = 128;
/// What a RESP2 client may use while it is subscribed.
const IN_SUBSCRIPTION: &[&str] = &[
    "ping",
    "psubscribe",
    "punsubscribe",
    "subscribe",
    "unsubscribe",
];
/// Redis's words for a stranger at an open door.
const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is \
    enabled and no password is set for the default user. In this mode connections are only \
    accepted from the loopback interface. If you want to connect from external computers to \
    Redis you may adopt one of the following solutions: 1) Just disable protected mode sending \
    the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
    from the same host the server is running, however MAKE SURE Redis is not publicly accessible \
    from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively \
    you can just disable the protected mode by editing the Redis configuration file, and setting \
    the protected mode option to 'no', and then restarting the server. 3) If you started the \
    server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up \
    an authentication password for the default user. NOTE: You only need to do one of the above \
    things in order for the server to start accepting connections from the outside.\r\n";
