//! Whether the growth of the floor is what one route leaves behind with each request.
//!
//! The floors are regressed on the completed requests of each route and on the time that passed. The clock is one of the
//! explanations, so that a leak of a timer is not laid at the door of a route that is asked for steadily; a route is told apart
//! from it, and from other routes, only by how the traffic varies.
//!
//! Floors follow each other, and so do sums of requests: two such series seem to belong together by chance alone far too often
//! (C. W. J. Granger and P. Newbold, "Spurious regressions in econometrics", Journal of Econometrics 2, 1974). Each row therefore
//! counts as what it adds to its expectation from the row before (D. Cochrane and G. H. Orcutt, "Application of least squares
//! regression to relationships containing auto-correlated error terms", JASA 44, 1949), and what the residuals still have in
//! common widens the intervals.
//!
//! A route is named where
//!
//! - the floor has grown at all, over enough rows;
//! - its slope is clearly above 0, counted that as many slopes were tried as there are routes;
//! - neither the clock nor another route moves as it does (variance inflation, D. W. Marquardt, Technometrics 12, 1970);
//! - it explains most of the growth, not much more than all of it, and no other route explains a part worth naming.

use super::fit::solve_spd;
use crate::series::{MOST_ROUTES, ROUTE_COLUMNS, RouteRow};

/// Routes that get a slope of their own: those most asked for. The others share one.
const OWN: usize = 12;

/// Rows that are needed at least, and for each slope.
const LEAST_ROWS: usize = 24;
const ROWS_A_TERM: usize = 3;
/// Growth below this is nothing to explain.
const LEAST_GROWTH: f64 = 256.0 * 1024.0;
/// A slope below this is no leak to speak of: a pointer is 8 bytes.
const LEAST_SLOPE: f64 = 8.0;
/// Chance, over all slopes, of naming one that is 0.
const CHANCE: f64 = 0.002;
/// Requests that correlate so from row to row are told apart by nothing.
const ALIKE: f64 = 0.995;
/// Variation from row to row below which a column is as even as a clock; and of what nothing else explains, the least to rely on: that the
/// model is right in every detail nobody can promise.
const FLAT: f64 = 1e-6;
const LEAST_OWN: f64 = 0.03;
/// By how much doubt may be multiplied because something else moves in the same way.
const MOST_INFLATION: f64 = 30.0;
/// Shares of the growth that the one route must and may explain, and the share of what all routes explain that must be its.
const LEAST_SHARE: f64 = 0.6;
const MOST_SHARE: f64 = 1.6;
const LEAST_LEAD: f64 = 0.75;
/// Rounds of estimating by how much rows follow each other; and the most that is believed.
const ROUNDS: usize = 4;
const MOST_FOLLOWING: f64 = 0.95;

/// What one route leaves behind with each request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RouteLeak {
    /// The number of the route.
    pub route: usize,
    /// Bytes that stay after each request.
    pub bytes_per_request: f64,
    /// An interval that holds them with 95 % confidence.
    pub interval: [f64; 2],
    /// Its requests over the rows.
    pub requests: f64,
    /// The part of the floor's growth that this is.
    pub share: f64,
}

/// Why no route is named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoRoute {
    /// Too few floors with requests beside them.
    Rows {
        /// How many there have to be.
        wanted: usize,
    },
    /// No request of any route.
    Requests,
    /// The floor has not grown.
    Growth,
    /// The requests of this route come as evenly as time passes, or as those of other routes.
    Collinear {
        /// The number of the route.
        route: usize,
        /// What moves as it does: another route, or nothing for the clock.
        with: Option<usize>,
    },
    /// No slope is clearly above 0, or none explains most of the growth.
    None,
    /// More than one route has a part in it.
    Several,
}

/// What the rows say of the routes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attribution {
    /// How many rows there were.
    pub rows: usize,
    /// The route, or why none is named.
    pub found: Result<RouteLeak, NoRoute>,
}

/// What a slope belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Route(usize),
    /// Two routes or more that are always asked for together, two of them by name.
    Routes(usize, usize),
    Others,
    Clock,
}

/// A column of the regression.
struct Term {
    owner: Owner,
    column: Vec<f64>,
}

/// Names the route that the growth of the floor comes from, if there is one. Some 100 us, and 30 KB on the heap: for a report, not for a
/// sample.
pub fn attribute(rows: &[RouteRow]) -> Attribution {
    Attribution { rows: rows.len(), found: found(rows) }
}

