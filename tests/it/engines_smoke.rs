//! Each recipe of `deploy/`, once, with the engine that it is for.

use crate::common::engine::Column::{Asking, Before};
use crate::common::engine::Engine::{Caddy, Envoy, Haproxy, Nginx};
use crate::engines::check_rows;

const UPLOAD: usize = 3 << 20;

macro_rules! smoke {
    ($($name:ident: $column:expr;)*) => {
        $(#[test]
        #[ignore = "needs engines: scripts/with-engines"]
        fn $name() {
            check_rows($column, UPLOAD);
        })*
    };
}

smoke! {
    inline_nginx: Before(Nginx);
    inline_haproxy: Before(Haproxy);
    inline_caddy: Before(Caddy);
    inline_envoy: Before(Envoy);
    forward_auth_nginx: Asking(Nginx);
    forward_auth_caddy: Asking(Caddy);
    forward_auth_envoy: Asking(Envoy);
}
