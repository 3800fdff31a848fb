//! From the command line to a running server or Sentinel.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use holdfast_core::config::cmdline::{NO_FILE_WARNING, Run, SENTINEL_NEEDS_FILE};
use holdfast_core::config::{
    Config, ConfigError, LogLevel, Origin, REDIS_VERSION, SentinelConfig, StartRefusal, Supervised,
};
use holdfast_core::machine::{self, LogRole, Machine, Now};
use holdfast_core::sentinel::{self, Process, Sentinel};
use holdfast_core::server::{self, Launch, Server};
use holdfast_io::daemon::{self, Pidfile, Title};
use holdfast_io::log::{self, SyslogTarget, Target};
use holdfast_io::{Clock, Options, addresses, crash};

use crate::{allocator, complain, files, logo, system};

/// Runs what the command line asks for until it ends; the exit status.
pub(crate) fn run(run: &Run, name: &str) -> u8 {
    let stop = match prepare(run, name) {
        Ok(start) => match start.go() {
            Ok(code) => return code,
            Err(stop) => stop,
        },
        Err(stop) => stop,
    };
    match stop {
        Stop::Config(error) => complain(&error.to_string()),
        Stop::Log(message) => tracing::warn!("{message}"),
        Stop::BeforeLog(role, message) => {
            if let Some(role) = role {
                log::set_role(role);
            }
            log::write(tracing::Level::WARN, &message);
        }
    }
    1
}

/// Why nothing was started.
enum Stop {
    /// A directive is wrong: told on standard error.
    Config(Box<ConfigError>),
    /// Anything else that was found before the log was started, as a line of it.
    BeforeLog(Option<LogRole>, String),
    /// The same after.
    Log(String),
}

impl From<ConfigError> for Stop {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

/// What is to be run, with everything checked that can be checked in the foreground.
struct Start {
    kind: Kind,
    /// The text of a server's file of ACL users.
    acl_file: Option<Box<[u8]>>,
    supervisor: Option<&'static str>,
    in_background: bool,
    /// By which the program was called.
    name: String,
    executable: String,
    /// Only the defaults count.
    bare: bool,
}

enum Kind {
    Server(Box<Config>),
    Sentinel(Box<SentinelConfig>),
}

impl Kind {
    fn config(&self) -> &Config {
        match self {
            Self::Server(config) => config,
            Self::Sentinel(sentinel) => &sentinel.config,
        }
    }

    fn config_mut(&mut self) -> &mut Config {
        match self {
            Self::Server(config) => config,
            Self::Sentinel(sentinel) => &mut sentinel.config,
        }
    }

