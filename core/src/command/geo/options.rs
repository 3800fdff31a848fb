//! What the commands that search take behind their key.

use super::{place, place_of, unit};
use crate::command::args::Args;
use crate::command::fail::{Fail, shown};
use crate::value::geo::{Area, Extent, Place};
use crate::value::{ZsetRef, parse_score};

/// What is searched, and what becomes of it.
#[derive(Default)]
pub(super) struct Options<'a> {
    /// The middle; none if it is a member of a set that is not there.
    middle: Option<Place>,
    extent: Option<Extent>,
    /// Metres of the unit in which distances are told.
    pub(super) metres: f64,
    pub(super) order: Option<Order>,
    /// The most that are wanted; 0 is all.
    pub(super) count: usize,
    /// Whether any will do.
    pub(super) any: bool,
    pub(super) with: With,
    pub(super) store: Option<&'a [u8]>,
    /// Whether distances are stored.
    pub(super) distances: bool,
}

/// By distance.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

/// What is told of a place beside its name.
#[derive(Clone, Copy, Default)]
pub(super) struct With {
    pub(super) distance: bool,
    pub(super) hash: bool,
    pub(super) place: bool,
}

impl With {
    pub(super) fn count(self) -> usize {
        usize::from(self.distance) + usize::from(self.hash) + usize::from(self.place)
    }
}

/// Which command it is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Form {
    /// GEORADIUS: a place and a radius come first.
    Radius,
    /// GEORADIUSBYMEMBER: a member and a radius come first.
    ByMember,
    /// GEOSEARCH: all are options.
    Search,
    /// GEOSEARCHSTORE: the same, and the result is stored.
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }
}

impl<'a> Options<'a> {
    /// Takes all that is left. Only commands that write may store.
    pub(super) fn parse(
        args: &mut Args<'a>,
        form: Form,
        may_store: bool,
        zset: Option<ZsetRef<'_>>,
    ) -> Result<Self, Fail> {
        let mut options = Self {
            metres: 1.0,
            ..Self::default()
        };
        match form {
            Form::Radius => {
                options.middle = Some(place(args)?);
                options.radius(args)?;
            }
            Form::ByMember if zset.is_some() => {
                options.member(args, zset)?;
                options.radius(args)?;
            }
            Form::ByMember => {
                // Redis reads neither where there is no key.
                for _ in ["member", "radius", "unit"] {
                    args.bulk()?;
                }
            }
            Form::Search | Form::SearchStore => {}
        }
        // The same word may come again, and the last counts; another one may not.
        let given = (!form.is_search()).then_some("");
        let (mut from, mut by) = (given, given);
        let may = |one: Option<&str>, word: &str| one.is_none_or(|one| one == word);
        while !args.is_done() {
            let behind = args.left() - 1;
            if options.plain(args) || options.counted(args, behind)? {
                continue;
            }
            if may_store && !form.is_search() && behind >= 1 && args.keyword("store") {
                options.store = Some(args.bulk()?);
                options.distances = false;
            } else if may_store && !form.is_search() && behind >= 1 && args.keyword("storedist") {
                options.store = Some(args.bulk()?);
                options.distances = true;
            } else if form == Form::SearchStore && args.keyword("storedist") {
                options.distances = true;
            } else if may(from, "frommember") && behind >= 1 && args.keyword("frommember") {
                options.member(args, zset)?;
                from = Some("frommember");
            } else if may(from, "fromlonlat") && behind >= 2 && args.keyword("fromlonlat") {
                options.middle = Some(place(args)?);
                from = Some("fromlonlat");
            } else if may(by, "byradius") && behind >= 2 && args.keyword("byradius") {
                options.radius(args)?;
                by = Some("byradius");
            } else if may(by, "bybox") && behind >= 3 && args.keyword("bybox") {
                options.rectangle(args)?;
                by = Some("bybox");
            } else {
                return Err(Fail::Syntax);
            }
        }
        options.check(args, form, from.is_some(), by.is_some())?;
        Ok(options)
    }

    /// What is searched; none if there is nothing to search in.
    pub(super) fn area(&self) -> Option<Area> {
        Some(Area {
            middle: self.middle?,
            extent: self.extent?,
        })
    }

    /// Takes a word that stands alone.
    fn plain(&mut self, args: &mut Args<'_>) -> bool {
        if args.keyword("withdist") {
            self.with.distance = true;
        } else if args.keyword("withhash") {
            self.with.hash = true;
        } else if args.keyword("withcoord") {
            self.with.place = true;
        } else if args.keyword("any") {
            self.any = true;
        } else if args.keyword("asc") {
            self.order = Some(Order::Ascending);
        } else if args.keyword("desc") {
            self.order = Some(Order::Descending);
        } else {
            return false;
        }
        true
    }

    fn counted(&mut self, args: &mut Args<'_>, behind: usize) -> Result<bool, Fail> {
        if behind == 0 || !args.keyword("count") {
            return Ok(false);
        }
        let count = args.int()?;
        if count <= 0 {
            return Err(Fail::Plain("COUNT must be > 0"));
        }
        self.count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(true)
    }

    fn member(&mut self, args: &mut Args<'_>, zset: Option<ZsetRef<'_>>) -> Result<(), Fail> {
        let member = args.bulk()?;
        if let Some(zset) = zset {
            let place = place_of(zset, member);
            self.middle = Some(place.ok_or(Fail::Plain("could not decode requested zset member"))?);
        }
        Ok(())
    }

    fn radius(&mut self, args: &mut Args<'_>) -> Result<(), Fail> {
        let radius = length(args, "need numeric radius")?;
        if radius < 0.0 {
            return Err(Fail::Plain("radius cannot be negative"));
        }
        self.metres = unit(args)?;
        self.extent = Some(Extent::Radius(radius * self.metres));
        Ok(())
    }

    fn rectangle(&mut self, args: &mut Args<'_>) -> Result<(), Fail> {
        let width = length(args, "need numeric width")?;
        let height = length(args, "need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(Fail::Plain("height or width cannot be negative"));
        }
        self.metres = unit(args)?;
        self.extent = Some(Extent::Box {
            width: width * self.metres,
            height: height * self.metres,
        });
        Ok(())
    }

    fn check(&mut self, args: &Args<'_>, form: Form, from: bool, by: bool) -> Result<(), Fail> {
        let stores = form == Form::SearchStore || self.store.is_some();
        if stores && self.with.count() > 0 {
            let who = if form == Form::SearchStore {
                "GEOSEARCHSTORE"
            } else {
                "STORE option in GEORADIUS"
            };
            return Err(Fail::detail(format!(
                "{who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        let one_of = |what: &[u8]| {
            let name = shown(args.argv().get(0));
            Fail::detail([b"exactly one of ", what, b" can be specified for ", name].concat())
        };
        if !from {
            return Err(one_of(b"FROMMEMBER or FROMLONLAT"));
        }
        if !by {
            return Err(one_of(b"BYRADIUS and BYBOX"));
        }
        if self.any && self.count == 0 {
            return Err(Fail::Plain("the ANY argument requires COUNT argument"));
        }
        // The nearest are meant, unless any will do.
        if self.count > 0 && self.order.is_none() && !self.any {
            self.order = Some(Order::Ascending);
        }
        Ok(())
    }
}

fn length(args: &mut Args<'_>, otherwise: &'static str) -> Result<f64, Fail> {
    parse_score(args.bulk()?).ok_or(Fail::Plain(otherwise))
}
