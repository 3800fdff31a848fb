//! The decision for one master.

use core::net::IpAddr;
use core::time::Duration;

use crate::config::VirtualIp;
use crate::limits::VIRTUAL_IP_ANNOUNCEMENTS;
use crate::machine::{AddressOp, Mono};
use crate::sentinel::info::Role;

/// What this Sentinel knows that counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    /// Where the master is by the newest configuration.
    pub master: Option<IpAddr>,
    /// The role it reported in that place, if it has reported.
    pub role: Option<Role>,
    /// Those who make a majority together with this Sentinel; `None` if it is one by itself.
    pub others: Option<Others>,
    /// How long a majority may be out of reach: `down-after-milliseconds`.
    pub patience: Duration,
}

/// What has come from so many other Sentinels that they make a majority together with this one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Others {
    /// When so many were last known to be in reach; `None` if fewer ever were.
    pub reached: Option<Mono>,
    /// When so many were asked where they believe the master to be, which is where this Sentinel
    /// does; `None` if fewer were, or are known to believe otherwise.
    pub agreed: Option<Mono>,
}

/// Something worth telling.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum News {
    /// The address is here.
    Added,
    /// The address was taken away.
    Removed,
    /// Somebody else took it away, or the system did.
    Lost,
    /// A step failed in a way it did not fail in just before.
    Failed {
        /// What was to be done.
        what: &'static str,
        /// The system's error number; 0 if it gave none.
        errno: i32,
    },
}

/// Keeps one address where it belongs, as far as this host is concerned.
#[derive(Debug)]
pub struct Holder {
    spec: VirtualIp,
    /// The addresses of this host when they were last asked for.
    local: Vec<IpAddr>,
    list_at: Mono,
    here: Here,
    /// When a majority was last known to be in reach, whoever is known to watch the master now.
    contact: Option<Mono>,
    trust: Trust,
    claim: Claim,
    busy: Option<Step>,
    leaving: bool,
    announce: Announce,
    failures: u32,
    retry_at: Option<Mono>,
    failed: Option<(Step, i32)>,
    next: Option<Mono>,
}

/// Whether the address is on this host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Here {
    Unknown,
    No,
    /// Left behind by a process before this one.
    Found,
    /// Put there, or renewed, by a step begun at that instant, for so many seconds.
    Held {
        since: Mono,
        seconds: u32,
    },
}

/// Whether the configuration known can be taken for the newest there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trust {
    /// The process has just started.
    Starting { since: Mono },
    /// A majority was out of reach at that instant.
    Lapsed { since: Mono },
    /// A majority is in reach, and has confirmed it since it was.
    Firm,
}

/// What shall be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Claim {
    Hold,
    /// What is there stays, and nothing is added.
    Leave,
    /// It stays for a moment after the end of this process.
    Keep,
    Release,
}

/// A step on the addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    List,
    Add { begun: Mono, seconds: u32 },
    Remove,
    Announce,
}

/// The announcements still to be made.
#[derive(Clone, Copy, Debug, Default)]
struct Announce {
    made: usize,
    at: Option<Mono>,
}

impl Holder {
    /// Nothing is known of the host yet.
    pub fn new(spec: VirtualIp, now: Mono) -> Self {
        Self {
            spec,
            local: Vec::new(),
            list_at: now,
            here: Here::Unknown,
            contact: None,
            trust: Trust::Starting { since: now },
            claim: Claim::Leave,
            busy: None,
            leaving: false,
            announce: Announce::default(),
            failures: 0,
            retry_at: None,
            failed: None,
            next: None,
        }
    }

    /// What the operator asked for.
    pub fn spec(&self) -> &VirtualIp {
        &self.spec
    }

    /// Gives the address up for good.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Whether the address was given up and nothing is left to do.
    pub fn has_left(&self) -> bool {
        self.leaving && self.busy.is_none() && self.here == Here::No
    }

