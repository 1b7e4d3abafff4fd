//! Which WebSocket is opened, and with which token: one of this client's own, or that of a URL that somebody pasted.

use url::Url;
use uuid::Uuid;

use crate::app::api::{Api, deletion};
use crate::app::caller::{self, Caller};
use crate::app::tokens::Tokens;
use crate::cli::argument::SocketArg;
use crate::domain::client::secret::{AccessToken, Secret};
use crate::domain::client::variable::ACCESS_TOKEN;
use crate::domain::corti::interaction::Interaction;
use crate::domain::corti::pasted_url::PastedUrl;
use crate::domain::corti::websocket::connect_url;
use crate::domain::corti::websocket::{self, SocketKind};
use crate::domain::token::scope::{ScopeRequest, TokenClass};
use crate::failure::{Failure, Kind};

use super::journal::{Journal, Step};
use super::{ProbeArgs, pasted};

/// A WebSocket that can be opened, once its interaction is made.
pub(super) struct Draft {
    kind: SocketKind,
    place: Place,
}

enum Place {
    /// The token is for a URL that has none.
    Pasted(Box<PastedUrl>, Option<AccessToken>),
    Known(Url, AccessToken),
    New(Maker, AccessToken),
}

/// Makes an interaction, and deletes it.
struct Maker {
    caller: Caller,
    full: AccessToken,
    /// The interaction is not deleted.
    keep: bool,
}

/// A WebSocket that can be opened.
pub(super) struct Aim {
    pub(super) kind: SocketKind,
    /// Without a token.
    pub(super) url: Url,
    /// With it.
    pub(super) address: Secret,
    /// The interaction that was given or made.
    pub(super) interaction: Option<Uuid>,
    /// Whether the token says itself that it does not open this.
    lacks_scope: bool,
    maker: Option<Maker>,
}

impl Draft {
    /// # Errors
    /// Where no client or URL is known, no token can be had, or it must not go there.
    pub(super) async fn take(
        args: &ProbeArgs,
        tokens: &Tokens<'_>,
        journal: &mut Journal<'_>,
    ) -> Result<Self, Failure> {
        if let Some(path) = &args.websocket_url {
            let (pasted, kind) = pasted::read(path, args.socket.map(SocketArg::kind), tokens.context).await?;
            pasted.secrets().iter().for_each(|secret| tokens.context.sink.redactor().add(secret));
            let token = pasted::missing_token(&pasted, kind, tokens, journal).await?;
            return Ok(Self { kind, place: Place::Pasted(Box::new(pasted), token) });
        }
        let kind = args.socket.map_or(SocketKind::Transcribe, SocketArg::kind);
        if kind == SocketKind::Transcribe && (args.interaction.is_some() || args.keep) {
            let message = "/transcribe belongs to no interaction: --interaction and --keep are for streams";
            return Err(Failure::new(Kind::Usage, message).hint("corti-auth probe streams --help"));
        }
        let caller = Caller::of(tokens.context)?;
        let known = known(kind, args.interaction, &caller)?;
        if known.is_none() && caller.is_limited() {
            let message =
                format!("the token in {ACCESS_TOKEN} is a limited one, which creates no interaction");
            return Err(Failure::new(Kind::Usage, message).hint("name one: --interaction ID"));
        }
        let token = token(&caller, &kind.scope_request(), tokens, journal).await?;
        let place = match known {
            Some(url) => Place::Known(url, token),
            None => Place::New(Maker::open(caller, args.keep, tokens, journal).await?, token),
        };
        Ok(Self { kind, place })
    }

    /// Makes the interaction, where one is to be made.
    ///
    /// # Errors
    /// Where the API does not answer, or refuses.
    pub(super) async fn settle(
        self,
        given: Option<Uuid>,
        tokens: &Tokens<'_>,
        journal: &mut Journal<'_>,
    ) -> Result<Aim, Failure> {
        let kind = self.kind;
        let own = |url: Url, token: AccessToken, interaction, maker| Aim {
            kind,
            address: connect_url(&url, &token),
            url,
            interaction,
            lacks_scope: lacks_scope(&token, kind, tokens),
            maker,
        };
        match self.place {
            Place::Known(url, token) => Ok(own(url, token, given, None)),
            Place::New(maker, token) => {
                let made = maker.create(tokens, journal).await?;
                Ok(own(made.websocket_url, token, Some(made.id), Some(maker)))
            }
            Place::Pasted(pasted, token) => Ok(Aim {
                kind,
                url: pasted.bare().clone(),
                address: pasted.address(token.as_ref()),
                interaction: None,
                lacks_scope: token
                    .as_ref()
                    .or(pasted.token())
                    .is_some_and(|token| lacks_scope(token, kind, tokens)),
                maker: None,
            }),
        }
    }
}

