//! How keys, tables and clients are kept, told in Redis's words.

use super::{bad, expect};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::keyspace::Db;
use crate::limits::SEGMENT_ENTRIES_MAX;
use crate::value::{List, ListRef};
use core::fmt::Write as _;

/// Version and checksum at the end of a DUMP payload.
const DUMP_FOOTER_BYTES: usize = 10;

/// DEBUG OBJECT.
pub(super) fn object(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=1)?;
    let (usage, config) = (cx.data.keys.usage(), &cx.data.st.config);
    let db = cx.data.keys.db(cx.data.db);
    let entry = db.get(args.bulk()?).ok_or(Fail::NoSuchKey)?;
    let payload = crate::persist::rdb::dump(entry.value(), config.rdbcompression());
    let mut text = format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}",
        entry.encoding(),
        payload.len() - DUMP_FOOTER_BYTES,
        entry.lru(),
        usage.idle_secs(entry.lru()),
    );
    let quicklist = entry
        .value()
        .as_collection::<List>()
        .filter(|_| entry.encoding() == "quicklist");
    if let Some(list) = quicklist {
        let nodes = list.chunk_count();
        let bytes: usize = (0..nodes).map(|chunk| list.chunk(chunk).0).sum();
        write!(
            text,
            " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} \
             ql_uncompressed_size:{bytes}",
            list.len() as f64 / nodes as f64,
            config.list_max_listpack_size(),
            u8::from(config.list_compress_depth() != 0),
        )
        .expect("a String takes any text");
    }
    cx.out.simple(&text);
    Ok(())
}

/// DEBUG HTSTATS.
pub(super) fn htstats(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=2)?;
    let db = usize::try_from(args.int()?).ok();
    let db = db.and_then(|db| cx.data.keys.dbs().get(db));
    let db = db.ok_or(Fail::Plain("Out of range database"))?;
    cx.out.verbatim(*b"txt", table_text(db).as_bytes());
    Ok(())
}

/// A table has room for a full segment in each of its segments. Times of expiry have no table of
/// their own.
fn table_text(db: &Db) -> String {
    let part = |title: &str, size: usize, len: usize| {
        let text = if len == 0 {
            "No stats available for empty dictionaries\n".into()
        } else {
            format!(
                "Hash table 0 stats (main hash table):\n table size: {size}\n number of \
                 elements: {len}\n"
            )
        };
        format!("[{title}]\n{text}")
    };
    let size = db.segment_count() * SEGMENT_ENTRIES_MAX;
    part("Dictionary HT", size, db.len()) + &part("Expires HT", 0, db.expires())
}

/// DEBUG HTSTATS-KEY. No value has a table.
pub(super) fn htstats_key(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=2)?;
    if !cx.data.keys.db(cx.data.db).contains(args.bulk()?) {
        return Err(Fail::NoSuchKey);
    }
    Err(Fail::Plain(
        "The value stored at the specified key is not represented using an hash table",
    ))
}

/// DEBUG LISTPACK.
pub(super) fn listpack(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=1)?;
    let list = list_of(cx, args.bulk()?, "listpack")?;
    let list = list.ok_or(Fail::Plain("Not a listpack encoded object."))?;
    for (index, item) in list.iter().enumerate() {
        let text = item.escape_ascii();
        tracing::warn!("DEBUG LISTPACK: {index}: {} bytes: {text}", item.len());
    }
    cx.out.simple("Listpack structure printed on stdout");
    Ok(())
}

/// DEBUG QUICKLIST.
pub(super) fn quicklist(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=2)?;
    let list = list_of(cx, args.bulk()?, "quicklist")?;
    let list = list.ok_or(Fail::Plain("Not a quicklist encoded object."))?;
    for index in 0..list.chunk_count() {
        let (bytes, items) = list.chunk(index);
        tracing::warn!("DEBUG QUICKLIST: {index}: {items} items, {bytes} bytes");
    }
    cx.out.simple("Quicklist structure printed on stdout");
    Ok(())
}

/// The list under a key that is there, if it has this encoding.
fn list_of<'a>(cx: &'a Cx<'_>, key: &[u8], encoding: &str) -> Result<Option<ListRef<'a>>, Fail> {
    let entry = cx.data.keys.db(cx.data.db).get(key);
    let entry = entry.ok_or(Fail::NoSuchKey)?;
    let is_it = entry.encoding() == encoding;
    Ok(entry.value().as_collection::<List>().filter(|_| is_it))
}

/// DEBUG CLIENT-EVICTION.
pub(super) fn client_eviction(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    if args.left() != 0 {
        return Err(bad(args));
    }
    let st = &*cx.data.st;
    if st.clients_memory_max().is_none() {
        return Err(Fail::Plain("maxmemory-clients is disabled."));
    }
    let mut text = String::new();
    for (class, total, count) in st.client_size_classes() {
        let low = class.start();
        let range = if *class.end() == usize::MAX {
            format!("{low:>10}+            ")
        } else {
            format!("{low:>10} - {:>10}", class.end())
        };
        writeln!(
            text,
            "bucket {range}: tot-mem: {total:>10}, clients: {count}"
        )
        .expect("a String takes any text");
    }
    cx.out.verbatim(*b"txt", text.as_bytes());
    Ok(())
}