fn found(rows: &[RouteRow]) -> Result<RouteLeak, NoRoute> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err(NoRoute::Rows { wanted: LEAST_ROWS });
    };
    let asked: [f64; ROUTE_COLUMNS] = std::array::from_fn(|i| last.counts[i] - first.counts[i]);
    // The last column is what was not counted by route.
    let mut routes: Vec<usize> = (0..MOST_ROUTES).filter(|&i| asked[i] > 0.0).collect();
    if routes.is_empty() {
        return Err(NoRoute::Requests);
    }
    routes.sort_by(|&a, &b| asked[b].total_cmp(&asked[a]));
    // Each slope wants rows: with few of them, only the routes most asked for get one.
    let affordable = (rows.len() / ROWS_A_TERM).saturating_sub(2).clamp(1, OWN);
    let own = routes.len().min(affordable);
    let wanted = LEAST_ROWS.max(ROWS_A_TERM * (own + 2));
    if rows.len() < wanted {
        return Err(NoRoute::Rows { wanted });
    }
    let growth = growth(rows);
    if growth < LEAST_GROWTH {
        return Err(NoRoute::Growth);
    }
    let (own, others) = routes.split_at(own);
    let (terms, steady) = terms(rows, own, others);
    let columns: Vec<&[f64]> = terms.iter().map(|term| &term.column[..]).collect();
    let floors: Vec<f64> = rows.iter().map(|row| row.floor).collect();
    let like_the_clock = steady.map(|route| NoRoute::Collinear { route, with: None });
    let slopes = slopes(&columns, &floors).ok_or(like_the_clock.unwrap_or(NoRoute::None))?;

    let strict = student(1.0 - CHANCE / (2.0 * terms.len() as f64), slopes.freedom);
    let explained = |k: usize| slopes.beta[k] * (columns[k][rows.len() - 1] - columns[k][0]);
    let clear = |k: usize| slopes.beta[k] > strict * slopes.error[k];
    let named: Vec<usize> =
        (0..terms.len()).filter(|&k| terms[k].owner != Owner::Clock && clear(k)).collect();
    let Some(&k) = named.iter().max_by(|&&a, &&b| explained(a).total_cmp(&explained(b))) else {
        // Where the clock explains nothing either, it is not the likeness that hides the route.
        let by_clock = like_the_clock.filter(|_| clear(terms.len() - 1));
        return Err(by_clock.unwrap_or(NoRoute::None));
    };
    let share = explained(k) / growth;
    if explained(k) < LEAST_LEAD * named.iter().map(|&k| explained(k)).sum::<f64>() {
        return Err(NoRoute::Several);
    }
    if !(LEAST_SHARE..=MOST_SHARE).contains(&share) || slopes.beta[k] < LEAST_SLOPE {
        return Err(NoRoute::None);
    }
    let route = match terms[k].owner {
        Owner::Route(route) => route,
        Owner::Routes(route, other) => return Err(NoRoute::Collinear { route, with: Some(other) }),
        Owner::Others | Owner::Clock => return Err(NoRoute::Several),
    };
    let inflation = inflation(&columns, k);
    if inflation > MOST_INFLATION {
        return Err(NoRoute::Collinear { route, with: nearest(&terms, k) });
    }
    if variation(&increments(columns[k])) < LEAST_OWN * inflation.sqrt() {
        return Err(NoRoute::Collinear { route, with: None });
    }
    let (beta, margin) = (slopes.beta[k], student(0.975, slopes.freedom) * slopes.error[k]);
    let interval = [beta - margin, beta + margin];
    Ok(RouteLeak { route, bytes_per_request: beta, interval, requests: asked[route], share })
}

