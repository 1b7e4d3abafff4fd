//! Chooses the WebSocket to open, and gets its tokens.

use url::Url;
use uuid::Uuid;

use crate::app::api::{Api, deletion};
use crate::app::caller::{self, Caller};
use crate::app::checks::Checks;
use crate::app::tokens::Tokens;
use crate::domain::client::secret::{AccessToken, Secret};
use crate::domain::corti::interaction::Interaction;
use crate::domain::corti::websocket::{self, SocketKind, connect_url};
use crate::domain::token::scope::{ScopeRequest, TokenClass};
use crate::failure::{Failure, Kind};

use super::{ProbeArgs, pasted};

/// A WebSocket that can be opened.
pub(super) struct Target {
    pub(super) kind: SocketKind,
    /// Without the token.
    pub(super) url: Url,
    /// With the token.
    pub(super) address: Secret,
    pub(super) interaction: Option<Uuid>,
    /// The WebSocket whose scope the token lacks, by its own claims.
    pub(super) lacking: Option<SocketKind>,
}

/// What [`prepare`] found.
pub(super) enum PreparedTarget {
    Ready(Target),
    /// `/streams` of an interaction that is still to be created.
    New(Owner),
}

/// Creates an interaction with a full token, and deletes it.
pub(super) struct Owner {
    caller: Caller,
    full: AccessToken,
    /// For the WebSocket.
    limited: AccessToken,
}

/// Chooses the WebSocket and gets the tokens. Creates nothing.
pub(super) async fn prepare(
    args: &ProbeArgs,
    tokens: &Tokens<'_>,
    checks: &mut Checks<'_>,
) -> Result<PreparedTarget, Failure> {
    if let Some(path) = &args.websocket_url {
        let (pasted, kind) = pasted::read(path, args.socket, tokens.context).await?;
        pasted.secrets().iter().for_each(|secret| tokens.context.sink.redactor().add(secret));
        let own = if pasted.has_token() {
            checks.skip("token", "using the token in the pasted URL");
            None
        } else {
            let caller = Caller::of(tokens.context)?;
            pasted::refuse_elsewhere(&pasted, &caller)?;
            Some(token(&caller, &kind.scope_request(), tokens, checks).await?)
        };
        let lacking = own.as_ref().or(pasted.token.as_ref()).and_then(|token| lacking(token, kind, tokens));
        let (url, address) = (pasted.bare.clone(), pasted.address(own.as_ref()));
        return Ok(PreparedTarget::Ready(Target { kind, url, address, interaction: None, lacking }));
    }
    let kind = args.socket.unwrap_or(SocketKind::Transcribe);
    if kind == SocketKind::Transcribe && (args.interaction.is_some() || args.keep) {
        let message = "--interaction and --keep are for streams: /transcribe has no interaction";
        return Err(Failure::new(Kind::Usage, message).hint("corti-auth probe streams --help"));
    }
    let caller = match &args.token_file {
        Some(path) => {
            Caller::of_file(
                path,
                args.which.nth,
                // Streams need an interaction, which only a full token creates.
                if kind == SocketKind::Streams { "full" } else { "transcribe" },
                &format!("corti-auth probe {}", kind.as_str()),
                tokens.context,
            )
            .await?
        }
        None => Caller::of(tokens.context)?,
    };
    let (environment, tenant) = caller.place();
    let url = match (kind, args.interaction) {
        (SocketKind::Transcribe, _) => websocket::transcribe_url(environment, tenant),
        (SocketKind::Streams, Some(id)) => websocket::streams_url(environment, tenant, id),
        (SocketKind::Streams, None) => {
            return Ok(PreparedTarget::New(Owner::new(caller, tokens, checks).await?));
        }
    };
    let url = url.map_err(|error| Failure::new(Kind::Configuration, error))?;
    let own = token(&caller, &kind.scope_request(), tokens, checks).await?;
    Ok(PreparedTarget::Ready(Target::new(kind, url, &own, args.interaction, tokens)))
}

