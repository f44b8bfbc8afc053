//! One kind of memory, watched at all time scales.

use std::collections::BTreeMap;

use super::judge::{Context, Demands, Finding, Refusal, judge};
use super::window::Window;
use crate::series::{LEVELS, Point, Pyramid};

/// Windows: from 6 samples to a week, each root two times the one before.
pub const WINDOWS: usize = 24;

/// How often each reason was given; for experiments.
pub type Tally = BTreeMap<(usize, Refusal), u64>;

#[derive(Debug, Clone, Copy, Default)]
struct Pending {
    first: f64,
    last: f64,
    x: f64,
    y: f64,
    growth: f64,
    at: f64,
    finding: Finding,
}

/// The claim of one kind of memory.
#[derive(Debug, Clone)]
pub struct Track {
    pub demands: Demands,
    pub pyramid: Pyramid,
    due: [f64; WINDOWS],
    pending: [Option<Pending>; WINDOWS],
    pub found: Option<Finding>,
    window: Box<Window>,
    changed: bool,
    pub tally: Option<Tally>,
    pub confirmed: Vec<(f64, Finding)>,
    pub log: Option<Vec<(f64, usize, Result<Finding, Refusal>)>>,
}

pub fn length(window: usize) -> f64 {
    6.0 * std::f64::consts::SQRT_2.powi(window as i32)
}

fn level(length: f64) -> usize {
    let mut level = 0;
    while length / f64::from(1u32 << level) > 48.5 && level + 1 < LEVELS {
        level += 1;
    }
    level
}

impl Track {
    pub fn new(demands: Demands) -> Self {
        Self {
            demands,
            pyramid: Pyramid::default(),
            due: [0.0; WINDOWS],
            pending: [None; WINDOWS],
            found: None,
            window: Box::default(),
            changed: false,
            tally: None,
            confirmed: Vec::new(),
            log: None,
        }
    }

    pub fn add(&mut self, point: Point) {
        self.pyramid.add(point);
        self.changed = true;
    }

    /// Holds what the windows expect against an exact floor.
    pub fn verify(&mut self, point: Point) {
        for pending in &mut self.pending {
            let Some(p) = pending else { continue };
            let f = &p.finding;
            if f.proven {
                continue;
            }
            if point.x - p.first < super::judge::tune(0) * f.span {
                if point.y - f.last < -0.2 * f.growth {
                    *pending = None;
                }
                continue;
            }
            if point.x - p.first < 2.0 * f.span && point.y - f.last >= 0.6 * f.rate() * (point.x - p.at) {
                self.confirmed.push((point.x, *f)); self.found.get_or_insert(*f);
            }
            *pending = None;
        }
    }

    /// Judges the windows that are due.
    pub fn run(&mut self, context: &Context<'_>) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let newest = self.pyramid.newest().map_or(0.0, |p| p.x);
        for i in 0..WINDOWS {
            let length = length(i);
            if length > context.now + 1.0 {
                break;
            }
            if context.now < self.due[i] {
                continue;
            }
            self.due[i] = context.now + if self.demands.collected { 0.0 } else { 1.0f64 }.max((length / 16.0).floor());
            let fine = level(length);
            let mut found = judge(&self.pyramid, fine, length, context, &self.demands, &mut self.window);
            if length >= 480.0 && found.is_err() && fine + 2 < LEVELS {
                if let Some(t) = &mut self.tally && let Err(r) = found {
                    *t.entry((i, r)).or_default() += 1;
                }
                found = judge(&self.pyramid, fine + 2, length, context, &self.demands, &mut self.window);
            }
            if let Some(log) = &mut self.log { log.push((context.now, i, found)); }
            let f = match found {
                Ok(f) => f,
                Err(refusal) => {
                    if let Some(t) = &mut self.tally {
                        *t.entry((i, refusal)).or_default() += 1;
                    }
                    continue;
                }
            };
            if f.proven && (f.urgent || (f.points < 8 && f.growth > 1.5 * f.least)) {
                if self.log.is_some() { self.confirmed.push((context.now, f)); } self.found.get_or_insert(f);
                continue;
            }
            match &mut self.pending[i] {
                Some(p) if context.now - p.last <= 0.6 * length => {
                    p.last = context.now;
                    let waited = context.now - p.first;
                    if f.proven && waited >= super::judge::tune(0) * length && newest > p.x && f.last - p.y >= 0.5 * p.growth * waited / length {
                        if self.log.is_some() { self.confirmed.push((context.now, f)); } self.found.get_or_insert(f);
                    }
                }
                p => {
                    let at = f.start + 0.875 * f.span;
                    *p = Some(Pending { first: context.now, last: context.now, x: newest, y: f.last, growth: f.growth, at, finding: f });
                }
            }
        }
    }
}
