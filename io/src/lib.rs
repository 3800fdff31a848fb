//! The mio driver.