    fn role(&self) -> LogRole {
        match self {
            Self::Sentinel(_) => LogRole::Sentinel,
            Self::Server(config) if config.replicaof().is_some() => LogRole::Replica,
            Self::Server(_) => LogRole::Master,
        }
    }
}

fn prepare(run: &Run, name: &str) -> Result<Start, Stop> {
    // A server has no role yet.
    let role = run.sentinel.then_some(LogRole::Sentinel);
    let fail = |message| Stop::BeforeLog(role, message);
    // Before the working directory changes.
    let executable = system::executable(name);
    let file = run.file.as_deref().map(std::path::absolute).transpose();
    let file = file.map_err(|error| fail(format!("No working directory: {error}")))?;
    let mut kind = load(run, fail)?;
    if let Some(file) = &file {
        kind.config_mut().set_file(&file.display().to_string());
    }
    check(&kind)?;
    if run.sentinel && file.is_none() {
        return Err(fail(SENTINEL_NEEDS_FILE.to_owned()));
    }
    enter_dir(kind.config_mut())?;
    let acl_file = check_users(&mut kind)?;
    if let Kind::Sentinel(config) = &mut kind {
        config.check_scripts(system::is_executable)?;
        config.check_virtual_ips(|ip| addresses::check(&ip.interface))?;
        let file = file.as_deref().expect("it was asked for above");
        prepare_state(config, file).map_err(fail)?;
    }
    check_log_file(kind.config())?;
    let supervisor = supervisor(kind.config().supervised(), |name| {
        std::env::var(name).is_ok()
    });
    Ok(Start {
        in_background: kind.config().daemonize() && supervisor.is_none(),
        supervisor,
        kind,
        acl_file,
        name: name.to_owned(),
        executable,
        bare: run.is_bare(),
    })
}

fn load(run: &Run, fail: impl Fn(String) -> Stop) -> Result<Kind, Stop> {
    let sources = files::sources(run).map_err(fail)?;
    let include = &mut files::include;
    Ok(if run.sentinel {
        Kind::Sentinel(Box::new(SentinelConfig::load(&sources, include)?))
    } else {
        Kind::Server(Box::new(Config::load(&sources, include)?))
    })
}

/// What is well formed and still can't be had.
fn check(kind: &Kind) -> Result<(), ConfigError> {
    let config = kind.config();
    config
        .start_check()
        .map_err(|refusal| refused(config, refusal))
}

/// The refusal at the line that is to blame.
fn refused(config: &Config, refusal: StartRefusal) -> ConfigError {
    let lines = match refusal.directive {
        "loadmodule" => config.modules(),
        _ => &[],
    };
    let line = lines.first().map(|line| line.origin.clone());
    match line.or_else(|| config.origin(refusal.directive).cloned()) {
        Some(origin) => {
            let error = config.error_at(refusal.directive, refusal.reason);
            Origin::error(&origin, error.fault)
        }
        None => config.error_at(refusal.directive, refusal.reason),
    }
}

/// A Sentinel keeps its memory in its configuration file, or in a file of its own.
fn prepare_state(config: &mut SentinelConfig, file: &Path) -> Result<(), String> {
    let Some(path) = config.state_file.clone() else {
        return check_writable(file);
    };
    let path = Path::new(&path);
    let made = OpenOptions::new().append(true).create(true).open(path);
    made.map_err(|error| not_writable(path, &error))?;
    let text = std::fs::read(path).map_err(|error| not_writable(path, &error))?;
    config
        .take_state(&path.display().to_string(), &text)
        .map_err(|error| error.to_string())
}

fn check_writable(file: &Path) -> Result<(), String> {
    let opened = OpenOptions::new().append(true).open(file);
    opened.map(drop).map_err(|error| not_writable(file, &error))
}

fn not_writable(file: &Path, error: &io::Error) -> String {
    format!(
        "Sentinel config file {} is not writable: {}. Exiting...",
        file.display(),
        system::reason(error)
    )
}

fn enter_dir(config: &mut Config) -> Result<(), ConfigError> {
    let entered = std::env::set_current_dir(config.dir()).and_then(|()| std::env::current_dir());
    let dir = entered.map_err(|error| config.error_at("dir", system::reason(&error)))?;
    config.set_dir(&dir.display().to_string());
    Ok(())
}

/// Reads the file of ACL users, and finds out whether the users there are to be can be.
fn check_users(kind: &mut Kind) -> Result<Option<Box<[u8]>>, ConfigError> {
    let path = kind.config().aclfile();
    let text = files::acl(path).map_err(|reason| kind.config().error_at("aclfile", reason))?;
    match kind {
        Kind::Server(config) => {
            server::acl::users(config, text.as_deref())?;
            Ok(text)
        }
        Kind::Sentinel(sentinel) => {
            sentinel.acl_file = text;
            sentinel::users(sentinel)?;
            Ok(None)
        }
    }
}

/// Tries the log file while there still is a terminal to complain to.
fn check_log_file(config: &Config) -> Result<(), ConfigError> {
    let path = config.logfile();
    if path.is_empty() {
        return Ok(());
    }
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| {
        let reason = format!("Can't open the log file: {}", system::reason(&error));
        config.error_at("logfile", reason)
    })
}