/// The columns, those that move alike made one; and the first route that moves as the clock does, which has no column then.
fn terms(rows: &[RouteRow], own: &[usize], others: &[usize]) -> (Vec<Term>, Option<usize>) {
    let column = |of: &dyn Fn(&RouteRow) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    let clock = column(&|row| row.at - rows[0].at);
    let mut steady = None;
    let mut terms: Vec<Term> = Vec::with_capacity(own.len() + 2);
    for &route in own {
        let requests = column(&|row| row.counts[route]);
        if alike(&requests, &clock) {
            steady = steady.or(Some(route));
        } else if let Some(term) = terms.iter_mut().find(|term| alike(&term.column, &requests)) {
            term.column.iter_mut().zip(requests).for_each(|(sum, more)| *sum += more);
            if let Owner::Route(first) = term.owner {
                term.owner = Owner::Routes(first, route);
            }
        } else {
            terms.push(Term { owner: Owner::Route(route), column: requests });
        }
    }
    let rest =
        column(&|row| others.iter().map(|&i| row.counts[i]).sum::<f64>() + row.counts[ROUTE_COLUMNS - 1]);
    if rest[rest.len() - 1] > rest[0] && !alike(&rest, &clock) {
        terms.push(Term { owner: Owner::Others, column: rest });
    }
    terms.push(Term { owner: Owner::Clock, column: clock });
    (terms, steady)
}

/// Whether two columns go up together: in proportion from row to row, or each by the same from row to row.
fn alike(a: &[f64], b: &[f64]) -> bool {
    let (a, b) = (increments(a), increments(b));
    match (variation(&a) < FLAT, variation(&b) < FLAT) {
        (false, false) => correlation(&a, &b) > ALIKE,
        (a, b) => a && b,
    }
}

/// The standard deviation as a share of the mean.
fn variation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let energy = centred(values).iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64;
    if mean > 0.0 { energy.sqrt() / mean } else { f64::INFINITY }
}

fn increments(values: &[f64]) -> Vec<f64> {
    quasi_difference(values, 1.0)
}

/// By how much more doubt there is of column `k`'s slope because all others together move as it does, from row to row.
///
/// From row to row, because all sums of requests are nearly straight lines, and as such alike.
fn inflation(columns: &[&[f64]], k: usize) -> f64 {
    let steps: Vec<Vec<f64>> = columns.iter().map(|column| increments(column)).collect();
    let mut matrix: Vec<Vec<f64>> =
        steps.iter().map(|a| steps.iter().map(|b| correlation(a, b)).collect()).collect();
    // A clock that ticks evenly has no variation, and correlates with nothing.
    matrix.iter_mut().enumerate().for_each(|(i, row)| row[i] = 1.0);
    solve_spd(&matrix, &vec![0.0; steps.len()]).map_or(f64::INFINITY, |(_, diagonal)| diagonal[k])
}

/// The route whose requests go up and down with those of term `k` most; nothing where it is the clock.
fn nearest(terms: &[Term], k: usize) -> Option<usize> {
    let own = increments(&terms[k].column);
    let likeness = |term: &Term| correlation(&own, &increments(&term.column));
    let others = terms.iter().enumerate().filter(|&(l, _)| l != k).map(|(_, term)| term);
    let nearest = others.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    match nearest.owner {
        Owner::Route(route) | Owner::Routes(route, _) => Some(route),
        Owner::Others => Some(MOST_ROUTES),
        Owner::Clock => None,
    }
}

/// From the mean of the first eighth of the floors to that of the last, over the whole window.
fn growth(rows: &[RouteRow]) -> f64 {
    let n = (rows.len() / 8).max(1);
    let mean =
        |rows: &[RouteRow], of: fn(&RouteRow) -> f64| rows.iter().map(of).sum::<f64>() / rows.len() as f64;
    let (head, tail) = (&rows[..n], &rows[rows.len() - n..]);
    let rise = mean(tail, |row| row.floor) - mean(head, |row| row.floor);
    let span = mean(tail, |row| row.at) - mean(head, |row| row.at);
    let whole = rows[rows.len() - 1].at - rows[0].at;
    if span > 0.0 { rise * whole / span } else { 0.0 }
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let (a, b) = (centred(x), centred(y));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(p, q)| p * q).sum::<f64>();
    let norm = (dot(&a, &a) * dot(&b, &b)).sqrt();
    if norm > 0.0 { dot(&a, &b) / norm } else { 0.0 }
}

fn centred(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter().map(|value| value - mean).collect()
}

/// Slopes with their standard errors.
struct Slopes {
    beta: Vec<f64>,
    error: Vec<f64>,
    /// Degrees of freedom.
    freedom: f64,
    residuals: Vec<f64>,
}