/// Where the WebSocket is; `None` where its interaction is still to be made.
fn known(kind: SocketKind, given: Option<Uuid>, caller: &Caller) -> Result<Option<Url>, Failure> {
    let (environment, tenant) = (caller.environment(), caller.tenant());
    let url = match (kind, given) {
        (SocketKind::Transcribe, _) => websocket::transcribe_url(environment, tenant),
        (SocketKind::Streams, Some(id)) => websocket::streams_url(environment, tenant, id),
        (SocketKind::Streams, None) => return Ok(None),
    };
    url.map(Some).map_err(|error| Failure::new(Kind::Configuration, error))
}

/// A token, as a step.
pub(super) async fn token(
    caller: &Caller,
    requested: &ScopeRequest,
    tokens: &Tokens<'_>,
    journal: &mut Journal<'_>,
) -> Result<AccessToken, Failure> {
    let step = Step::begin("token");
    // Never a cached one: the server may not take that any more, and the client would be blamed.
    let policy = tokens.context.cache_policy().refreshed();
    let token = tokens.get_for(caller, requested, policy).await;
    let token = token.map_err(|failure| journal.failed(&step, failure))?;
    match caller {
        Caller::Ready(_) => journal.skipped("token", format!("the one in {ACCESS_TOKEN} is used")),
        Caller::Client(_) => journal.done(&step, format!("minted for `{}`", requested.to_wire())),
    }
    Ok(token)
}

/// Whether the token says itself that it does not open the WebSocket.
fn lacks_scope(token: &AccessToken, kind: SocketKind, tokens: &Tokens<'_>) -> bool {
    let inspection = caller::inspect(token, tokens.context.host.clock.now()).ok().flatten();
    inspection.is_some_and(|it| {
        it.class.is_some_and(|class| class != TokenClass::Full) && !it.scopes.contains(kind.as_str())
    })
}

impl Maker {
    async fn open(
        caller: Caller,
        keep: bool,
        tokens: &Tokens<'_>,
        journal: &mut Journal<'_>,
    ) -> Result<Self, Failure> {
        let full = match &caller {
            // The journal has it already, and it serves for both.
            Caller::Ready(ready) => ready.token.clone(),
            Caller::Client(_) => token(&caller, &ScopeRequest::Full, tokens, journal).await?,
        };
        Ok(Self { caller, full, keep })
    }

    async fn create(&self, tokens: &Tokens<'_>, journal: &mut Journal<'_>) -> Result<Interaction, Failure> {
        let step = Step::begin("interaction");
        let api = self.api(tokens);
        let made = if self.keep {
            api.create_minimal(tokens.context).await
        } else {
            api.create_passing(tokens.context).await
        };
        let made = made.map_err(|failure| journal.failed(&step, failure))?;
        journal.done(&step, format!("created {}", made.id));
        Ok(made)
    }

    async fn delete(&self, id: Uuid, tokens: &Tokens<'_>) -> Result<(), Failure> {
        self.api(tokens).delete(id).await
    }

    /// A long recording outlives a token, and a cached one may be no good: the API asks for a new one then.
    fn api<'a>(&'a self, tokens: &'a Tokens<'_>) -> Api<'a> {
        Api::renewing(&self.caller, tokens, &self.full)
    }
}

impl Aim {
    /// The WebSocket whose scope the token has not got, by its own word.
    pub(super) fn lacking(&self) -> Option<SocketKind> {
        self.lacks_scope.then_some(self.kind)
    }

    /// Scheme, host and path.
    pub(super) fn route(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.into()
    }

    /// Deletes the interaction that was made.
    ///
    /// # Errors
    /// Where the API does not answer, or refuses.
    pub(super) async fn clear(&self, tokens: &Tokens<'_>, journal: &mut Journal<'_>) -> Result<(), Failure> {
        let (Some(maker), Some(id)) = (&self.maker, self.interaction) else { return Ok(()) };
        let step = Step::begin("removal");
        match maker.delete(id, tokens).await {
            Ok(()) => {
                journal.done(&step, format!("deleted {id}"));
                Ok(())
            }
            Err(failure) => {
                let failure = journal.failed(&step, failure);
                Err(failure
                    .context(format!("the interaction {id}, made for the probe, is still there"))
                    .hint(deletion(id, tokens.context)))
            }
        }
    }
}
