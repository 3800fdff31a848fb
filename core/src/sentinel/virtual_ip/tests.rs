use super::*;
use crate::limits::VIRTUAL_IP_ANNOUNCEMENTS;
use crate::machine::AddressOp;

const VIP: &str = "10.0.0.100/24 eth0";
const PATIENCE: Duration = ms(1_000);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn at(ms: u64) -> Mono {
    Mono::from_nanos(ms * 1_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A holder on the host 10.0.0.1, whose addresses are as it made them.
struct Host {
    holder: Holder,
    addresses: Vec<IpAddr>,
    now: u64,
    facts: Facts,
    /// What was done, with the time.
    steps: Vec<(u64, &'static str)>,
    news: Vec<News>,
    /// Steps fail by this number.
    fails: Option<i32>,
}

impl Host {
    fn new(text: &str) -> Self {
        Self {
            holder: Holder::new(VirtualIp::parse_words(text).unwrap(), at(0)),
            addresses: vec![ip("127.0.0.1"), ip("10.0.0.1")],
            now: 0,
            facts: Facts {
                master: Some(ip("10.0.0.1")),
                role: Some(Role::Master),
                others: Some(Others {
                    reached: None,
                    agreed: None,
                }),
                patience: PATIENCE,
            },
            steps: Vec::new(),
            news: Vec::new(),
            fails: None,
        }
    }

    /// One that holds its address.
    fn holding(text: &str) -> Self {
        let mut host = Self::new(text);
        host.reach(10);
        host.run(5);
        assert_eq!(host.names(), ["list", "add", "announce"]);
        host.steps.clear();
        host.news.clear();
        host
    }

    /// From here on a majority is in reach, and agrees.
    fn reach(&mut self, now: u64) {
        self.now = now;
        self.reached();
        self.agreed();
    }

    /// A majority has just been reached.
    fn reached(&mut self) {
        let others = self.facts.others.as_mut().unwrap();
        others.reached = Some(at(self.now));
    }

    /// A majority that was asked just now agrees where the master is.
    fn agreed(&mut self) {
        let others = self.facts.others.as_mut().unwrap();
        others.agreed = Some(at(self.now));
    }

    fn look(&mut self) -> bool {
        let op = self.holder.look(at(self.now), Some(&self.facts));
        let deadline = self.holder.deadline();
        assert!(deadline.is_none_or(|next| at(self.now) < next));
        let Some(op) = op else { return false };
        assert_eq!(self.holder.look(at(self.now), Some(&self.facts)), None);
        let vip = ip("10.0.0.100");
        let name = match op {
            AddressOp::List => "list",
            AddressOp::Add { .. } => "add",
            AddressOp::Remove { .. } => "remove",
            AddressOp::Announce { .. } => "announce",
        };
        self.steps.push((self.now, name));
        let result = match (self.fails, op) {
            (None, AddressOp::List) => Ok(self.addresses.clone()),
            (Some(errno), _) => Err(errno),
            (None, AddressOp::Add { .. }) => {
                if !self.addresses.contains(&vip) {
                    self.addresses.push(vip);
                }
                Ok(Vec::new())
            }
            (None, AddressOp::Remove { .. }) => {
                self.addresses.retain(|one| *one != vip);
                Ok(Vec::new())
            }
            (None, AddressOp::Announce { .. }) => Ok(Vec::new()),
        };
        let news = self.holder.done(at(self.now), result);
        self.news.extend(news);
        true
    }

    /// Lets time pass, with a look whenever one is due.
    fn run(&mut self, span: u64) {
        let end = self.now + span;
        loop {
            while self.look() {}
            let next = self.holder.deadline().map_or(u64::MAX, Mono::as_millis);
            if next > end {
                break;
            }
            self.now = next;
        }
        self.now = end;
    }

    /// The same while a majority answers all the time.
    fn run_reached(&mut self, span: u64) {
        for _ in 0..span / 100 {
            self.reached();
            self.run(100);
        }
    }

    fn names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|(_, name)| *name).collect()
    }

    fn holds(&self) -> bool {
        self.addresses.contains(&ip("10.0.0.100"))
    }
}

#[test]
fn nothing_is_added_before_a_majority_agrees_since_the_start() {
    let mut host = Host::new(VIP);
    host.run_reached(3_000);
    assert_eq!(host.names(), ["list"]);
    host.agreed();
    host.run(1);
    assert!(host.holds());
    assert_eq!(host.news, [News::Added]);
}

#[test]
fn nothing_is_added_before_a_majority_has_answered_since_the_start() {
    let mut host = Host::new(VIP);
    host.addresses.push(ip("10.0.0.100"));
    host.now = 10;
    host.agreed();
    host.run(900);
    assert_eq!(host.names(), ["list"], "what is there is not renewed");
    host.run(200);
    assert_eq!(host.names(), ["list", "remove"]);
    host.reached();
    host.run(1);
    assert!(host.holds());
}

#[test]
fn who_forgets_the_others_has_no_majority_before_it_hears_from_them() {
    let mut host = Host::holding(VIP);
    host.reached();
    host.run(0);
    host.facts.others = Some(Others {
        reached: None,
        agreed: None,
    });
    let reset = host.now;
    host.run(60_000);
    assert!(
        host.steps.contains(&(reset + 1_000, "remove")),
        "{:?}",
        host.steps
    );
    assert!(!host.holds());
    host.reach(host.now);
    host.run(1);
    assert!(host.holds());
}

#[test]
fn whoever_was_a_majority_by_itself_has_time_to_reach_the_first_other() {
    let mut host = Host::new(VIP);
    let others = host.facts.others.take();
    host.run(5_000);
    assert!(host.holds());
    host.facts.others = others;
    host.run(900);
    assert!(host.holds());
    host.reached();
    host.run(900);
    assert!(host.holds());
}

#[test]
fn a_lone_sentinel_needs_nobody() {
    let mut host = Host::new(VIP);
    host.facts.others = None;
    host.run(60_000);
    assert!(host.holds());
    assert_eq!(host.news, [News::Added]);
}

#[test]
fn nothing_is_added_at_the_start_before_the_master_has_said_that_it_is_one() {
    let mut host = Host::new(VIP);
    host.facts.role = None;
    host.reach(10);
    host.run(5);
    assert!(!host.holds());
    host.facts.role = Some(Role::Slave);
    host.run(5);
    assert!(!host.holds());
    host.facts.role = Some(Role::Master);
    host.run(5);
    assert!(host.holds());
}

#[test]
fn it_is_announced_again_and_again_and_renewed_every_second() {
    let mut host = Host::holding(VIP);
    host.run_reached(30_000);
    let announced = host
        .names()
        .iter()
        .filter(|name| **name == "announce")
        .count();
    assert_eq!(announced, VIRTUAL_IP_ANNOUNCEMENTS.len());
    let added = host.names().iter().filter(|name| **name == "add").count();
    assert!((29..=30).contains(&added), "{added}");
    assert!(host.holds());
    assert_eq!(host.news, []);
}

#[test]
fn the_address_follows_the_master() {
    let mut host = Host::holding(VIP);
    host.facts.master = Some(ip("10.0.0.2"));
    host.run(1);
    assert_eq!(host.names(), ["remove"]);
    assert_eq!(host.news, [News::Removed]);
    host.run_reached(100);
    host.facts.master = Some(ip("10.0.0.1"));
    host.facts.role = None;
    host.run(1);
    assert_eq!(host.names(), ["remove", "add", "announce"]);
}

#[test]
fn it_is_given_up_when_the_master_says_that_it_is_none() {
    let mut host = Host::holding(VIP);
    host.facts.role = Some(Role::Slave);
    host.run(1);
    assert!(!host.holds());
}

#[test]
fn it_is_given_up_in_a_minority_and_taken_again_only_when_the_others_agree() {
    let mut host = Host::holding(VIP);
    host.reached();
    let cut = host.now;
    host.run(999);
    assert!(host.holds());
    host.run(10);
    assert!(!host.holds());
    assert_eq!(host.steps.last(), Some(&(cut + 1_000, "remove")));
    let others = host.facts.others.as_mut().unwrap();
    others.agreed = Some(at(cut + 999));
    host.run_reached(3_000);
    assert!(!host.holds(), "they answer, and may know another master");
    host.agreed();
    host.run(1);
    assert!(host.holds());
}

#[test]
fn what_a_crash_left_is_kept_or_removed_by_the_rule() {
    for (master, stays) in [("10.0.0.1", true), ("10.0.0.2", false)] {
        let mut host = Host::new(VIP);
        host.addresses.push(ip("10.0.0.100"));
        host.facts.master = Some(ip(master));
        host.run(900);
        assert_eq!(host.holds(), stays);
        assert!(
            !host.names().contains(&"add"),
            "not renewed before it is sure"
        );
        host.reach(901);
        host.run(5);
        assert_eq!(host.holds(), stays);
    }
    let mut cut_off = Host::new(VIP);
    cut_off.addresses.push(ip("10.0.0.100"));
    cut_off.run(1_001);
    assert!(!cut_off.holds());
}

#[test]
fn after_standing_still_it_looks_whether_the_system_has_dropped_the_address() {
    let mut host = Host::holding(VIP);
    host.addresses.retain(|one| *one != ip("10.0.0.100"));
    host.reach(20_000);
    host.run(1);
    assert_eq!(host.names(), ["list", "add", "announce"]);
    assert_eq!(host.news, [News::Added]);
}

#[test]
fn an_address_that_somebody_takes_away_is_put_back() {
    let mut host = Host::holding(VIP);
    host.addresses.retain(|one| *one != ip("10.0.0.100"));
    // A renewal that makes it again is noticed no later than by the next list.
    host.fails = Some(19);
    host.run_reached(1_500);
    host.fails = None;
    host.run_reached(2_000);
    assert!(host.holds());
    assert!(host.news.contains(&News::Lost), "{:?}", host.news);
}

#[test]
fn what_fails_is_tried_again_ever_more_seldom_and_told_once() {
    let mut host = Host::new(VIP);
    host.fails = Some(1);
    host.reach(10);
    host.run_reached(60_000);
    assert_eq!(
        host.news,
        [News::Failed {
            what: "list",
            errno: 1
        }]
    );
    assert!((15..30).contains(&host.steps.len()), "{}", host.steps.len());
    assert_eq!(host.holder.state(), "failing");
    host.fails = None;
    host.agreed();
    host.run_reached(6_000);
    assert!(host.holds());
}

#[test]
fn a_failed_renewal_does_not_hold_up_the_removal() {
    let mut host = Host::holding(VIP);
    host.fails = Some(16);
    host.run_reached(5_000);
    host.fails = None;
    host.facts.master = Some(ip("10.0.0.2"));
    host.run(1);
    assert!(!host.holds());
}

#[test]
fn an_address_that_is_gone_counts_as_removed() {
    let mut host = Host::holding(VIP);
    host.fails = Some(99);
    host.facts.master = Some(ip("10.0.0.2"));
    host.run(1);
    assert_eq!(host.news, [News::Removed]);
    assert_eq!(host.holder.state(), "not-held");
}

#[test]
fn a_shutdown_removes_it_or_leaves_it_for_a_minute() {
    let mut host = Host::holding(VIP);
    host.holder.leave();
    host.run(1);
    assert!(host.holder.has_left());
    assert_eq!(host.names(), ["remove"]);

    let mut host = Host::holding("10.0.0.100/24 eth0 keep");
    host.holder.leave();
    let op = host.holder.look(at(host.now), Some(&host.facts));
    assert!(
        matches!(op, Some(AddressOp::Add { seconds: 60, .. })),
        "{op:?}"
    );
    host.holder.done(at(host.now), Ok(Vec::new()));
    assert!(!host.look());
    assert!(host.holder.has_left());

    // One that belongs elsewhere is not kept.
    let mut host = Host::holding("10.0.0.100/24 eth0 keep");
    host.facts.master = Some(ip("10.0.0.2"));
    host.holder.leave();
    host.run(1);
    assert!(host.holder.has_left());
    assert!(!host.holds());
}

#[test]
fn it_lasts_two_seconds_longer_than_the_others_wait() {
    for (patience, lasts) in [(1, 3), (500, 3), (1_000, 3), (1_001, 4), (30_000, 32)] {
        let mut host = Host::new(VIP);
        host.facts.patience = ms(patience);
        host.now = 1;
        host.facts.others = None;
        host.look();
        let op = host.holder.look(at(1), Some(&host.facts));
        let Some(AddressOp::Add { seconds, .. }) = op else {
            panic!("{op:?}");
        };
        assert_eq!(seconds, lasts);
    }
}

#[test]
fn it_lasts_so_long_after_the_last_answer_of_a_majority() {
    let mut host = Host::holding(VIP);
    host.facts.patience = ms(10_000);
    host.reached();
    host.look();
    let last = host.now;
    for (after, lasts) in [(2_500, 10), (5_500, 7), (9_900, 3)] {
        host.now = last + after;
        let op = host.holder.look(at(host.now), Some(&host.facts));
        assert!(
            matches!(op, Some(AddressOp::Add { seconds, .. }) if seconds == lasts),
            "{op:?}"
        );
        host.holder.done(at(host.now), Ok(Vec::new()));
    }
}

#[test]
fn the_virtual_ip_itself_does_not_make_a_host_that_of_the_master() {
    let mut host = Host::new(VIP);
    host.addresses.push(ip("10.0.0.100"));
    host.facts.master = Some(ip("10.0.0.100"));
    host.reach(10);
    host.run(5);
    assert!(!host.holds());
}
