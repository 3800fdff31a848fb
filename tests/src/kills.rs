//! A process that is killed under load, again and again, and what it has kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::{Client, Flavour, Node, PATIENCE, text_of, wait_until};

/// Clients that write at the same time.
const WRITERS: usize = 8;
/// Commands each of them sends without waiting for replies.
const PIPELINE: u64 = 16;

/// How many elements at the end of a list are looked at.
const LOOKED_AT: u64 = 1000;

/// What one campaign found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Writes that were acknowledged, in all rounds.
    pub acknowledged: u64,
    /// Of them, those that were gone after a start.
    pub missing: u64,
}

/// Kills a server with this `appendfsync` so many times while clients write to it, and looks
/// after each start for every write it has acknowledged.
///
/// Each client counts up a number of its own and pushes it to a list of its own: all values up to
/// the last one acknowledged have to be there, in order. The file is rewritten at any moment.
pub fn campaign(rounds: u32, appendfsync: &str) -> Tally {
    let config = format!(
        "appendonly yes\nappendfsync {appendfsync}\nauto-aof-rewrite-min-size 100kb\n\
         auto-aof-rewrite-percentage 50\n"
    );
    let mut node = Node::server(Flavour::Holdfast, &config);
    let mut tally = Tally::default();
    let mut last = [0; WRITERS];
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let client = node.client();
                let (from, stop) = (last[writer], stop.clone());
                thread::spawn(move || write(client, writer, from, &stop))
            })
            .collect();
        // Moments that have nothing to do with the server's own periods.
        let millis = 20 + u64::from(round) * 7919 % 400;
        thread::sleep(Duration::from_millis(millis));
        node.kill();
        stop.store(true, Ordering::Relaxed);
        let acknowledged: Vec<u64> = writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer does not panic"))
            .collect();
        node.start();
        wait_until(PATIENCE, "the dataset is loaded", || {
            (node.info("persistence").get("loading") == "0").then_some(())
        });
        let mut client = node.client();
        for (writer, &acked) in acknowledged.iter().enumerate() {
            let kept = kept(&mut client, writer);
            tally.acknowledged += acked - last[writer];
            tally.missing += acked.saturating_sub(kept);
            // What was written and not acknowledged counts as of now.
            last[writer] = kept.max(acked);
        }
    }
    tally
}

/// Writes until the server is gone; the last number it has acknowledged.
fn write(mut client: Client, writer: usize, from: u64, stop: &AtomicBool) -> u64 {
    let mut acked = from;
    while !stop.load(Ordering::Relaxed) {
        let mut bytes = String::new();
        for number in acked + 1..=acked + PIPELINE {
            bytes.push_str(&format!("MULTI\r\nSET number:{writer} {number}\r\n"));
            bytes.push_str(&format!("RPUSH list:{writer} {number}\r\nEXEC\r\n"));
        }
        if client.send_raw(bytes.as_bytes()).is_err() {
            break;
        }
        for _ in 0..PIPELINE {
            // MULTI, two commands queued, and EXEC, which acknowledges both.
            let replies = (0..4).map(|_| client.receive());
            let Some(last) = replies.collect::<Result<Vec<_>, _>>().ok() else {
                return acked;
            };
            assert_eq!(last[3].as_error(), None, "{:?}", last[3]);
            acked += 1;
        }
    }
    acked
}

/// The last number that is there. The number and the list must tell the same.
fn kept(client: &mut Client, writer: usize) -> u64 {
    let number = client.text(&["GET", &format!("number:{writer}")]);
    let number: u64 = number.parse().unwrap_or(0);
    let list = format!("list:{writer}");
    let len = client.text(&["LLEN", &list]);
    assert_eq!(
        len,
        number.to_string(),
        "writer {writer}: a transaction was torn"
    );
    let newest = client.ask(&["LRANGE", &list, &format!("-{LOOKED_AT}"), "-1"]);
    let newest = text_of(&newest.expect("the server answers"));
    let newest: Vec<u64> = newest
        .split_whitespace()
        .map(|number| number.parse().expect("only numbers were pushed"))
        .collect();
    let wanted: Vec<u64> = (number.saturating_sub(LOOKED_AT) + 1..=number).collect();
    assert_eq!(newest, wanted, "writer {writer}: the order was lost");
    number
}
