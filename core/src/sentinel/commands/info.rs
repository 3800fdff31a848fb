//! INFO and ROLE.

use core::fmt::{self, Write as _};

use super::{Cx, Fail};
use crate::config::REDIS_VERSION;
use crate::machine::Now;
use crate::resp::ArgvRef;
use crate::sentinel::machine::Sentinel;
use crate::sentinel::pubsub::Kind;

/// A section: its name and what writes it.
type Section = (&'static str, fn(&Sentinel, Now, &mut String) -> fmt::Result);

const SECTIONS: [Section; 5] = [
    ("Server", server),
    ("Clients", clients),
    ("Stats", stats),
    ("CPU", cpu),
    ("Sentinel", sentinel),
];

pub(super) fn info(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let words = args.skip(1);
    let everything = [&b"default"[..], b"all", b"everything"];
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let all = words.is_empty()
        || words
            .iter()
            .any(|word| everything.iter().any(|one| word.eq_ignore_ascii_case(one)));
    let mut text = String::new();
    for (name, write) in SECTIONS {
        if all || words.iter().any(|word| is(word, name)) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text.push_str("# ");
            text.push_str(name);
            text.push_str("\r\n");
            write(cx.sentinel, cx.now, &mut text).expect("text can be written to a string");
        }
    }
    cx.reply().bulk(text.as_bytes());
    Ok(())
}

fn server(sentinel: &Sentinel, now: Now, text: &mut String) -> fmt::Result {
    let uptime = now.mono.since(sentinel.started).as_secs();
    let process = &sentinel.process;
    write!(
        text,
        "redis_version:{REDIS_VERSION}\r\nserver_name:holdfast\r\nholdfast_version:{}\r\n\
         redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_mode:sentinel\r\nos:{}\r\n\
         arch_bits:{}\r\nmultiplexing_api:{}\r\nprocess_id:{}\r\nprocess_supervised:no\r\n\
         run_id:{}\r\ntcp_port:{}\r\nserver_time_usec:{}\r\nuptime_in_seconds:{uptime}\r\n\
         uptime_in_days:{}\r\nhz:10\r\nconfigured_hz:10\r\nlru_clock:{}\r\nexecutable:{}\r\n\
         config_file:{}\r\nio_threads_active:0\r\n",
        env!("CARGO_PKG_VERSION"),
        process.os,
        usize::BITS,
        process.multiplexing,
        process.pid,
        sentinel.run_id,
        sentinel.watch.settings.port,
        now.wall.as_millis().saturating_mul(1000),
        uptime / 86_400,
        now.wall.as_secs() & 0xff_ffff,
        process.executable,
        sentinel.config_path(),
    )
}

fn clients(sentinel: &Sentinel, _: Now, text: &mut String) -> fmt::Result {
    write!(
        text,
        "connected_clients:{}\r\ncluster_connections:0\r\nmaxclients:{}\r\n\
         client_recent_max_input_buffer:0\r\nclient_recent_max_output_buffer:0\r\n\
         blocked_clients:0\r\ntracking_clients:0\r\nclients_in_timeout_table:0\r\n",
        sentinel.clients, sentinel.clients_max,
    )
}

fn stats(sentinel: &Sentinel, _: Now, text: &mut String) -> fmt::Result {
    let stats = &sentinel.stats;
    write!(
        text,
        "total_connections_received:{}\r\ntotal_commands_processed:{}\r\n\
         total_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\nrejected_connections:{}\r\n\
         pubsub_channels:{}\r\npubsub_patterns:{}\r\ntotal_error_replies:{}\r\n",
        stats.connections,
        stats.commands,
        stats.bytes_in,
        stats.bytes_out,
        stats.rejected,
        sentinel.pubsub.names(Kind::Channel),
        sentinel.pubsub.names(Kind::Pattern),
        stats.errors,
    )
}

fn cpu(sentinel: &Sentinel, _: Now, text: &mut String) -> fmt::Result {
    let facts = &sentinel.facts;
    write!(
        text,
        "used_cpu_sys:{:.6}\r\nused_cpu_user:{:.6}\r\nused_cpu_sys_children:0.000000\r\n\
         used_cpu_user_children:0.000000\r\n",
        facts.cpu_sys.as_secs_f64(),
        facts.cpu_user.as_secs_f64(),
    )
}

fn sentinel(sentinel: &Sentinel, now: Now, text: &mut String) -> fmt::Result {
    let watch = &sentinel.watch;
    let tilt = watch.tilt.since().map_or_else(
        || "-1".to_owned(),
        |since| now.mono.since(since).as_secs().to_string(),
    );
    let simulate =
        u8::from(watch.simulate.after_election) + 2 * u8::from(watch.simulate.after_promotion);
    write!(
        text,
        "sentinel_masters:{}\r\nsentinel_tilt:{}\r\nsentinel_tilt_since_seconds:{tilt}\r\n\
         sentinel_running_scripts:{}\r\nsentinel_scripts_queue_length:{}\r\n\
         sentinel_simulate_failure_flags:{simulate}\r\n",
        watch.by_name.len(),
        u8::from(watch.tilt.is_on()),
        sentinel.scripts.running(),
        sentinel.scripts.jobs().len(),
    )?;
    for (index, &group) in watch.by_name.values().enumerate() {
        write!(text, "master{index}:{}\r\n", watch.info_line(group))?;
    }
    for (index, (name, spec)) in watch.settings.virtual_ips.iter().enumerate() {
        let state = watch.virtual_ip_state(name).unwrap_or("unknown");
        write!(
            text,
            "virtual_ip{index}:master={name},address={}/{},interface={},state={state}\r\n",
            spec.address, spec.prefix, spec.interface
        )?;
    }
    Ok(())
}

pub(super) fn role(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let names: Vec<_> = cx.sentinel.watch.by_name.keys().cloned().collect();
    let mut reply = cx.reply();
    reply.array(2);
    reply.bulk(b"sentinel");
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
    Ok(())
}
