//! Connections: read buffers, ordered replies with fences, and the table of them all.