/// Gets a token, as a check.
async fn token(
    caller: &Caller,
    requested: &ScopeRequest,
    tokens: &Tokens<'_>,
    checks: &mut Checks<'_>,
) -> Result<AccessToken, Failure> {
    checks.begin();
    // Never a cached one: a refusal of an old token would look like the client's fault.
    let policy = tokens.context.cache_policy().with_refresh();
    let token = tokens.get_for(caller, requested, policy).await;
    let token = token.map_err(|failure| checks.fail("token", failure))?;
    match caller {
        Caller::Ready(ready) => checks.skip("token", format!("using {}", ready.name)),
        Caller::Client(_) => checks.ok(
            "token",
            match requested {
                ScopeRequest::Scopes(scopes) => format!("limited token ({scopes})"),
                ScopeRequest::Full => "full token, to create the interaction".to_owned(),
            },
        ),
    }
    Ok(token)
}

/// `kind` if the token lacks its scope, by its own claims.
fn lacking(token: &AccessToken, kind: SocketKind, tokens: &Tokens<'_>) -> Option<SocketKind> {
    let seen = caller::inspect(token, tokens.context.host.clock.now()).ok().flatten()?;
    let may_lack = seen.class.is_some_and(|class| class != TokenClass::Full);
    (may_lack && !seen.scopes.contains(kind.as_str())).then_some(kind)
}

impl Target {
    fn new(
        kind: SocketKind,
        url: Url,
        token: &AccessToken,
        interaction: Option<Uuid>,
        tokens: &Tokens<'_>,
    ) -> Self {
        let (address, lacking) = (connect_url(&url, token), lacking(token, kind, tokens));
        Self { kind, url, address, interaction, lacking }
    }
}

impl Owner {
    async fn new(caller: Caller, tokens: &Tokens<'_>, checks: &mut Checks<'_>) -> Result<Self, Failure> {
        if let Caller::Ready(ready) = &caller
            && caller.is_limited()
        {
            let message = format!("{} is limited and cannot create an interaction", ready.name);
            return Err(Failure::new(Kind::Usage, message).hint("use an existing one: add --interaction ID"));
        }
        let limited = token(&caller, &SocketKind::Streams.scope_request(), tokens, checks).await?;
        let full = match &caller {
            // Its check is done, and it is used for both.
            Caller::Ready(ready) => ready.token.clone(),
            Caller::Client(_) => token(&caller, &ScopeRequest::Full, tokens, checks).await?,
        };
        Ok(Self { caller, full, limited })
    }

    /// Creates the interaction. Not to be interrupted: one whose id is not known cannot be deleted.
    pub(super) async fn create(
        &self,
        keep: bool,
        tokens: &Tokens<'_>,
        checks: &mut Checks<'_>,
    ) -> Result<Target, Failure> {
        let api = self.api(tokens);
        let context = tokens.context;
        let created =
            if keep { api.create_minimal(context).await } else { api.create_temporary(context).await };
        let Interaction { id, websocket_url } =
            created.map_err(|failure| checks.fail("interaction", failure))?;
        checks.ok("interaction", format!("created {id}"));
        Ok(Target::new(SocketKind::Streams, websocket_url, &self.limited, Some(id), tokens))
    }

    /// Deletes the interaction.
    pub(super) async fn delete(
        &self,
        id: Uuid,
        tokens: &Tokens<'_>,
        checks: &mut Checks<'_>,
    ) -> Result<(), Failure> {
        checks.begin();
        if let Err(failure) = self.api(tokens).delete(id).await {
            return Err(checks
                .fail("removal", failure)
                .context(format!("the interaction {id}, which the probe created, was not deleted"))
                .hint(deletion(id, tokens.context)));
        }
        checks.ok("removal", format!("deleted the interaction {id}"));
        Ok(())
    }

    /// Replaces a refused token: a recording may take longer than a token lives.
    fn api<'a>(&'a self, tokens: &'a Tokens<'_>) -> Api<'a> {
        Api::renewing(&self.caller, tokens, &self.full)
    }
}
