//! The picture at the start.

use std::io::{IsTerminal as _, stdout};

use holdfast_core::config::{Config, REDIS_VERSION};

/// Whether the start is announced with the picture: on a terminal, or when asked to.
pub(crate) fn is_wanted(config: &Config, in_background: bool) -> bool {
    let on_terminal = config.logfile().is_empty() && !in_background && stdout().is_terminal();
    config.always_show_logo() || (on_terminal && !config.syslog_enabled())
}

/// The picture. Tools find the process by its ` PID: `.
pub(crate) fn text(config: &Config, sentinel: bool, pid: u32) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mode = if sentinel { "sentinel" } else { "standalone" };
    let port = config.port();
    format!(
        r"
          _____
         / ___ \
        / /   \ \        Holdfast {version}, as Redis {REDIS_VERSION}, 64 bit
        \ \___/ /
         \__ __/         Running in {mode} mode
     _____ | | _____     Port: {port}
     \    || ||    /     PID: {pid}
      \ \ || || / /
       \ \|| ||/ /
        \_________/
            \_/

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_names_the_process_as_tools_look_for_it() {
        let text = text(&Config::default(), false, 123);
        assert!(text.contains(" PID: 123\n"));
        assert!(text.contains("Port: 6379\n"));
    }

    #[test]
    fn a_program_without_a_terminal_shows_it_when_asked() {
        let mut config = Config::default();
        assert!(!is_wanted(&config, true));
        let line = holdfast_core::config::Source::new("test", "always-show-logo yes");
        config = Config::load(&[line], &mut |_| Ok(Vec::new())).unwrap();
        assert!(is_wanted(&config, true));
    }
}