    /// `held`, `not-held`, `failing` or `unknown`
    pub fn state(&self) -> &'static str {
        match self.here {
            _ if self.failed.is_some() => "failing",
            Here::Held { .. } | Here::Found => "held",
            Here::No => "not-held",
            Here::Unknown => "unknown",
        }
    }

    /// Since when the others have to be asked where they believe the master to be, if they have.
    pub fn doubts_since(&self) -> Option<Mono> {
        match self.trust {
            Trust::Starting { since } | Trust::Lapsed { since } => Some(since),
            Trust::Firm => None,
        }
    }

    /// When time alone may ask for the next step.
    pub fn deadline(&self) -> Option<Mono> {
        self.next
    }

    /// Decides by everything there is to know, and says what to do, which then has to be answered
    /// by [`done`](Self::done) before anything else is done. No facts: the master is not watched.
    pub fn look(&mut self, now: Mono, facts: Option<&Facts>) -> Option<AddressOp> {
        self.next = None;
        self.judge(now, facts);
        if self.busy.is_some() {
            return None;
        }
        let seconds = facts.map_or(0, |facts| self.lifetime(now, facts));
        let step = self.choose(now, seconds);
        self.busy = step;
        step.map(|step| self.op(step))
    }

    /// Takes the answer to a step: for a list the addresses of this host.
    pub fn done(&mut self, now: Mono, result: Result<Vec<IpAddr>, i32>) -> Option<News> {
        let step = self.busy.take().expect("an answer is one to a step");
        let gone = step == Step::Remove && result == Err(NOT_AVAILABLE);
        match result {
            Ok(addresses) => self.succeeded(now, step, addresses),
            Err(_) if gone => self.succeeded(now, step, Vec::new()),
            Err(errno) => self.was_refused(now, step, errno),
        }
    }

    /// Makes up its mind.
    fn judge(&mut self, now: Mono, facts: Option<&Facts>) {
        let Some(facts) = facts else {
            return self.decide(Claim::Release);
        };
        self.contact = match facts.others {
            Some(others) => self.contact.max(others.reached),
            None => Some(now),
        };
        let fresh_until = self.contact.map(|at| at + facts.patience);
        let fresh = fresh_until.is_some_and(|until| now < until);
        // What they said before may be read after it was known that they were out of reach: only
        // the time of the question tells.
        let agreed = |since: Mono| {
            let by = |others: Others| others.agreed.is_some_and(|asked| since <= asked);
            facts.others.is_none_or(by)
        };
        let is_master = facts.role == Some(Role::Master);
        self.trust = match self.trust {
            Trust::Firm if !fresh => Trust::Lapsed { since: now },
            // A Sentinel whose file is older than the group knows only an old master, which would
            // say so.
            Trust::Starting { since } if fresh && agreed(since) && is_master => Trust::Firm,
            Trust::Lapsed { since } if fresh && agreed(since) => Trust::Firm,
            trust @ (Trust::Starting { .. } | Trust::Lapsed { .. } | Trust::Firm) => trust,
        };
        // Those that can be reached have as long to answer for the first time as ever.
        let patient_until = match self.trust {
            Trust::Starting { since } => fresh_until.max(Some(since + facts.patience)),
            Trust::Lapsed { .. } | Trust::Firm => fresh_until,
        };
        let patient = patient_until.is_some_and(|until| now < until);
        if let Some(until) = patient_until {
            self.at(now, until);
        }
        let here = facts
            .master
            .is_some_and(|at| at != self.spec.address && self.local.contains(&at));
        self.decide(match self.trust {
            _ if !here || facts.is_demoted() => Claim::Release,
            Trust::Firm if self.leaving && self.spec.keep => Claim::Keep,
            _ if self.leaving => Claim::Release,
            Trust::Firm => Claim::Hold,
            Trust::Starting { .. } if patient => Claim::Leave,
            Trust::Starting { .. } | Trust::Lapsed { .. } => Claim::Release,
        });
    }

    /// What failed of something else does not hold up what is wanted instead.
    fn decide(&mut self, claim: Claim) {
        if self.claim != claim {
            self.claim = claim;
            self.failures = 0;
            self.retry_at = None;
            self.failed = None;
        }
    }

    /// The next step that is due, if there is one.
    fn choose(&mut self, now: Mono, seconds: u32) -> Option<Step> {
        if let Here::Held { since, seconds } = self.here
            && since + lasts(seconds) <= now
        {
            // This process stood still, and the system may have dropped it.
            self.here = Here::Unknown;
        }
        if let Some(at) = self.retry_at
            && now < at
        {
            self.at(now, at);
            return None;
        }
        self.retry_at = None;
        // What a list told long ago does not matter for giving up what is known to be here.
        let certain = self.here != Here::Unknown && self.claim == Claim::Release;
        if self.here == Here::Unknown || (self.list_at <= now && !self.leaving && !certain) {
            return Some(Step::List);
        }
        match (self.claim, self.here) {
            (_, Here::Unknown) => unreachable!("asked for above"),
            (Claim::Hold, Here::No | Here::Found) => {
                return Some(Step::Add {
                    begun: now,
                    seconds,
                });
            }
            (Claim::Hold, Here::Held { since, .. }) => {
                if since + RENEWAL <= now {
                    return Some(Step::Add {
                        begun: now,
                        seconds,
                    });
                }
                self.at(now, since + RENEWAL);
                match self.announce.at {
                    Some(at) if at <= now => return Some(Step::Announce),
                    Some(at) => self.at(now, at),
                    None => {}
                }
            }
            (Claim::Keep, Here::Held { seconds, .. }) if seconds < KEPT_SECONDS => {
                return Some(Step::Add {
                    begun: now,
                    seconds: KEPT_SECONDS,
                });
            }
            // It is no concern of this process any more.
            (Claim::Keep, _) => self.here = Here::No,
            (Claim::Release, Here::Held { .. } | Here::Found) => return Some(Step::Remove),
            (Claim::Leave, Here::Held { .. } | Here::Found | Here::No)
            | (Claim::Release, Here::No) => {}
        }
        if self.list_at <= now && !self.leaving {
            return Some(Step::List);
        }
        if !self.leaving {
            self.at(now, self.list_at);
        }
        None
    }

    fn op(&self, step: Step) -> AddressOp {
        let (ip, interface) = (self.spec.address, self.spec.interface.as_str().into());
        match step {
            Step::List => AddressOp::List,
            Step::Add { seconds, .. } => AddressOp::Add {
                ip,
                prefix: self.spec.prefix,
                interface,
                seconds,
            },
            Step::Remove => AddressOp::Remove {
                ip,
                prefix: self.spec.prefix,
                interface,
            },
            Step::Announce => AddressOp::Announce { ip, interface },
        }
    }

    fn succeeded(&mut self, now: Mono, step: Step, addresses: Vec<IpAddr>) -> Option<News> {
        self.failures = 0;
        self.failed = None;
        match step {
            Step::List => {
                let found = addresses.contains(&self.spec.address);
                self.local = addresses;
                self.list_at = now + LIST_PERIOD;
                let (here, news) = match self.here {
                    Here::Held { .. } if found => (self.here, None),
                    Here::Held { .. } => (Here::No, Some(News::Lost)),
                    Here::Unknown | Here::Found | Here::No if found => (Here::Found, None),
                    Here::Unknown | Here::Found | Here::No => (Here::No, None),
                };
                self.here = here;
                news
            }
            Step::Add { begun, seconds } => {
                let renewed = matches!(self.here, Here::Held { .. });
                self.here = Here::Held {
                    since: begun,
                    seconds,
                };
                if renewed {
                    return None;
                }
                self.announce = Announce {
                    made: 0,
                    at: Some(now),
                };
                Some(News::Added)
            }
            Step::Remove => {
                self.here = Here::No;
                self.announce = Announce::default();
                Some(News::Removed)
            }
            Step::Announce => {
                self.announced(now);
                None
            }
        }
    }

    /// What fails is tried again, at ever longer intervals up to [`RETRY_MAX`].
    fn was_refused(&mut self, now: Mono, step: Step, errno: i32) -> Option<News> {
        let what = match step {
            Step::List => "list",
            Step::Add { .. } => "add",
            Step::Remove => "remove",
            Step::Announce => "announce",
        };
        let kind = |one: Step| core::mem::discriminant(&one);
        let known = self
            .failed
            .is_some_and(|(before, number)| kind(before) == kind(step) && number == errno);
        if step == Step::Announce {
            // Those who look find the address all the same.
            self.announced(now);
        } else {
            let delay = RETRY_MIN.saturating_mul(1 << self.failures.min(16));
            self.failures += 1;
            self.retry_at = Some(now + delay.min(RETRY_MAX));
            self.failed = Some((step, errno));
            // An interface that went away takes its addresses along.
            self.list_at = now;
        }
        (!known).then_some(News::Failed { what, errno })
    }

    fn announced(&mut self, now: Mono) {
        let delay = VIRTUAL_IP_ANNOUNCEMENTS.get(self.announce.made);
        self.announce.at = delay.map(|&ms| now + Duration::from_millis(ms));
        self.announce.made += 1;
    }

    /// For how long the address is put there: somewhat longer than a majority may go on to be out
    /// of reach, so that it is this process that takes it away, if it runs. Whoever starts in its
    /// place knows nothing of that time, and the system holds to it all the same.
    fn lifetime(&self, now: Mono, facts: &Facts) -> u32 {
        let until = self.contact.map(|at| at + facts.patience);
        let left = until.map_or(Duration::ZERO, |until| until.since(now));
        u32::try_from(left.as_millis().div_ceil(1000))
            .unwrap_or(u32::MAX)
            .saturating_add(SPARE_SECONDS)
            .min(LIFETIME_SECONDS_MAX)
    }

    fn at(&mut self, now: Mono, at: Mono) {
        if now < at && self.next.is_none_or(|next| at < next) {
            self.next = Some(at);
        }
    }
}

const fn lasts(seconds: u32) -> Duration {
    Duration::from_secs(seconds as u64)
}

/// `EADDRNOTAVAIL`: what was to be removed is not there.
const NOT_AVAILABLE: i32 = 99;
/// How often the address is renewed while it is held.
const RENEWAL: Duration = Duration::from_secs(1);
/// How many seconds longer than a majority may be out of reach it lasts without that.
const SPARE_SECONDS: u32 = 2;
/// However long that is, an address that nobody renews does not last longer.
const LIFETIME_SECONDS_MAX: u32 = 3600;
/// How long an address stays that shall be kept at a shutdown.
const KEPT_SECONDS: u32 = 60;
/// How often it is looked whether the addresses of the host are what they were.
const LIST_PERIOD: Duration = Duration::from_secs(10);
/// The delay after a step that failed; doubled for each failure in a row.
const RETRY_MIN: Duration = Duration::from_millis(50);
/// The longest delay after a step that failed.
const RETRY_MAX: Duration = Duration::from_secs(5);
