//! RESP2, RESP3 and inline commands: bytes in, bytes out.
