use proptest::prelude::*;

use super::*;

const MINUTE: f64 = 60_000.0;

/// Numbers that look random and are the same each time.
struct Noise(u64);

impl Noise {
    /// From 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, with a standard deviation of 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A process: each minute `asks(row, noise)` requests of each route, `leak(row, counts)` bytes beyond the floor.
fn process(
    rows: usize,
    seed: u64,
    asks: impl Fn(usize, &mut Noise) -> Vec<f64>,
    leak: impl Fn(usize, &[f64], &mut Noise) -> f64,
) -> Vec<RouteRow> {
    let mut noise = Noise(seed);
    let mut counts = [0.0; ROUTE_COLUMNS];
    (0..rows)
        .map(|i| {
            for (count, more) in counts.iter_mut().zip(asks(i, &mut noise)) {
                *count += more.max(0.0).round();
            }
            let floor = 40e6 + leak(i, &counts, &mut noise) + 60e3 * noise.normal();
            RouteRow { at: (i as f64 + 0.2 * noise.uniform()) * MINUTE, floor, counts }
        })
        .collect()
}

/// Traffic of three routes that goes up and down, each in its own way.
fn traffic(i: usize, noise: &mut Noise) -> Vec<f64> {
    let wave = |period: f64| 1.0 + 0.4 * (i as f64 / period).sin();
    (0..3).map(|k| 300.0 * wave(5.0 + 4.0 * k as f64) * (1.0 + 0.2 * noise.normal())).collect()
}

#[test]
fn the_route_that_leaks_is_named_with_what_a_request_leaves() {
    for seed in 0..20 {
        let rows = process(90, seed, traffic, |_, counts, _| 1330.0 * counts[1]);
        let Attribution { rows: 90, found: Ok(leak) } = attribute(&rows) else {
            panic!("{seed}: {:?}", attribute(&rows))
        };
        assert_eq!(leak.route, 1);
        assert!((leak.bytes_per_request / 1330.0 - 1.0).abs() < 0.1, "{leak:?}");
        assert!(leak.interval[0] > 1000.0 && leak.interval[1] < 1700.0, "{leak:?}");
        assert!((0.8..1.2).contains(&leak.share), "{leak:?}");
    }
}

#[test]
fn the_interval_holds_the_truth_about_as_often_as_it_says() {
    let mut held = 0;
    let mut named = 0;
    for seed in 0..300 {
        let rows = process(90, 1000 + seed, traffic, |_, counts, _| 900.0 * counts[0]);
        if let Ok(leak) = attribute(&rows).found {
            named += 1;
            held += u32::from((leak.interval[0]..=leak.interval[1]).contains(&900.0));
        }
    }
    assert!(named >= 290, "{named}");
    assert!(f64::from(held) >= 0.9 * f64::from(named), "{held} of {named}");
}

#[test]
fn what_grows_by_itself_is_laid_at_no_routes_door() {
    let mut named = 0;
    for seed in 0..300 {
        // By the clock; and by a walk of its own, which follows sums of requests by chance more often than one would think.
        let mut walk = Noise(seed);
        let steps: Vec<f64> = (0..120)
            .scan(0.0, |at, _| {
                *at += 200e3 + 900e3 * walk.normal();
                Some(*at)
            })
            .collect();
        let clock = process(120, 7 * seed, traffic, |i, _, _| 300e3 * i as f64);
        assert!(attribute(&clock).found.is_err(), "{seed}: {:?}", attribute(&clock));
        let wandering = process(120, 7 * seed + 1, traffic, |i, _, _| steps[i]);
        named += u32::from(attribute(&wandering).found.is_ok());
    }
    assert!(named <= 3, "{named} of 300");
}

#[test]
fn routes_that_nothing_tells_apart_are_refused() {
    // Steady traffic: the clock explains as much.
    let steady = process(90, 1, |_, _| vec![500.0, 200.0], |_, counts, _| 1000.0 * counts[0]);
    let even: Vec<RouteRow> =
        steady.iter().enumerate().map(|(i, row)| RouteRow { at: i as f64 * MINUTE, ..*row }).collect();
    assert_eq!(attribute(&even).found, Err(NoRoute::Collinear { route: 0, with: None }));
    // Two routes of one page.
    let page = |i: usize, noise: &mut Noise| {
        let asked = traffic(i, noise);
        vec![asked[0], asked[0], asked[1]]
    };
    let rows = process(90, 2, page, |_, counts, _| 1000.0 * counts[1]);
    assert_eq!(attribute(&rows).found, Err(NoRoute::Collinear { route: 0, with: Some(1) }));
    // A third one leaks: that the two cannot be told apart does not matter.
    let rows = process(90, 3, page, |_, counts, _| 1000.0 * counts[2]);
    assert_eq!(attribute(&rows).found.map(|leak| leak.route), Ok(2));
}

#[test]
fn two_that_leak_are_not_one() {
    let rows = process(90, 4, traffic, |_, counts, _| 1000.0 * counts[0] + 900.0 * counts[2]);
    assert_eq!(attribute(&rows).found, Err(NoRoute::Several));
}

#[test]
fn little_is_said_with_little() {
    assert_eq!(attribute(&[]).found, Err(NoRoute::Rows { wanted: LEAST_ROWS }));
    let leak = |_: usize, counts: &[f64], _: &mut Noise| 1330.0 * counts[0];
    assert_eq!(attribute(&process(10, 1, traffic, leak)).found, Err(NoRoute::Rows { wanted: LEAST_ROWS }));
    assert_eq!(attribute(&process(90, 1, traffic, |_, _, _| 0.0)).found, Err(NoRoute::Growth));
    assert_eq!(
        attribute(&process(90, 1, |_, _| vec![], |i, _, _| 1e5 * i as f64)).found,
        Err(NoRoute::Requests)
    );
}

#[test]
fn many_routes_leave_the_one_that_leaks_findable() {
    let many = |i: usize, noise: &mut Noise| {
        (0..64)
            .map(|k| {
                (600.0 / (1.0 + k as f64)) * (1.0 + 0.5 * (i as f64 / (3.0 + k as f64)).sin())
                    + 5.0 * noise.normal()
            })
            .collect()
    };
    let rows = process(120, 5, many, |_, counts, _| 4000.0 * counts[6]);
    assert_eq!(attribute(&rows).found.map(|leak| leak.route), Ok(6), "{:?}", attribute(&rows));
}

#[test]
fn quantiles_are_those_of_the_tables() {
    for (p, freedom, expected) in
        [(0.975, 10.0, 2.228), (0.975, 30.0, 2.042), (0.975, 1e9, 1.960), (0.9995, 20.0, 3.850)]
    {
        assert!(
            (student(p, freedom) / expected - 1.0).abs() < 0.01,
            "{p} {freedom}: {}",
            student(p, freedom)
        );
    }
}

/// Gauss's elimination with pivoting on the normal equations, constant included, as a textbook has it.
fn naive(columns: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    let ones = vec![1.0; y.len()];
    let all: Vec<&[f64]> =
        std::iter::once(&ones[..]).chain(columns.iter().map(|column| &column[..])).collect();
    let n = all.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(p, q)| p * q).sum::<f64>();
    let mut rows: Vec<Vec<f64>> =
        all.iter().map(|a| all.iter().map(|b| dot(a, b)).chain([dot(a, y)]).collect()).collect();
    for c in 0..n {
        let pivot = (c..n).max_by(|&a, &b| rows[a][c].abs().total_cmp(&rows[b][c].abs())).unwrap();
        rows.swap(c, pivot);
        let row = rows[c].clone();
        for (k, other) in rows.iter_mut().enumerate() {
            if k != c {
                let factor = other[c] / row[c];
                other.iter_mut().zip(&row).for_each(|(v, r)| *v -= factor * r);
            }
        }
    }
    (1..n).map(|k| rows[k][n] / rows[k][k]).collect()
}

