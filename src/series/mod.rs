//! Fixed-capacity history: everything here takes its memory once and never grows.

mod load;
mod promoted;
mod pyramid;
mod ring;
mod routes;

pub use load::LoadFilter;
pub use promoted::{Promoted, Rate};
pub use pyramid::{LEVELS, Point, Pyramid};
pub use ring::Ring;
pub use routes::{MOST_ROUTES, ROUTE_COLUMNS, RouteRow, RouteSeries};