/// Who watches over the process: what INFO calls them, if anybody does.
fn supervisor(wanted: Supervised, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let systemd = || is_set("NOTIFY_SOCKET").then_some("systemd");
    let upstart = || is_set("UPSTART_JOB").then_some("upstart");
    match wanted {
        Supervised::No => None,
        Supervised::Systemd => systemd(),
        Supervised::Upstart => upstart(),
        Supervised::Auto => upstart().or_else(systemd),
    }
}

impl Start {
    fn go(mut self) -> Result<u8, Stop> {
        let role = self.kind.role();
        let fail = |what: &str, error: &io::Error| {
            Stop::BeforeLog(Some(role), format!("{what}: {}", system::reason(error)))
        };
        if self.in_background {
            daemon::daemonize().map_err(|error| fail("Can't go to the background", &error))?;
        }
        // Before there is a thread.
        let title = if self.kind.config().set_proc_title() {
            Title::claim()
        } else {
            None
        };
        start_log(self.kind.config()).map_err(|error| fail("Can't start the log", &error))?;
        self.install_crash_report()?;
        self.announce();
        log::set_role(role);
        self.fit_maxclients()?;
        let pidfile = self.write_pidfile();
        self.show_logo();
        if self.kind.config().jemalloc_bg_thread() {
            allocator::start_background_thread();
        }
        let clock = Clock::start();
        let seed = system::seed();
        let seed = seed.map_err(|error| Stop::Log(format!("Can't read /dev/urandom: {error}")))?;
        let mut options = Options::new(clock);
        options.allocator = allocator::figures;
        options.pidfile = pidfile;
        options.title = title;
        let now = clock.now();
        match self.kind {
            Kind::Server(config) => {
                let mut launch = launch(&config, &self.name, &self.executable, self.supervisor);
                launch.acl_file = self.acl_file;
                drive(Server::new(*config, launch, seed, now), options)
            }
            Kind::Sentinel(config) => {
                let sentinel = sentinel(*config, &self.name, &self.executable, seed, now);
                drive(sentinel, options)
            }
        }
    }

