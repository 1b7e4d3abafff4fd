//! Each recipe of `deploy/`, once, with the engine that it is for.

use crate::common::engine::Column::{self, ForwardAuth, InFront};
use crate::common::engine::Engine::{Caddy, Envoy, Haproxy, Nginx};
use crate::engines::check_rows;

fn check(column: Column) {
    check_rows(column, 3 << 20);
}

each_engine! { carries_every_row: check }
