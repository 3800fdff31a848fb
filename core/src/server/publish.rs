//! Messages to subscribers, from PUBLISH and from keyspace events.

use super::state::State;
use crate::config::NotifyFlags as Class;
use crate::pubsub::Route;
use crate::resp::Reply;

impl State {
    /// Publishes a keyspace event if `notify-keyspace-events` asks for its class.
    pub fn notify(&mut self, class: Class, event: &str, db: usize, key: &[u8]) {
        let wanted = self.config.notify_keyspace_events();
        if !wanted.has(class) || self.pubsub.is_silent() {
            return;
        }
        if wanted.has(Class::KEYSPACE) {
            let mut channel = format!("__keyspace@{db}__:").into_bytes();
            channel.extend_from_slice(key);
            self.publish(&channel, event.as_bytes());
        }
        if wanted.has(Class::KEYEVENT) {
            self.publish(format!("__keyevent@{db}__:{event}").as_bytes(), key);
        }
    }

    /// Sends a message to everyone who listens to a channel; how many that were.
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let (mut count, fence) = (0, self.fence());
        for route in self.pubsub.receivers(channel) {
            count += 1;
            let conn = match route {
                Route::Channel(conn) | Route::Pattern(conn, _) => conn,
            };
            let receiver = self
                .conns
                .get_mut(conn)
                .expect("a gone connection listens to nothing");
            if let Some(mark) = fence {
                receiver.out.fence(mark);
            }
            let mut reply = receiver.reply(receiver.state.proto);
            write_message(&mut reply, route, channel, message);
            self.conns.mark_writable(conn);
        }
        count
    }

    /// Sends a message to everyone who listens to a shard channel; how many that were.
    pub fn publish_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let (mut count, fence) = (0, self.fence());
        for conn in self.pubsub.shard_receivers(channel) {
            count += 1;
            let receiver = self
                .conns
                .get_mut(conn)
                .expect("a gone connection listens to nothing");
            if let Some(mark) = fence {
                receiver.out.fence(mark);
            }
            let mut reply = receiver.reply(receiver.state.proto);
            reply.push(3);
            reply.bulk(b"smessage");
            reply.bulk(channel);
            reply.bulk(message);
            self.conns.mark_writable(conn);
        }
        count
    }
}

fn write_message(out: &mut Reply<'_>, route: Route<'_>, channel: &[u8], message: &[u8]) {
    match route {
        Route::Channel(_) => {
            out.push(3);
            out.bulk(b"message");
        }
        Route::Pattern(_, pattern) => {
            out.push(4);
            out.bulk(b"pmessage");
            out.bulk(pattern);
        }
    }
    out.bulk(channel);
    out.bulk(message);
}