/// The slopes of `y` on `columns` with a constant, each row less what it was to be expected from the one before; nothing where the
/// columns are collinear.
fn slopes(columns: &[&[f64]], y: &[f64]) -> Option<Slopes> {
    let mut following = 0.0;
    for _ in 0..ROUNDS {
        let fit = ordinary(&differenced(columns, following), &quasi_difference(y, following))?;
        // The residuals of the levels, not of the differences: what is looked for is what these still follow.
        let mut residuals = y.to_vec();
        for (column, beta) in columns.iter().zip(&fit.beta) {
            residuals.iter_mut().zip(*column).for_each(|(r, v)| *r -= beta * v);
        }
        let next = (lagged(&centred(&residuals)) + bias(y.len(), columns.len())).clamp(0.0, MOST_FOLLOWING);
        if (next - following).abs() < 1e-3 {
            break;
        }
        following = next;
    }
    let (xs, ys) = (differenced(columns, following), quasi_difference(y, following));
    let mut fit = ordinary(&xs, &ys)?;
    let left = lagged(&fit.residuals).clamp(0.0, 0.9);
    let wider = ((1.0 + left) / (1.0 - left)).sqrt();
    fit.error.iter_mut().for_each(|error| *error *= wider);
    Some(fit)
}

/// By how much the lagged correlation of residuals comes out too low: the mean is taken away, and so is each slope.
fn bias(n: usize, terms: usize) -> f64 {
    (1.0 + terms as f64) / n.max(1) as f64
}

fn differenced(columns: &[&[f64]], following: f64) -> Vec<Vec<f64>> {
    columns.iter().map(|column| quasi_difference(column, following)).collect()
}

fn quasi_difference(values: &[f64], following: f64) -> Vec<f64> {
    values.windows(2).map(|pair| pair[1] - following * pair[0]).collect()
}

fn lagged(residuals: &[f64]) -> f64 {
    let energy: f64 = residuals.iter().map(|r| r * r).sum();
    let both: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    if energy > 0.0 { both / energy } else { 0.0 }
}

/// Ordinary least squares with a constant.
fn ordinary(columns: &[Vec<f64>], y: &[f64]) -> Option<Slopes> {
    let terms = columns.len();
    let freedom = y.len().checked_sub(terms + 1).filter(|&left| left > 0)? as f64;
    let y = centred(y);
    let mut scaled: Vec<Vec<f64>> = Vec::with_capacity(terms);
    let mut norms = Vec::with_capacity(terms);
    for column in columns {
        let mut column = centred(column);
        let norm = column.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm.is_nan() || norm <= 0.0 {
            return None;
        }
        column.iter_mut().for_each(|v| *v /= norm);
        norms.push(norm);
        scaled.push(column);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(p, q)| p * q).sum::<f64>();
    let matrix: Vec<Vec<f64>> =
        scaled.iter().map(|row| scaled.iter().map(|column| dot(row, column)).collect()).collect();
    let right: Vec<f64> = scaled.iter().map(|column| dot(column, &y)).collect();
    let (solution, inflation) = solve_spd(&matrix, &right)?;
    let mut residuals = y;
    for (column, b) in scaled.iter().zip(&solution) {
        residuals.iter_mut().zip(column).for_each(|(r, v)| *r -= b * v);
    }
    // Bytes: a fit that is exact is not surer than rounding.
    let variance = (dot(&residuals, &residuals) / freedom).max(1.0);
    let error = inflation.iter().zip(&norms).map(|(i, norm)| (variance * i).sqrt() / norm).collect();
    let beta = solution.iter().zip(&norms).map(|(b, norm)| b / norm).collect();
    Some(Slopes { beta, error, freedom, residuals })
}

/// The value that a variable of Student's distribution stays below with probability `p`, from 0.5: the expansion by powers of
/// 1 / `freedom` (E. A. Cornish and R. A. Fisher, 1937), good to a per cent from five degrees on.
fn student(p: f64, freedom: f64) -> f64 {
    let z = normal(p);
    let (z2, n) = (z * z, freedom);
    let terms = [
        z * (z2 + 1.0) / 4.0,
        z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0,
        z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0,
    ];
    z + terms[0] / n + terms[1] / (n * n) + terms[2] / (n * n * n)
}

/// The same of the normal distribution: 26.2.23 of M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", off by less
/// than 0.0005.
fn normal(p: f64) -> f64 {
    let t = (-2.0 * (1.0 - p).max(1e-300).ln()).sqrt();
    t - (2.515_517 + t * (0.802_853 + t * 0.010_328))
        / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)))
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