proptest! {
    #[test]
    fn the_slopes_are_the_textbooks(
        points in prop::collection::vec((prop::collection::vec(-1.0f64..1.0, 4), -1e3f64..1e3), 20..80),
        terms in 1usize..=4,
    ) {
        let columns: Vec<Vec<f64>> = (0..terms).map(|k| points.iter().map(|(x, _)| x[k]).collect()).collect();
        let y: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
        let fit = ordinary(&columns, &y).expect("random columns are not collinear");
        for (k, (beta, expected)) in fit.beta.iter().zip(naive(&columns, &y)).enumerate() {
            prop_assert!((beta - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{} {} {}", k, beta, expected);
        }
    }

    /// The standard error of a single slope in closed form.
    #[test]
    fn the_error_of_a_line_is_the_textbooks(points in prop::collection::vec((-1.0f64..1.0, -1e4f64..1e4), 12..60)) {
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let fit = ordinary(std::slice::from_ref(&x), &y).expect("a line");
        let (a, b) = (centred(&x), centred(&y));
        let sum = |f: &dyn Fn(usize) -> f64| (0..a.len()).map(f).sum::<f64>();
        let sxx = sum(&|i| a[i] * a[i]);
        let slope = sum(&|i| a[i] * b[i]) / sxx;
        let rss = sum(&|i| (b[i] - slope * a[i]).powi(2));
        let error = (rss / (a.len() as f64 - 2.0) / sxx).sqrt();
        prop_assert!((fit.error[0] / error - 1.0).abs() < 1e-6, "{} {}", fit.error[0], error);
    }

    /// Nothing that it may be given makes it panic or tell what is not finite.
    #[test]
    fn any_rows_are_answered(
        rows in prop::collection::vec((any::<u32>(), any::<u32>(), prop::collection::vec(any::<u16>(), 3)), 0..100),
    ) {
        let rows: Vec<RouteRow> = rows.iter().map(|(at, floor, asked)| {
            let mut counts = [0.0; ROUTE_COLUMNS];
            counts.iter_mut().zip(asked).for_each(|(count, asked)| *count = f64::from(*asked));
            RouteRow { at: f64::from(*at), floor: f64::from(*floor), counts }
        }).collect();
        if let Ok(leak) = attribute(&rows).found {
            prop_assert!(leak.bytes_per_request.is_finite() && leak.interval[0] > 0.0 && leak.interval[1].is_finite());
        }
    }
}
