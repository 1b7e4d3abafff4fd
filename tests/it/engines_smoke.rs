//! Each recipe of `deploy/`, once, with the engine that it is for.

use crate::common::engine::Column::{ForwardAuth, InFront};
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
    inline_nginx: InFront(Nginx);
    inline_haproxy: InFront(Haproxy);
    inline_caddy: InFront(Caddy);
    inline_envoy: InFront(Envoy);
    forward_auth_nginx: ForwardAuth(Nginx);
    forward_auth_caddy: ForwardAuth(Caddy);
    forward_auth_envoy: ForwardAuth(Envoy);
}