    /// The lines every start begins with.
    fn announce(&self) {
        tracing::info!("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
        tracing::info!(
            "Redis version={REDIS_VERSION}, bits=64, commit=00000000, modified=0, pid={}, just \
             started",
            std::process::id()
        );
        if self.bare {
            let named = NO_FILE_WARNING.replace("redis-server", &self.name);
            tracing::warn!("{named}");
        } else {
            tracing::info!("Configuration loaded");
        }
        match self.supervisor {
            Some("systemd") => tracing::info!("supervised by systemd - will signal readiness"),
            Some(other) => tracing::info!("supervised by {other}"),
            None => {}
        }
    }

    fn install_crash_report(&self) -> Result<(), Stop> {
        let config = self.kind.config();
        if !config.crash_log_enabled() {
            return Ok(());
        }
        let exits = config.flag("use-exit-on-panic");
        let installed = crash::install(if exits {
            crash::Ending::Exit
        } else {
            crash::Ending::Abort
        });
        installed.map_err(|error| Stop::Log(format!("Can't take over SIGABRT: {error}")))
    }

    fn fit_maxclients(&mut self) -> Result<(), Stop> {
        let config = self.kind.config_mut();
        let room = daemon::fit_maxclients(config.maxclients());
        let room = room.map_err(|too_few| Stop::Log(too_few.to_string()))?;
        if room != config.maxclients() {
            config.set_maxclients(room);
        }
        Ok(())
    }

    /// A program in the background has one in any case.
    fn write_pidfile(&self) -> Option<Pidfile> {
        let named = self.kind.config().pidfile();
        let path = named.or_else(|| self.in_background.then_some(BACKGROUND_PIDFILE))?;
        Pidfile::write(Path::new(path))
    }

    fn show_logo(&self) {
        let config = self.kind.config();
        let sentinel = matches!(self.kind, Kind::Sentinel(_));
        if logo::is_wanted(config, self.in_background) {
            log::write_raw(&logo::text(config, sentinel, std::process::id()));
        } else if !sentinel {
            tracing::info!("Running mode=standalone, port={}.", config.port());
        }
    }
}

/// Redis's choice.
const BACKGROUND_PIDFILE: &str = "/var/run/redis.pid";

fn start_log(config: &Config) -> io::Result<()> {
    let facility = config.syslog_facility();
    let syslog = config.syslog_enabled().then(|| SyslogTarget {
        ident: config.syslog_ident().to_owned(),
        facility: facility_of(facility),
    });
    let file = Some(config.logfile()).filter(|path| !path.is_empty());
    log::start(
        Target {
            file: file.map(Into::into),
            syslog,
        },
        level_of(config.loglevel()),
    )
}

/// The configuration knows no other words.
fn facility_of(word: &str) -> log::Facility {
    use log::Facility::{Local0, Local1, Local2, Local3, Local4, Local5, Local6, Local7, User};
    let numbered = [
        Local0, Local1, Local2, Local3, Local4, Local5, Local6, Local7,
    ];
    let number = word
        .strip_prefix("local")
        .and_then(|digit| digit.parse::<usize>().ok());
    number
        .and_then(|number| numbered.get(number).copied())
        .unwrap_or(User)
}

fn level_of(level: LogLevel) -> machine::LogLevel {
    match level {
        LogLevel::Debug => machine::LogLevel::Debug,
        LogLevel::Verbose => machine::LogLevel::Verbose,
        LogLevel::Notice => machine::LogLevel::Notice,
        LogLevel::Warning => machine::LogLevel::Warning,
        LogLevel::Nothing => machine::LogLevel::Nothing,
    }
}

fn launch(
    config: &Config,
    program: &str,
    executable: &str,
    supervisor: Option<&'static str>,
) -> Launch {
    Launch {
        pid: std::process::id(),
        os: system::os().into(),
        program: program.into(),
        executable: executable.into(),
        config_file: config.file().unwrap_or_default().into(),
        acl_file: None,
        supervised: supervisor.unwrap_or("no"),
        allocator: allocator::name().into(),
        system_memory: system::memory_bytes(),
    }
}

fn sentinel(
    config: SentinelConfig,
    program: &str,
    executable: &str,
    seed: [u8; 32],
    now: Now,
) -> Sentinel {
    let mut sentinel = Sentinel::new(config, seed, now);
    sentinel.set_process(Process {
        pid: std::process::id(),
        program: program.into(),
        executable: executable.into(),
        os: system::os().into(),
        multiplexing: "epoll".into(),
    });
    sentinel
}

fn drive<M: Machine>(machine: M, options: Options) -> Result<u8, Stop> {
    holdfast_io::run(machine, options)
        .map_err(|error| Stop::Log(format!("The event loop failed: {}", system::reason(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_one_that_the_environment_names() {
        let systemd = |name: &str| name == "NOTIFY_SOCKET";
        let nobody = |_: &str| false;
        assert_eq!(supervisor(Supervised::Auto, systemd), Some("systemd"));
        assert_eq!(supervisor(Supervised::Systemd, systemd), Some("systemd"));
        assert_eq!(supervisor(Supervised::Upstart, systemd), None);
        assert_eq!(supervisor(Supervised::No, systemd), None);
        assert_eq!(supervisor(Supervised::Systemd, nobody), None);
    }

    #[test]
    fn facilities_are_those_of_the_system_log() {
        assert_eq!(facility_of("user"), log::Facility::User);
        assert_eq!(facility_of("local0"), log::Facility::Local0);
        assert_eq!(facility_of("local7"), log::Facility::Local7);
    }

    #[test]
    fn a_refusal_names_its_line() {
        let text = "port 7000\ntls-port 7001\n";
        let source = holdfast_core::config::Source::new("r.conf", text);
        let config = Config::load(&[source], &mut |_| Ok(Vec::new())).unwrap();
        let error = check(&Kind::Server(Box::new(config))).unwrap_err();
        assert_eq!(error.origin.line, 2);
        assert!(error.to_string().contains(">>> 'tls-port 7001'"), "{error}");
    }
}
