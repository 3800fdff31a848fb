//! The values that keys hold. Knows no RESP, no client and no clock.
